"""How many tags of each class there were over time: now, and in the past as far as the tags' own times tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from tagsweep.model.inventory import Inventory, TimeOrigin
from tagsweep.model.reference import Repository
from tagsweep.model.run import CountPoint

SEEN: Final = "seen"
"""The origin of points that were counted at that instant."""

_ORIGINS: Final = (TimeOrigin.PUSHED, TimeOrigin.UPDATED, TimeOrigin.CREATED)
"""Which times a history is made of, the best first. When tagsweep first saw a tag says nothing of the time before."""


def count_points(
    repository: Repository, classes: Mapping[str, str], *, at: datetime, among: Collection[str] = ()
) -> tuple[CountPoint, ...]:
    """Return how many of the tags (name to class) are in each class at ``at``; those of ``among`` even if none is."""
    counts = Counter(classes.values())
    return tuple(
        CountPoint(at=at, repository=repository, naming_class=name, tags=counts[name], origin=SEEN)
        for name in sorted({*counts, *among})
    )


def timeline(inventory: Inventory, classes: Mapping[str, str]) -> tuple[CountPoint, ...]:
    """Return, for the end of each month in the past, how many of today's tags there were by their times.

    The best origin that every tag has is taken; where none is known of every tag, the answer is empty rather than
    a picture of a part. Tags that were removed before today are not in it, and the origin of the points says so.
    """
    origin = next((each for each in _ORIGINS if all(each in tag.times for tag in inventory.tags)), None)
    if origin is None or not inventory.tags:
        return ()
    born = sorted((tag.times[origin], classes.get(tag.name, "")) for tag in inventory.tags)
    words = f"{origin.value}, of the tags of {inventory.taken_at:%Y-%m-%d}"
    names = sorted({name for _, name in born})
    counts: Counter[str] = Counter()
    position = 0
    points: list[CountPoint] = []
    for end in _month_ends(born[0][0], inventory.taken_at):
        while position < len(born) and born[position][0] < end:
            counts[born[position][1]] += 1
            position += 1
        points.extend(
            CountPoint(at=end, repository=inventory.repository, naming_class=name, tags=counts[name], origin=words)
            for name in names
        )
    return tuple(points)


def _month_ends(first: datetime, last: datetime) -> Iterator[datetime]:
    """Yield the first instant of every month after ``first`` and not after ``last``, in UTC."""
    year, month = first.year, first.month
    while True:
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)  # noqa: PLR2004 (December)
        end = datetime(year, month, 1, tzinfo=UTC)
        if end > last:
            return
        yield end
