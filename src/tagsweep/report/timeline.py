"""Tags by class over time as an inline SVG: stacked areas whose straight edges join the counts.

Joined, not stepped: a sweep takes minutes and the picture shows months, so a step would hide the peak just before it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from tagsweep.model.reference import Repository
from tagsweep.model.run import CountPoint
from tagsweep.report.groups import NO_CLASS
from tagsweep.report.html_text import safe
from tagsweep.report.units import count, day

COLORS: Final = 6
_WIDTH: Final = 860
_HEIGHT: Final = 300
_LEFT: Final = 64
_RIGHT: Final = 12
_TOP: Final = 12
_BOTTOM: Final = 30
_TICKS: Final = 4
_GRID: Final = 5
_TAIL: Final = 0.05
"""How far the last count is drawn on, as a share of the time shown, so that the end of a sweep is seen."""


@dataclass(frozen=True, slots=True)
class Series:
    """The number of tags of one class at each of the times, all repositories together."""

    name: str
    tags: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Series over common times, the class with most tags first."""

    times: tuple[datetime, ...]
    series: tuple[Series, ...]
    origins: tuple[str, ...]
    """How the counts are known, in words."""


def timeline(points: Iterable[CountPoint]) -> Timeline:
    """Return the counts summed over repositories; where a repository has no count at a time, its last one holds.

    A count is of a whole repository: a class that is not in it has no tag then. Of several counts of one instant the
    largest holds, because a count made of the tags of a later day lacks what was removed in between.
    """
    every = sorted(points, key=lambda point: point.at)
    names = sorted({point.naming_class for point in every})
    latest: dict[Repository, dict[str, int]] = {}
    times: list[datetime] = []
    rows: list[Counter[str]] = []
    for at, counted in groupby(every, key=lambda point: point.at):
        found: dict[Repository, dict[str, int]] = {}
        for point in counted:
            one = found.setdefault(point.repository, {})
            one[point.naming_class] = max(one.get(point.naming_class, 0), point.tags)
        latest |= found
        sums: Counter[str] = Counter()
        for one in latest.values():
            sums.update(one)
        times.append(at)
        rows.append(sums)
    series = [Series(name or NO_CLASS, tuple(row[name] for row in rows)) for name in names]
    ordered = sorted(series, key=lambda one: -max(one.tags, default=0))
    return Timeline(tuple(times), tuple(ordered), tuple(dict.fromkeys(point.origin for point in every if point.origin)))


def color(number: int) -> str:
    """Return the CSS colour of the class with this number; from the sixth on they share the last one."""
    return f"var(--c{min(number, COLORS - 1)})"


def svg(line: Timeline) -> str:
    """Return the picture; it has at least two times. Colours come from the page's style sheet."""
    begin, end = line.times[0], line.times[-1] + (line.times[-1] - line.times[0]) * _TAIL
    totals = [sum(one.tags[n] for one in line.series) for n in range(len(line.times))]
    step = nice_step(max(totals))
    top = max(step, math.ceil(max(totals) / step) * step)
    frame = _Frame(begin, end, top)
    title = (
        f"Tags by class from {day(begin)} to {day(line.times[-1])}: {count(totals[0])} first, {count(totals[-1])} last"
    )
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{safe(title)}">',
        *_grid(frame, step),
        *_areas(line, frame),
        *_dates(line.times, frame),
        "</svg>",
    ]
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class _Frame:
    begin: datetime
    end: datetime
    top: int

    def x(self, at: datetime) -> float:
        share = (at - self.begin) / (self.end - self.begin)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, tags: int) -> float:
        return round(_HEIGHT - _BOTTOM - tags / self.top * (_HEIGHT - _TOP - _BOTTOM), 1)


def nice_step(highest: int) -> int:
    """Return a round distance between grid lines (1, 2 or 5 times a power of ten) that makes about five of them."""
    rough = max(highest, 1) / _GRID
    power = 10 ** math.floor(math.log10(max(rough, 1)))
    return next(int(factor * power) for factor in (1, 2, 5, 10) if factor * power >= rough)


def _grid(frame: _Frame, step: int) -> Iterable[str]:
    for tags in range(0, frame.top + 1, step):
        y = frame.y(tags)
        yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="var(--line)"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{count(tags)}</text>'


def _areas(line: Timeline, frame: _Frame) -> Iterable[str]:
    below = [0] * (len(line.times) + 1)
    edges = [*line.times, frame.end]
    for number, one in enumerate(line.series):
        above = [low + tags for low, tags in zip(below, (*one.tags, one.tags[-1]), strict=True)]
        upper, lower = (
            [f"{frame.x(at)} {frame.y(tags)}" for at, tags in zip(edges, heights, strict=True)]
            for heights in (above, below)
        )
        path = "L".join((*upper, *reversed(lower)))
        yield f'<path d="M{path}Z" fill="{color(number)}"><title>{safe(one.name)}</title></path>'
        below = above


def _dates(times: Sequence[datetime], frame: _Frame) -> Iterable[str]:
    span = times[-1] - times[0]
    ticks = [times[0] + span * n / _TICKS for n in range(_TICKS + 1)]
    shape = "%Y-%m-%d" if span >= timedelta(days=_TICKS) else "%H:%M:%S" if span < timedelta(hours=1) else "%m-%d %H:%M"
    for number, at in enumerate(ticks):
        anchor = "start" if number == 0 else "end" if number == _TICKS else "middle"
        minor = ' class="minor"' if number % 2 else ""
        yield f'<text x="{frame.x(at)}" y="{_HEIGHT - 9}" text-anchor="{anchor}"{minor}>{at:{shape}}</text>'
