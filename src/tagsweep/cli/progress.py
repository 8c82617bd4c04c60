"""Progress on standard error: one line that is rewritten on a terminal, plain lines now and then in a log."""

from __future__ import annotations

import sys
import threading
import time
from typing import IO, Final

from tagsweep.report.words import clean

_REDRAW: Final = 0.1
_LOG_EVERY: Final = 15.0
_TELL_AFTER: Final = 2.0
"""Shorter tasks are not worth a line in a log."""


def make_progress(*, plain: bool = False) -> LiveProgress | LogProgress:
    """Return what suits standard error: a live line on a terminal, log lines elsewhere and where ``plain`` says so."""
    return LiveProgress(sys.stderr) if sys.stderr.isatty() and not plain else LogProgress(sys.stderr)


def words(task: str, done: int, total: int | None, seconds: float) -> str:
    """Return the state of a task in words: how much, how fast, how much longer (at the rate so far)."""
    if total is None:
        return f"{task}  {done:,}" if done else task
    rate = done / seconds if seconds > 0 else 0.0
    text = f"{task}  {done:,} of {total:,}"
    if rate > 0 and seconds > 1:
        left = (total - done) / rate
        text += f"  {rate:,.0f}/s  {duration(left)} left" if done < total else f"  {rate:,.0f}/s"
    return text


def duration(seconds: float) -> str:
    """Return a duration that a person reads at a glance."""
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004 (a minute)
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:  # noqa: PLR2004 (an hour)
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


class _Task:
    """The task that runs, shared by both ways of showing it."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream
        self.lock = threading.Lock()
        self.task = ""
        self.total: int | None = None
        self.done = 0
        self.started = 0.0
        self.shown = 0.0

    def text(self, now: float) -> str:
        """Return the state in words."""
        return words(self.task, self.done, self.total, now - self.started)


class LiveProgress(_Task):
    """One line that is rewritten; it is gone when the next output comes."""

    def begin(self, task: str, total: int | None) -> None:
        """Start a task; the line shows it at once."""
        with self.lock:
            self.task, self.total, self.done = task, total, 0
            self.started = time.monotonic()
            self._draw(self.started)

    def advance(self, count: int = 1) -> None:
        """Count, and redraw ten times a second at most."""
        with self.lock:
            self.done += count
            now = time.monotonic()
            if now - self.shown >= _REDRAW:
                self._draw(now)

    def note(self, message: str) -> None:
        """Print a line that stays."""
        with self.lock:
            self._clear()
            self.stream.write(f"{clean(message)}\n")
            self.stream.flush()

    def finish(self) -> None:
        """Remove the line."""
        with self.lock:
            self._clear()
            self.stream.flush()

    def _draw(self, now: float) -> None:
        width = _width()
        self.stream.write("\r\x1b[2K" + clean(self.text(now))[: width - 1])
        self.stream.flush()
        self.shown = now

    def _clear(self) -> None:
        self.stream.write("\r\x1b[2K")


class LogProgress(_Task):
    """A line when a long task is under way, every quarter of a minute, and when it ends."""

    def begin(self, task: str, total: int | None) -> None:
        """Start a task; nothing is printed before it turns out to be long."""
        with self.lock:
            self._end()
            self.task, self.total, self.done = task, total, 0
            self.started = time.monotonic()
            self.shown = self.started + _TELL_AFTER - _LOG_EVERY

    def advance(self, count: int = 1) -> None:
        """Count, and print a line if it is time."""
        with self.lock:
            self.done += count
            now = time.monotonic()
            if now - self.shown >= _LOG_EVERY:
                self._line(self.text(now))
                self.shown = now

    def note(self, message: str) -> None:
        """Print a line."""
        with self.lock:
            self._line(message)

    def finish(self) -> None:
        """Print the end of a long task."""
        with self.lock:
            self._end()

    def _end(self) -> None:
        now = time.monotonic()
        if self.task and self.shown >= self.started:
            self._line(f"{self.task}  done, {self.done:,} in {duration(now - self.started)}")
        self.task = ""

    def _line(self, text: str) -> None:
        self.stream.write(f"{clean(text)}\n")
        self.stream.flush()


def _width() -> int:
    import shutil  # noqa: PLC0415 (only while something is drawn)

    return shutil.get_terminal_size((80, 24)).columns
