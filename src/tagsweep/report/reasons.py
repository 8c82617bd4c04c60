"""The prose about decisions: a sentence, a code and a remedy for every Reason class, and groups of tags by reason.

``model.decision`` carries facts; the words are made here and nowhere else. A sentence has the tag as its subject,
which is left out: "in use by kubernetes/prod …", "shares its digest with 2025.8.1, which stays".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Final, assert_never

from tagsweep.model.decision import (
    CannotDelete,
    EvidenceMissing,
    FollowsSubject,
    InUse,
    KeepReason,
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
    UndecidedReason,
    UnresolvedReference,
    Verdict,
    VersionUnreadable,
)
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import KeepNewest
from tagsweep.report.clauses import clause_words, origin_words
from tagsweep.report.units import day
from tagsweep.report.words import listed, quoted, sampled, short_hashes

_CODES: Final[dict[type[Reason], str]] = {
    NoRuleMatches: "no-rule-matches",
    KeptByClause: "kept-by-clause",
    Protected: "protected",
    InUse: "in-use",
    SharesDigest: "shares-digest",
    ReachedBy: "reached-by",
    FollowsSubject: "follows-subject",
    CannotDelete: "cannot-delete",
    TimeUnknown: "time-unknown",
    VersionUnreadable: "version-unreadable",
    LabelsUnknown: "labels-unknown",
    ManifestUnknown: "manifest-unknown",
    UnresolvedReference: "unresolved-reference",
    EvidenceMissing: "evidence-missing",
    SubjectUnknown: "subject-unknown",
    NotKept: "not-kept",
    SubjectRemoved: "subject-removed",
}


def code(reason: Reason) -> str:
    """Return the stable name of the reason's class in JSON, such as ``shares-digest``; never renamed."""
    return _CODES[type(reason)]


def verdict_of(reason: Reason) -> Verdict:
    """Return the verdict that this reason speaks for; a tag that stays may also carry reasons to remove it."""
    match reason:
        case NotKept() | SubjectRemoved():
            return Verdict.REMOVE
        case (
            TimeUnknown()
            | VersionUnreadable()
            | LabelsUnknown()
            | ManifestUnknown()
            | UnresolvedReference()
            | EvidenceMissing()
            | SubjectUnknown()
        ):
            return Verdict.UNDECIDED
        case (
            NoRuleMatches()
            | KeptByClause()
            | Protected()
            | InUse()
            | SharesDigest()
            | ReachedBy()
            | FollowsSubject()
            | CannotDelete()
        ):
            return Verdict.KEEP
        case _:
            assert_never(reason)


def sentence(reason: Reason) -> str:
    """Return why, for one tag: no capital letter, no full stop, short enough for a table."""
    match reason:
        case NotKept(rule=rule):
            return f"rule {quoted(rule)} matches it and none of its keep clauses does"
        case SubjectRemoved(subject=subject):
            return f"belongs to {subject.short}, which is removed"
        case (
            NoRuleMatches()
            | KeptByClause()
            | Protected()
            | InUse()
            | SharesDigest()
            | ReachedBy()
            | FollowsSubject()
            | CannotDelete()
        ):
            return _why_kept(reason)
        case _:
            return _why_undecided(reason)


def _why_kept(reason: KeepReason) -> str:  # noqa: PLR0911  # one return for each class of the closed union
    match reason:
        case NoRuleMatches():
            return "no rule matches it"
        case KeptByClause(rule=rule, clause=clause, detail=detail):
            return f"rule {quoted(rule)} keeps {clause_words(clause)}" + (f" ({detail})" if detail else "")
        case Protected(reason=why):
            return f"protected by the policy: {why}"
        case InUse():
            return _why_in_use(reason)
        case SharesDigest(with_tags=tags):
            return f"shares the digest of {sampled(tags)}, which {_stay(tags)}"
        case ReachedBy(tags=tags):
            return f"is part of what {sampled(tags)} {_need(tags)}, which {_stay(tags)}"
        case FollowsSubject(subject=subject):
            return f"belongs to {subject.short}, which stays"
        case CannotDelete(why=why):
            return f"this registry cannot remove it: {why}"
        case _:
            assert_never(reason)


def _why_undecided(reason: UndecidedReason) -> str:  # noqa: PLR0911  # one return for each class of the union
    match reason:
        case TimeUnknown(rule=rule, origin=origin):
            return f"rule {quoted(rule)} needs its {origin_words(origin)}, which is not known"
        case VersionUnreadable(rule=rule, scheme=scheme):
            return f"rule {quoted(rule)} compares versions, and this is no {scheme} version"
        case LabelsUnknown(rule=rule, key=key):
            return f"rule {quoted(rule)} asks for {key}, which could not be read"
        case ManifestUnknown(why=why):
            return f"its manifest is not known: {why}"
        case UnresolvedReference(source=source, where=where, text=text):
            return f"{source} may mean it: {where} says {short_hashes(text)}"
        case EvidenceMissing(source=source, why=why):
            return f"required evidence is missing: {source}: {why}" if source else f"evidence is missing: {why}"
        case SubjectUnknown(why=why):
            return f"looks derived from a digest, but what it belongs to is not known: {why}"
        case _:
            assert_never(reason)


def _why_in_use(reason: InUse) -> str:
    if reason.via == "pull":
        return f"pulled lately, by the registry's record: {reason.where}"
    says = "says" if reason.via == "pattern" else "names"
    note = f" ({reason.note})" if reason.note else ""
    words = f"in use by {reason.source}: {reason.where} {says} {short_hashes(reason.reference)}"
    return words + _via(reason) + note + _since(reason)


def _via(reason: InUse) -> str:
    """Return how the reference meets the tag, where it does not simply name it."""
    words = {
        "digest": " by digest",
        "index": ", an index that contains it",
        "child": ", a platform of it",
        "pattern": ", which fits it, and the policy protects whatever fits",
    }
    return words.get(reason.via, "")


def _since(reason: InUse) -> str:
    if reason.last_seen is None:
        return ""
    return f"; no longer there, last seen {day(reason.last_seen)} and remembered"


def _stay(tags: tuple[str, ...]) -> str:
    return "stays" if len(tags) == 1 else "stay"


def _need(tags: tuple[str, ...]) -> str:
    return "needs" if len(tags) == 1 else "need"


def many(reasons: tuple[Reason, ...]) -> str:
    """Return why, for several tags that stay or go for one kind of reason; ``reasons`` are theirs, never empty.

    What they have in common is said once; the facts that differ are shown by a few of them. All are tags of one
    repository: more of them than a clause keeps are there because their times are equal.
    """
    first = reasons[0]
    if len(reasons) == 1:
        return sentence(first)
    match first:
        case NotKept(rule=rule):
            return f"rule {quoted(rule)} matches them and none of its keep clauses does"
        case SubjectRemoved():
            return "belong to digests that are removed"
        case (
            NoRuleMatches()
            | KeptByClause()
            | Protected()
            | InUse()
            | SharesDigest()
            | ReachedBy()
            | FollowsSubject()
            | CannotDelete()
        ):
            return _why_many_kept(first, reasons)
        case _:
            return _why_many_undecided(first, reasons)


def _why_many_kept(first: KeepReason, reasons: tuple[Reason, ...]) -> str:  # noqa: PLR0911  # one return for each class of the union
    match first:
        case NoRuleMatches():
            return "no rule matches them"
        case InUse():
            return _why_many_in_use(first, [reason for reason in reasons if isinstance(reason, InUse)])
        case SharesDigest():
            tags = _distinct(r.with_tags[0] for r in reasons if isinstance(r, SharesDigest) and r.with_tags)
            return f"share the digest of {sampled(tags)}, which {_stay(tags)}"
        case ReachedBy():
            tags = _distinct(tag for r in reasons if isinstance(r, ReachedBy) for tag in r.tags)
            return f"are part of what {sampled(tags)} {_need(tags)}, which {_stay(tags)}"
        case FollowsSubject():
            return "belong to digests that stay"
        case CannotDelete(why=why):
            return f"this registry cannot remove them: {why}"
        case KeptByClause(rule=rule, clause=clause):
            tied = isinstance(clause, KeepNewest) and clause.per is None and len(reasons) > clause.count
            return f"rule {quoted(rule)} keeps {clause_words(clause)}" + (", and all of the same time" if tied else "")
        case Protected():
            return sentence(first)
        case _:
            assert_never(first)


def _why_many_undecided(first: UndecidedReason, reasons: tuple[Reason, ...]) -> str:
    match first:
        case TimeUnknown(rule=rule, origin=origin):
            return f"rule {quoted(rule)} needs their {origin_words(origin)}, which is not known"
        case VersionUnreadable(rule=rule, scheme=scheme):
            return f"rule {quoted(rule)} compares versions, and these are no {scheme} versions"
        case ManifestUnknown():
            whys = _distinct(r.why for r in reasons if isinstance(r, ManifestUnknown))
            return f"their manifests are not known: {listed(whys, most=2)}"
        case SubjectUnknown():
            whys = _distinct(r.why for r in reasons if isinstance(r, SubjectUnknown))
            return f"look derived from a digest, but what they belong to is not known: {listed(whys, most=2)}"
        case UnresolvedReference(source=source):
            said = _distinct(
                f"{r.where} says {short_hashes(r.text)}" for r in reasons if isinstance(r, UnresolvedReference)
            )
            return f"{source} may mean them: {listed(said, most=2)}"
        case EvidenceMissing() | LabelsUnknown():
            return sentence(first)
        case _:
            assert_never(first)


def _why_many_in_use(first: InUse, reasons: Sequence[InUse]) -> str:
    if first.via == "pull":
        return "pulled lately, by the registry's record"
    places = _distinct(reason.where for reason in reasons)
    said = f"in use by {first.source}: {listed(places)}"
    if first.via == "pattern":
        texts = _distinct(short_hashes(reason.reference) for reason in reasons)
        return f"{said}: {listed(texts)} {_fits(texts)} them, and the policy protects whatever fits"
    kinds = {_via(reason) for reason in reasons}
    seen = [day(reason.last_seen) for reason in reasons if reason.last_seen is not None]
    since = ""
    if len(seen) == len(reasons):
        since = f"; no longer there, last seen {_span(min(seen), max(seen))} and remembered"
    return said + (kinds.pop() if len(kinds) == 1 else "") + since


def _fits(texts: Sequence[str]) -> str:
    return "fits" if len(texts) == 1 else "fit"


def _span(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"


def _distinct(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))


def remedy(reason: Reason, *, times: frozenset[TimeOrigin] | None = None) -> str:  # noqa: PLR0911  # as in sentence
    """Return what the reader can do so that this is decided, or an empty string where nothing needs doing.

    ``times`` are the origins that this registry reports for tags (Capabilities.times), where that is known.
    """
    match reason:
        case TimeUnknown(origin=origin):
            return _time_remedy(origin, times)
        case VersionUnreadable(scheme=scheme):
            return f"let the rule match {scheme} versions only, or exclude these tags"
        case LabelsUnknown():
            return "read the image configs with a login that may pull them, or use another keep clause"
        case ManifestUnknown():
            return "look at it with “tagsweep explain”; a tag that cannot be read is never removed"
        case UnresolvedReference():
            return open_remedy(reason)
        case EvidenceMissing(source=source):
            return f"make {source} answer completely, then plan again" if source else "require a source in the policy"
        case SubjectUnknown():
            return "remove it by hand if you know that nothing needs it; tagsweep does not guess"
        case CannotDelete():
            return "“tagsweep doctor” shows what this registry lets these credentials do"
        case (
            NoRuleMatches()
            | KeptByClause()
            | Protected()
            | InUse()
            | SharesDigest()
            | ReachedBy()
            | FollowsSubject()
            | NotKept()
            | SubjectRemoved()
        ):
            return ""
        case _:
            assert_never(reason)


def open_remedy(reason: UnresolvedReference) -> str:
    """Return what can be done about a reference with open parts: in its place, or in the policy, word for word."""
    how = reading_example(reason.source, reason.path)
    return (
        f"write the whole reference in {reason.where}, or say in the policy how it is read: {how}; "
        "protect in place of ignore keeps whatever fits"
    )


def reading_example(source: str, path: str = "") -> str:
    """Return the entry of a policy that says how open references of a source, or of one path of it, are read."""
    if not path:
        return f"sources: {{{source}: {{unresolved: ignore}}}}"
    # The policy reads paths as globs, and their own wildcards stand for themselves in brackets.
    glob = json.dumps(re.sub(r"[*?\[]", r"[\g<0>]", path), ensure_ascii=False)
    return f"sources: {{{source}: {{unresolved: [{{path: {glob}, read: ignore}}]}}}}"


def _time_remedy(origin: TimeOrigin, times: frozenset[TimeOrigin] | None) -> str:
    match origin:
        case TimeOrigin.PUSHED | TimeOrigin.UPDATED | TimeOrigin.PULLED:
            if times is not None and origin not in times:
                noun = origin_words(origin)
                return f"this registry reports no {noun}s: use “of: first-seen” or “of: created” in the rule"
            return "use “of: first-seen” or “of: created” in the rule"
        case TimeOrigin.FIRST_SEEN:
            return "it is known from the next run on, if the state directory is kept"
        case TimeOrigin.CREATED:
            return "the image has no usable build time: use “of: first-seen” in the rule"
        case _:
            assert_never(origin)
