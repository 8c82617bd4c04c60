"""Bytes: everything once, and reclaimable only where nothing that stays uses it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings

from tagsweep.core.storage import space
from tagsweep.model.manifest import Unreadable
from tagsweep.model.reference import Digest
from tests.properties.simulated_registry import SimulatedRegistry, digest_of, registries

IMAGE = 100 + 10 + 70
"""An image's own bytes: manifest, config and the layer that no other image has."""
BASE = 5000


def test_a_shared_layer_counts_once_and_stays_while_one_image_uses_it() -> None:
    """Hazard 53: a base layer is in the sum once, and is not reclaimed with the first image."""
    registry = SimulatedRegistry()
    one, two = registry.image("one"), registry.image("two")
    some = space(registry.manifests, kept=[two], removed=[one])
    assert (some.before, some.reclaimable, some.after) == (2 * IMAGE + BASE, IMAGE, IMAGE + BASE)
    both = space(registry.manifests, kept=[], removed=[one, two])
    assert (both.reclaimable, both.after, both.complete) == (2 * IMAGE + BASE, 0, True)


def test_what_is_neither_kept_nor_removed_stays() -> None:
    """A manifest that nobody decided about keeps its blobs."""
    registry = SimulatedRegistry()
    one = registry.image("one")
    registry.image("two")
    assert space(registry.manifests, kept=[], removed=[one]).reclaimable == IMAGE


def test_unread_children_count_with_the_size_that_their_index_gives() -> None:
    """Without their manifests the layers are unknown, so the figure is not complete."""
    registry = SimulatedRegistry()
    child = registry.image("child")
    index = registry.index("index", (child,))
    found = space({index: registry.manifests[index]}, kept=[], removed=[index, child])
    assert (found.before, found.reclaimable, found.complete) == (300, 300, False)


def test_an_unreadable_manifest_that_stays_keeps_every_blob() -> None:
    """Law 2: it may use any of them; only the removed manifests themselves are certain to go."""
    registry = SimulatedRegistry()
    one, odd = registry.image("one"), digest_of("odd")
    found = space({**registry.manifests, odd: Unreadable(digest=odd, why="no JSON", size=9)}, kept=[odd], removed=[one])
    assert (found.before, found.reclaimable, found.complete) == (IMAGE + BASE + 9, 100, False)


def test_layers_that_the_registry_does_not_hold_are_not_counted() -> None:
    """A Windows base layer is served by its vendor."""
    registry = SimulatedRegistry()
    one = registry.image("one")
    base, own = registry.manifests[one].layers
    foreign = replace(base, media_type="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
    registry.manifests[one] = replace(registry.manifests[one], layers=(foreign, own))
    assert space(registry.manifests, kept=[one], removed=[]).before == IMAGE


def test_an_unknown_size_makes_the_figure_incomplete() -> None:
    """A blob without a size is not guessed."""
    registry = SimulatedRegistry()
    one = registry.image("one")
    manifest = registry.manifests[one]
    assert manifest.config is not None
    registry.manifests[one] = replace(manifest, config=replace(manifest.config, size=None))
    found = space(registry.manifests, kept=[], removed=[one])
    assert (found.reclaimable, found.complete) == (IMAGE - 10 + BASE, False)


def test_nothing_is_nothing() -> None:
    """An empty repository has no bytes, and that is known for certain."""
    found = space({}, kept=[], removed=[])
    assert (found.before, found.reclaimable, found.complete) == (0, 0, True)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(registries())
def test_it_agrees_with_sets(registry: SimulatedRegistry) -> None:
    """The arrays give what plain sets of digests give."""
    removed = set(sorted(registry.manifests)[::2])
    sizes: dict[Digest, int] = {}
    kept_uses: set[Digest] = set()
    for digest, manifest in registry.manifests.items():
        described = {blob.digest: blob.size or 0 for blob in manifest.blobs} | {digest: manifest.size}
        sizes |= {child.digest: child.size or 0 for child in manifest.children if child.digest not in sizes}
        sizes |= described
        if digest not in removed:
            kept_uses |= described.keys()
    gone = {blob for blob in sizes if blob not in kept_uses} - (sizes.keys() - _used(registry))
    found = space(registry.manifests, kept=registry.manifests.keys() - removed, removed=removed)
    assert found.before == sum(sizes.values())
    assert found.reclaimable == sum(sizes[blob] for blob in gone)


def _used(registry: SimulatedRegistry) -> set[Digest]:
    return {blob.digest for m in registry.manifests.values() for blob in m.blobs} | registry.manifests.keys()
