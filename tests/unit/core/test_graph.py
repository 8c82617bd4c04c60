"""The graph of a repository: edges, closures, and what is unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tagsweep.core.graph import Graph
from tagsweep.model.inventory import Inventory, TagState
from tagsweep.model.manifest import OCI_INDEX, OCI_MANIFEST, Descriptor, Kind, Manifest, Unreadable
from tagsweep.model.reference import Digest
from tests.properties.simulated_registry import SimulatedRegistry, derived_names, digest_of, without_sight


def test_children_parents_and_tags_are_answered() -> None:
    """An index knows its children, they know it, and a digest knows its tags in the inventory's order."""
    registry = SimulatedRegistry()
    amd64, arm64 = registry.image("amd64"), registry.image("arm64")
    index = registry.index("index", (amd64, arm64), tags=("2.0", "latest"))
    graph = Graph.of(registry.inventory())
    assert graph.children(index) == (amd64, arm64)
    assert graph.parents(amd64) == {index}
    assert graph.tags_on(index) == ("2.0", "latest")
    assert graph.children(amd64) == ()
    assert graph.tags_on(amd64) == ()


def test_a_shared_child_has_all_its_parents() -> None:
    """Hazard 4: every index that lists a child is its parent, not only the first."""
    registry = SimulatedRegistry()
    child = registry.image("child")
    first, second = registry.index("first", (child,)), registry.index("second", (child,))
    graph = Graph.of(registry.inventory())
    assert graph.parents(child) == {first, second}
    assert graph.ancestors(child) == {first, second}


def test_nested_indexes_are_followed_at_any_depth() -> None:
    """Hazard 13: reach and ancestors go through indexes of indexes."""
    registry = SimulatedRegistry()
    levels = [registry.image("leaf")]
    for number in range(50):
        levels.append(registry.index(f"level {number}", (levels[-1],)))
    graph = Graph.of(registry.inventory())
    assert graph.reach((levels[-1],)) == set(levels)
    assert graph.ancestors(levels[0]) == set(levels[1:])


def test_a_circle_is_harmless() -> None:
    """Manifests that list each other, as no honest registry has them, are each visited once."""
    first, second = digest_of("first"), digest_of("second")

    def index(digest: Digest, child: Digest) -> Manifest:
        children = (Descriptor(digest=child, media_type=OCI_INDEX),)
        return Manifest(digest=digest, media_type=OCI_INDEX, size=1, kind=Kind.INDEX, children=children)

    registry = SimulatedRegistry(manifests={first: index(first, second), second: index(second, first)})
    graph = Graph.of(registry.inventory())
    assert graph.reach((first,)) == {first, second}
    assert graph.ancestors(first) == {first, second}
    assert graph.unknown_below(first) == ()


def test_referrers_come_from_subject_fields_the_api_and_derived_tags() -> None:
    """Hazard 9: every way to refer to a subject is known, and leads back to it where contents say so."""
    registry = SimulatedRegistry()
    subject = registry.image("subject")
    by_field = registry.image("by field", subject=subject)
    by_tag = registry.image("by tag", tags=(derived_names(subject)[1],))
    listed = registry.image("listed")
    listing = registry.index("listing", (listed,), tags=(derived_names(subject)[0],))
    by_api = digest_of("by api")
    inventory = replace(
        registry.inventory(), referrers={subject: (Descriptor(digest=by_api, media_type=OCI_MANIFEST),)}
    )
    graph = Graph.of(inventory)
    assert graph.referrers_of(subject) == {by_field, by_tag, listed, listing, by_api}
    assert graph.reach((subject,)) == {subject, by_field, by_tag, listed, listing, by_api}
    assert graph.subject_of(by_field) == graph.subject_of(by_api) == graph.subject_of(listed) == subject
    assert graph.subject_of(subject) is None
    assert graph.derived_subjects(derived_names(subject)[1]) == {subject}


def test_reach_goes_to_subjects_and_below_does_not() -> None:
    """What stays holds its subject; what goes does not take its subject along."""
    registry = SimulatedRegistry()
    subject = registry.image("subject")
    referrer = registry.image("referrer", subject=subject)
    graph = Graph.of(registry.inventory())
    assert graph.reach((referrer,)) == {subject, referrer}
    assert graph.below((referrer,)) == {referrer}
    assert graph.below((subject,)) == {subject, referrer}


def test_a_listing_that_two_subjects_share_does_not_bind_them() -> None:
    """Two empty referrers listings have one digest; that makes their subjects no relatives."""
    registry = SimulatedRegistry()
    first, second = registry.image("first"), registry.image("second")
    registry.index("empty", (), tags=(derived_names(first)[0], derived_names(second)[0]))
    graph = Graph.of(registry.inventory())
    assert second not in graph.reach((first,))
    assert graph.holders(digest_of("empty")) == {digest_of("empty"), first, second}
    assert first not in graph.holders(second)


def test_a_cut_digest_in_a_tag_finds_its_subject() -> None:
    """The fallback tag of a sha512 digest holds half of it; whatever known digest begins so is the subject."""
    subject = Digest.parse("sha512:" + "ab" * 64)
    image = Manifest(digest=subject, media_type=OCI_MANIFEST, size=1, kind=Kind.IMAGE)
    registry = SimulatedRegistry(manifests={subject: image})
    listing = registry.index("listing", (), tags=(subject.fallback_tag(),))
    assert Graph.of(registry.inventory()).referrers_of(subject) == {listing}


def test_holders_are_exactly_the_reverse_of_reach() -> None:
    """A digest's holders are those from which reach comes to it."""
    registry = SimulatedRegistry()
    child = registry.image("child")
    inner = registry.index("inner", (child,))
    outer = registry.index("outer", (inner,), tags=("outer",))
    referrer = registry.image("referrer", subject=inner)
    registry.image("signature", tags=(derived_names(outer)[1],))
    graph = Graph.of(registry.inventory())
    everything = registry.manifests.keys()
    for digest in everything:
        assert graph.holders(digest) == {other for other in everything if digest in graph.reach((other,))}
    assert referrer in graph.holders(child)


def test_unreadable_and_unread_indexes_below_are_unknown() -> None:
    """Law 2: an unreadable manifest and an unread index are unknown wherever they are; an unread image is not."""
    image, index, odd, broken = (digest_of(name) for name in ("image", "index", "odd", "broken"))
    registry = SimulatedRegistry()
    children = (
        Descriptor(digest=image, media_type=OCI_MANIFEST),
        Descriptor(digest=index, media_type=OCI_INDEX),
        Descriptor(digest=odd, media_type="application/x-new"),
        Descriptor(digest=broken, media_type=OCI_MANIFEST),
    )
    top = registry.index("top", ())
    registry.manifests[top] = replace(registry.manifests[top], children=children)
    graph = Graph.of(without_sight(registry.inventory(), broken))
    assert graph.unknown_below(top) == tuple(sorted((index, odd, broken)))
    assert graph.unknown_below(image) == ()
    assert graph.unknown_below(digest_of("never heard of")) == (digest_of("never heard of"),)


def test_one_doubtful_descriptor_makes_an_unread_digest_unknown() -> None:
    """A digest that one index calls an image and another one an index may be an index."""
    child = digest_of("child")
    registry = SimulatedRegistry()
    for name, media_type in (("one", OCI_MANIFEST), ("two", OCI_INDEX), ("three", OCI_MANIFEST)):
        digest = registry.index(name, ())
        descriptor = Descriptor(digest=child, media_type=media_type)
        registry.manifests[digest] = replace(registry.manifests[digest], children=(descriptor,))
    assert Graph.of(registry.inventory()).is_unknown(child)


@pytest.mark.parametrize(
    ("media_type", "opaque"),
    [
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", False),
        ("application/vnd.docker.distribution.manifest.v1+json", False),
        (OCI_MANIFEST, True),
        ("application/vnd.oci.artifact.manifest.v1+json", True),
        ("", True),
    ],
)
def test_only_schema_1_is_unreadable_and_still_reaches_nothing(media_type: str, *, opaque: bool) -> None:
    """Hazard 52: Docker's old format stays unknown, and cannot need anything; everything else might."""
    digest = digest_of("old")
    inventory = Inventory(
        repository=SimulatedRegistry().inventory().repository,
        taken_at=SimulatedRegistry().inventory().taken_at,
        tags=(TagState(name="old", digest=digest),),
        manifests={digest: Unreadable(digest=digest, why="schema 1", media_type=media_type)},
    )
    graph = Graph.of(inventory)
    assert graph.is_unknown(digest)
    assert graph.is_opaque(digest) is opaque
