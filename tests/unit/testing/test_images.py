"""The builders make real images: digests fit bytes, equal calls give equal bytes, and shapes are those of tools."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.model.manifest import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, Kind, Manifest, RawManifest
from tagsweep.testing import images
from tagsweep.testing.images import AMD64, BuiltImage


def _parsed(manifest: RawManifest) -> Manifest:
    parsed = manifest.parse()
    assert isinstance(parsed, Manifest)
    return parsed


def _complete(image: BuiltImage) -> None:
    """Fail unless every digest fits its bytes and everything that a manifest names is there, children first."""
    seen: set[str] = set()
    for manifest in image.manifests:
        assert hashlib.new(manifest.digest.algorithm, manifest.data).hexdigest() == manifest.digest.hex
        parsed = _parsed(manifest)
        assert {blob.digest for blob in parsed.blobs} <= image.blobs.keys()
        assert {child.digest for child in parsed.children} <= seen
        seen.add(manifest.digest)
    for digest, content in image.blobs.items():
        assert images.digest_of(content) == digest
    assert image.manifests[-1].digest == image.top


@given(
    seed=st.text(max_size=8),
    docker=st.booleans(),
    attestations=st.booleans(),
    labels=st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2),
)
@settings(max_examples=40, deadline=None)
def test_every_image_is_whole_and_deterministic(
    *, seed: str, docker: bool, attestations: bool, labels: dict[str, str]
) -> None:
    """Whatever the arguments, the parts fit together, and building again gives the same bytes."""
    image = images.multi_platform(seed, docker=docker, attestations=attestations, labels=labels)
    _complete(image)
    assert image == images.multi_platform(seed, docker=docker, attestations=attestations, labels=labels)
    assert image.blobs == images.multi_platform(seed, docker=docker, attestations=attestations, labels=labels).blobs


def test_an_index_has_a_platform_and_an_attestation_for_each() -> None:
    """The default index is what buildx pushes: two platforms, then an attestation for each of them."""
    image = images.multi_platform("one")
    index = _parsed(image.manifest)
    assert index.media_type == OCI_INDEX
    assert [str(child.platform) for child in index.children] == [
        "linux/amd64",
        "linux/arm64",
        "unknown/unknown",
        "unknown/unknown",
    ]
    subjects = [child.annotations["vnd.docker.reference.digest"] for child in index.children if child.is_attestation]
    assert subjects == [child.digest for child in index.children[:2]]


def test_an_index_may_be_nested() -> None:
    """An index of indexes is whole too."""
    inner = images.multi_platform("inner")
    outer = images.index([inner, images.image("beside")])
    _complete(outer)
    assert _parsed(outer.manifest).children[0].digest == inner.top
    assert {manifest.digest for manifest in outer.children} >= {manifest.digest for manifest in inner.manifests}


def test_docker_images_have_docker_media_types() -> None:
    """`docker` changes the types of list, manifests, configs and layers."""
    image = images.multi_platform("one", docker=True, attestations=False)
    assert image.manifest.media_type == DOCKER_LIST
    assert {child.media_type for child in image.children} == {DOCKER_MANIFEST}


def test_base_layers_are_shared_and_application_layers_are_not() -> None:
    """Two images of one platform share their base, so that space is counted once."""
    first, second = (_parsed(images.image(name).manifest) for name in ("first", "second"))
    assert first.layers[0] == second.layers[0]
    assert first.layers[1] != second.layers[1]


def test_created_is_written_as_given() -> None:
    """A time is written in UTC, text as it is, and None not at all."""
    moment = datetime(2025, 4, 6, 12, 30, tzinfo=UTC)
    config = next(iter(images.image("x", created=moment).blobs.values()))
    assert b'"created":"2025-04-06T12:30:00Z"' in config
    assert b'"created":"never"' in next(iter(images.image("x", created="never").blobs.values()))
    assert b'"created"' not in next(iter(images.image("x", created=None).blobs.values()))


def test_a_referrer_names_its_subject() -> None:
    """A referrer's `subject` is the manifest, and its artifact type is set."""
    subject = images.image("subject")
    proof = images.referrer(subject.manifest, artifact_type="application/vnd.test")
    _complete(proof)
    parsed = _parsed(proof.manifest)
    assert parsed.subject is not None
    assert (parsed.subject.digest, parsed.artifact_type) == (subject.top, "application/vnd.test")


def test_cosign_tags_are_made_from_the_digest() -> None:
    """The tag has the form that cosign writes, and the signature is an image without a subject."""
    subject = images.image("signed").top
    assert images.cosign_tag(subject) == f"sha256-{subject.hex}.sig"
    signature = images.cosign_signature(subject)
    _complete(signature)
    parsed = _parsed(signature.manifest)
    assert (parsed.kind, parsed.subject) == (Kind.IMAGE, None)


def test_a_fallback_index_lists_the_referrers() -> None:
    """The index under the fallback tag lists the referrers without a platform."""
    subject = images.image("subject")
    proof = images.referrer(subject.manifest)
    fallback = _parsed(images.fallback_index([proof]).manifest)
    assert [(child.digest, child.platform) for child in fallback.children] == [(proof.top, None)]


def test_sha512_digests_can_be_built() -> None:
    """A manifest may have a digest of another registered algorithm."""
    image = images.image("long", platform=AMD64, algorithm="sha512")
    _complete(image)
    assert image.top.algorithm == "sha512"
