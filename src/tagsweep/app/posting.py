"""Sending one document to an address that is a secret. A redirect is not followed, and no message has the address."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from tagsweep.http.hosts import url_is_loopback
from tagsweep.http.transport import CurlTransport
from tagsweep.model.errors import ConfigurationError, TagsweepError
from tagsweep.ports import Request

if TYPE_CHECKING:
    from tagsweep.ports import Clock

_TRIES: Final = 3
_PAUSE: Final = 2.0
_GOOD: Final = range(200, 300)
_PASSING: Final = frozenset({429, 500, 502, 503, 504})
_NO_TLS: Final = "only loopback may do without TLS"


def from_environment(name: str, environ: Mapping[str, str]) -> str:
    """Return the value of an environment variable that has to be set."""
    value = environ.get(name, "").strip()
    if not value:
        raise ConfigurationError(f"the environment variable {name} is not set", remedy="set it where the job runs")
    return value


def post(url: str, document: dict[str, Any], clock: Clock) -> None:
    """Post a document as JSON; raises ConfigurationError."""
    send("POST", url, json.dumps(document).encode(), content_type="application/json", clock=clock)


def send(method: str, url: str, body: bytes, *, content_type: str, clock: Clock, public: bool = False) -> None:
    """Send a body to an address, again where the service says that it cannot now; raises ConfigurationError.

    User and password in the address are sent as basic authentication. ``public`` says that neither the address nor the
    body is a secret: then it may begin with http://, unless there is a user in it.
    """
    parts = _split(url)
    plain = url_is_loopback(url) or (public and parts.username is None)
    if parts.scheme != "https" and not (parts.scheme == "http" and plain):
        raise ConfigurationError("the address does not begin with https://", remedy=_NO_TLS)
    headers = {"Content-Type": content_type, "Accept": "*/*"}
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    transport = CurlTransport(place="the service", connect_timeout=10.0, total_timeout=30.0)
    request = Request(method=method, url=bare, headers=headers, body=body)
    try:
        for attempt in range(1, _TRIES + 1):
            try:
                status = transport.send(request).status
            except TagsweepError:
                # Its words may have the address. What got no answer may have arrived: it is not sent again.
                raise ConfigurationError("the service does not answer", remedy="is it reachable from here?") from None
            if status in _GOOD:
                return
            if status not in _PASSING or attempt == _TRIES:
                raise ConfigurationError(f"the service answered {status}", remedy="is the address still valid?")
            clock.sleep(_PAUSE * attempt)
    finally:
        transport.close()


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ConfigurationError("the address is no URL", remedy=_NO_TLS) from None
    return parts
