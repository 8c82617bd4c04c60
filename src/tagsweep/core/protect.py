"""What evidence of use protects: tags by name, tags by digest, indexes and their children in both directions.

Nothing in here can make a tag removable. An incomplete reference is undecided for every tag that it could mean, and a
required source that is absent, stale or partial is said so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tagsweep.core.graph import Graph
from tagsweep.core.patterns import compile_regex
from tagsweep.model.decision import EvidenceMissing, InUse, UnresolvedReference
from tagsweep.model.inventory import Inventory
from tagsweep.model.policy import Evidence
from tagsweep.model.reference import Digest, Repository, canonical_registry
from tagsweep.model.usage import Unresolved, Usage, UsageReport


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageFacts:
    """What is in use in one repository.

    ``tags`` has the reasons by tag name. ``used`` are all digests in use here, tagged or not, with the indexes above
    those that are used by digest; one that was not read may reach anything. ``dangling`` are references to this
    repository whose target does not exist in it. ``unresolved`` has the incomplete references that could mean a tag,
    by tag name.
    """

    tags: Mapping[str, tuple[InUse, ...]]
    used: frozenset[Digest]
    dangling: tuple[Usage, ...]
    unresolved: Mapping[str, tuple[UnresolvedReference, ...]]


def find_usage(
    inventory: Inventory, reports: Sequence[UsageReport], graph: Graph, *, aliases: Mapping[str, str]
) -> UsageFacts:
    """Return everything that the reports say about this repository.

    ``aliases`` maps a registry host to the host that it is another name of. A tag is matched within the repository;
    a digest is matched wherever it is used, because a mirror serves the same content under another name.

    A reference by tag protects that tag, and through ``used`` its digest with everything that it reaches; other tags
    on the digest are other names that nothing asked for. A reference by digest needs no name in particular, so it
    protects every tag on it, on the indexes that contain it, and on its children.
    """
    ours = canonical_repository(inventory.repository, aliases)
    digest_of = {tag.name: tag.digest for tag in inventory.tags}
    reasons: defaultdict[str, dict[InUse, None]] = defaultdict(dict)
    used: set[Digest] = set()
    dangling: list[Usage] = []
    for usage in (usage for report in reports for usage in report.usages):
        reference = usage.reference.with_default_tag()
        here = canonical_repository(reference.repository, aliases) == ours
        if here and reference.tag is not None:
            if reference.tag in digest_of:
                reasons[reference.tag][_in_use(usage, "tag")] = None
                used.update(digest for digest in (digest_of[reference.tag],) if digest is not None)
            elif reference.digest is None:
                dangling.append(usage)
        if reference.digest is not None:
            if here and reference.digest in inventory.missing:
                dangling.append(usage)
            if here or graph.is_known(reference.digest):
                used.update((reference.digest, *graph.ancestors(reference.digest)))
            for name, via in _tags_by_digest(reference.digest, graph):
                reasons[name][_in_use(usage, via)] = None
    return UsageFacts(
        tags={name: tuple(each) for name, each in reasons.items()},
        used=frozenset(used),
        dangling=tuple(dangling),
        unresolved=_unresolved(inventory, ours, reports, aliases),
    )


def canonical_repository(repository: Repository, aliases: Mapping[str, str]) -> Repository:
    """Return the repository under the one name of its registry."""
    host = canonical_registry(repository.registry)
    return Repository(canonical_registry(aliases.get(host, host)), repository.path)


def evidence_gaps(evidence: Evidence, reports: Sequence[UsageReport], *, now: datetime) -> tuple[EvidenceMissing, ...]:
    """Return why required evidence does not suffice; empty where it does, or where the policy waives it in words.

    A policy that neither requires a source nor waives evidence has none: that is a gap too, never a permission.
    """
    if evidence.waived:
        return ()
    if not evidence.require:
        return (EvidenceMissing(source="", why="the policy requires no source and does not waive evidence"),)
    return tuple(
        EvidenceMissing(source=source, why=why)
        for source in evidence.require
        for why in _gaps_of(source, evidence, reports, now)
    )


def _gaps_of(source: str, evidence: Evidence, reports: Sequence[UsageReport], now: datetime) -> Iterator[str]:
    answers = [report for report in reports if report.source == source]
    if not answers:
        yield "it was not asked or did not answer"
    for report in answers:
        yield from (f"it did not see everything: {gap}" for gap in report.coverage.gaps)
        age = now - report.taken_at
        # A time in the future is as unusable as an old one, beyond what clocks may differ.
        if abs(age) > evidence.max_age:
            yield f"its answer is of {report.taken_at.isoformat()}, more than {evidence.max_age} from now"


def _in_use(usage: Usage, via: str) -> InUse:
    return InUse(source=usage.source, where=usage.where, via=via, reference=str(usage.reference))


def _tags_by_digest(digest: Digest, graph: Graph) -> Iterator[tuple[str, str]]:
    """Yield each tag that a used digest protects, with the way: on it, on an index above it, on a child below it."""
    for name in graph.tags_on(digest):
        yield name, "digest"
    for above in graph.ancestors(digest):
        for name in graph.tags_on(above):
            yield name, "child"
    for below in _descendants(digest, graph):
        for name in graph.tags_on(below):
            yield name, "index"


def _descendants(digest: Digest, graph: Graph) -> frozenset[Digest]:
    seen: set[Digest] = set()
    todo = list(graph.children(digest))
    while todo:
        child = todo.pop()
        if child not in seen:
            seen.add(child)
            todo.extend(graph.children(child))
    return frozenset(seen - {digest})


def _unresolved(
    inventory: Inventory, ours: Repository, reports: Sequence[UsageReport], aliases: Mapping[str, str]
) -> dict[str, tuple[UnresolvedReference, ...]]:
    found: defaultdict[str, dict[UnresolvedReference, None]] = defaultdict(dict)
    for each in (each for report in reports for each in report.unresolved):
        if each.repository is not None and canonical_repository(each.repository, aliases) != ours:
            continue
        reason = UnresolvedReference(source=each.source, where=each.where, text=each.text)
        for tag in inventory.tags:
            if _could_mean(each, tag.name):
                found[tag.name][reason] = None
    return {name: tuple(reasons) for name, reasons in found.items()}


def _could_mean(unresolved: Unresolved, tag: str) -> bool:
    try:
        return compile_regex(unresolved.tag_pattern).fullmatch(tag) is not None
    except ValueError:
        return True  # a source wrote a pattern that is none; then it could mean any tag
