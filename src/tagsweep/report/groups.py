"""Many decisions as a few lines: tags of one naming class with one verdict and one kind of reason."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from tagsweep.model.decision import (
    CannotDelete,
    Decision,
    EvidenceMissing,
    FollowsSubject,
    InUse,
    KeptByClause,
    LabelsUnknown,
    ManifestUnknown,
    NoRuleMatches,
    NotKept,
    Protected,
    ReachedBy,
    Reason,
    SharesDigest,
    SubjectRemoved,
    SubjectUnknown,
    TimeUnknown,
    UnresolvedReference,
    Verdict,
    VersionUnreadable,
)
from tagsweep.report.reasons import many, verdict_of

NO_CLASS: Final = "(no class)"
"""What a tag of no naming class is listed under."""

_ORDER: Final[tuple[type[Reason], ...]] = (
    InUse,
    Protected,
    KeptByClause,
    SharesDigest,
    ReachedBy,
    FollowsSubject,
    CannotDelete,
    NoRuleMatches,
    EvidenceMissing,
    UnresolvedReference,
    ManifestUnknown,
    SubjectUnknown,
    TimeUnknown,
    VersionUnreadable,
    LabelsUnknown,
    NotKept,
    SubjectRemoved,
)
"""Which of several reasons a tag is counted under: what people most need to know about it comes first."""

_ALONE: Final = ("pattern", "pull")
"""Ways of being in use that are told apart from what is named, because their words are others."""

_VERDICTS: Final = (Verdict.REMOVE, Verdict.UNDECIDED, Verdict.KEEP)
"""What changes comes first, then what could not be decided, then what stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonGroup:
    """Tags with the same verdict for the same kind of reason; each tag is in one group, under its main reason.

    ``reasons`` are those main reasons, one for each tag in ``tags``.
    """

    verdict: Verdict
    tags: tuple[str, ...]
    reasons: tuple[Reason, ...]

    @property
    def reason(self) -> Reason:
        """One of the reasons, for what they have in common."""
        return self.reasons[0]

    @property
    def words(self) -> str:
        """Why, for all the tags of the group."""
        return many(self.reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassGroup:
    """The decisions about the tags of one naming class."""

    name: str
    tags: int
    groups: tuple[ReasonGroup, ...]


def main_reason(decision: Decision) -> Reason:
    """Return the reason that a tag is counted under: one that speaks for its verdict, the most telling first."""
    fitting = [reason for reason in decision.reasons if verdict_of(reason) is decision.verdict]
    return min(fitting or decision.reasons, key=_rank)


def _rank(reason: Reason) -> tuple[int, bool, bool]:
    # What is there now and named comes before what is remembered, or only fits.
    remembered = isinstance(reason, InUse) and reason.last_seen is not None
    return _ORDER.index(type(reason)), remembered, isinstance(reason, InUse) and reason.via in _ALONE


def group_reasons(decisions: Iterable[Decision]) -> tuple[ReasonGroup, ...]:
    """Return the decisions grouped by verdict and kind of reason: removals first, then large groups first."""
    found: dict[tuple[Verdict, Hashable], list[tuple[str, Reason]]] = {}
    for decision in decisions:
        reason = main_reason(decision)
        found.setdefault((decision.verdict, _kind(reason)), []).append((decision.tag, reason))
    groups = (
        ReasonGroup(verdict=verdict, tags=tuple(tag for tag, _ in rows), reasons=tuple(reason for _, reason in rows))
        for (verdict, _), rows in found.items()
    )
    return tuple(sorted(groups, key=lambda group: (_VERDICTS.index(group.verdict), -len(group.tags))))


def group_classes(decisions: Sequence[Decision]) -> tuple[ClassGroup, ...]:
    """Return the decisions by naming class: classes that lose tags first, tags of no class last."""
    by_class = sorted(decisions, key=lambda decision: decision.naming_class)  # stable: tags keep their order
    groups = [
        ClassGroup(name=name or NO_CLASS, tags=len(members), groups=group_reasons(members))
        for name, members in ((key, list(rows)) for key, rows in groupby(by_class, lambda d: d.naming_class))
    ]
    return tuple(sorted(groups, key=lambda g: (_VERDICTS.index(g.groups[0].verdict), g.name == NO_CLASS, -g.tags)))


def _kind(reason: Reason) -> Hashable:
    """Return what must be equal for two tags to be summed up in one line."""
    match reason:
        case InUse(source=source, via=via, last_seen=seen):
            return (InUse, source, via if via in _ALONE else "", seen is None)
        case UnresolvedReference(source=source):
            return (UnresolvedReference, source)
        case KeptByClause(rule=rule, clause=clause):
            return (KeptByClause, rule, clause)
        case (
            NoRuleMatches()
            | SharesDigest()
            | ReachedBy()
            | FollowsSubject()
            | SubjectRemoved()
            | ManifestUnknown()
            | SubjectUnknown()
        ):
            return (type(reason),)
        case _:
            return reason
