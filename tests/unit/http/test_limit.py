"""How hard a host is asked, and when it is asked no more."""

from __future__ import annotations

import threading

import pytest

from tagsweep.http.breaker import CircuitBreaker
from tagsweep.http.limit import HostLimit
from tagsweep.model.errors import PermissionDenied
from tests.unit.http.helpers import FakeClock


def test_no_more_requests_run_at_once_than_allowed() -> None:
    """Of eight threads, three are inside at a time and the others wait for a place."""
    limit = HostLimit(3, FakeClock())
    inside, most, lock = 0, 0, threading.Lock()
    full = threading.Barrier(3)

    def work() -> None:
        nonlocal inside, most
        with limit.slot():
            with lock:
                inside += 1
                most = max(most, inside)
            full.wait(timeout=10)  # passes only when three are inside together
            with lock:
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 3


def test_a_pause_holds_everybody_and_halves_the_requests_at_once() -> None:
    """Whoever comes next waits; several refusals of the same moment count as one."""
    clock = FakeClock()
    limit = HostLimit(16, clock)
    assert limit.pause(10) is True
    assert limit.pause(4) is False
    assert limit.allowed == 8
    with limit.slot():
        assert clock.passed == 10
    assert limit.pause(-3) is True
    assert limit.allowed == 4


def test_a_pause_holds_those_who_wait_for_a_place_too() -> None:
    """A place that comes free during a pause is taken when the pause is over."""
    clock = FakeClock()
    limit = HostLimit(1, clock)
    comes = threading.Event()
    begun: list[float] = []

    def work() -> None:
        comes.set()
        with limit.slot():
            begun.append(clock.passed)

    threads = [threading.Thread(target=work) for _ in range(3)]
    with limit.slot():
        for thread in threads:
            thread.start()
        comes.wait(timeout=10)
        limit.pause(10)
    for thread in threads:
        thread.join(timeout=10)
    assert len(begun) == 3
    assert min(begun) >= 10


def test_after_a_pause_one_request_tries_alone() -> None:
    """Of sixteen threads one asks when the pause is over; its good answer lets the others begin."""
    clock = FakeClock()
    limit = HostLimit(16, clock)
    inside, most, lock = 0, 0, threading.Lock()
    asked = threading.Event()

    def work() -> None:
        nonlocal inside, most
        with limit.slot() as begun:
            with lock:
                inside += 1
                most = max(most, inside)
            asked.set()
            with lock:
                inside -= 1
            limit.succeeded(begun)

    with limit.slot() as begun:
        limit.pause(10, begun)
    with limit.slot() as alone:
        threads = [threading.Thread(target=work) for _ in range(15)]
        for thread in threads:
            thread.start()
        assert not asked.wait(timeout=0.2), "nobody begins beside the one that tries"
        limit.succeeded(alone)
        assert asked.wait(timeout=10)
    for thread in threads:
        thread.join(timeout=10)
    assert 1 <= most <= 8


def test_refusals_of_requests_that_were_on_their_way_are_one_pause() -> None:
    """However late their answers come, they neither begin a pause of their own nor end the one that runs."""
    clock = FakeClock()
    limit = HostLimit(16, clock)
    with limit.slot() as first, limit.slot() as second, limit.slot() as third:
        assert limit.refusals(first) == 1
        assert limit.pause(10, first) is True
        clock.sleep(10)
        assert limit.pause(0, second) is False
        assert limit.refusals(second) == 1
        assert limit.allowed == 8
        limit.succeeded(third)
        assert limit.dry_for() == 10
    with limit.slot() as later:
        assert limit.refusals(later) == 2
        limit.succeeded(later)
    assert limit.dry_for() == 0
    assert limit.refusals(later) == 1


def test_good_answers_give_the_places_back() -> None:
    """After enough good answers the host is asked as hard as before, never harder."""
    limit = HostLimit(4, FakeClock())
    limit.pause(0)
    assert limit.allowed == 2
    for _ in range(200):
        limit.succeeded()
    assert limit.allowed == 4


def test_one_place_is_always_left() -> None:
    """Any number of pauses leaves one request at a time."""
    clock = FakeClock()
    limit = HostLimit(4, clock)
    for _ in range(5):
        limit.pause(1)
        clock.sleep(2)
    assert limit.allowed == 1


def test_the_circuit_opens_after_refusals_in_a_row() -> None:
    """What was refused that often is not asked again, and other repositories and methods go on."""
    breaker = CircuitBreaker("registry.example.com", threshold=3)
    for _ in range(3):
        breaker.check("DELETE", "team/app")
        breaker.refused("DELETE", "team/app")
    with pytest.raises(PermissionDenied, match="refused DELETE on team/app 3 times in a row"):
        breaker.check("DELETE", "team/app")
    breaker.check("GET", "team/app")
    breaker.check("DELETE", "team/other")


def test_one_success_closes_the_count() -> None:
    """Refusals of single things among successes never open the circuit."""
    breaker = CircuitBreaker("r", threshold=3)
    for _ in range(10):
        breaker.refused("DELETE", "a")
        breaker.refused("DELETE", "a")
        breaker.answered("DELETE", "a")
    breaker.check("DELETE", "a")
