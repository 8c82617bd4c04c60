"""When to wake on a clock that knows UTC alone, for a schedule on another clock: never before the date is due."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Final

from tagsweep.core.cron import parse_cron, plain

_HOUR: Final = 60
_DAY: Final = 24 * _HOUR
_SAFE_DAY: Final = 27
"""The day after it is in the same month, whatever the month."""


def utc_cron(text: str, zone: tzinfo, now: datetime) -> str:
    """Return cron fields in UTC that wake at each date of ``text`` in ``zone``, or up to a day after it.

    Summer time and zones move a date by hours: the latest of the times counts. What cannot be moved (many times a day,
    the last days of a month) wakes every hour; whoever is woken asks what is due.
    """
    cron = parse_cron(text)
    offsets = {(now + timedelta(days=day)).astimezone(zone).utcoffset() or timedelta(0) for day in range(366)}
    if offsets == {timedelta(0)}:
        return plain(text)
    if len(cron.hours) > 1 or len(cron.minutes) > 1:
        return "0 * * * *"
    latest = cron.hours[0] * _HOUR + cron.minutes[0] - round(min(offsets).total_seconds()) // _HOUR
    fields = plain(text).split()
    if latest < 0:
        latest = 0
    elif latest >= _DAY:
        latest -= _DAY
        if (fields[2] != "*" and max(cron.days) > _SAFE_DAY) or (fields[2] == "*" and fields[3] != "*"):
            return "0 * * * *"
        if fields[2] != "*":
            fields[2] = ",".join(str(day + 1) for day in sorted(cron.days))
        if fields[4] != "*":
            fields[4] = ",".join(map(str, sorted((day + 1) % 7 for day in cron.weekdays)))
    return " ".join([str(latest % _HOUR), str(latest // _HOUR), *fields[2:]])
