"""What happens to each tag of a repository, and why: the decision, a pure function of what is known.

A tag stays unless a rule matches it, no clause of any matching rule keeps it, nothing in use or protected needs it,
and nothing that this depends on is unknown. Every reason that holds is collected; the order of rules has no meaning.
What the registry's own abilities change (tags that share a digest) is planning's business, not decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tagsweep.core.classify import Classifier
from tagsweep.core.derived import derived_from
from tagsweep.core.draft import Draft
from tagsweep.core.graph import Graph
from tagsweep.core.protect import UsageFacts, evidence_gaps, find_usage, recent_pulls
from tagsweep.core.rules import (
    ProtectionEvaluation,
    RuleEvaluation,
    evaluate_protection,
    evaluate_rule,
    protection_label,
)
from tagsweep.core.subjects import follow_subjects
from tagsweep.model.decision import (
    Decision,
    EvidenceMissing,
    InUse,
    KeptByClause,
    ManifestUnknown,
    Protected,
    Verdict,
)
from tagsweep.model.inventory import Inventory, TagState
from tagsweep.model.manifest import Unreadable
from tagsweep.model.plan import RuleCount
from tagsweep.model.policy import Policy
from tagsweep.model.reference import Digest
from tagsweep.model.usage import Usage, UsageReport

_SAMPLES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionSet:
    """The decisions of one repository, one for each tag, in the order of its inventory.

    ``rules`` counts every rule and protection that applies to the repository. ``used`` are the digests in use, tagged
    or not; planning must keep what they reach. ``dangling`` are references in use whose target does not exist.
    """

    decisions: tuple[Decision, ...]
    rules: tuple[RuleCount, ...]
    matched: tuple[tuple[str, ...], ...] = ()
    """The tags that each entry of ``rules`` matches."""
    used: frozenset[Digest] = frozenset()
    dangling: tuple[Usage, ...] = ()


def decide(
    inventory: Inventory,
    policy: Policy,
    reports: Sequence[UsageReport],
    *,
    now: datetime,
    graph: Graph | None = None,
    aliases: Mapping[str, str] | None = None,
) -> DecisionSet:
    """Return the verdict about every tag, with all reasons for it.

    ``now`` is the plan's one clock, UTC. ``aliases`` are those of :func:`canonical_repository`.
    Raises PolicyError where a rule names a class that is not defined.
    """
    known = Graph.of(inventory) if graph is None else graph
    classifier = Classifier(policy.naming)
    rules = [r for rule in policy.rules if (r := evaluate_rule(rule, inventory, classifier, now=now)) is not None]
    protections = [p for each in policy.protect if (p := evaluate_protection(each, inventory, classifier)) is not None]
    readings = {source.name: source.unresolved for source in policy.sources}
    usage = find_usage(inventory, reports, known, aliases=aliases or {}, readings=readings)
    pulls = recent_pulls(inventory, policy.evidence.pulled_within, now=now)
    drafts = {tag.name: Draft(tag=tag, derived=derived_from(tag.name)) for tag in inventory.tags}
    _protect(drafts, protections, usage, pulls)
    _apply_rules(drafts, rules)
    _doubt(drafts.values(), usage, evidence_gaps(policy.evidence, reports, now=now), inventory, known)
    follow_subjects(tuple(drafts.values()), inventory, known, used=usage.used)
    decisions = tuple(draft.decide(classifier.class_of(draft.tag.name)) for draft in drafts.values())
    named = [(each.rule.name, each.matched) for each in rules]
    named += [(protection_label(each.protection), each.matched) for each in protections]
    return DecisionSet(
        decisions=decisions,
        rules=_counts(inventory, decisions, named),
        matched=tuple(matched for _, matched in named),
        used=usage.used,
        dangling=usage.dangling,
    )


def _protect(
    drafts: Mapping[str, Draft],
    protections: Sequence[ProtectionEvaluation],
    usage: UsageFacts,
    pulls: Mapping[str, InUse],
) -> None:
    for each in protections:
        reason = Protected(reason=each.protection.reason)
        for name in each.matched:
            drafts[name].keep.append(reason)
    for name, reasons in usage.tags.items():
        drafts[name].keep.extend(reasons)
    for name, pull in pulls.items():
        drafts[name].keep.append(pull)


def _apply_rules(drafts: Mapping[str, Draft], rules: Sequence[RuleEvaluation]) -> None:
    """Add what every matching rule says. One word of one clause of one rule suffices to keep a tag."""
    for evaluation in rules:
        for name in evaluation.matched:
            draft = drafts[name]
            draft.rules.append(evaluation.rule.name)
            for said in evaluation.says.get(name, ()):
                if isinstance(said, KeptByClause):
                    draft.keep.append(said)
                else:
                    draft.undecided.append(said)


def _doubt(
    drafts: Iterable[Draft],
    usage: UsageFacts,
    gaps: Sequence[EvidenceMissing],
    inventory: Inventory,
    graph: Graph,
) -> None:
    """Add what is not known, for every tag that something could remove."""
    unknown: dict[Digest, ManifestUnknown | None] = {}
    for draft in drafts:
        if not draft.removable:
            continue
        draft.undecided.extend(usage.unresolved.get(draft.tag.name, ()))
        problem = _manifest_problem(draft.tag, inventory, graph, unknown)
        if problem is not None:
            draft.undecided.append(problem)
        # A derived tag depends on evidence through its subject, which stays when evidence is missing.
        if draft.derived is None and draft.verdict is not Verdict.KEEP:
            draft.undecided.extend(gaps)


def _manifest_problem(
    tag: TagState, inventory: Inventory, graph: Graph, known: dict[Digest, ManifestUnknown | None]
) -> ManifestUnknown | None:
    """Return why it is not certain what the tag reaches, or None where it is. ``known`` are answers by digest."""
    if tag.digest is None:
        return ManifestUnknown(why=tag.problem or "it did not resolve to a digest")
    if tag.digest not in known:
        why = _why_unknown(tag.digest, inventory, graph)
        known[tag.digest] = ManifestUnknown(why=why) if why else None
    return known[tag.digest]


def _why_unknown(digest: Digest, inventory: Inventory, graph: Graph) -> str:
    manifest = inventory.manifests.get(digest)
    if isinstance(manifest, Unreadable):
        return manifest.why
    if manifest is None:
        return "the registry does not have its manifest" if digest in inventory.missing else "its manifest was not read"
    for below in graph.unknown_below(digest):
        unread = inventory.manifests.get(below)
        return f"{below.short} below it: {unread.why if isinstance(unread, Unreadable) else 'it was not read'}"
    return ""


def recount(decided: DecisionSet, decisions: Sequence[Decision]) -> tuple[RuleCount, ...]:
    """Return the counts of the rules with what they keep by ``decisions``, the ones that planning made final."""
    removed = frozenset(each.tag for each in decisions if each.verdict is Verdict.REMOVE)
    return tuple(
        replace(count, kept=sum(tag not in removed for tag in matched))
        for count, matched in zip(decided.rules, decided.matched, strict=True)
    )


def _counts(
    inventory: Inventory, decisions: Sequence[Decision], named: Sequence[tuple[str, tuple[str, ...]]]
) -> tuple[RuleCount, ...]:
    removed = frozenset(each.tag for each in decisions if each.verdict is Verdict.REMOVE)
    return tuple(
        RuleCount(
            rule=name,
            repository=str(inventory.repository),
            matched=len(matched),
            kept=sum(tag not in removed for tag in matched),
            samples=matched[:_SAMPLES],
        )
        for name, matched in named
    )
