"""GoogleLogin: one identity for Google's registry API, which takes it as a password, and its REST API, as a token.

Order: tagsweep's own variables; what docker login and gcloud auth configure-docker keep; Application Default
Credentials, where google-auth is installed. Facts: cloud.google.com, "Configure authentication for Docker".
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import threading
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Final

from tagsweep.drivers.cloud_sdk import load_if_there
from tagsweep.drivers.credentials import CredentialStore
from tagsweep.http.auth import Credentials
from tagsweep.model.errors import AuthenticationFailed, TagsweepError, Unreachable
from tagsweep.ports import Clock, Request, Transport

ACCESS_TOKEN: Final = "oauth2accesstoken"  # noqa: S105 - the user name that goes with one
_KEY, _ENCODED_KEY = "_json_key", "_json_key_base64"
_GCLOUD: Final = ("_dcgcloud_token", "_dcgcr_")
"""How the user names begin that gcloud's and Google's own credential helper give beside an access token."""
_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_LIFE: Final = 1800.0
"""Seconds for which a token is used before it is asked for anew: Google's live for an hour, a helper's for less."""
_REMEDY: Final = (
    "gcloud auth configure-docker HOST, docker login -u oauth2accesstoken, or Application Default Credentials with "
    "pip install 'tagsweep[gcp]'"
)


class GoogleLogin:
    """Finds the credentials for one host. Reads, runs and sends nothing before it is asked."""

    def __init__(self, host: str, *, transport: Transport, clock: Clock) -> None:
        self._host = host
        self._store = CredentialStore(host)
        self._transport = transport
        self._clock = clock
        self._lock = threading.Lock()
        self._minted: dict[str, Credentials] = {}
        self._authorizing = threading.Lock()
        self._header: Mapping[str, str] | None = None
        self._header_until = math.inf
        self._renewed_in_vain: Mapping[str, str] | None = None

    def find(self, repository: str) -> Credentials | None:
        """Return the credentials for the registry API, or None where there are none."""
        found = self._store.find(repository)
        if found is None:
            return self._fresh("", self._default, "Application Default Credentials")
        if is_token(found) and found.found_in.startswith("docker-credential-"):
            return replace(found, good_until=self._clock.monotonic() + _LIFE)
        return found

    def authorize(self, refused: Mapping[str, str] | None = None) -> Mapping[str, str]:
        """Return the header for the REST API; empty where these credentials are of no use there.

        It is looked up once and kept until its token ends, because a credential helper may ask a person. ``refused`` is
        a header that the API answered 401 to: it is looked up anew, and not again where there is no other.
        """
        with self._authorizing:
            known = self._header
            is_refused = refused is not None and refused == known and known != self._renewed_in_vain
            if known is None or is_refused or self._header_until <= self._clock.monotonic():
                if is_refused:
                    self._forget(refused)
                known, self._header_until = self._look_up()
                self._renewed_in_vain = known if is_refused and known == refused else None
                self._header = known
            return known

    def _look_up(self) -> tuple[Mapping[str, str], float]:
        """Return the header for the REST API, and until when it is good."""
        found = self.find("")
        if found is not None and not is_token(found):
            key, found_in = _service_account(found), found.found_in
            found = self._fresh(found_in, lambda: self._of_key(key), found_in) if key else None
        if found is None:
            return {}, math.inf
        return {"Authorization": f"Bearer {found.password}"}, found.good_until

    def _forget(self, header: Mapping[str, str] | None) -> None:
        """Forget the token in a header, so that the next one is minted."""
        with self._lock:
            for name, minted in tuple(self._minted.items()):
                if header == {"Authorization": f"Bearer {minted.password}"}:
                    del self._minted[name]

    def close(self) -> None:
        """Give back the connections."""
        self._transport.close()

    def _fresh(self, name: str, sign_in: Any, found_in: str) -> Credentials | None:
        with self._lock:
            known = self._minted.get(name)
            if known is None or known.good_until <= self._clock.monotonic():
                token = self._mint(sign_in, found_in)
                if token is None:
                    return None
                known = self._minted[name] = Credentials(
                    username=ACCESS_TOKEN,
                    password=token,
                    found_in=found_in,
                    good_until=self._clock.monotonic() + _LIFE,
                )
            return known

    def _mint(self, sign_in: Any, found_in: str) -> str | None:
        """Return a new access token, or None where google-auth is not there or finds nobody to sign in."""
        exceptions = load_if_there("google.auth.exceptions")
        if exceptions is None:
            return None
        try:
            credentials = sign_in()
            credentials.refresh(_sender(self._transport, exceptions))
        except exceptions.DefaultCredentialsError:
            return None
        except Exception as error:
            # Its words may repeat what a token server answered, so only its name is told; it may be of any class.
            kind = type(error).__name__
            if kind == "TransportError":
                raise Unreachable(f"{self._host}: Google's token server has no answer", remedy=_REMEDY) from error
            raise AuthenticationFailed(f"{self._host}: no token for {found_in} ({kind})", remedy=_REMEDY) from error
        token = credentials.token
        return token if isinstance(token, str) and token else None

    def _default(self) -> Any:
        auth = load_if_there("google.auth")
        exceptions = load_if_there("google.auth.exceptions")
        credentials, _ = auth.default(scopes=[_SCOPE], request=_sender(self._transport, exceptions))
        return credentials

    def _of_key(self, key: Mapping[str, Any]) -> Any:
        account = load_if_there("google.oauth2.service_account")
        return account.Credentials.from_service_account_info(key, scopes=[_SCOPE])


def is_token(credentials: Credentials) -> bool:
    """Tell whether the password is an access token of Google, which its REST API takes too."""
    return credentials.username == ACCESS_TOKEN or credentials.username.startswith(_GCLOUD)


def _service_account(credentials: Credentials) -> Mapping[str, Any] | None:
    text = credentials.password
    try:
        if credentials.username == _ENCODED_KEY:
            text = base64.b64decode(text, validate=True).decode()
        elif credentials.username != _KEY:
            return None
        document = json.loads(text)
    except (ValueError, binascii.Error):
        return None
    return document if isinstance(document, dict) else None


def _sender(transport: Transport, exceptions: Any) -> Any:
    """Return what google-auth calls to send a request, made of our transport."""

    def send(
        url: str, method: str = "GET", body: bytes | str | None = None, headers: Any = None, **_: Any
    ) -> SimpleNamespace:
        data = body.encode() if isinstance(body, str) else body
        try:
            response = transport.send(Request(method=method, url=url, headers=headers or {}, body=data))
        except TagsweepError as error:
            raise exceptions.TransportError("no answer") from error
        return SimpleNamespace(status=response.status, headers=response.headers, data=response.body)

    return send
