"""The one place where the machine's clock is read."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """Real time, as :class:`tagsweep.ports.Clock` wants it."""

    def now(self) -> datetime:
        """Return the current instant, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that only ever grow."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait that long; a negative length is no wait."""
        if seconds > 0:
            time.sleep(seconds)
