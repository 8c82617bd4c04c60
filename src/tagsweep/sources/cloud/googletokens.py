"""Google's tokens, by Application Default Credentials: google-auth finds and fetches them, through our transport."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Final

from tagsweep.model.errors import AuthenticationFailed, ConfigurationError, TagsweepError, Unreachable
from tagsweep.ports import Request, Transport
from tagsweep.sources.cloud.extras import load

_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_LARGEST_ANSWER: Final = 1024 * 1024
_REMEDY: Final = (
    "sign in with gcloud auth application-default login, name a key or a federation file in "
    "GOOGLE_APPLICATION_CREDENTIALS, or run it where a service account is attached"
)


class GoogleTokens:
    """The tokens of one identity. ``project`` is the one that the credentials belong to, or empty."""

    def __init__(self, transport: Transport, *, source: str) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._exceptions = load("google.auth.exceptions", extra="gcp", source=source)
        self._request = _request_class(self._exceptions)(transport)
        auth = load("google.auth", extra="gcp", source=source)
        try:
            self._credentials, project = auth.default(scopes=[_SCOPE], request=self._request)
        except ImportError as error:  # some kinds of credentials need a package more
            raise ConfigurationError(
                f"source {source}: this kind of Google credentials needs a Python package more",
                remedy=f"install {error.name or 'it'} beside tagsweep",
            ) from error
        except Exception as error:
            raise self._refused(error) from error
        self.project = project or ""

    def token(self) -> str:
        """Return a token that is valid now; several threads may ask at once."""
        with self._lock:
            try:
                if not self._credentials.valid:
                    self._credentials.refresh(self._request)
            except Exception as error:
                raise self._refused(error) from error
            token = self._credentials.token
        if not isinstance(token, str) or not token:
            raise AuthenticationFailed(f"{self._source}: Google gives no token", remedy=_REMEDY)
        return token

    def _refused(self, error: Exception) -> TagsweepError:
        # Its words may repeat what a token server answered, so only its name is told. It may be of any class:
        # google-auth lets KeyError and ValueError through where an answer is not as it should be.
        kind = type(error).__name__
        if kind == "TransportError":
            return Unreachable(f"{self._source}: Google's token server has no answer", remedy=_REMEDY)
        return AuthenticationFailed(f"{self._source}: there is no Google token ({kind})", remedy=_REMEDY)


def _request_class(exceptions: Any) -> type:
    """Return what google-auth calls to send a request, made of our transport."""

    class Send:
        """One request for google-auth."""

        def __init__(self, transport: Transport) -> None:
            self._transport = transport

        def __call__(
            self,
            url: str,
            method: str = "GET",
            body: bytes | str | None = None,
            headers: Mapping[str, str] | None = None,
            **_: Any,
        ) -> Any:
            data = body.encode() if isinstance(body, str) else body
            request = Request(method=method, url=url, headers=headers or {}, body=data, max_body=_LARGEST_ANSWER)
            try:
                response = self._transport.send(request)
            except TagsweepError as error:
                raise exceptions.TransportError("no answer") from error
            return SimpleNamespace(status=response.status, headers=response.headers, data=response.body)

    return Send
