"""CurlTransport: one HTTP request over libcurl and its answer, bounded in time and size. Follows and retries nothing.

Why libcurl: docs/adr/0002-http-client.md.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from typing import Any, Final

from tagsweep import __version__
from tagsweep.http.curl_errors import from_curl, too_large
from tagsweep.http.hosts import url_is_loopback
from tagsweep.http.trust import Trust, as_bytes, find_trust
from tagsweep.model.errors import ConfigurationError, Unreachable
from tagsweep.ports import Request, Response

USER_AGENT: Final = f"tagsweep/{__version__}"
_SAFE_TO_REPEAT: Final = frozenset({"GET", "HEAD"})
_MAX_HEADER_BYTES: Final = 256 * 1024
_MAIN_THREAD: Final = threading.main_thread()


class CurlTransport:
    """Implements :class:`tagsweep.ports.Transport` on pycurl.

    Handles (each with its own keep-alive connections) wait in a stack and are lent to one request at a time, so there
    are as many as there were requests at once, and they outlive the threads that used them. Times are in seconds:
    ``connect_timeout`` for name, TCP and TLS, ``stall_timeout`` without a byte, ``total_timeout`` for everything.
    Proxies come from the environment as curl reads it; loopback hosts never go through one. With ``unix_socket`` every
    connection goes to the socket at that path, whatever host the URL names. ``proxy`` is a URL that is used instead of
    the environment's, empty for none.

    ``only_ca`` are PEM bytes that are trusted instead of the system's certificates. ``certificate`` and ``key`` are a
    client's in PEM bytes, where they are in no file. ``check_certificate`` is only ever False where a user says so in
    words. ``connect_to`` is curl's ``HOST:PORT:ADDRESS:PORT``, for a server whose certificate names another host.
    """

    def __init__(
        self,
        *,
        place: str,
        ca: str | None = None,
        client_certificate: str | None = None,
        client_key: str | None = None,
        unix_socket: str | None = None,
        only_ca: bytes | None = None,
        certificate: bytes | None = None,
        key: bytes | None = None,
        check_certificate: bool = True,
        proxy: str | None = None,
        connect_to: str | None = None,
        connect_timeout: float = 15.0,
        stall_timeout: float = 60.0,
        total_timeout: float = 600.0,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        import pycurl  # noqa: PLC0415 - loads libcurl; nobody who asks for --help should wait for it

        self._pycurl: Any = pycurl
        self._place = place
        self._client_certificate = _readable(client_certificate, place, "client_certificate")
        self._client_key = _readable(client_key, place, "client_key")
        self._unix_socket = unix_socket
        self._timeouts = (int(connect_timeout * 1000), max(1, int(stall_timeout)), int(total_timeout * 1000))
        self._identity = (certificate, key)
        self._check_certificate = check_certificate
        self._proxy = proxy
        self._connect_to = connect_to
        self._trust = Trust(extra=only_ca)
        if only_ca is None:
            self._trust = find_trust(os.environ if environ is None else environ, ca=ca, place=place)
        self._trust_bytes = as_bytes(self._trust)
        self._idle: list[_Handle] = []
        self._closed = threading.Event()

    def send(self, request: Request) -> Response:
        """Send ``request`` once and return what came back.

        Raises Unreachable where there is no whole answer, ProtocolViolation where the body is larger than
        ``request.max_body``. A request other than GET and HEAD is never put on the wire twice, not even by libcurl.
        """
        if self._closed.is_set():
            raise Unreachable(f"{self._place}: the connection was given back already")
        if threading.get_ident() == _MAIN_THREAD.ident:
            return _aside(self._send, request)
        return self._send(request)

    def _send(self, request: Request) -> Response:
        try:
            handle = self._idle.pop()  # list operations are atomic: no lock is needed
        except IndexError:
            handle = self._new_handle()
        try:
            return handle.perform(request, self._place)
        finally:
            if self._closed.is_set():
                handle.close()
            else:
                self._idle.append(handle)

    def close(self) -> None:
        """Give back the connections; a request in flight gives back its own when it ends."""
        self._closed.set()
        while self._idle:
            try:
                self._idle.pop().close()
            except IndexError:
                return

    def _new_handle(self) -> _Handle:
        curl = self._pycurl
        easy = curl.Curl()
        connect, stall, total = self._timeouts
        easy.setopt(curl.USERAGENT, USER_AGENT)
        easy.setopt(curl.NOSIGNAL, 1)
        easy.setopt(curl.PATH_AS_IS, 1)  # a tag named ".." must not become another path
        easy.setopt(curl.PROTOCOLS, curl.PROTO_HTTP | curl.PROTO_HTTPS)
        easy.setopt(curl.HTTP_VERSION, curl.CURL_HTTP_VERSION_2TLS)
        easy.setopt(curl.CONNECTTIMEOUT_MS, connect)
        easy.setopt(curl.TIMEOUT_MS, total)
        easy.setopt(curl.LOW_SPEED_LIMIT, 1)
        easy.setopt(curl.LOW_SPEED_TIME, stall)
        easy.setopt(curl.TCP_KEEPALIVE, 1)
        if self._unix_socket is not None:
            easy.setopt(curl.UNIX_SOCKET_PATH, self._unix_socket)
        if self._proxy is not None:
            easy.setopt(curl.PROXY, self._proxy)
            easy.setopt(curl.NOPROXY, "")
        if self._connect_to is not None:
            easy.setopt(curl.CONNECT_TO, [self._connect_to])
        self._set_trust(easy)
        return _Handle(curl, easy, own_proxy=self._proxy is not None)

    def _set_trust(self, easy: Any) -> None:
        curl = self._pycurl
        if self._trust_bytes is not None:
            easy.setopt(curl.CAINFO_BLOB, self._trust_bytes)
        elif self._trust.bundle is not None:
            easy.setopt(curl.CAINFO, self._trust.bundle)
        if self._trust.directory is not None:
            easy.setopt(curl.CAPATH, self._trust.directory)
        if self._client_certificate is not None:
            easy.setopt(curl.SSLCERT, self._client_certificate)
            easy.setopt(curl.SSLKEY, self._client_key or self._client_certificate)
        certificate, key = self._identity
        if certificate is not None:
            easy.setopt(curl.SSLCERT_BLOB, certificate)
            easy.setopt(curl.SSLKEY_BLOB, key if key is not None else certificate)
        if not self._check_certificate:
            easy.setopt(curl.SSL_VERIFYPEER, 0)
            easy.setopt(curl.SSL_VERIFYHOST, 0)


# Python handles signals in the main thread between two instructions, and there is none while libcurl waits: Ctrl-C
# would do nothing until the server answers, or end in a callback, where it is lost. Waiting for a thread ends at once.
def _aside(send: Callable[[Request], Response], request: Request) -> Response:
    """Send in another thread; on Ctrl-C a read is left behind, but the end of a change that has begun is waited for."""
    ended: Future[Response] = Future()
    claim = threading.Lock()  # whoever takes it first decides whether the request is sent at all

    def run() -> None:
        if not claim.acquire(blocking=False):
            return
        try:
            ended.set_result(send(request))
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            ended.set_exception(error)

    try:
        threading.Thread(target=run, name="tagsweep-request", daemon=True).start()
        return ended.result()
    except BaseException:
        called_off = claim.acquire(blocking=False)
        if not called_off and request.method not in _SAFE_TO_REPEAT:
            wait([ended])
        raise


def _readable(path: str | None, place: str, option: str) -> str | None:
    if path is not None and not os.access(path, os.R_OK):
        raise ConfigurationError(
            f"the file {path} cannot be read", remedy=f"registries: {place}: {option}: must name a readable PEM file"
        )
    return path


class _Handle:
    """An easy handle with the buffers of the request that it serves now."""

    __slots__ = (
        "_body",
        "_curl",
        "_easy",
        "_head",
        "_head_room",
        "_method",
        "_no_proxy",
        "_on_wire",
        "_own_proxy",
        "_room",
    )

    def __init__(self, curl: Any, easy: Any, *, own_proxy: bool = False) -> None:
        self._curl = curl
        self._easy = easy
        self._head: list[bytes] = []
        self._body: list[bytes] = []
        self._room = 0
        self._head_room = 0
        self._on_wire = False
        self._method = "GET"
        self._no_proxy: bool | None = None
        self._own_proxy = own_proxy
        easy.setopt(curl.HEADERFUNCTION, self._on_header)
        easy.setopt(curl.WRITEFUNCTION, self._on_body)
        easy.setopt(curl.PREREQFUNCTION, self._before_request)

    def close(self) -> None:
        self._easy.close()

    def perform(self, request: Request, place: str) -> Response:
        curl, easy = self._curl, self._easy
        self._head.clear()
        self._body.clear()
        self._room, self._head_room = request.max_body, _MAX_HEADER_BYTES
        self._on_wire = False
        self._prepare(request)
        try:
            easy.perform()
        except curl.error as error:
            if self._room < 0 or self._head_room < 0:
                raise too_large(url=request.url, place=place, limit=request.max_body) from error
            raise from_curl(int(error.args[0]), str(error.args[1]), url=request.url, place=place) from error
        return Response(
            status=easy.getinfo(curl.RESPONSE_CODE),
            url=request.url,
            headers=_parse_head(b"".join(self._head)),
            body=b"".join(self._body),
        )

    def _prepare(self, request: Request) -> None:
        curl, easy = self._curl, self._easy
        if self._method not in _SAFE_TO_REPEAT:
            easy.unsetopt(curl.CUSTOMREQUEST)
        if self._method != request.method:
            easy.setopt(curl.HTTPGET, 1)  # also takes back NOBODY and POST
        self._method = request.method
        if request.method == "HEAD":
            easy.setopt(curl.NOBODY, 1)
        elif request.method != "GET":
            if request.body is not None:
                easy.setopt(curl.POSTFIELDS, request.body)
            else:
                easy.setopt(curl.HTTPGET, 1)
            easy.setopt(curl.CUSTOMREQUEST, request.method)
        easy.setopt(curl.URL, request.url)
        lines = [f"{name}: {value}" for name, value in request.headers.items()]
        if request.body is not None:
            lines.append("Expect:")
        easy.setopt(curl.HTTPHEADER, lines)
        if self._own_proxy:
            return
        slash = request.url.find("/", 8)
        loopback = url_is_loopback(request.url if slash < 0 else request.url[:slash])
        if loopback is not self._no_proxy:
            self._no_proxy = loopback
            if loopback:
                easy.setopt(curl.PROXY, "")
            else:
                easy.unsetopt(curl.PROXY)

    # libcurl sends a request again by itself when a kept connection breaks before the first byte of the answer.
    # A DELETE may have been carried out by then, so the second try is stopped here, before it is on the wire.
    def _before_request(self, *_addresses: Any) -> int:
        if self._on_wire and self._method not in _SAFE_TO_REPEAT:
            return int(self._curl.PREREQFUNC_ABORT)
        self._on_wire = True
        return int(self._curl.PREREQFUNC_OK)

    def _on_header(self, line: bytes) -> int | None:
        self._head_room -= len(line)
        if self._head_room < 0:
            return -1
        if line.startswith(b"HTTP/"):
            self._head.clear()  # what came before was an interim answer, or a proxy's
        else:
            self._head.append(line)
        return None

    def _on_body(self, data: bytes) -> int | None:
        self._room -= len(data)
        if self._room < 0:
            return -1
        self._body.append(data)
        return None


def _parse_head(head: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in head.decode("latin-1").split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            name, value = name.strip().lower(), value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
