"""HTTP/1.1 on a real socket, as little of it as a registry needs: a thread a connection, keep-alive, chunked bodies.

The standard library's server parses every request with the e-mail package and answers some 2,000 requests a second;
this one is several times faster, so that tests of ten thousand tags take a second.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import BinaryIO, Final

_MAX_LINE: Final = 64 * 1024
_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRequest:
    """One request as it came; ``target`` is the path with its query, header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str] = field(hash=False)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer. ``hang_up`` closes the connection without sending it, as a crashing proxy would."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    body: bytes = b""
    hang_up: bool = False


class WireServer:
    """Answers requests on a free port of 127.0.0.1 with ``handler`` until closed. ``tls`` serves https.

    What ``handler`` raises is answered 500 and kept in ``raised``: a mistake in it is no lost connection.
    """

    def __init__(self, handler: Callable[[WireRequest], Answer], *, tls: ssl.SSLContext | None = None) -> None:
        self._handler = handler
        self._tls = tls
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._closed = False
        self.raised: list[Exception] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, name=f"registry {self.host}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and end every connection."""
        with self._lock:
            self._closed = True
            connections = tuple(self._open)
        for connection in (self._listener, *connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                connection.close()
        self._thread.join(timeout=5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._closed:
                    connection.close()
                    return
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        channel = connection
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                channel = self._tls.wrap_socket(connection, server_side=True)  # takes the descriptor over
                with self._lock:
                    self._open.discard(connection)
                    self._open.add(channel)
                    if self._closed:
                        return
            with channel.makefile("rb") as stream:
                while (request := _read_request(stream, channel)) is not None:
                    answer = self._answer(request)
                    if answer.hang_up:
                        return
                    channel.sendall(_encode(request, answer))
                    if request.headers.get("connection", "").lower() == "close":
                        return
        except (OSError, ValueError):
            return  # the client went away, or spoke no HTTP
        finally:
            with self._lock:
                self._open -= {connection, channel}
            with contextlib.suppress(OSError):
                channel.close()

    def _answer(self, request: WireRequest) -> Answer:
        try:
            return self._handler(request)
        except Exception as problem:  # noqa: BLE001 - whatever a test's hook raises; it is raised again at the end
            self.raised.append(problem)
            return Answer(status=500, headers={"Content-Type": "text/plain"}, body=b"the fake registry failed\n")


def _read_request(stream: BinaryIO, channel: socket.socket) -> WireRequest | None:
    """Return the next request, or None where the client closed the connection."""
    line = stream.readline(_MAX_LINE)
    if not line:
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers: dict[str, str] = {}
    while (line := stream.readline(_MAX_LINE)) not in (b"\r\n", b"\n"):
        if not line:
            return None
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    if headers.get("expect", "").lower() == "100-continue":
        channel.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    return WireRequest(method=method, target=target, headers=headers, body=_read_body(stream, headers))


def _read_body(stream: BinaryIO, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        parts: list[bytes] = []
        while (size := int(stream.readline(_MAX_LINE).split(b";")[0], 16)) > 0:
            parts.append(_read_exactly(stream, size))
            stream.readline(_MAX_LINE)
        while stream.readline(_MAX_LINE) not in (b"\r\n", b"\n", b""):
            continue  # trailers
        return b"".join(parts)
    length = int(headers.get("content-length", "0"))
    return _read_exactly(stream, length) if length > 0 else b""


def _read_exactly(stream: BinaryIO, length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise ConnectionError("the client went away in the middle of a body")  # half of it is not what it pushed
    return data


def _encode(request: WireRequest, answer: Answer) -> bytes:
    head = [f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, '')}"]
    head.extend(f"{name}: {value}" for name, value in answer.headers.items())
    if answer.status != HTTPStatus.NO_CONTENT:
        head.append(f"Content-Length: {len(answer.body)}")
    data = ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")
    return data if request.method == "HEAD" else data + answer.body
