"""A server that answers operations of AWS in the shapes of botocore's models, for what moto has not."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Answer = Callable[[Mapping[str, Any]], Any]
"""From the parameters of an operation to its answer. A text is sent as it is, an AwsRefusal as an error."""


class AwsRefusal:
    """An error of AWS: its status, code and message."""

    def __init__(self, code: str, *, status: int = 400, message: str = "") -> None:
        self.status = status
        self.body = json.dumps({"__type": code, "message": message})
        self.code = code


class AwsServer:
    """Answers by the operation: the one in ``X-Amz-Target``, or ``METHOD /path`` for the services that use paths.

    ``asked`` are the operations in their order. An operation that is not in ``answers`` is refused.
    """

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self.asked: list[str] = []
        log = self.asked

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
                operation = target or f"{self.command} {self.path.partition('?')[0]}"
                log.append(operation)
                answering: Answer = answers.get(operation, _refuse)
                answer = answering(json.loads(body) if body else {})
                status, code = (answer.status, answer.code) if isinstance(answer, AwsRefusal) else (200, "")
                text = answer.body if isinstance(answer, AwsRefusal) else answer
                data = (text if isinstance(text, str) else json.dumps(text)).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(data)))
                if code:
                    self.send_header("x-amzn-ErrorType", code)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the class has
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """Return the server."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


def _refuse(_: Mapping[str, Any]) -> AwsRefusal:
    return AwsRefusal("AccessDeniedException", message="User: arn:aws:iam::1:user/x is not authorized")
