"""How hard one host may be asked: as many requests at once as it bears, and pauses that all threads obey."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tagsweep.ports import Clock

_SUCCESSES_PER_STEP: Final = 32
"""How many answers in a row must be good before one more request at once is tried."""


class HostLimit:
    """Shared by all threads that ask one host.

    At most ``most`` requests run at once. Each new pause halves how many may; good answers give them back one by one.
    """

    def __init__(self, most: int, clock: Clock) -> None:
        self._most = max(1, most)
        self._allowed = self._most
        self._running = 0
        self._good = 0
        self._paused_until = 0.0
        self._clock = clock
        self._free = threading.Condition(threading.Lock())

    @property
    def allowed(self) -> int:
        """How many requests may run at once now."""
        return self._allowed

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for the end of a pause and for a free place, and hold it."""
        while not self._take():
            pass
        try:
            yield
        finally:
            with self._free:
                self._running -= 1
                self._free.notify()

    def _take(self) -> bool:
        self._await_pause()
        with self._free:
            while self._running >= self._allowed:
                self._free.wait()
            if self._paused_until > self._clock.monotonic():  # it began while this thread waited for its place
                self._free.notify()
                return False
            self._running += 1
            return True

    def _await_pause(self) -> None:
        while self._paused_until:
            rest = self._paused_until - self._clock.monotonic()
            if rest <= 0:
                return
            self._clock.sleep(rest)

    def pause(self, seconds: float) -> bool:
        """Let nobody begin for ``seconds``; tell whether this is a new pause rather than part of the one that runs."""
        now = self._clock.monotonic()
        with self._free:
            begins = self._paused_until <= now
            self._paused_until = max(self._paused_until, now + max(0.0, seconds))
            self._good = 0
            if begins:
                self._allowed = max(1, self._allowed // 2)
        return begins

    def succeeded(self) -> None:
        """Count a good answer."""
        if self._allowed == self._most:
            return
        with self._free:
            self._good += 1
            if self._good >= _SUCCESSES_PER_STEP and self._allowed < self._most:
                self._good = 0
                self._allowed += 1
                self._free.notify()
