"""What can go wrong between a client and a registry, planned by a test: failures, lost connections, rate limits."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from enum import Enum
from typing import assert_never

from tagsweep.ports import Clock
from tagsweep.testing.answers import error
from tagsweep.testing.wire import Answer, WireRequest


class RetryForm(Enum):
    """How a 429 says when to come back."""

    RETRY_AFTER_SECONDS = "Retry-After: seconds"
    RETRY_AFTER_DATE = "Retry-After: HTTP date"
    X_RETRY_AFTER = "X-Retry-After: seconds since 1970"
    X_RATELIMIT_RESET = "X-RateLimit-Reset: seconds since 1970"
    RATELIMIT_RESET = "RateLimit-Reset: seconds"
    SILENT = "not at all"

    @property
    def is_moment(self) -> bool:
        """Whether it names a moment, in seconds since 1970, rather than a length of time in seconds."""
        return self in (RetryForm.RETRY_AFTER_DATE, RetryForm.X_RETRY_AFTER, RetryForm.X_RATELIMIT_RESET)

    def headers(self, value: int) -> dict[str, str]:
        """Return the headers that say ``value``, in seconds, or seconds since 1970 where this form names a moment."""
        match self:
            case RetryForm.RETRY_AFTER_SECONDS:
                return {"Retry-After": str(value)}
            case RetryForm.RETRY_AFTER_DATE:
                return {"Retry-After": formatdate(value, usegmt=True)}
            case RetryForm.X_RETRY_AFTER:
                return {"X-Retry-After": str(value)}
            case RetryForm.X_RATELIMIT_RESET:
                return {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(value)}
            case RetryForm.RATELIMIT_RESET:
                return {"RateLimit-Remaining": "0", "RateLimit-Reset": str(value)}
            case RetryForm.SILENT:
                return {}
            case _:
                assert_never(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """Every ``allowed`` requests, the next ``rejections`` are answered 429. No time passes: tests stay exact.

    ``retry_after`` is in seconds, or seconds since 1970, as ``form`` says. Only requests of ``method`` count, if given.
    """

    allowed: int
    rejections: int = 1
    retry_after: int = 1
    form: RetryForm = RetryForm.RETRY_AFTER_SECONDS
    method: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedLimit:
    """``allowed`` requests in each ``seconds`` by ``clock``, as registries count: whoever comes back early gets 429.

    The time begins with the first request that counts; give it the client's clock, so that a test need not wait.
    """

    allowed: int
    seconds: float
    clock: Clock
    form: RetryForm = RetryForm.RETRY_AFTER_SECONDS
    method: str | None = None


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

    rate_limit: RateLimit | TimedLimit | None = None
    _planned: list[_Planned] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _seen: int = 0
    _until: float | None = None

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
            if moment is Moment.BEFORE and (refused := self._refuse(request)) is not None:
                return refused
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

    def _refuse(self, request: WireRequest) -> Answer | None:
        limit = self.rate_limit
        if limit is None or limit.method not in (None, request.method):
            return None
        told = self._counted(limit) if isinstance(limit, RateLimit) else self._timed(limit)
        if told is None:
            return None
        return error(429, "TOOMANYREQUESTS", "too many requests", headers=limit.form.headers(told))

    def _counted(self, limit: RateLimit) -> int | None:
        if self._seen < limit.allowed:
            self._seen += 1
            return None
        self._seen += 1
        if self._seen >= limit.allowed + limit.rejections:
            self._seen = 0
        return limit.retry_after

    def _timed(self, limit: TimedLimit) -> int | None:
        now = limit.clock.monotonic()
        if self._until is None or now >= self._until:
            self._seen, self._until = 0, now + limit.seconds
        self._seen += 1
        if self._seen <= limit.allowed:
            return None
        rest = self._until - now
        return math.ceil(limit.clock.now().timestamp() + rest if limit.form.is_moment else rest)


def failure(status: int, *, code: str = "UNKNOWN", headers: Mapping[str, str] | None = None) -> Answer:
    """Return an error answer to plan."""
    return error(status, code, headers=headers)


LOST_CONNECTION = Answer(status=0, hang_up=True)
"""Closes the connection instead of answering."""
