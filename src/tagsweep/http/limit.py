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
    After a pause one request tries alone: the others begin when it is answered, so that a host which still refuses
    refuses one request and not one for each thread.
    """

    def __init__(self, most: int, clock: Clock) -> None:
        self._most = max(1, most)
        self._allowed = self._most
        self._running = 0
        self._good = 0
        self._paused_until = 0.0
        self._alone = False
        self._round = 0
        self._refusals = 0
        self._dry_since: float | None = None
        self._clock = clock
        self._free = threading.Condition(threading.Lock())

    @property
    def allowed(self) -> int:
        """How many requests may run at once now, but for the one that tries alone after a pause."""
        return self._allowed

    def dry_for(self) -> float:
        """Return for how many seconds nothing good was answered: since the first pause after the last good answer."""
        since = self._dry_since
        return 0.0 if since is None else self._clock.monotonic() - since

    def refusals(self, begun: int) -> int:
        """Return how many pauses in a row there are without a good answer, with the one that the request of round
        ``begun`` would begin.
        """
        with self._free:
            return self._refusals + (1 if begun == self._round else 0)

    @contextmanager
    def slot(self) -> Iterator[int]:
        """Wait for the end of a pause and for a free place, and hold it. Yields the round, which a pause ends."""
        while (begun := self._take()) is None:
            pass
        try:
            yield begun
        finally:
            with self._free:
                self._running -= 1
                self._free.notify()

    def _take(self) -> int | None:
        self._await_pause()
        with self._free:
            while self._running >= (1 if self._alone else self._allowed):
                self._free.wait()
            if self._paused_until > self._clock.monotonic():  # it began while this thread waited for its place
                self._free.notify()
                return None
            self._running += 1
            return self._round

    def _await_pause(self) -> None:
        while self._paused_until:
            rest = self._paused_until - self._clock.monotonic()
            if rest <= 0:
                return
            self._clock.sleep(rest)

    def pause(self, seconds: float, begun: int | None = None) -> bool:
        """Let nobody begin for ``seconds``; tell whether this is a new pause rather than part of the one before.

        ``begun`` is the round of the request that was refused: one that was on its way when the pause began says
        nothing new, however late its answer comes.
        """
        now = self._clock.monotonic()
        with self._free:
            begins = self._paused_until <= now if begun is None else begun == self._round
            self._paused_until = max(self._paused_until, now + max(0.0, seconds))
            self._good = 0
            if begins:
                self._round += 1
                self._refusals += 1
                self._alone = True
                self._allowed = max(1, self._allowed // 2)
                if self._dry_since is None:
                    self._dry_since = now
        return begins

    def succeeded(self, begun: int | None = None) -> None:
        """Count a good answer, to a request of round ``begun``."""
        if self._allowed == self._most and not self._alone:
            return
        with self._free:
            if begun is not None and begun != self._round:
                return  # asked before the pause: the host may refuse still
            if self._alone:
                self._alone = False
                self._refusals = 0
                self._dry_since = None
                self._free.notify_all()
            self._good += 1
            if self._good >= _SUCCESSES_PER_STEP and self._allowed < self._most:
                self._good = 0
                self._allowed += 1
                self._free.notify()
