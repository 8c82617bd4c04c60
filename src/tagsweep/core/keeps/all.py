"""The keep clause ``all``: everything that the rule matches."""

from __future__ import annotations

from collections.abc import Sequence

from tagsweep.core.keeps.context import Context, Verdicts
from tagsweep.model.decision import KeptByClause
from tagsweep.model.inventory import TagState
from tagsweep.model.policy import KeepAll


def keep_all(clause: KeepAll, candidates: Sequence[TagState], context: Context) -> Verdicts:
    """Keep every candidate; a rule with this clause is a way to watch and count tags without touching them."""
    reason = KeptByClause(rule=context.rule, clause=clause)
    return {tag.name: reason for tag in candidates}
