"""Progress on a terminal and in a log."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import IO

import pytest

from tagsweep.cli.progress import LiveProgress, LogProgress, duration, words

good_words = [
    (("reading", 0, None, 0.0), "reading"),
    (("reading", 1200, None, 3.0), "reading  1,200"),
    (("reading", 5, 10, 0.5), "reading  5 of 10"),
    (("reading", 100, 400, 2.0), "reading  100 of 400  50/s  6 s left"),
    (("reading", 400, 400, 2.0), "reading  400 of 400  200/s"),
]
good_durations = [(0.4, "0 s"), (59.4, "59 s"), (61.0, "1 min 01 s"), (3600.0, "1 h 00 min")]


@pytest.mark.parametrize(("state", "expected"), good_words)
def test_long_work_tells_rate_and_time_left(state: tuple[str, int, int | None, float], expected: str) -> None:
    """How much, how fast and how much longer are told as soon as they are known."""
    assert words(*state) == expected


@pytest.mark.parametrize(("seconds", "expected"), good_durations)
def test_durations_are_read_at_a_glance(seconds: float, expected: str) -> None:
    """Seconds, minutes with seconds, hours with minutes."""
    assert duration(seconds) == expected


def test_a_log_gets_no_line_for_short_work() -> None:
    """Work that is over at once leaves nothing in a CI log."""
    stream = io.StringIO()
    progress = LogProgress(stream)
    progress.begin("short", 3)
    progress.advance(3)
    progress.finish()
    assert stream.getvalue() == ""


def test_a_note_stays() -> None:
    """A pause that a registry asked for is a line of its own, in a log as on a terminal."""
    for progress, stream in ((LogProgress(log := io.StringIO()), log), (LiveProgress(live := io.StringIO()), live)):
        progress.begin("work", 3)
        progress.note("waiting 30 s as the registry asks")
        progress.finish()
        assert "waiting 30 s as the registry asks\n" in stream.getvalue()


@pytest.mark.parametrize("make", [LiveProgress, LogProgress])
def test_a_note_with_an_escape_sequence_does_not_act_on_the_terminal(
    make: Callable[[IO[str]], LiveProgress | LogProgress],
) -> None:
    """What a registry answered is part of notes; only our own erasing of the line reaches the terminal."""
    stream = io.StringIO()
    make(stream).note("answers \x1b]0;owned\x07 and\nmore")
    assert "\x1b]" not in stream.getvalue()
    assert "\x07" not in stream.getvalue()
    assert stream.getvalue().count("\n") == 1
