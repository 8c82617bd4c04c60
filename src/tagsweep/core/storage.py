"""How many bytes a repository holds, and how many of them only removed manifests use.

Every blob and manifest counts once, however many manifests share it; summing image sizes would count a base layer
once for each image. Digests become small integers as they are read, and edges lie in arrays of machine integers:
much less memory than sets of digest strings, and linear in the number of edges (bench/storage_graph.py).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping

from tagsweep.model.manifest import Descriptor, Manifest, Unreadable, is_foreign
from tagsweep.model.plan import Space
from tagsweep.model.reference import Digest

_USED_BY_KEPT = 1
_USED_BY_REMOVED = 2
_UNKNOWN = -1


def space(
    manifests: Mapping[Digest, Manifest | Unreadable], *, kept: Iterable[Digest], removed: Iterable[Digest]
) -> Space:
    """Return the bytes of ``manifests`` with their blobs, and what is reclaimable when ``removed`` are gone.

    Layers that registries do not hold (Windows base layers) are no bytes of this one.

    A blob is reclaimable if some removed manifest references it and nothing else does; what is in neither ``kept`` nor
    ``removed`` stays and counts as kept. ``complete`` is False where a size is unknown, or where something of the two
    was not read: then more is used than is counted. An unreadable manifest that stays may use any blob, so then
    nothing is promised beyond the removed manifests themselves.
    """
    going = frozenset(removed)
    edges = _Edges()
    edges.add_all(manifests)
    complete = all(digest in manifests for digest in (*kept, *going)) and edges.all_known
    marks = edges.mark(going)
    before, reclaimable = edges.weigh(marks)
    return Space(before=before, reclaimable=reclaimable, complete=complete)


class _Edges:
    """Manifests and blobs as integers. Manifest ``i`` uses the objects ``targets[starts[i]:starts[i + 1]]``."""

    def __init__(self) -> None:
        self._ids: dict[Digest, int] = {}
        self._sizes = array("q")
        self._sources: list[Digest] = []
        self._starts = array("q", [0])
        self._targets = array("i")
        self._opaque: list[Digest] = []
        self._unread = 0

    @property
    def all_known(self) -> bool:
        """Whether everything that anything mentions has a size, and every manifest was read and understood."""
        return _UNKNOWN not in self._sizes and not self._opaque and not self._unread

    def add_all(self, manifests: Mapping[Digest, Manifest | Unreadable]) -> None:
        """Add everything that was read, each manifest as a user of itself and of its blobs."""
        for digest, manifest in manifests.items():
            own = self._intern(digest, manifest.size)
            self._targets.append(own)
            if isinstance(manifest, Manifest):
                stored = (blob for blob in manifest.blobs if not is_foreign(blob))
                self._targets.extend(self._intern(blob.digest, blob.size) for blob in stored)
            else:
                self._opaque.append(digest)
            self._sources.append(digest)
            self._starts.append(len(self._targets))
        self._add_described_sizes(manifests)

    def _add_described_sizes(self, manifests: Mapping[Digest, Manifest | Unreadable]) -> None:
        """Take the sizes of unread children from the indexes that list them; each is a manifest that uses itself."""
        for manifest in manifests.values():
            if not isinstance(manifest, Manifest):
                continue
            for child in manifest.children:
                if child.digest not in self._ids:
                    self._add_lone(child)

    def _add_lone(self, descriptor: Descriptor) -> None:
        self._unread += 1
        self._targets.append(self._intern(descriptor.digest, descriptor.size))
        self._sources.append(descriptor.digest)
        self._starts.append(len(self._targets))

    def _intern(self, digest: Digest, size: int | None) -> int:
        known = self._ids.get(digest)
        if known is None:
            known = self._ids[digest] = len(self._sizes)
            self._sizes.append(_UNKNOWN if size is None else size)
        elif size is not None and self._sizes[known] < size:
            self._sizes[known] = size
        return known

    def mark(self, going: frozenset[Digest]) -> bytearray:
        """Return for every object by which kind of manifest it is used, as bits."""
        marks = bytearray(len(self._sizes))
        starts, targets = self._starts, self._targets
        for at, digest in enumerate(self._sources):
            bit = _USED_BY_REMOVED if digest in going else _USED_BY_KEPT
            for target in targets[starts[at] : starts[at + 1]]:
                marks[target] |= bit
        if any(digest not in going for digest in self._opaque):
            self._spare_blobs(marks, going)
        return marks

    def _spare_blobs(self, marks: bytearray, going: frozenset[Digest]) -> None:
        """Mark every blob as used by something that stays; the removed manifests themselves still go."""
        own = {self._ids[digest] for digest in self._sources if digest in going}
        for at in range(len(marks)):
            if at not in own:
                marks[at] |= _USED_BY_KEPT

    def weigh(self, marks: bytearray) -> tuple[int, int]:
        """Return the bytes of everything, and of what only removed manifests use."""
        before = sum(size for size in self._sizes if size > 0)
        reclaimable = sum(
            size for size, mark in zip(self._sizes, marks, strict=True) if size > 0 and mark == _USED_BY_REMOVED
        )
        return before, reclaimable
