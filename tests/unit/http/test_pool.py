"""The bounded pool of threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tagsweep.http.clock import SystemClock
from tagsweep.http.pool import Pool
from tagsweep.model.errors import RateLimited


def test_every_item_comes_back_once_with_its_result() -> None:
    """Nothing is lost or doubled, whatever the order."""
    with Pool(4) as pool:
        found = dict(pool.map_unordered(lambda number: number * number, range(500)))
    assert found == {number: number * number for number in range(500)}


def test_nothing_to_do_is_no_work() -> None:
    """An empty list ends at once."""
    with Pool(2) as pool:
        assert list(pool.map_unordered(str, [])) == []


def test_items_are_pulled_lazily() -> None:
    """An endless source is no problem, and only a few items are taken ahead of the consumer."""
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    with Pool(3) as pool:
        results = pool.map_unordered(lambda number: number, endless())
        for _ in range(10):
            next(results)
        assert taken <= 10 + 6
        assert isinstance(results, Iterator)


def test_the_first_exception_stops_the_rest_and_lets_calls_in_flight_finish() -> None:
    """When one call fails, the other that is running ends before the exception is seen, and no new one begins."""
    begun, finished = [], []
    other_runs, failed = threading.Event(), threading.Event()

    def work(number: int) -> int:
        begun.append(number)
        if number == 0:
            other_runs.wait(timeout=10)
            failed.set()
            raise ValueError("zero")
        other_runs.set()
        failed.wait(timeout=10)
        finished.append(number)
        return number

    with Pool(2) as pool:
        results = pool.map_unordered(work, range(1000))
        with pytest.raises(ValueError, match="zero"):
            for _ in results:
                pass
        assert sorted(begun) == sorted([0, *finished])
        assert len(begun) < 20


def test_ctrl_c_in_the_consumer_lets_calls_in_flight_finish() -> None:
    """KeyboardInterrupt goes through after what runs has ended; the pool can then be closed."""
    begun, finished = [], []

    def work(number: int) -> int:
        begun.append(number)
        finished.append(number)
        return number

    def consume(pool: Pool) -> None:
        for item, _ in pool.map_unordered(work, range(100_000)):
            if item >= 5:
                raise KeyboardInterrupt

    with Pool(4) as pool, pytest.raises(KeyboardInterrupt):
        consume(pool)
    assert len(begun) == len(finished) < 100


def test_a_long_wait_does_not_hold_up_the_end() -> None:
    """A call that waits for the end of a registry's pause gives up when the work is stopped, and sends nothing."""
    waits = threading.Event()
    ends: list[str] = []

    def work(number: int) -> None:
        if number == 0:
            waits.wait(timeout=10)
            raise KeyboardInterrupt
        waits.set()
        try:
            SystemClock().sleep(60)
        except RateLimited:
            ends.append("given up")
            raise
        ends.append("sent")

    with Pool(2) as pool:
        with pytest.raises(KeyboardInterrupt):
            list(pool.map_unordered(work, range(2)))
        assert ends == ["given up"]
        assert dict(pool.map_unordered(lambda _: SystemClock().sleep(0.001), [1])) == {1: None}


def test_a_source_that_fails_is_raised() -> None:
    """An exception of the source itself stops the work like one of a call."""

    def source() -> Iterator[int]:
        yield 1
        raise OSError("the list broke")

    with Pool(2) as pool, pytest.raises(OSError, match="the list broke"):
        list(pool.map_unordered(str, source()))


def test_threads_live_as_long_as_the_pool() -> None:
    """Two lists one after the other are worked through by the same threads, so connections are reused."""
    with Pool(2) as pool:
        first = {name for _, name in pool.map_unordered(lambda _: threading.current_thread().name, range(50))}
        second = {name for _, name in pool.map_unordered(lambda _: threading.current_thread().name, range(50))}
    assert len(first | second) <= 2
