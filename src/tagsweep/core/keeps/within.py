"""The keep clause ``within``: everything that is not older than an age, by a named clock."""

from __future__ import annotations

from collections.abc import Sequence

from tagsweep.core.keeps.context import Context, Verdicts
from tagsweep.core.keeps.times import split_by_time
from tagsweep.model.decision import KeptByClause
from tagsweep.model.inventory import TagState
from tagsweep.model.policy import KeepWithin


def keep_within(clause: KeepWithin, candidates: Sequence[TagState], context: Context) -> Verdicts:
    """Keep each tag whose age is at most ``age``, to the microsecond; a time in the future is young.

    A day is 24 hours from now backwards, not a calendar day; the plan prints the instant.
    """
    known, verdicts = split_by_time(candidates, clause.of, context)
    for time, name in known:
        # Not `time >= now - age`: an age of ten thousand years would leave the calendar.
        if context.now - time <= clause.age:
            verdicts[name] = KeptByClause(rule=context.rule, clause=clause, detail=time.isoformat())
    return verdicts
