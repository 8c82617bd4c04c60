"""What reaches what in a repository: children of indexes, referrers and their subjects, and the tags on each digest.

Everything is followed at any depth with a seen-set, so that cycles, shared children and nested indexes are harmless.
What was not read is answered as unknown, never as empty.

Rules: OCI image specification (``manifests`` of an index, ``subject``); OCI distribution specification, "Referrers Tag
Schema"; cosign's signature specification (``sha256-<hex>.sig``, ``.att``, ``.sbom``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from tagsweep.core.derived import Ambiguous, Derived, derived_from
from tagsweep.model.inventory import Inventory
from tagsweep.model.manifest import DOCKER_MANIFEST, DOCKER_SCHEMA_1, OCI_MANIFEST, Descriptor, Manifest, Unreadable
from tagsweep.model.reference import Digest

_IMAGE_TYPES: Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
"""An unread descriptor of these types lists layers and no manifests, so that nothing below it can be overlooked."""


class Graph:
    """The manifests of one inventory and the edges between them. Made by :meth:`of`; never changes."""

    __slots__ = (
        "_children",
        "_derived",
        "_described",
        "_manifests",
        "_missing",
        "_parents",
        "_referrers",
        "_subjects",
        "_tags",
    )

    def __init__(self, inventory: Inventory) -> None:
        self._manifests: Mapping[Digest, Manifest | Unreadable] = inventory.manifests
        self._missing = inventory.missing
        self._missing = inventory.missing
        self._children: dict[Digest, tuple[Digest, ...]] = {}
        self._parents: defaultdict[Digest, set[Digest]] = defaultdict(set)
        self._subjects: defaultdict[Digest, set[Digest]] = defaultdict(set)
        self._referrers: defaultdict[Digest, set[Digest]] = defaultdict(set)
        self._described: dict[Digest, bool] = {}
        self._tags: defaultdict[Digest, list[str]] = defaultdict(list)
        self._derived: dict[str, frozenset[Digest]] = {}
        self._add_manifests()
        self._add_referrers(inventory.referrers)
        self._add_tags(inventory)

    @classmethod
    def of(cls, inventory: Inventory) -> Graph:
        """Return the graph of everything that the inventory knows."""
        return cls(inventory)

    # --- building -------------------------------------------------------------------------------------------------
    def _add_manifests(self) -> None:
        for digest, manifest in self._manifests.items():
            if isinstance(manifest, Unreadable):
                continue
            if manifest.children:
                self._children[digest] = tuple(dict.fromkeys(child.digest for child in manifest.children))
                for child in manifest.children:
                    self._parents[child.digest].add(digest)
                    self._describe(child)
            if manifest.subject is not None:
                self._refer(digest, manifest.subject.digest)
                self._describe(manifest.subject)

    def _add_referrers(self, referrers: Mapping[Digest, tuple[Descriptor, ...]]) -> None:
        for subject, descriptors in referrers.items():
            for descriptor in descriptors:
                self._refer(descriptor.digest, subject)
                self._describe(descriptor)

    def _add_tags(self, inventory: Inventory) -> None:
        cut: list[tuple[str, Digest, str]] = []
        for tag in inventory.tags:
            if tag.digest is None:
                continue
            self._tags[tag.digest].append(tag.name)
            derived = derived_from(tag.name)
            if isinstance(derived, Derived):
                self._add_derived(tag.name, tag.digest, frozenset({derived.subject}), listing=not derived.suffix)
            elif isinstance(derived, Ambiguous) and derived.subject_prefix:
                cut.append((tag.name, tag.digest, derived.subject_prefix))
        if not cut:
            return
        lengths = {len(prefix) for _, _, prefix in cut}
        by_prefix: defaultdict[str, set[Digest]] = defaultdict(set)
        for digest in {*self._manifests, *self._described, *self._tags}:
            for length in lengths:
                by_prefix[digest[:length]].add(digest)
        for name, digest, prefix in cut:
            self._add_derived(name, digest, frozenset(by_prefix[prefix]), listing="." not in name)

    def _add_derived(self, tag: str, digest: Digest, subjects: frozenset[Digest], *, listing: bool) -> None:
        """Add a derived tag; the members of a referrers ``listing`` refer to its subject as the listing itself does.

        The tag belongs to the subject; its digest may be shared (two empty listings), so no edge leads from it back.
        """
        self._derived[tag] = subjects
        for subject in subjects:
            self._referrers[subject].add(digest)
            if listing:
                for member in self._children.get(digest, ()):
                    self._refer(member, subject)

    def _refer(self, referrer: Digest, subject: Digest) -> None:
        self._referrers[subject].add(referrer)
        self._subjects[referrer].add(subject)

    def _describe(self, descriptor: Descriptor) -> None:
        """Remember whether every descriptor of a digest says that it is an image."""
        image = descriptor.media_type in _IMAGE_TYPES
        self._described[descriptor.digest] = image and self._described.get(descriptor.digest, True)

    # --- edges ----------------------------------------------------------------------------------------------------
    def children(self, digest: Digest) -> tuple[Digest, ...]:
        """Return what the index lists, each once, in its order; empty for an image and for what was not read."""
        return self._children.get(digest, ())

    def parents(self, digest: Digest) -> frozenset[Digest]:
        """Return the indexes that list this digest directly."""
        return frozenset(self._parents.get(digest, ()))

    def subject_of(self, digest: Digest) -> Digest | None:
        """Return what this manifest refers to: its ``subject`` field, else the one subject that lists it, or None."""
        manifest = self._manifests.get(digest)
        if isinstance(manifest, Manifest) and manifest.subject is not None:
            return manifest.subject.digest
        claimed = self._subjects.get(digest, set())
        return next(iter(claimed)) if len(claimed) == 1 else None

    def subjects_of(self, digest: Digest) -> frozenset[Digest]:
        """Return everything that this manifest is known to refer to, by its field or by a list of referrers."""
        return frozenset(self._subjects.get(digest, ()))

    def referrers_of(self, digest: Digest) -> frozenset[Digest]:
        """Return what refers to this digest: by API, ``subject`` field, fallback tag (with its members), cosign tag."""
        return frozenset(self._referrers.get(digest, ()))

    def tags_on(self, digest: Digest) -> tuple[str, ...]:
        """Return the tags on this digest, in the order of the inventory."""
        return tuple(self._tags.get(digest, ()))

    def derived_subjects(self, tag: str) -> frozenset[Digest]:
        """Return what a digest-derived tag belongs to by its name; empty for ordinary and for ambiguous tags.

        More than one only where the tag holds a cut digest that several known digests begin with.
        """
        return self._derived.get(tag, frozenset())

    # --- closures -------------------------------------------------------------------------------------------------
    def reach(self, roots: Iterable[Digest]) -> frozenset[Digest]:
        """Return everything that must stay if ``roots`` stay: they, their children at any depth, the referrers of all
        of these, and the subjects of all of these.
        """
        seen: set[Digest] = set()
        self.extend(seen, roots)
        return frozenset(seen)

    def extend(self, seen: set[Digest], roots: Iterable[Digest]) -> None:
        """Add to ``seen``, a set closed under reach, whatever ``roots`` reach beyond it."""
        _close(seen, roots, self._all_edges)

    def below(self, roots: Iterable[Digest]) -> frozenset[Digest]:
        """Return what could go when ``roots`` go: they, children and referrers at any depth, but no subjects."""
        seen: set[Digest] = set()
        _close(seen, roots, self._edges_down)
        return frozenset(seen)

    def ancestors(self, digest: Digest) -> frozenset[Digest]:
        """Return all indexes above this digest, at any height; the digest itself only if it is in a cycle."""
        seen: set[Digest] = set()
        _close(seen, self._parents.get(digest, ()), lambda each: self._parents.get(each, ()))
        return frozenset(seen)

    def holders(self, digest: Digest) -> frozenset[Digest]:
        """Return every digest from which :meth:`reach` comes to this one, with itself."""
        seen: set[Digest] = set()
        _close(seen, (digest,), self._edges_up)
        return frozenset(seen)

    # --- the unknown ----------------------------------------------------------------------------------------------
    def is_unknown(self, digest: Digest) -> bool:
        """Tell whether it is not known what this digest reaches: unreadable, or unread and not certainly an image."""
        manifest = self._manifests.get(digest)
        if manifest is None:
            return not self._described.get(digest, False)
        return isinstance(manifest, Unreadable)

    def is_opaque(self, digest: Digest) -> bool:
        """Tell whether this digest may reach anything at all: unknown, neither certainly absent nor of a format that
        can reach nothing. What an index names and the registry denies is in the inventory as unreadable, and opaque.
        """
        manifest = self._manifests.get(digest)
        if manifest is None and digest in self._missing:
            return False
        if isinstance(manifest, Unreadable) and manifest.media_type in DOCKER_SCHEMA_1:
            return False
        return self.is_unknown(digest)

    @property
    def unreadable(self) -> frozenset[Digest]:
        """What was asked for and could not be read or understood."""
        return frozenset(digest for digest, each in self._manifests.items() if isinstance(each, Unreadable))

    def is_known(self, digest: Digest) -> bool:
        """Tell whether the inventory mentions this digest at all."""
        return digest in self._manifests or digest in self._described or digest in self._tags

    def unknown_below(self, digest: Digest) -> tuple[Digest, ...]:
        """Return what is unknown at or below this digest, following children only; sorted.

        An unread child that its descriptor calls an image is known enough: an image lists no manifests.
        """
        seen: set[Digest] = set()
        _close(seen, (digest,), self.children)
        return tuple(sorted(each for each in seen if self.is_unknown(each)))

    # --- following ------------------------------------------------------------------------------------------------
    def _edges_down(self, digest: Digest) -> Iterator[Digest]:
        yield from self._children.get(digest, ())
        yield from self._referrers.get(digest, ())

    def _all_edges(self, digest: Digest) -> Iterator[Digest]:
        yield from self._edges_down(digest)
        yield from self._subjects.get(digest, ())

    def _edges_up(self, digest: Digest) -> Iterator[Digest]:
        yield from self._parents.get(digest, ())
        yield from self._subjects.get(digest, ())
        yield from (each for each in self._referrers.get(digest, ()) if digest in self._subjects.get(each, ()))
        for tag in self._tags.get(digest, ()):
            yield from self._derived.get(tag, ())


def _close(seen: set[Digest], roots: Iterable[Digest], edges: Callable[[Digest], Iterable[Digest]]) -> None:
    """Add to ``seen`` the roots and whatever the edges lead to from there, each once."""
    todo = [root for root in roots if root not in seen]
    seen.update(todo)
    while todo:
        for target in edges(todo.pop()):
            if target not in seen:
                seen.add(target)
                todo.append(target)
