"""What evidence of use protects: tags by name, tags by digest, indexes and their children in both directions.

Nothing in here can make a tag removable. An incomplete reference is undecided for every tag that it could mean, and a
required source that is absent, stale or partial is said so.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tagsweep.core.aliases import canonical_repository
from tagsweep.core.graph import Graph
from tagsweep.core.open_references import FittingTags, Standing, could_be_in, standing
from tagsweep.model.decision import EvidenceMissing, InUse, UnresolvedReference
from tagsweep.model.inventory import Inventory, TimeOrigin
from tagsweep.model.policy import Evidence, UnresolvedRule
from tagsweep.model.reference import Digest, Repository
from tagsweep.model.usage import Usage, UsageReport

_ENOUGH: Final = 20
"""So many open references are told for one tag; the answers of the sources have them all."""


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
    inventory: Inventory,
    reports: Sequence[UsageReport],
    graph: Graph,
    *,
    aliases: Mapping[str, str],
    readings: Mapping[str, Sequence[UnresolvedRule]],
) -> UsageFacts:
    """Return everything that the reports say about this repository.

    ``aliases`` are those of :func:`canonical_repository`. A tag is matched within the repository; a digest is matched
    wherever it is used, because a mirror serves the same content under another name. ``readings`` are the policy's
    words about open references, by source.

    A reference by tag protects that tag, and through ``used`` its digest with everything that it reaches; other tags
    on the digest are other names that nothing asked for. A reference by digest needs no name in particular, so it
    protects every tag on it, on the indexes that contain it, and on its children.
    """
    ours = canonical_repository(inventory.repository, aliases)
    found = _Found(inventory=inventory, graph=graph)
    for usage in (usage for report in reports for usage in report.usages):
        here = canonical_repository(usage.reference.repository, aliases) == ours
        if here:
            found.by_tag(usage)
        found.by_digest(usage, here=here)
    for name, reason in _read_open(inventory, ours, reports, aliases, readings):
        found.by_pattern(name, reason)
    return UsageFacts(
        tags={name: tuple(each) for name, each in found.reasons.items()},
        used=frozenset(found.used),
        dangling=tuple(found.dangling),
        unresolved={name: tuple(each) for name, each in found.unresolved.items()},
    )


class _Found:
    """What has been found in use so far in one repository."""

    def __init__(self, *, inventory: Inventory, graph: Graph) -> None:
        self._graph = graph
        self._missing = inventory.missing
        self._digest_of = {tag.name: tag.digest for tag in inventory.tags}
        self._in_lower_case: defaultdict[str, list[str]] = defaultdict(list)
        for name in self._digest_of:
            self._in_lower_case[name.lower()].append(name)
        self.reasons: defaultdict[str, dict[InUse, None]] = defaultdict(dict)
        self.unresolved: defaultdict[str, list[UnresolvedReference]] = defaultdict(list)
        self.used: set[Digest] = set()
        self.dangling: list[Usage] = []

    def by_tag(self, usage: Usage) -> None:
        """Take a usage of this repository for the tag that it names, if it names one.

        Gitea lists every tag in lower case, and answers to it however it is written: a name that is not listed so is
        in use as one that differs from it in capitals alone.
        """
        reference = usage.reference.with_default_tag()
        if reference.tag is None:
            return
        names = [reference.tag] if reference.tag in self._digest_of else self._in_lower_case[reference.tag.lower()]
        for name in names:
            self._protect(name, _in_use(usage, "tag"))
        if reference.digest is None and not {reference.tag, reference.tag.lower()} & self._digest_of.keys():
            self._broken(usage)

    def by_digest(self, usage: Usage, *, here: bool) -> None:
        """Take a usage for the digest that it names, if it names one; ``here`` says that it is of this repository."""
        digest = usage.reference.digest
        if digest is None:
            return
        if here and digest in self._missing:
            self._broken(usage)
        if here or self._graph.is_known(digest):
            self.used.update((digest, *self._graph.ancestors(digest)))
        for name, via in _tags_by_digest(digest, self._graph):
            self.reasons[name][_in_use(usage, via)] = None

    def _broken(self, usage: Usage) -> None:
        # What is only remembered may be gone for good reasons, and its tag too.
        if usage.last_seen is None:
            self.dangling.append(usage)

    def by_pattern(self, name: str, reason: InUse | UnresolvedReference) -> None:
        """Take what an open reference makes of a tag."""
        if isinstance(reason, UnresolvedReference):
            self.unresolved[name].append(reason)
        else:
            self._protect(name, reason)

    def _protect(self, name: str, reason: InUse) -> None:
        self.reasons[name][reason] = None
        digest = self._digest_of[name]
        if digest is not None:
            self.used.add(digest)


def used_digests(
    reports: Sequence[UsageReport], repository: Repository, aliases: Mapping[str, str]
) -> frozenset[Digest]:
    """Return the digests that are in use in ``repository`` by name: each protects what it reaches, tagged or not."""
    ours = canonical_repository(repository, aliases)
    return frozenset(
        usage.reference.digest
        for report in reports
        for usage in report.usages
        if usage.reference.digest is not None and canonical_repository(usage.reference.repository, aliases) == ours
    )


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


def recent_pulls(inventory: Inventory, within: timedelta | None, *, now: datetime) -> dict[str, InUse]:
    """Return a reason for each tag that the registry says was pulled not longer ago than ``within``.

    A tag without such a time says nothing: many registries have none, and never pulled is not the same as unused.
    """
    if within is None:
        return {}
    pulls = ((tag.name, tag.times.get(TimeOrigin.PULLED)) for tag in inventory.tags)
    return {
        name: InUse(
            source="registry",
            where=f"last pull {at:%Y-%m-%d %H:%M} UTC",
            via="pull",
            reference=f"{inventory.repository}:{name}",
        )
        for name, at in pulls
        if at is not None and now - at <= within
    }


def _in_use(usage: Usage, via: str) -> InUse:
    return InUse(
        source=usage.source,
        where=usage.where,
        via=via,
        reference=str(usage.reference),
        note=usage.note,
        last_seen=usage.last_seen,
    )


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


def _read_open(
    inventory: Inventory,
    ours: Repository,
    reports: Sequence[UsageReport],
    aliases: Mapping[str, str],
    readings: Mapping[str, Sequence[UnresolvedRule]],
) -> Iterator[tuple[str, InUse | UnresolvedReference]]:
    """Yield each tag that an open reference could mean, with what that makes of it."""
    tags = FittingTags(tuple(tag.name for tag in inventory.tags))
    told: Counter[str] = Counter()
    for entry in (entry for report in reports for entry in report.unresolved):
        how = standing(entry, readings.get(entry.source, ()))
        if how is Standing.IGNORE or not could_be_in(entry, ours, aliases):
            continue
        reason: InUse | UnresolvedReference
        if how is Standing.PROTECT:
            reason = InUse(source=entry.source, where=entry.where, via="pattern", reference=entry.text, note=entry.note)
        else:
            reason = UnresolvedReference(source=entry.source, where=entry.where, text=entry.text, path=entry.path)
        for name in tags.of(entry):
            # A tag that a thousand places could mean is as undecided as one that ten could mean.
            if told[name] < _ENOUGH:
                told[name] += 1
                yield name, reason
            elif how is Standing.PROTECT:
                yield name, reason
