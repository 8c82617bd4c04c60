"""Azure's tokens, by the chain of azure-identity: environment, workload and managed identity, the az command."""

from __future__ import annotations

import threading
from typing import Any, Final

from tagsweep.model.errors import AuthenticationFailed, ConfigurationError
from tagsweep.ports import Clock
from tagsweep.sources.cloud.extras import load

_EARLY: Final = 300.0
"""A token is renewed so many seconds before its end."""
_REMEDY: Final = (
    "sign in with az login, set AZURE_CLIENT_ID, AZURE_TENANT_ID and a secret or federated token, or run it where a "
    "managed identity is assigned"
)


class AzureTokens:
    """The tokens of one identity for the API at ``endpoint``; they are of no use anywhere else."""

    def __init__(self, endpoint: str, *, source: str, clock: Clock) -> None:
        self._source = source
        self._scope = f"{endpoint}/.default"
        self._clock = clock
        self._lock = threading.Lock()
        identity = load("azure.identity", extra="azure", source=source)
        try:
            self._credential: Any = identity.DefaultAzureCredential()
        except Exception as error:
            raise ConfigurationError(
                f"source {source}: the environment says something about Azure credentials that cannot be "
                f"({type(error).__name__})",
                remedy="look at the variables that begin with AZURE_",
            ) from error
        self._token = ""
        self._good_until = 0.0

    def token(self) -> str:
        """Return a token that is valid now; several threads may ask at once."""
        with self._lock:
            # Kept here, because the az command is started anew for each token.
            if self._clock.now().timestamp() >= self._good_until:
                try:
                    given = self._credential.get_token(self._scope)
                except Exception as error:
                    # Its words may repeat what a token server answered, so only its name is told.
                    raise AuthenticationFailed(
                        f"{self._source}: there is no Azure token ({type(error).__name__})", remedy=_REMEDY
                    ) from error
                self._token, self._good_until = str(given.token), float(given.expires_on) - _EARLY
            return self._token

    def close(self) -> None:
        """Give back the connections."""
        self._credential.close()
