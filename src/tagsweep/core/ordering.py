"""In which order manifests are deleted: indexes before their children, subjects before their referrers.

Stopping after any step then leaves no index that lacks a child and no referrer deleted before what it describes; and
children go last, when few tags are left, because some registries search all tags at each deletion (distribution 2.x).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from tagsweep.core.graph import Graph
from tagsweep.model.inventory import Inventory
from tagsweep.model.manifest import Descriptor, Manifest
from tagsweep.model.plan import DeleteManifest, Role
from tagsweep.model.reference import Digest

_ROLES: Final = {Role.ROOT: 0, Role.CHILD: 1, Role.REFERRER: 2}


def order_manifests(
    victims: frozenset[Digest], graph: Graph, inventory: Inventory, *, removed: Mapping[str, Digest]
) -> tuple[DeleteManifest, ...]:
    """Return the steps that delete ``victims``, sorted by depth, role and digest.

    ``removed`` maps every tag that goes to its digest. A victim without tags that the registry is known not to have
    needs no step. Where mutable names make two manifests follow each other in a circle, the weaker bond is dropped.
    """
    there = victims - inventory.missing | victims & set(removed.values())
    tags: defaultdict[Digest, list[str]] = defaultdict(list)
    for tag, digest in removed.items():
        tags[digest].append(tag)
    firm = {digest: graph.parents(digest) & there for digest in there}
    loose = {digest: _subjects(digest, graph, tags.get(digest, ())) & there for digest in there}
    after, depth = _layers(firm, loose)
    described = _descriptors(inventory)
    steps = [
        _step(
            digest,
            role=_role(graph, tags.get(digest, ()), is_child=bool(firm[digest])),
            tags=tuple(tags.get(digest, ())),
            after=after[digest],
            depth=depth[digest],
            inventory=inventory,
            described=described,
        )
        for digest in there
    ]
    return tuple(sorted(steps, key=lambda step: (step.depth, _ROLES[step.role], step.digest)))


def _subjects(digest: Digest, graph: Graph, tags: Iterable[str]) -> frozenset[Digest]:
    """Return what this manifest refers to, by its contents, by a list of referrers or by its tags; never itself."""
    by_name = frozenset(subject for tag in tags for subject in graph.derived_subjects(tag))
    return (graph.subjects_of(digest) | by_name) - {digest}


def _role(graph: Graph, tags: Iterable[str], *, is_child: bool) -> Role:
    """Return why a manifest goes: for an ordinary tag on it, as a part of an index, or with its subject."""
    if any(not graph.derived_subjects(tag) for tag in tags):
        return Role.ROOT
    if tags:
        return Role.REFERRER
    return Role.CHILD if is_child else Role.REFERRER


def _layers(
    firm: Mapping[Digest, frozenset[Digest]], loose: Mapping[Digest, frozenset[Digest]]
) -> tuple[dict[Digest, tuple[Digest, ...]], dict[Digest, int]]:
    """Return for each digest what it follows and how deep that makes it (0: follows nothing).

    ``firm`` bonds (a child and its index) come from contents and cannot form a circle with honest digests; ``loose``
    ones (a referrer and its subject) may come from names. A circle is cut at its smallest digest, loose bonds first.
    """
    waiting = {digest: set(firm[digest] | loose[digest]) - {digest} for digest in firm}
    kept = {digest: set(bonds) for digest, bonds in waiting.items()}
    followers: defaultdict[Digest, set[Digest]] = defaultdict(set)
    for digest, bonds in waiting.items():
        for bond in bonds:
            followers[bond].add(digest)
    depth: dict[Digest, int] = {}
    ready = sorted(digest for digest, bonds in waiting.items() if not bonds)
    while waiting:
        if not ready:
            ready = [_cut_circle(waiting, kept, firm)]
        following: set[Digest] = set()
        for digest in ready:
            del waiting[digest]
            depth[digest] = 1 + max((depth[bond] for bond in kept[digest]), default=-1)
            for follower in followers[digest] & waiting.keys():
                waiting[follower].discard(digest)
                following.add(follower)
        ready = sorted(follower for follower in following & waiting.keys() if not waiting[follower])
    return {digest: tuple(sorted(bonds)) for digest, bonds in kept.items()}, depth


def _cut_circle(
    waiting: dict[Digest, set[Digest]], kept: dict[Digest, set[Digest]], firm: Mapping[Digest, frozenset[Digest]]
) -> Digest:
    """Free one digest of a circle from what it still waits for, and return it: one that no index holds, if any."""
    path = [min(waiting)]
    while (bond := min(waiting[path[-1]])) not in path:
        path.append(bond)
    circle = path[path.index(bond) :]
    freed = min(circle, key=lambda digest: (bool(waiting[digest] & firm[digest]), digest))
    kept[freed] -= waiting[freed]
    waiting[freed].clear()
    return freed


def _descriptors(inventory: Inventory) -> dict[Digest, Descriptor]:
    """Return a descriptor of everything that some index or list of referrers describes."""
    found: dict[Digest, Descriptor] = {}
    for manifest in inventory.manifests.values():
        if isinstance(manifest, Manifest):
            for child in manifest.children:
                found.setdefault(child.digest, child)
    for descriptors in inventory.referrers.values():
        for descriptor in descriptors:
            found.setdefault(descriptor.digest, descriptor)
    return found


def _step(
    digest: Digest,
    *,
    role: Role,
    tags: tuple[str, ...],
    after: tuple[Digest, ...],
    depth: int,
    inventory: Inventory,
    described: Mapping[Digest, Descriptor],
) -> DeleteManifest:
    known = inventory.manifests.get(digest) or described.get(digest)
    return DeleteManifest(
        digest=digest,
        role=role,
        tags=tags,
        after=after,
        depth=depth,
        media_type=known.media_type if known is not None else "",
        size=known.size if known is not None else None,
    )
