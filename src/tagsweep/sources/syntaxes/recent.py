"""The answers that were needed last, up to a bound of what they cost: the same few are asked for again and again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Values by key. Those used last are held while their ``cost`` together is at most ``most``; one is always held.

    Threads may share it. A value is then made twice now and then, which changes nothing but the time.
    """

    def __init__(self, most: int, cost: Callable[[K, V], int]) -> None:
        self._most = most
        self._cost = cost
        self._held: OrderedDict[K, V] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def of(self, key: K, make: Callable[[], V]) -> V:
        """Return the value that is held for ``key``, or the one that ``make`` returns."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        value = make()
        with self._lock:
            if key not in self._held:
                self._held[key] = value
                self._size += self._cost(key, value)
            while self._size > self._most and len(self._held) > 1:
                self._size -= self._cost(*self._held.popitem(last=False))
        return value
