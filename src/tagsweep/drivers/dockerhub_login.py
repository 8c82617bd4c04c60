"""HubLogin: the tokens of Docker Hub's API, which live for ten minutes, bought with a user's or organization's secret.

Facts: ``POST /v2/auth/token`` takes a user with a password or personal access token, or an organization with its
access token, and answers a token that expires in ten minutes. ``POST /v2/users/login`` is its deprecated forerunner,
which is asked only where the first one does not exist.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tagsweep.http.auth import Credentials
from tagsweep.http.failures import failure
from tagsweep.http.rest import RestClient
from tagsweep.model.errors import AuthenticationFailed, ProtocolViolation, RegistryError
from tagsweep.ports import Clock

ORGANIZATION_TOKEN: Final = "dckr_oat_"  # noqa: S105 - how such tokens begin, and none itself
PERSONAL_TOKEN: Final = "dckr_pat_"  # noqa: S105 - a prefix, no secret
_LIFE: Final = 9 * 60.0
"""Seconds; a minute less than the API says, so that a token does not expire on its way."""
_OK: Final = 200
_NO_SUCH_CALL: Final = frozenset({404, 405, 410, 501})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """One way to log in: its path, what it calls the two halves of the credentials, and where the token stands."""

    path: str
    name: str
    secret: str
    token: str


_TODAY: Final = _Way(path="/v2/auth/token", name="identifier", secret="secret", token="access_token")  # noqa: S106 - names
_FORMERLY: Final = _Way(path="/v2/users/login", name="username", secret="password", token="token")  # noqa: S106 - names


class HubLogin:
    """Authorizes the requests of one account. Shared by all threads; nothing is sent before the first request.

    ``client`` asks the API as nobody. Credentials that were rejected once are not tried again: repeated tries lock
    accounts.
    """

    def __init__(self, credentials: Credentials, *, client: RestClient, clock: Clock) -> None:
        self._credentials = credentials
        self._client = client
        self._clock = clock
        self._lock = threading.Lock()
        self._way = _TODAY
        self._header: Mapping[str, str] = {}
        self._good_until = 0.0
        self._rejected: AuthenticationFailed | None = None

    def __call__(self, refused: Mapping[str, str] | None) -> Mapping[str, str]:
        """Return the header with a token that is not about to expire, and not the one that was just refused."""
        with self._lock:
            if self._rejected is not None:
                known = self._rejected
                raise AuthenticationFailed(str(known), remedy=known.remedy, status=known.status)
            fresh = self._header and self._clock.monotonic() < self._good_until
            if not fresh or self._header == refused:
                # The life counts from before the request: the answer may have been long on its way.
                asked_at = self._clock.monotonic()
                self._header = {"Authorization": f"Bearer {self._log_in()}"}
                self._good_until = asked_at + _LIFE
            return self._header

    def _log_in(self) -> str:
        if not self._credentials.username or not self._credentials.password:
            raise self._reject("is an identity token, which Docker Hub's API does not take")
        response = self._ask()
        if response.status in _NO_SUCH_CALL and self._way is _TODAY:
            self._way = _FORMERLY
            response = self._ask()
        if response.status != _OK:
            raise failure(response, place=self._client.place, doing="log in")
        document: Any = self._client.read(response, doing="log in")
        token = document.get(self._way.token) if isinstance(document, dict) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token or " " in token:
            raise ProtocolViolation(f"{self._client.place}: the answer to the login holds no usable token")
        return token

    def _ask(self) -> Any:
        given = {self._way.name: self._credentials.username, self._way.secret: self._credentials.password}
        try:
            return self._client.send("POST", self._way.path, body=given, about="login")
        except AuthenticationFailed as error:
            raise self._reject(f"is rejected ({_said(error)})") from None

    def _reject(self, what: str) -> AuthenticationFailed:
        known = self._credentials
        whose = f"of {known.username} " if known.username else ""
        self._rejected = AuthenticationFailed(
            f"{self._client.place}: the login {whose}({known.found_in}) {what}",
            remedy=(
                "docker login with a personal access token with Read, Write & Delete; accounts with a second factor "
                "need one, and an organization access token goes with the name of its organization"
            ),
            status=401,
        )
        return self._rejected


def _said(error: RegistryError) -> str:
    return str(error).rpartition(": ")[2]
