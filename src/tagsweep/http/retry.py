"""When a request is sent again and after how long: pure rules, and the loop that applies them to one request.

Two kinds of trouble, counted apart. A *refusal* is a rate limit's: 429, or 403 that speaks of a rate limit (GitHub).
Nothing was done, so every method is sent again after the pause that was asked for, however often, until an hour has
passed without one good answer of the host. A *fault* is a lost connection or 502/503/504: GET and HEAD are repeated a
few times. DELETE and PUT are repeated after a fault only where the server says that it did nothing, by 503 with
Retry-After. After a lost connection they are not; the caller looks again what is there.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from tagsweep.http.curl_errors import TRUNCATED, UNTRUSTED
from tagsweep.http.limit import HostLimit
from tagsweep.model.errors import RateLimited, Unreachable
from tagsweep.ports import Clock, Progress, Request, Response

SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_FORBIDDEN: Final = 403
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_UNAVAILABLE: Final = 503
_TEMPORARY: Final = frozenset({502, 503, 504})
_UNIX_TIME_FROM: Final = 1_000_000_000.0
"""A reset header with a larger number is a unix time, with a smaller one seconds: registries send both."""
_UNIX_MILLISECONDS_FROM: Final = 100_000_000_000.0
_NONSENSE_FROM: Final = 366 * 86_400.0
"""A pause of more than a year is a header that was misunderstood."""
_SHORT: Final = 5.0
"""Pauses up to this many seconds are not worth a person's attention."""
_RESETS: Final = ("x-ratelimit", "ratelimit")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How patient to be: ``tries`` in all where there are faults; waits double from ``first_wait`` to ``longest_wait``.

    Refusals by a rate limit do not use up the tries. They are waited for as the server asks, and as for faults where
    it does not say; no further pause begins once ``patience`` has passed without one good answer of the host. A single
    pause of more than ``longest_pause`` is not begun at all: GitHub's limits are by the hour, Docker Hub's on pulls by
    six hours, which is better spent elsewhere. All in seconds.
    """

    tries: int = 5
    first_wait: float = 0.5
    longest_wait: float = 30.0
    longest_pause: float = 3600.0
    patience: float = 3600.0


def is_refusal(response: Response) -> bool:
    """Tell whether a rate limit refused the request: 429, or 403 with a pause or with nothing left of a quota."""
    if response.status == _FORBIDDEN:
        return "retry-after" in response.headers or _left(response.headers, "x-ratelimit") == 0
    return response.status == _TOO_MANY


def _left(headers: Mapping[str, str], family: str) -> float | None:
    return _number(headers.get(f"{family}-remaining", ""))


def told_pause(headers: Mapping[str, str], now: datetime, *, quota: bool = True) -> float | None:
    """Return how many seconds the server asks to wait, never negative, or None where it does not say.

    Reads Retry-After (seconds or HTTP date), X-Retry-After (Docker Hub: unix time), then, unless ``quota`` is False,
    the reset headers of a quota that is used up: they stand on every answer, and one with something left is not what
    refused. A moment is compared with the answer's own Date, so that a wrong clock here does not matter.
    """
    sent_at = _moment(headers.get("date", "")) or now
    for name in ("retry-after", "x-retry-after"):
        seconds = _until(headers.get(name, ""), sent_at)
        if seconds is not None:
            return seconds
    for family in _RESETS if quota else ():
        if not _left(headers, family):
            seconds = _until(headers.get(f"{family}-reset", ""), sent_at)
            if seconds is not None:
                return seconds
    return None


def _until(text: str, now: datetime) -> float | None:
    """Return the seconds that ``text`` says, as seconds, unix time or HTTP date; None where it says nothing usable."""
    number = _number(text)
    if number is None:
        moment = _moment(text)
        if moment is None:
            return None
        number = (moment - now).total_seconds()
    elif number >= _UNIX_MILLISECONDS_FROM:
        number = number / 1000 - now.timestamp()
    elif number >= _UNIX_TIME_FROM:
        number -= now.timestamp()
    return max(0.0, number) if number < _NONSENSE_FROM else None


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _number(text: str) -> float | None:
    """Return the number that ``text`` begins with; the largest where a header came more than once."""
    parts = [part.partition(";")[0].strip() for part in text.split(",")]
    if not all(part.isascii() and part.replace(".", "", 1).isdigit() for part in parts):
        return None
    return max(map(float, parts))


def backoff(attempt: int, policy: RetryPolicy, jitter: float) -> float:
    """Return the wait in seconds after try ``attempt`` (1 is the first); ``jitter`` from 0 to 1 spreads it by half."""
    wait = min(policy.longest_wait, policy.first_wait * 2.0 ** min(attempt - 1, 30))
    return wait * (0.5 + jitter / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class _GivenUp:
    """What a kind of request is answered until ``until`` (monotonic), without being sent."""

    until: float
    message: str
    remedy: str
    status: int

    def error(self) -> RateLimited:
        return RateLimited(self.message, remedy=self.remedy, status=self.status)


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
        self._given_up: dict[str, _GivenUp] = {}

    def send(self, request: Request) -> Response:
        """Return the answer; where faults go on, the last one, an Unreachable included. Never a rate limit's refusal.

        Raises RateLimited where the server asks for a pause longer than ``longest_pause``, or where ``patience`` ends.
        Until the moment that the error names, requests of the same method get it at once and nothing is sent.
        """
        safe = request.method in SAFE_METHODS
        faults = refusals = 0
        while True:
            try:
                # What the answer means for the other threads is settled before the place is given to one of them.
                with self._limit.slot() as begun:
                    self._check_given_up(request.method)
                    response = self._send(request)
                    self._told_lost = False
                    if is_refusal(response):
                        refusals += 1
                        self._obey(request.method, response, refusals, begun)
                        continue
                    if response.status not in _TEMPORARY:
                        if response.status < _SERVER_ERROR:
                            self._limit.succeeded(begun)
                        return response
                    faults += 1
                    told = told_pause(response.headers, self._clock.now(), quota=False)
                    if faults >= self._policy.tries or not (
                        safe or (response.status == _UNAVAILABLE and told is not None)
                    ):
                        return response
                    self._pause(request.method, response, told, self._wait(faults), begun)
            except Unreachable as error:
                faults += 1
                last = faults >= self._policy.tries
                if last or not safe or error.code == UNTRUSTED or (error.code == TRUNCATED and faults > 1):
                    raise
                if faults > 1 and not self._told_lost:  # one lost connection is no news, and one thread tells for all
                    self._told_lost = True
                    self._progress.note(f"{error}; trying again")
                self._clock.sleep(self._wait(faults))

    def _wait(self, attempt: int) -> float:
        return backoff(attempt, self._policy, self._jitter())

    def _obey(self, method: str, response: Response, refusals: int, begun: int) -> None:
        """Begin the pause that a refusal asks for, or raise RateLimited where patience has ended."""
        told = told_pause(response.headers, self._clock.now())
        dry = self._limit.dry_for()
        if dry >= self._policy.patience:
            self._give_up(method, response, told, f"still answers {response.status} after {_length(dry)} of waiting")
        # Whoever says "now" and refuses again is given a little more time each time; the host's refusals count, not
        # only those of this request, because after each pause another thread may be the one that tries.
        in_row = max(refusals, self._limit.refusals(begun)) - (0 if told is None else 1)
        self._pause(method, response, told, self._wait(in_row) if in_row > 0 else 0.0, begun)

    def _pause(self, method: str, response: Response, told: float | None, own: float, begun: int) -> None:
        if told is not None and told > self._policy.longest_pause:
            longest = _length(self._policy.longest_pause)
            self._give_up(method, response, told, f"asks to wait {_length(told)}, and tagsweep waits {longest} at most")
        asked = told is not None and told >= own
        seconds = max(told or 0.0, own)
        if self._limit.pause(seconds, begun) and seconds >= _SHORT:
            why = "as it asks" if asked else "before the next try"
            self._progress.note(f"{self._place} answers {response.status}: waiting {_length(seconds)} {why}")

    def _check_given_up(self, method: str) -> None:
        given_up = self._given_up.get(method)
        if given_up is not None and self._clock.monotonic() < given_up.until:
            raise given_up.error()

    def _give_up(self, method: str, response: Response, told: float | None, what: str) -> None:
        if told is None:
            remedy = "run it again later, or with fewer requests at once (registries: concurrency:)"
        else:
            # Rounded up to the minute, so that nobody comes back too early.
            moment = self._clock.now().astimezone(UTC) + timedelta(seconds=told + 59.999999)
            remedy = f"run it again after {moment:%Y-%m-%d %H:%M} UTC, or with credentials that have a higher limit"
        given_up = _GivenUp(
            until=self._clock.monotonic() + (self._policy.longest_wait if told is None else told),
            message=f"{self._place} {what}",
            remedy=remedy,
            status=response.status,
        )
        self._given_up[method] = given_up
        raise given_up.error()


def _length(seconds: float) -> str:
    """Return a length of time as people say it, rounded up: ``30 s``, ``15 min``, ``6 h``, ``1 h 20 min``."""
    whole = math.ceil(seconds)
    if whole < 120:  # noqa: PLR2004 - two minutes
        return f"{whole} s"
    hours, minutes = divmod(math.ceil(whole / 60), 60)
    parts = (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "")
    return " ".join(part for part in parts if part)
