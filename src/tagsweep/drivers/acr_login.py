"""AcrLogin: who asks Azure Container Registry: docker's logins, else the identity of Azure, exchanged for a token.

Facts: github.com/Azure/acr, docs/AAD-OAuth.md, and the registry's own SDK: ``POST /oauth2/exchange`` gives a refresh
token, good for three hours, for a token of Microsoft Entra ID; the token server takes it as every identity token.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import threading
from typing import Any, Final
from urllib.parse import urlencode

from tagsweep.drivers.cloud_sdk import load_if_there
from tagsweep.drivers.credentials import CredentialStore
from tagsweep.http.auth import Credentials
from tagsweep.http.failures import failure
from tagsweep.model.errors import AuthenticationFailed, ProtocolViolation
from tagsweep.ports import Clock, Request, Transport

_AZURE: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.azurecr\.(?:io|cn|us)")
_AUDIENCE: Final = "https://containerregistry.azure.net/.default"
_OK: Final = 200
_LIFE, _EARLY, _LONGEST = 3600.0, 300.0, 86_400.0
"""Seconds: of a refresh token that does not tell its end, and before the end of one that does."""
_REMEDY: Final = (
    "az acr login, docker login with a token or service principal, or az login with pip install 'tagsweep[azure]'"
)


class AcrLogin:
    """Finds the credentials for one registry. ``entra`` sends a token of the Azure identity to a host whose name is
    not Azure's. Reads, runs and sends nothing before it is asked.
    """

    def __init__(self, host: str, base_url: str, *, transport: Transport, clock: Clock, entra: bool = False) -> None:
        self._host = host
        self._base_url = base_url
        self._store = CredentialStore(host)
        self._transport = transport
        self._clock = clock
        self._may_ask_azure = entra or _AZURE.fullmatch(host) is not None
        self._lock = threading.Lock()
        self._given: Credentials | None = None

    def find(self, repository: str) -> Credentials | None:
        """Return the credentials for a repository, or None where there are none."""
        found = self._store.find(repository)
        if found is not None or not self._may_ask_azure:
            return found
        with self._lock:
            if self._given is None or self._given.good_until <= self._clock.monotonic():
                self._given = self._exchanged()
            return self._given

    def close(self) -> None:
        """Give back the connections."""
        self._transport.close()

    def _exchanged(self) -> Credentials | None:
        identity = load_if_there("azure.identity")
        if identity is None:
            return None
        try:
            with identity.DefaultAzureCredential() as credential:
                token = str(credential.get_token(_AUDIENCE).token)
        except Exception as error:
            # Its words may repeat what a token server answered, so only its name is told.
            raise AuthenticationFailed(
                f"{self._host}: no credentials of docker, and no Azure token ({type(error).__name__})", remedy=_REMEDY
            ) from error
        form = {"grant_type": "access_token", "service": self._host, "access_token": token}
        response = self._transport.send(
            Request(
                method="POST",
                url=f"{self._base_url}/oauth2/exchange",
                headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
                body=urlencode(form).encode(),
                max_body=1024 * 1024,
            )
        )
        if response.status != _OK:
            raise failure(response, place=self._host, doing="exchange the Azure token for one of the registry")
        try:
            refresh = json.loads(response.body)["refresh_token"]
        except (ValueError, KeyError, TypeError) as error:
            raise ProtocolViolation(f"{self._host}: the answer to /oauth2/exchange holds no refresh token") from error
        return Credentials(
            identity_token=str(refresh),
            found_in="Azure identity",
            good_until=self._clock.monotonic() + _life(str(refresh)),
        )


def _life(token: str) -> float:
    """Return for how many seconds the token is used: until five minutes before its end, which it names itself."""
    try:
        claims: Any = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        left = float(claims["exp"]) - float(claims.get("iat") or claims["nbf"])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, binascii.Error):
        return _LIFE
    return min(max(left - _EARLY, 60.0), _LONGEST)
