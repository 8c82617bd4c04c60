"""Reclaimable space: ``core.storage`` against plain sets of digests, side by side on one made-up repository.

Run: python bench/storage_graph.py [manifests]   (default 50,000; ten layers each, a third of them shared)
Prints seconds and peak memory of both and the ratio; figures of different machines compare only as ratios.
"""

from __future__ import annotations

import gc
import hashlib
import sys
import time
import tracemalloc
from collections.abc import Callable, Mapping

from tagsweep.core.storage import space
from tagsweep.model.manifest import OCI_MANIFEST, Descriptor, Kind, Manifest
from tagsweep.model.reference import Digest

_LAYERS = 10


def digest(name: str) -> Digest:
    return Digest(f"sha256:{hashlib.sha256(name.encode()).hexdigest()}")


def make_manifests(count: int) -> dict[Digest, Manifest]:
    """Return images of ten layers; neighbours share most, as builds of one project do."""
    found: dict[Digest, Manifest] = {}
    for number in range(count):
        names = [f"layer {(number // (1 + 3 * place)) * 100 + place}" for place in range(_LAYERS)]
        layers = tuple(Descriptor(digest=digest(name), size=1000 + len(name)) for name in names)
        own = digest(f"image {number}")
        config = Descriptor(digest=digest(f"config {number}"), size=2000)
        found[own] = Manifest(
            digest=own, media_type=OCI_MANIFEST, size=1500, kind=Kind.IMAGE, config=config, layers=layers
        )
    return found


def with_sets(manifests: Mapping[Digest, Manifest], removed: frozenset[Digest]) -> tuple[int, int]:
    """Return bytes in all and bytes reclaimable, by a set of users for every blob: the obvious way."""
    users: dict[Digest, set[Digest]] = {}
    sizes: dict[Digest, int] = {}
    for own, manifest in manifests.items():
        users.setdefault(own, set()).add(own)
        sizes[own] = manifest.size
        for blob in manifest.blobs:
            users.setdefault(blob.digest, set()).add(own)
            sizes[blob.digest] = blob.size or 0
    reclaimable = sum(sizes[blob] for blob, by in users.items() if by <= removed)
    return sum(sizes.values()), reclaimable


def with_arrays(manifests: Mapping[Digest, Manifest], removed: frozenset[Digest]) -> tuple[int, int]:
    found = space(manifests, kept=(), removed=removed)
    return found.before, found.reclaimable


Method = Callable[[Mapping[Digest, Manifest], frozenset[Digest]], tuple[int, int]]


def measure(method: Method, manifests: Mapping[Digest, Manifest], removed: frozenset[Digest]) -> tuple[float, float]:
    """Return the best of three times in seconds, and the peak memory of a fourth run in MB."""
    times = []
    for _ in range(3):
        gc.collect()
        started = time.perf_counter()
        method(manifests, removed)
        times.append(time.perf_counter() - started)
    tracemalloc.start()
    method(manifests, removed)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return min(times), peak


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    manifests = make_manifests(count)
    removed = frozenset(list(manifests)[: count * 7 // 10])
    assert with_sets(manifests, removed) == with_arrays(manifests, removed)
    sets = measure(with_sets, manifests, removed)
    arrays = measure(with_arrays, manifests, removed)
    print(f"{count:,} manifests, {count * (_LAYERS + 2):,} edges, 70 % removed")
    print(f"sets of digests   {sets[0]:7.3f} s  {sets[1]:8.1f} MB")
    print(f"core.storage      {arrays[0]:7.3f} s  {arrays[1]:8.1f} MB")
    print(f"ratio             {sets[0] / arrays[0]:7.2f}    {sets[1] / arrays[1]:8.2f}")


if __name__ == "__main__":
    main()
