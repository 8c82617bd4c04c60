"""The keep clauses, one a file. Clauses only keep: what none of them keeps, the rule lets go.

Each is a pure function of the clause, the tags that its rule matches, and the context; every one answers in the same
form, so that a new clause is one file, one class in the model and one line here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from tagsweep.core.keeps.all import keep_all
from tagsweep.core.keeps.context import Context, Says, Verdicts
from tagsweep.core.keeps.every import keep_every
from tagsweep.core.keeps.labelled import keep_labelled
from tagsweep.core.keeps.named import keep_named
from tagsweep.core.keeps.newest import keep_newest
from tagsweep.core.keeps.versions import keep_versions
from tagsweep.core.keeps.within import keep_within
from tagsweep.model.inventory import TagState
from tagsweep.model.policy import (
    KeepAll,
    KeepClause,
    KeepEvery,
    KeepLabelled,
    KeepNamed,
    KeepNewest,
    KeepNewestVersions,
    KeepWithin,
)

__all__ = ["Context", "Says", "Verdicts", "apply_clause"]


def apply_clause(  # noqa: PLR0911  # one return for each clause
    clause: KeepClause, candidates: Sequence[TagState], context: Context
) -> Verdicts:
    """Return what ``clause`` says about the candidates; a tag that is missing in the answer is not kept by it."""
    match clause:
        case KeepNewest():
            return keep_newest(clause, candidates, context)
        case KeepWithin():
            return keep_within(clause, candidates, context)
        case KeepEvery():
            return keep_every(clause, candidates, context)
        case KeepNewestVersions():
            return keep_versions(clause, candidates, context)
        case KeepLabelled():
            return keep_labelled(clause, candidates, context)
        case KeepNamed():
            return keep_named(clause, candidates, context)
        case KeepAll():
            return keep_all(clause, candidates, context)
        case _:
            assert_never(clause)
