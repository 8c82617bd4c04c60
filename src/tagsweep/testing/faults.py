"""What can go wrong between a client and a registry, planned by a test: failures, lost connections, rate limits."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import assert_never

from tagsweep.testing.answers import error
from tagsweep.testing.wire import Answer, WireRequest


class RetryForm(Enum):
    """How a 429 says when to come back."""

    RETRY_AFTER_SECONDS = "Retry-After: seconds"
    X_RETRY_AFTER = "X-Retry-After: seconds since 1970"
    SILENT = "not at all"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """Every ``allowed`` requests, the next ``rejections`` are answered 429. No time passes: tests stay exact.

    ``retry_after`` is in seconds, or seconds since 1970, as ``form`` says.
    """

    allowed: int
    rejections: int = 1
    retry_after: int = 1
    form: RetryForm = RetryForm.RETRY_AFTER_SECONDS

    def rejection(self) -> Answer:
        """Return the 429."""
        match self.form:
            case RetryForm.RETRY_AFTER_SECONDS:
                headers = {"Retry-After": str(self.retry_after)}
            case RetryForm.X_RETRY_AFTER:
                headers = {"X-Retry-After": str(self.retry_after)}
            case RetryForm.SILENT:
                headers = {}
            case _:
                assert_never(self.form)
        return error(429, "TOOMANYREQUESTS", "too many requests", headers=headers)


class Moment(Enum):
    """When a planned fault strikes."""

    BEFORE = "before"
    """Instead of doing what was asked."""
    AFTER = "after"
    """When it is done: only the answer is lost or replaced."""


@dataclass(slots=True, kw_only=True)
class _Planned:
    left: int
    method: str | None
    path_contains: str
    moment: Moment
    answer: Answer

    def takes(self, request: WireRequest, moment: Moment) -> bool:
        fits = self.moment is moment and self.method in (None, request.method) and self.path_contains in request.target
        return fits and self.left > 0


@dataclass(slots=True)
class Faults:
    """The faults that are still to come, in the order in which they were planned."""

    rate_limit: RateLimit | None = None
    _planned: list[_Planned] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _seen: int = 0

    def plan(
        self,
        answer: Answer,
        *,
        count: int = 1,
        method: str | None = None,
        path_contains: str = "",
        moment: Moment = Moment.BEFORE,
    ) -> None:
        """Give ``answer`` to the next ``count`` requests of that method whose target contains the text."""
        with self._lock:
            self._planned.append(
                _Planned(left=count, method=method, path_contains=path_contains, moment=moment, answer=answer)
            )

    def strike(self, request: WireRequest, moment: Moment) -> Answer | None:
        """Return the answer that a fault puts in place of the registry's, or None."""
        if not self._planned and self.rate_limit is None:
            return None
        with self._lock:
            if moment is Moment.BEFORE and self.rate_limit is not None and self._over(self.rate_limit):
                return self.rate_limit.rejection()
            for planned in self._planned:
                if planned.takes(request, moment):
                    planned.left -= 1
                    return planned.answer
            return None

    def clear(self) -> None:
        """Forget every fault that is still to come, and the rate limit."""
        with self._lock:
            self._planned.clear()
            self.rate_limit = None

    def _over(self, limit: RateLimit) -> bool:
        self._seen += 1
        if self._seen <= limit.allowed:
            return False
        if self._seen >= limit.allowed + limit.rejections:
            self._seen = 0
        return True


def failure(status: int, *, code: str = "UNKNOWN", headers: Mapping[str, str] | None = None) -> Answer:
    """Return an error answer to plan."""
    return error(status, code, headers=headers)


LOST_CONNECTION = Answer(status=0, hang_up=True)
"""Closes the connection instead of answering."""
