"""A registry in memory that does exactly what it is told, and random repositories to plan on.

It knows nothing of tagsweep's graph: what a digest needs is worked out here a second time, in the plainest way, so
that a property can compare the two. Deletions have the bluntest semantics that real registries have (distribution's):
a child can be deleted under its index, and a digest takes all its tags along.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import assert_never

from hypothesis import strategies as st

from tagsweep.model.capability import Capabilities, Capability, Support
from tagsweep.model.decision import Decision, FollowsSubject, NoRuleMatches, NotKept, SubjectRemoved, Verdict
from tagsweep.model.inventory import Inventory, TagState
from tagsweep.model.manifest import OCI_INDEX, OCI_MANIFEST, Descriptor, Kind, Manifest, Unreadable
from tagsweep.model.plan import DeleteManifest, Step, Untag
from tagsweep.model.reference import Digest, Repository

NOW = datetime(2026, 11, 24, tzinfo=UTC)
REPOSITORY = Repository("registry.example", "team/app")

_YES = Capability(support=Support.YES)
UNTAGS = Capabilities(delete_tag=_YES, delete_manifest=_YES)
"""Tags can be removed alone, and manifests by digest (distribution 3)."""
UNTAGS_ONLY = Capabilities(delete_tag=_YES)
"""Only tags can be removed (Docker Hub's own API)."""
MOVES = Capabilities(delete_tag=_YES, delete_manifest=_YES, untag_moves=True)
"""Tags can be removed alone by moving them first (untag_by_moving)."""
BY_DIGEST = Capabilities(delete_manifest=_YES)
"""Only whole digests can be removed (distribution 2)."""
NOTHING = Capabilities(delete_tag=Capability(why="read-only token"), delete_manifest=Capability(why="switched off"))
"""Nothing can be removed."""


def digest_of(name: str) -> Digest:
    """Return a digest that stands for the thing called ``name``."""
    return Digest(f"sha256:{hashlib.sha256(name.encode()).hexdigest()}")


@dataclass(slots=True)
class SimulatedRegistry:
    """One repository: what each tag is on, and every manifest that there is."""

    tags: dict[str, Digest] = field(default_factory=dict)
    manifests: dict[Digest, Manifest] = field(default_factory=dict)

    # --- pushing --------------------------------------------------------------------------------------------------
    def image(self, name: str, *, tags: Iterable[str] = (), subject: Digest | None = None) -> Digest:
        """Push an image with one layer of its own and the layer ``base``; with ``subject`` it is a referrer."""
        manifest = Manifest(
            digest=digest_of(name),
            media_type=OCI_MANIFEST,
            size=100,
            kind=Kind.IMAGE,
            config=Descriptor(digest=digest_of(f"config of {name}"), size=10),
            layers=(
                Descriptor(digest=digest_of("base"), size=5000),
                Descriptor(digest=digest_of(f"of {name}"), size=70),
            ),
            subject=self._descriptor(subject) if subject is not None else None,
        )
        return self._push(manifest, tags)

    def index(
        self, name: str, children: Sequence[Digest], *, tags: Iterable[str] = (), subject: Digest | None = None
    ) -> Digest:
        """Push an index of ``children``, which need not be there."""
        manifest = Manifest(
            digest=digest_of(name),
            media_type=OCI_INDEX,
            size=200,
            kind=Kind.INDEX,
            children=tuple(self._descriptor(child) for child in children),
            subject=self._descriptor(subject) if subject is not None else None,
        )
        return self._push(manifest, tags)

    def _push(self, manifest: Manifest, tags: Iterable[str]) -> Digest:
        self.manifests[manifest.digest] = manifest
        self.tags.update(dict.fromkeys(tags, manifest.digest))
        return manifest.digest

    def _descriptor(self, digest: Digest) -> Descriptor:
        known = self.manifests.get(digest)
        media_type = known.media_type if known is not None else OCI_MANIFEST
        return Descriptor(digest=digest, media_type=media_type, size=known.size if known is not None else None)

    def copy(self) -> SimulatedRegistry:
        """Return a registry with the same contents."""
        return SimulatedRegistry(tags=dict(self.tags), manifests=dict(self.manifests))

    # --- looking --------------------------------------------------------------------------------------------------
    def inventory(self) -> Inventory:
        """Return everything there is, perfectly read."""
        named = {child.digest for manifest in self.manifests.values() for child in manifest.children}
        named |= {manifest.subject.digest for manifest in self.manifests.values() if manifest.subject is not None}
        named |= {Digest(f"sha256:{tag[7:71]}") for tag in self.tags if tag.startswith("sha256-")}
        return Inventory(
            repository=REPOSITORY,
            taken_at=NOW,
            tags=tuple(TagState(name=name, digest=digest) for name, digest in self.tags.items()),
            manifests=dict(self.manifests),
            missing=frozenset(named - self.manifests.keys()),
        )

    def parts(self, digest: Digest) -> frozenset[Digest]:
        """Return what has to be there for this digest to be pulled: itself and what it lists, at any depth."""
        found = {digest} & self.manifests.keys()
        while True:
            more = {child.digest for each in found for child in self.manifests[each].children} & self.manifests.keys()
            if more <= found:
                return frozenset(found)
            found |= more

    def needs(self, digest: Digest) -> frozenset[Digest]:
        """Return what may not go while this digest stays: its parts, their referrers, their subjects, and so on."""
        found = set(self.parts(digest))
        while True:
            more = set(found)
            for other, manifest in self.manifests.items():
                subject = manifest.subject.digest if manifest.subject is not None else None
                if subject in found or self._is_derived_from(other, found):
                    more.add(other)
                if other in found and subject in self.manifests:
                    more.add(subject)
            more = {part for each in more for part in self.parts(each)}
            if more <= found:
                return frozenset(found)
            found |= more

    def comes_before(self, digest: Digest) -> frozenset[Digest]:
        """Return what has to go before this digest: indexes that hold it, its subject, and so on."""
        found: set[Digest] = set()
        level = {digest}
        while level:
            above = {d for d, m in self.manifests.items() if any(child.digest in level for child in m.children)}
            manifests = (self.manifests[each] for each in level if each in self.manifests)
            above |= {manifest.subject.digest for manifest in manifests if manifest.subject is not None}
            level = above - found
            found |= above
        return frozenset(found)

    def _is_derived_from(self, digest: Digest, subjects: set[Digest]) -> bool:
        names = {name for subject in subjects for name in derived_names(subject)}
        return any(tag in names for tag, on in self.tags.items() if on == digest)

    # --- deleting -------------------------------------------------------------------------------------------------
    def perform(self, step: Step) -> None:
        """Carry out one step, after checking that everything is as the step expects."""
        match step:
            case Untag():
                assert self.tags.get(step.tag) == step.expects, f"{step.key}: the tag is elsewhere"
                del self.tags[step.tag]
            case DeleteManifest():
                on_it = {tag for tag, digest in self.tags.items() if digest == step.digest}
                assert on_it == set(step.tags), f"{step.key}: would take {sorted(on_it ^ set(step.tags))} along"
                assert not self.manifests.keys() & set(step.after), f"{step.key}: what it comes after is still there"
                self.manifests.pop(step.digest, None)
                for tag in on_it:
                    del self.tags[tag]
            case _:
                assert_never(step)


def derived_names(subject: Digest) -> tuple[str, ...]:
    """Return the names of the tags that belong to ``subject``."""
    base = f"{subject.algorithm}-{subject.hex}"
    return base, f"{base}.sig", f"{base}.att", f"{base}.sbom"


# --- random repositories ------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A repository, how it looks to tagsweep, what was decided about its tags, and what is in use."""

    registry: SimulatedRegistry
    inventory: Inventory
    decisions: tuple[Decision, ...]
    used: frozenset[Digest]


@st.composite
def registries(draw: st.DrawFn) -> SimulatedRegistry:
    """Return a repository with shared digests and children, nested indexes, referrers, derived tags and gaps."""
    registry = SimulatedRegistry()
    digests = [registry.image(f"image {number}") for number in range(draw(st.integers(2, 5)))]
    for number in range(draw(st.integers(0, 4))):
        children = draw(st.lists(st.sampled_from(digests), min_size=1, max_size=3, unique=True))
        digests.append(registry.index(f"index {number}", children))
    for number in range(draw(st.integers(0, 3))):
        subject = draw(st.sampled_from(digests))
        if draw(st.booleans()):
            digests.append(registry.image(f"referrer {number}", subject=subject))
        else:
            children = [draw(st.sampled_from(digests))]
            digests.append(registry.index(f"referrer {number}", children, subject=subject))
    for number in range(draw(st.integers(1, 6))):
        registry.tags[f"tag-{number}"] = draw(st.sampled_from(digests))
    _push_derived(draw, registry, digests)
    for digest in draw(st.lists(st.sampled_from(digests), max_size=1)):
        if digest not in registry.tags.values():
            del registry.manifests[digest]
    return registry


def _push_derived(draw: st.DrawFn, registry: SimulatedRegistry, digests: Sequence[Digest]) -> None:
    for subject in draw(st.lists(st.sampled_from(digests), max_size=3, unique=True)):
        name = draw(st.sampled_from(derived_names(subject)))
        kind = draw(st.integers(0, 2))
        if kind == 0:
            registry.image(f"derived from {subject}", tags=(name,))
        elif kind == 1:
            registry.image("shared signature", tags=(name,))
        else:
            listed = registry.image(f"listed for {subject}", subject=subject)
            registry.index(f"listing of {subject}", (listed,), tags=(name,))


def decision(tag: TagState, verdict: Verdict) -> Decision:
    """Return a decision as deciding would make it, for an ordinary or a digest-derived tag."""
    subject = Digest(f"sha256:{tag.name[7:71]}") if tag.name.startswith("sha256-") else None
    removed = verdict is Verdict.REMOVE
    if subject is None:
        reason: NotKept | SubjectRemoved | FollowsSubject | NoRuleMatches
        reason = NotKept(rule="builds") if removed else NoRuleMatches()
    else:
        reason = SubjectRemoved(subject=subject) if removed else FollowsSubject(subject=subject)
    return Decision(tag=tag.name, digest=tag.digest, verdict=verdict, reasons=(reason,))


def decisions_of(inventory: Inventory, removed: Iterable[str]) -> tuple[Decision, ...]:
    """Return decisions that remove exactly ``removed``."""
    going = frozenset(removed)
    return tuple(decision(t, Verdict.REMOVE if t.name in going else Verdict.KEEP) for t in inventory.tags)


_stays = st.sampled_from((Verdict.KEEP, Verdict.UNDECIDED))


@st.composite
def cases(draw: st.DrawFn, *, blind: bool = True) -> Case:
    """Return a repository with decisions; where ``blind``, some of it could not be read."""
    registry = draw(registries())
    inventory = registry.inventory()
    tagged = st.sampled_from(sorted(registry.tags.values()))
    anything = st.sampled_from(sorted(registry.manifests))
    used = frozenset(draw(st.lists(st.one_of(tagged, anything), max_size=1)))
    if blind and draw(st.integers(0, 3)) == 0:
        inventory = draw(blinded(inventory, spare=used))
    staying = draw(st.dictionaries(st.sampled_from(sorted(registry.tags)), _stays, max_size=2))
    decisions = tuple(decision(tag, staying.get(tag.name, Verdict.REMOVE)) for tag in inventory.tags)
    return Case(registry=registry, inventory=inventory, decisions=decisions, used=used)


@st.composite
def blinded(draw: st.DrawFn, inventory: Inventory, *, spare: frozenset[Digest] = frozenset()) -> Inventory:
    """Return the inventory with one thing less known: a manifest unreadable or unread, or a tag unresolved.

    A digest in use that nothing in the repository names may be of another repository, so that not having read it means
    nothing to planning: whoever makes the inventory reads those. ``spare`` are digests that are not left unread.
    """
    match draw(st.integers(0, 2)):
        case 0:
            return without_sight(inventory, draw(st.sampled_from(sorted(inventory.manifests))))
        case 1:
            hidden = draw(st.sampled_from([None, *sorted(inventory.manifests.keys() - spare)]))
            # The registry answers for the referrers of everything, or nobody could know an unread one.
            referrers = referrers_in(inventory.manifests)
            return replace(
                inventory,
                manifests={d: m for d, m in inventory.manifests.items() if d != hidden},
                referrers=referrers,
            )
        case _:
            lost = draw(st.sampled_from(inventory.tags)).name
            tags = tuple(replace(t, digest=None, problem="500") if t.name == lost else t for t in inventory.tags)
            return replace(inventory, tags=tags)


def without_sight(inventory: Inventory, digest: Digest) -> Inventory:
    """Return the inventory with one manifest unreadable."""
    return replace(
        inventory, manifests={**inventory.manifests, digest: Unreadable(digest=digest, why="500 Internal Server Error")}
    )


def referrers_in(manifests: Mapping[Digest, Manifest | Unreadable]) -> dict[Digest, tuple[Descriptor, ...]]:
    """Return what a referrers API would answer for every manifest."""
    found: dict[Digest, list[Descriptor]] = {digest: [] for digest in manifests}
    for manifest in manifests.values():
        if isinstance(manifest, Manifest) and manifest.subject is not None:
            descriptor = Descriptor(digest=manifest.digest, media_type=manifest.media_type, size=manifest.size)
            found.setdefault(manifest.subject.digest, []).append(descriptor)
    return {digest: tuple(descriptors) for digest, descriptors in found.items()}
