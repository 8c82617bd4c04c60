"""The keep clause ``every``: the newest tag of each day, week, month, quarter or year, for N of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from tagsweep.core.keeps.context import Context, Verdicts
from tagsweep.core.keeps.times import split_by_time
from tagsweep.model.decision import KeptByClause
from tagsweep.model.inventory import TagState
from tagsweep.model.policy import KeepEvery, Period


def keep_every(clause: KeepEvery, candidates: Sequence[TagState], context: Context) -> Verdicts:
    """Keep the newest tag of each of the last ``count`` periods that have a tag, in UTC; equal times stay together.

    Periods without a tag take no place, so a long pause in a project does not use up its history.
    """
    known, verdicts = split_by_time(candidates, clause.of, context)
    buckets: defaultdict[tuple[int, ...], list[tuple[datetime, str]]] = defaultdict(list)
    for time, name in known:
        buckets[bucket(time, clause.period)].append((time, name))
    for key in sorted(buckets, reverse=True)[: clause.count]:
        newest = max(time for time, _ in buckets[key])
        label = bucket_label(key, clause.period)
        for time, name in buckets[key]:
            if time == newest:
                verdicts[name] = KeptByClause(rule=context.rule, clause=clause, detail=f"newest of {label}")
    return verdicts


def bucket(time: datetime, period: Period) -> tuple[int, ...]:
    """Return the period that ``time`` (UTC) falls in, as numbers that sort by time; weeks are ISO 8601."""
    match period:
        case Period.DAY:
            return (time.year, time.month, time.day)
        case Period.WEEK:
            calendar = time.isocalendar()
            return (calendar.year, calendar.week)
        case Period.MONTH:
            return (time.year, time.month)
        case Period.QUARTER:
            return (time.year, (time.month - 1) // 3 + 1)
        case Period.YEAR:
            return (time.year,)
        case _:
            assert_never(period)


def bucket_label(key: tuple[int, ...], period: Period) -> str:
    """Return the period as people write it: 2025-04-01, 2025-W14, 2025-04, 2025-Q2, 2025."""
    match period:
        case Period.DAY | Period.MONTH | Period.YEAR:
            return "-".join(f"{part:02}" for part in key)
        case Period.WEEK:
            return f"{key[0]}-W{key[1]:02}"
        case Period.QUARTER:
            return f"{key[0]}-Q{key[1]}"
        case _:
            assert_never(period)
