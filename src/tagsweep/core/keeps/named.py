"""The keep clause ``named``: tags that one of these patterns matches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from tagsweep.core.keeps.context import Context, Says, Verdicts
from tagsweep.core.patterns import matches
from tagsweep.model.decision import KeptByClause
from tagsweep.model.inventory import TagState
from tagsweep.model.policy import Glob, KeepNamed, Names, Pattern, Regex, VersionPattern


def keep_named(clause: KeepNamed, candidates: Sequence[TagState], context: Context) -> Verdicts:
    """Keep each tag that one of the clause's patterns matches in full; the first that does is the detail."""
    verdicts: dict[str, Says] = {}
    for tag in candidates:
        pattern = next((each for each in clause.match if matches(each, tag.name)), None)
        if pattern is not None:
            verdicts[tag.name] = KeptByClause(rule=context.rule, clause=clause, detail=_text(pattern))
    return verdicts


def _text(pattern: Pattern) -> str:
    match pattern:
        case Glob() | Regex():
            return pattern.pattern
        case Names():
            return "by name"
        case VersionPattern():
            return pattern.scheme.value
        case _:
            assert_never(pattern)
