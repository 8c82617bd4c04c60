"""What the HTTP and driver tests share: a clock that tests own, a scripted transport, and small servers on sockets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tagsweep.ports import Request, Response

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


class FakeClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.passed += seconds


class Notes:
    """Progress that remembers what it was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def begin(self, task: str, total: int | None) -> None:
        pass

    def advance(self, count: int = 1) -> None:
        pass

    def note(self, message: str) -> None:
        self.notes.append(message)


def answer(
    request: Request, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None, **more: str
) -> Response:
    """Return an answer to ``request``; keyword arguments are headers with underscores for hyphens."""
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return Response(status=status, url=request.url, headers={**(headers or {}), **named}, body=body)


class Script:
    """A transport whose answers a function gives; it remembers what was sent. An exception it returns is raised."""

    def __init__(self, respond: Callable[[Request], Response | Exception]) -> None:
        self.respond = respond
        self.sent: list[Request] = []
        self.closed = False

    def send(self, request: Request) -> Response:
        self.sent.append(request)
        result = self.respond(request)
        if isinstance(result, Exception):
            raise result
        return result

    def close(self) -> None:
        self.closed = True

    @property
    def lines(self) -> list[str]:
        """Method and URL of everything sent."""
        return [f"{request.method} {request.url}" for request in self.sent]


@dataclass
class Seen:
    """One request as a server saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """What a small server answers; ``drop`` closes the connection instead."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    repeated: tuple[tuple[str, str], ...] = ()
    drop: bool = False


class SmallServer:
    """An HTTP/1.1 server with keep-alive on an ephemeral port of 127.0.0.1."""

    def __init__(self, respond: Callable[[Seen], Reply], *, tls: Any = None) -> None:
        self.seen: list[Seen] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10
            disable_nagle_algorithm = True

            def log_message(self, *_: Any) -> None:
                pass

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else b""
                headers = {name.lower(): value for name, value in self.headers.items()}
                seen = Seen(self.command, self.path, headers, body)
                outer.seen.append(seen)
                reply = respond(seen)
                if reply.drop:
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in (*reply.headers.items(), *reply.repeated):
                    self.send_header(name, value)
                if "Content-Length" not in reply.headers:
                    self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(reply.body)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_CONNECT = _serve  # noqa: N815 - http.server's names

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"{'https' if tls is not None else 'http'}://{self.host}"


@contextmanager
def serve(respond: Callable[[Seen], Reply], *, tls: Any = None) -> Iterator[SmallServer]:
    """Run a small server for the length of a ``with`` block."""
    small = SmallServer(respond, tls=tls)
    thread = threading.Thread(target=small.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield small
    finally:
        small.server.shutdown()
        small.server.server_close()
        thread.join()
