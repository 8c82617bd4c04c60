"""Which date of a schedule is due: the latest one that has passed, once, however long nobody looked.

A date is what the clock on the wall shows, so the hour that is doubled when clocks are set back has each of its dates
once, at its first pass; a date in the hour that is skipped is due by as much later as the clocks were set forward.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from tagsweep.core.cron import Cron

_DAY: Final = timedelta(days=1)
_MOST_DAYS: Final = 41 * 366
"""So far a search goes; the rarest dates (29 February on a certain weekday) are 40 years apart at most."""
_WAKE: Final = timedelta(hours=1)
"""So late may a first call be that its date has just passed; systems of CI wake their jobs many minutes late."""
_DISORDER: Final = 2
"""So many days of the wall may be out of order in real time: clocks are set by a day at most (Samoa, 2011)."""


def due(
    now: datetime, done: Iterable[datetime], cron: Cron, zone: tzinfo, *, since: datetime | None = None
) -> datetime | None:
    """Return the date (UTC) that is due at ``now`` and was not done, or None. ``done`` are the dates done so far.

    Dates that were missed count as done with a later one: after a long pause one run catches up. A date in ``done``
    that is still to come was noted by a clock that was wrong, and holds nobody up. If nothing was ever done, the
    latest date is due. No date is due that does not lie after ``since``.
    """
    latest = latest_date(now, cron, zone)
    last = max((one for one in (*done, *(() if since is None else (since,))) if one <= now), default=None)
    return latest if latest is not None and (last is None or latest > last) else None


def since_known(now: datetime, calls: Iterable[datetime]) -> tuple[datetime, bool]:
    """Return from when on the dates of a schedule count, and whether it was known before ``now``.

    ``calls`` are all calls that asked for this schedule. Who installs one does not ask for the dates before: they count
    from the first call on, and from an hour before it, because that call may be the wake of its date. A call that is
    still to come was noted by a clock that was wrong.
    """
    first = min((one for one in calls if one <= now), default=None)
    return (now if first is None else first) - _WAKE, first is not None


def latest_date(now: datetime, cron: Cron, zone: tzinfo) -> datetime | None:
    """Return the last date (UTC) at or before ``now``, or None if there is none within 40 years."""
    # One day ahead of the wall's: while an hour is doubled, what the wall shows later may have been before.
    start = now.astimezone(zone).date() + _DAY
    return max(_nearest((start - _DAY * n for n in range(_MOST_DAYS)), cron, zone, until=now), default=None)


def next_date(now: datetime, cron: Cron, zone: tzinfo) -> datetime | None:
    """Return the first date (UTC) after ``now``, or None if there is none within 40 years."""
    start = now.astimezone(zone).date() - _DAY * _DISORDER
    return min(_nearest((start + _DAY * n for n in range(_MOST_DAYS)), cron, zone, after=now), default=None)


def _nearest(
    days: Iterable[date], cron: Cron, zone: tzinfo, *, until: datetime | None = None, after: datetime | None = None
) -> Iterator[datetime]:
    """Yield the dates of the first of ``days`` that has some in the bounds, and of those that may lie before it."""
    left = _MOST_DAYS
    for day in days:
        if left == 0:
            return
        left -= 1
        found = False
        for instant in _instants(day, cron, zone) if cron.on(day) else ():
            if (until is None or instant <= until) and (after is None or instant > after):
                found = True
                yield instant
        if found:
            left = min(left, _DISORDER)


def _instants(day: date, cron: Cron, zone: tzinfo) -> Iterator[datetime]:
    for hour in cron.hours:
        for minute in cron.minutes:
            # fold=0: the first pass of a doubled hour; in a skipped one the offset from before the jump (PEP 495).
            yield datetime.combine(day, time(hour, minute), tzinfo=zone).astimezone(UTC)
