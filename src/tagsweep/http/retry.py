"""When a request is sent again and after how long: pure rules, and the loop that applies them to one request.

GET and HEAD are repeated after lost connections, 429 and 502/503/504. DELETE and PUT are repeated only where the
server says that it did nothing: 429, or 503 with Retry-After. After a lost connection they are not; the caller looks
again what is there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from tagsweep.http.curl_errors import TRUNCATED, UNTRUSTED
from tagsweep.http.limit import HostLimit
from tagsweep.model.errors import RateLimited, Unreachable
from tagsweep.ports import Clock, Progress, Request, Response

SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_TOO_MANY: Final = 429
_UNAVAILABLE: Final = 503
_TEMPORARY: Final = frozenset({502, 503, 504})
_UNIX_TIME_FROM: Final = 1_000_000_000.0
"""A reset header with a larger number is a unix time, with a smaller one seconds: registries send both."""
_SHORT: Final = 5.0
"""Pauses up to this many seconds are not worth a person's attention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How patient to be: ``tries`` in all; waits double from ``first_wait`` to ``longest_wait`` seconds.

    A pause that the server asks for is obeyed up to ``longest_pause`` seconds; beyond that the request fails at once.
    """

    tries: int = 5
    first_wait: float = 0.5
    longest_wait: float = 30.0
    longest_pause: float = 900.0


def told_pause(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return how many seconds the server asks to wait, never negative, or None where it does not say.

    Reads Retry-After (seconds or HTTP date), X-Retry-After (Docker Hub: unix time), then the reset headers.
    """
    told = headers.get("retry-after")
    if told is not None:
        seconds = _seconds(told, now)
        if seconds is not None:
            return seconds
    for name in ("x-retry-after", "x-ratelimit-reset", "ratelimit-reset"):
        if name in headers:
            number = _number(headers[name])
            if number is not None:
                return _until(number, now) if number >= _UNIX_TIME_FROM else number
    return None


def _seconds(text: str, now: datetime) -> float | None:
    number = _number(text)
    if number is not None:
        return _until(number, now) if number >= _UNIX_TIME_FROM else number
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _number(text: str) -> float | None:
    text = text.strip().partition(";")[0].strip()
    if not text.isascii() or not text.replace(".", "", 1).isdigit():
        return None
    return float(text)


def _until(unix_time: float, now: datetime) -> float:
    return max(0.0, unix_time - now.timestamp())


def backoff(attempt: int, policy: RetryPolicy, jitter: float) -> float:
    """Return the wait in seconds after try ``attempt`` (1 is the first); ``jitter`` from 0 to 1 spreads it by half."""
    wait = min(policy.longest_wait, policy.first_wait * 2.0 ** min(attempt - 1, 30))
    return wait * (0.5 + jitter / 2)


class Retrier:
    """Sends one request until it is answered or patience ends. Shared by all threads of one host."""

    def __init__(
        self,
        send: Callable[[Request], Response],
        *,
        limit: HostLimit,
        clock: Clock,
        progress: Progress,
        place: str,
        policy: RetryPolicy | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._send = send
        self._limit = limit
        self._clock = clock
        self._progress = progress
        self._place = place
        self._policy = policy if policy is not None else RetryPolicy()
        self._jitter = jitter
        self._told_lost = False

    def send(self, request: Request) -> Response:
        """Return the answer; after the last try whatever it was, an Unreachable included.

        Raises RateLimited where the server asks for a pause longer than patience allows.
        """
        safe = request.method in SAFE_METHODS
        attempt = 0
        while True:
            attempt += 1
            last = attempt >= self._policy.tries
            try:
                with self._limit.slot():
                    response = self._send(request)
            except Unreachable as error:
                if last or not safe or error.code == UNTRUSTED or (error.code == TRUNCATED and attempt > 1):
                    raise
                if attempt > 1 and not self._told_lost:  # one lost connection is no news, and one thread tells for all
                    self._told_lost = True
                    self._progress.note(f"{error}; trying again")
                self._clock.sleep(self._wait(attempt))
                continue
            self._told_lost = False
            if response.status != _TOO_MANY and response.status not in _TEMPORARY:
                self._limit.succeeded()
                return response
            told = told_pause(response.headers, self._clock.now())
            if last or not _may_repeat(response.status, safe=safe, told=told):
                return response
            self._pause(response, self._wait(attempt) if told is None else told)

    def _wait(self, attempt: int) -> float:
        return backoff(attempt, self._policy, self._jitter())

    def _pause(self, response: Response, seconds: float) -> None:
        if seconds > self._policy.longest_pause:
            raise RateLimited(
                f"{self._place} asks to wait {seconds:.0f} seconds, longer than tagsweep waits",
                remedy=f"run it again in {seconds / 60:.0f} minutes, or with credentials that have a higher limit",
                status=response.status,
            )
        begins = self._limit.pause(seconds)
        if begins and seconds >= _SHORT:
            self._progress.note(f"{self._place} answers {response.status}: waiting {seconds:.0f} s as it asks")


def _may_repeat(status: int, *, safe: bool, told: float | None) -> bool:
    return safe or status == _TOO_MANY or (status == _UNAVAILABLE and told is not None)
