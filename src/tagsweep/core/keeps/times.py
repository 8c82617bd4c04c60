"""Which times may be believed.

Reproducible builders write 1970, 1980 or the year 1 into ``created``, and registries report "never" as the year 1.
None of these is an age; treating them as one has emptied whole repositories.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from tagsweep.core.keeps.context import Context, Says
from tagsweep.model.decision import TimeUnknown
from tagsweep.model.inventory import TagState, TimeOrigin

FIRST_CONTAINERS: Final = datetime(2013, 3, 20, tzinfo=UTC)
"""Docker's first public release; no image was pushed, built or pulled before it."""


def believable_time(tag: TagState, origin: TimeOrigin) -> datetime | None:
    """Return the tag's time of exactly this origin in UTC, or None where it is unknown or cannot be true."""
    time = tag.times.get(origin)
    if time is None or time.tzinfo is None or time < FIRST_CONTAINERS:
        return None
    return time.astimezone(UTC)


def split_by_time(
    candidates: Iterable[TagState], origin: TimeOrigin, context: Context
) -> tuple[list[tuple[datetime, str]], dict[str, Says]]:
    """Return the tags with a believable time, and what is to be said about the others: that it is unknown."""
    known: list[tuple[datetime, str]] = []
    unknown: dict[str, Says] = {}
    reason = TimeUnknown(rule=context.rule, origin=origin)
    for tag in candidates:
        time = believable_time(tag, origin)
        if time is None:
            unknown[tag.name] = reason
        else:
            known.append((time, tag.name))
    return known, unknown
