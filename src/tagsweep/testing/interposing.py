"""What stands between a driver and a registry in this process: it counts, breaks and listens for credentials."""

from __future__ import annotations

import base64
import json
import re
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Final, ParamSpec, Self, TypeAlias, TypeVar

import pytest

from tagsweep.model.errors import ConfigurationError, RegistryError
from tagsweep.ports import RegistryDriver
from tagsweep.testing.answers import error
from tagsweep.testing.faults import LOST_CONNECTION
from tagsweep.testing.harness import Harness, Interposes
from tagsweep.testing.wire import Answer, WireRequest, WireServer

Perform: TypeAlias = Callable[[WireRequest], Answer]
Rule: TypeAlias = Callable[[int, WireRequest, Perform], Answer]
Told: TypeAlias = RegistryError | ConfigurationError
"""The errors that a driver may raise; anything else is a mistake of its own and ends the test."""
_Value = TypeVar("_Value")
_Given = ParamSpec("_Given")

WEB_PAGE: Final = b"<html><body>Something went wrong, or you have to log in.</body></html>"
"""What proxies answer, with any status: no registry speaks so."""
_SHORTEST_SECRET: Final = 6
_TOKENS: Final = re.compile(rb'"(?:token|access_token|refresh_token|jwt)"\s*:\s*"([^"]+)"')


def web_page(status: int) -> Answer:
    """Return a proxy's answer."""
    return Answer(status=status, headers={"Content-Type": "text/html"}, body=WEB_PAGE)


def refused(status: int) -> Answer:
    """Return what a registry answers with this status; 0 is a lost connection, 200 and 404 come from a proxy."""
    if status == 0:
        return LOST_CONNECTION
    return web_page(status) if status in (200, 404) else error(status, "UNKNOWN", "no")


class Line:
    """Answers by ``rule``: given the number of the request, from 1, the request, and what the registry does with it.

    ``asked`` is every request that came, ``secrets`` what was sent or handed out as a credential.
    """

    def __init__(self, harness: Interposes) -> None:
        self.rule: Rule | None = None
        self.asked: list[WireRequest] = []
        self.secrets: set[str] = set()
        self._harness = harness
        self._lock = threading.Lock()
        self._number = 0

    def __call__(self, request: WireRequest, perform: Perform) -> Answer:
        """Answer one request."""
        with self._lock:
            self.asked.append(request)
            self.secrets |= _secrets(request)
            self._number += 1
            number = self._number
        answer = perform(request) if self.rule is None else self.rule(number, request, perform)
        with self._lock:
            self.secrets |= {found.decode() for found in _TOKENS.findall(answer.body)}
        return answer

    def restart(self, rule: Rule | None) -> None:
        """Begin to count anew, by another rule."""
        with self._lock:
            self.rule, self._number = rule, 0
            self.asked.clear()

    @property
    def number(self) -> int:
        """How many requests came since the rule began."""
        return self._number

    def told(self, call: Callable[_Given, _Value], *given: _Given.args, **named: _Given.kwargs) -> _Value | Told:
        """Return what ``call`` returns or what error it raises; no error may show a credential."""
        try:
            return call(*given, **named)
        except (RegistryError, ConfigurationError) as problem:
            self.check(problem)
            return problem

    def check(self, problem: Told) -> None:
        """Look for credentials in an error, in what it came from, and in the notes."""
        shown = "".join(traceback.format_exception(problem))
        for text in (shown, problem.remedy, repr(vars(problem)), *self._harness.progress.notes):
            shown_secrets = [secret for secret in self.secrets if secret in text]
            assert not shown_secrets, "a credential is shown in an error or a note"  # noqa: S101 - what is tested


def _secrets(request: WireRequest) -> set[str]:
    """Return what a request proves itself with: the header, and the password in it."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    found = {value}
    if scheme.lower() == "basic":
        found.add(base64.b64decode(value).decode("utf-8", "replace").partition(":")[2])
    if request.body and request.headers.get("content-type", "").startswith("application/json"):
        document = json.loads(request.body)
        if isinstance(document, dict):
            found |= {str(document[key]) for key in ("password", "secret") if key in document}
    return {secret for secret in found if len(secret) >= _SHORTEST_SECRET}


@contextmanager
def line_before(harness: Harness) -> Iterator[tuple[Interposes, Line]]:
    """Give a line before the registry of ``harness``, or skip the test where it is a real server."""
    if not isinstance(harness, Interposes):
        pytest.skip("the answers of this registry cannot be broken")
    line = Line(harness)
    harness.interpose(line)
    try:
        yield harness, line
    finally:
        harness.interpose(None)


@contextmanager
def connected(harness: Harness) -> Iterator[RegistryDriver]:
    """Give a new driver, which remembers nothing of the ones before."""
    driver = harness.connect()
    try:
        yield driver
    finally:
        driver.close()


class Stranger:
    """A host that is not the registry's and keeps what it is asked; it answers everything as a registry without
    anything in it would.
    """

    def __enter__(self) -> Self:
        """Begin to listen."""
        self.asked: list[WireRequest] = []
        self._server = WireServer(self._answer)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every connection."""
        self._server.close()

    @property
    def base(self) -> str:
        """Where it answers."""
        return f"http://{self._server.host}"

    def _answer(self, request: WireRequest) -> Answer:
        self.asked.append(request)
        return web_page(404)

    def check(self, line: Line, harness: Interposes) -> None:
        """Look for credentials and changes in what it was asked."""
        for request in self.asked:
            assert "authorization" not in request.headers, "Authorization went to another host"  # noqa: S101 - see check
            sent = f"{request.target} {dict(request.headers)} {request.body!r}"
            assert not any(secret in sent for secret in line.secrets), "a secret went to another host"  # noqa: S101 - see check
            assert not harness.is_change(request), "a change was sent to another host"  # noqa: S101 - see check

    def linked(self, answer: Answer, *, home: str) -> Answer:
        """Return ``answer`` with every address of the registry in it, and its Link, leading here."""
        if answer.status != 200:  # noqa: PLR2004 - OK
            return answer
        headers = {name: value.replace(home, self.base) for name, value in answer.headers.items()}
        if b"[" in answer.body:
            headers["Link"] = f'<{self.base}/v2/next?n=1>; rel="next"'
        return replace(answer, headers=headers, body=answer.body.replace(home.encode(), self.base.encode()))
