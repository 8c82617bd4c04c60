"""GET requests to one cluster's API: authorized, repeated where that helps, and each refusal told with its remedy."""

from __future__ import annotations

import threading
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec

from tagsweep.http.curl_errors import UNTRUSTED
from tagsweep.http.hosts import url_is_loopback
from tagsweep.http.limit import HostLimit
from tagsweep.http.redact import excerpt
from tagsweep.http.retry import Retrier, RetryPolicy
from tagsweep.http.transport import CurlTransport
from tagsweep.model.errors import (
    AuthenticationFailed,
    ConfigurationError,
    NotFound,
    PermissionDenied,
    ProtocolViolation,
    RegistryError,
    ServerFailed,
    Unreachable,
    Unsupported,
)
from tagsweep.ports import Clock, Progress, Request, Response
from tagsweep.sources.kube.credentials import Credentials
from tagsweep.sources.kube.kubeconfig import ClusterAccess

GONE: Final = 410
"""The status where a list that was being read can no longer be continued."""

_OK, _UNAUTHORIZED, _SERVER_ERROR, _REDIRECTS = 200, 401, 500, range(300, 400)
_TRIES: Final = 3
_MOST_SAID: Final = 4096
_MAX_BODY: Final = 128 * 1024 * 1024
_BY_STATUS: Final[dict[int, type[RegistryError]]] = {
    401: AuthenticationFailed,
    403: PermissionDenied,
    404: NotFound,
    405: Unsupported,
    406: Unsupported,
}
_POLICY: Final = RetryPolicy(tries=4, first_wait=0.5, longest_wait=10.0, longest_pause=120.0, patience=300.0)


class KubeClient:
    """One cluster. Follows no redirect, so Authorization goes nowhere else."""

    def __init__(
        self,
        access: ClusterAccess,
        credentials: Credentials,
        *,
        clock: Clock,
        progress: Progress,
        timeout: float = 60.0,
    ) -> None:
        self.place = access.name
        self._access = access
        self._credentials = credentials
        self._timeout = timeout
        self._base, self._host_header, self._connect_to = _addresses(access)
        self._identity: tuple[bytes | None, bytes | None] = (None, None)
        self._transport: CurlTransport | None = None
        self._lock = threading.Lock()
        self._retrier = Retrier(
            self._send, limit=HostLimit(4, clock), clock=clock, progress=progress, place=access.name, policy=_POLICY
        )

    def get(self, path: str, query: dict[str, str] | None = None) -> Any:
        """Return the decoded answer, or raise a RegistryError that names place, path and remedy."""
        url = self._base + path + (f"?{urlencode(query)}" if query else "")
        response = self._answer(url)
        if response.status == _UNAUTHORIZED and self._credentials.refused():
            response = self._answer(url)
        if response.status != _OK:
            raise self._error(response, path)
        try:
            return msgspec.json.decode(response.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolViolation(f"{self.place}: {path} answers with something that is not JSON") from error

    def close(self) -> None:
        """Give back the connections."""
        if self._transport is not None:
            self._transport.close()

    def _answer(self, url: str) -> Response:
        headers = {"Accept": "application/json", **self._host_header, **self._credentials.headers()}
        request = Request(method="GET", url=url, headers=headers, max_body=_MAX_BODY)
        try:
            for attempt in range(1, _TRIES + 1):
                response = self._retrier.send(request)
                # A bare 500 is what an API server answers while etcd elects or an aggregated server starts.
                if response.status != _SERVER_ERROR or attempt == _TRIES:
                    return response
        except Unreachable as error:
            raise Unreachable(str(error), remedy=_remedy(error), code=error.code) from error
        except ConfigurationError as error:
            raise ConfigurationError(
                str(error), remedy=f"check the certificates of the context {self.place} in the kubeconfig"
            ) from error
        raise ServerFailed(f"{self.place}: no answer")  # never reached: the last try returns

    def _send(self, request: Request) -> Response:
        return self._connection().send(request)

    def _connection(self) -> CurlTransport:
        """Return the transport; a new one where a plugin has issued another certificate."""
        access = self._access
        identity = self._credentials.identity()
        with self._lock:
            if self._transport is not None and identity != self._identity:
                self._transport.close()
                self._transport = None
            if self._transport is None:
                self._identity = identity
                proxy = access.proxy or ("" if url_is_loopback(access.server) else None)
                self._transport = CurlTransport(
                    place=self.place,
                    only_ca=access.ca,
                    certificate=identity[0],
                    key=identity[1],
                    check_certificate=access.check_certificate,
                    proxy=proxy,
                    connect_to=self._connect_to,
                    stall_timeout=self._timeout,
                    total_timeout=self._timeout,
                )
            return self._transport

    def _error(self, response: Response, path: str) -> RegistryError:
        status = response.status
        said = excerpt(
            self._credentials.hide(_message(response.body)), limit=240
        )  # hidden first: a cut token is one too
        what = f"{self.place}: {path} answers {status}" + (f" ({said})" if said else "")
        if status in _REDIRECTS:
            remedy = "write the address that it is redirected to as server: in the kubeconfig, if you trust it"
            return ProtocolViolation(f"{what}, a redirect, which is not followed", remedy=remedy, status=status)
        kind = _BY_STATUS.get(status, ServerFailed if status >= _SERVER_ERROR else ProtocolViolation)
        return kind(what, status=status)


def _addresses(access: ClusterAccess) -> tuple[str, dict[str, str], str | None]:
    """Return the URL to ask, a Host header and where to connect, which differ where the certificate names another."""
    if not access.server_name:
        return access.server, {}, None
    parts = urlsplit(access.server)
    port = parts.port if parts.port is not None else 443
    host = parts.hostname or ""
    address = f"[{host}]" if ":" in host else host
    base = f"{parts.scheme}://{access.server_name}:{port}{parts.path}"
    return base, {"Host": parts.netloc.rpartition("@")[2]}, f"{access.server_name}:{port}:{address}:{port}"


def _message(body: bytes) -> str:
    try:
        status = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body[:_MOST_SAID].decode("utf-8", "replace")
    message = status.get("message") if isinstance(status, dict) else None
    return message if isinstance(message, str) else ""


def _remedy(error: Unreachable) -> str:
    if error.code == UNTRUSTED:
        return "check certificate-authority(-data) and tls-server-name of the cluster in the kubeconfig"
    return error.remedy or "check the network, or give it longer with the option timeout:"
