"""The one place where the machine's clock is read, and where a thread of a pool waits so that it can be called off."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

from tagsweep.model.errors import RateLimited


class _OfThread(threading.local):
    stop: threading.Event | None = None


_of_thread = _OfThread()


def wait_until(stop: threading.Event) -> None:
    """Let every later wait of this thread end when ``stop`` is set: a pool's threads wait so."""
    _of_thread.stop = stop


class SystemClock:
    """Real time, as :class:`tagsweep.ports.Clock` wants it."""

    def now(self) -> datetime:
        """Return the current instant, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that only ever grow."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait that long; a negative length is no wait.

        Raises RateLimited in a thread of a pool that is being stopped: a pause of minutes, which a registry asked
        for, must not stand between Ctrl-C and the end. Whatever waits has not been done.
        """
        if seconds <= 0:
            return
        stop = _of_thread.stop
        if stop is None:
            time.sleep(seconds)
        elif stop.wait(seconds):
            raise RateLimited("the wait before the next request was broken off, because the work is being stopped")
