"""A watch that is told to end hears it, whenever the word comes."""

from __future__ import annotations

import signal
import threading

import pytest

from tagsweep.cli.watch import _told_to_end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_another_thread_took_ends_the_wait(number: signal.Signals) -> None:
    """The wait ends at once, though the main thread was not interrupted by the signal, as in the moment before it."""
    with _told_to_end() as ending:
        taker = threading.Timer(0.1, lambda: signal.pthread_kill(threading.get_ident(), number))
        taker.start()
        assert ending.within(10)
        taker.join()


def test_the_handlers_of_before_are_back_afterwards() -> None:
    """What signals did before, they do again."""
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with _told_to_end():
        assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] != before
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
    assert signal.set_wakeup_fd(-1) == -1
