"""A circuit breaker: what was refused many times in a row is not asked again."""

from __future__ import annotations

import threading
from typing import Final

from tagsweep.model.errors import PermissionDenied

THRESHOLD: Final = 10


class CircuitBreaker:
    """Counts refusals in a row by key (a method and what it is about); one success forgets them. Thread-safe."""

    def __init__(self, place: str, threshold: int = THRESHOLD) -> None:
        self._place = place
        self._threshold = threshold
        self._refusals: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def check(self, method: str, about: str) -> None:
        """Raise PermissionDenied, without anything being sent, where the circuit is open."""
        if self._refusals and self._refusals.get((method, about), 0) >= self._threshold:
            raise PermissionDenied(
                f"{self._place} refused {method} on {about} {self._threshold} times in a row, so it is not asked again",
                remedy="check the rights of the credentials, then run it again",
            )

    def refused(self, method: str, about: str) -> None:
        """Count a 401 or 403."""
        with self._lock:
            key = (method, about)
            self._refusals[key] = self._refusals.get(key, 0) + 1

    def answered(self, method: str, about: str) -> None:
        """Forget the refusals, because the registry did what was asked."""
        if self._refusals:
            with self._lock:
                self._refusals.pop((method, about), None)
