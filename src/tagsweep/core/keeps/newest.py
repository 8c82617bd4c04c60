"""The keep clause ``newest``: the N newest tags by a named clock, in all or for each value of a captured group."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from tagsweep.core.keeps.context import Context, Says, Verdicts
from tagsweep.core.keeps.times import split_by_time
from tagsweep.core.patterns import group_names, group_value
from tagsweep.model.decision import KeptByClause
from tagsweep.model.inventory import TagState
from tagsweep.model.policy import KeepNewest


def keep_newest(clause: KeepNewest, candidates: Sequence[TagState], context: Context) -> Verdicts:
    """Keep each tag that fewer than ``count`` tags of its group are newer than.

    Tags of equal time have the same rank, so they stay or go together. A tag of unknown time takes no place: that
    would let what is not known push out what is.
    """
    known, verdicts = split_by_time(candidates, clause.of, context)
    groups: defaultdict[str | None, list[tuple[datetime, str]]] = defaultdict(list)
    for time, name in known:
        groups[_group(clause, name, context)].append((time, name))
    for value, members in groups.items():
        verdicts.update(_newest_of(clause, members, value, context))
    return verdicts


def _newest_of(
    clause: KeepNewest, members: list[tuple[datetime, str]], value: str | None, context: Context
) -> dict[str, Says]:
    times = sorted(time for time, _ in members)
    kept: dict[str, Says] = {}
    for time, name in members:
        rank = len(times) - bisect_right(times, time) + 1
        if rank <= clause.count:
            group = f" of {clause.per} {value}" if clause.per is not None and value is not None else ""
            tied = bisect_right(times, time) - bisect_left(times, time)
            # Only a tie that keeps more than the number needs its word.
            others = f", with {tied - 1} of the same time" if rank + tied - 1 > clause.count else ""
            detail = f"rank {rank} of {len(times)}{group}{others}"
            kept[name] = KeptByClause(rule=context.rule, clause=clause, detail=detail)
    return kept


def _group(clause: KeepNewest, name: str, context: Context) -> str | None:
    """Return the group of the first pattern that matches the tag and has it.

    Tags for which the group took no part are a group of their own.
    """
    if clause.per is None:
        return None
    for pattern in context.patterns:
        if clause.per in group_names(pattern):
            value = group_value(pattern, name, clause.per)
            if value is not None:
                return value
    return None
