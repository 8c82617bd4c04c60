"""Bytes become manifests by their structure; what is not understood is said to be so and never raises."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tagsweep.model.manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Kind,
    Manifest,
    RawManifest,
    Unreadable,
    parse_manifest,
)
from tests.unit.core.builders import digest

CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest("config"), "size": 7}
LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest("layer"), "size": 9}
CHILD = {
    "mediaType": OCI_MANIFEST,
    "digest": digest("child"),
    "size": 5,
    "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"},
}
ATTESTATION = {
    "mediaType": OCI_MANIFEST,
    "digest": digest("attestation"),
    "platform": {"os": "unknown", "architecture": "unknown"},
    "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
}


def parse(document: Any, media_type: str = OCI_MANIFEST) -> Manifest | Unreadable:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return RawManifest(digest=digest("this"), media_type=media_type, data=data).parse()


def read(document: Any, media_type: str = OCI_MANIFEST) -> Manifest:
    manifest = parse(document, media_type)
    assert isinstance(manifest, Manifest), manifest
    return manifest


@pytest.mark.parametrize("media_type", [OCI_MANIFEST, DOCKER_MANIFEST, "application/vnd.example.new+json", ""])
def test_an_image_is_what_lists_layers(media_type: str) -> None:
    """Layers make an image, whatever the media type says (hazard 2)."""
    manifest = read({"config": CONFIG, "layers": [LAYER]}, media_type)
    assert manifest.kind is Kind.IMAGE
    assert [blob.digest for blob in manifest.blobs] == [digest("config"), digest("layer")]
    assert manifest.media_type == media_type


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, "application/vnd.example.new+json"])
def test_an_index_is_what_lists_manifests(media_type: str) -> None:
    """Manifests make an index, whatever the media type says; attestations are told from platforms (hazard 3)."""
    manifest = read({"manifests": [CHILD, ATTESTATION]}, media_type)
    assert manifest.kind is Kind.INDEX
    assert [child.digest for child in manifest.children] == [digest("child"), digest("attestation")]
    assert [child.is_attestation for child in manifest.children] == [False, True]
    assert str(manifest.children[0].platform) == "linux/arm64/v8"
    assert manifest.children[1].size is None


def test_subject_and_annotations_are_read() -> None:
    """A referrer says what it belongs to, what it is, and its annotations."""
    manifest = read(
        {
            "mediaType": OCI_MANIFEST,
            "artifactType": "application/vnd.example.sbom",
            "config": CONFIG,
            "layers": [],
            "subject": CHILD,
            "annotations": {"a": "b", "n": 1},
        },
        "application/json",
    )
    assert manifest.subject is not None
    assert manifest.subject.digest == digest("child")
    assert manifest.artifact_type == "application/vnd.example.sbom"
    assert manifest.annotations == {"a": "b", "n": "1"}
    assert manifest.media_type == OCI_MANIFEST


def test_size_is_that_of_the_bytes() -> None:
    """A manifest counts with the bytes that it was read from, white space included."""
    data = b'{ "layers": [] }'
    assert read(data).size == len(data)


def test_an_empty_index_is_an_index() -> None:
    """An index without entries, such as an emptied list of referrers, is understood."""
    assert read({"manifests": []}).kind is Kind.INDEX


bad_manifests: list[Any] = [
    b"",
    b"not json",
    b"\xff\xfe",
    b"[" * 100_000,
    [],
    "text",
    None,
    {},
    {"schemaVersion": 1, "fsLayers": []},
    {"layers": [], "manifests": []},
    {"layers": "many"},
    {"manifests": {"digest": digest("child")}},
    {"manifests": ["child"]},
    {"manifests": [{}]},
    {"manifests": [{"digest": None}]},
    {"manifests": [{"digest": "sha256:abc"}]},
    {"layers": [{"digest": 7}]},
    {"layers": [], "config": {"size": 1}},
    {"layers": [], "subject": "child"},
    {"layers": [], "subject": {"digest": "child"}},
]


@pytest.mark.parametrize("document", bad_manifests, ids=range(len(bad_manifests)))
def test_what_is_not_understood_is_unreadable(document: Any) -> None:
    """Broken, unknown and malformed content is Unreadable with its reason, and never an exception or an empty list."""
    manifest = parse(document)
    assert isinstance(manifest, Unreadable)
    assert manifest.why
    assert manifest.digest == digest("this")


@pytest.mark.parametrize("size", [-1, "7", None, 1.5])
def test_a_senseless_size_is_unknown(size: object) -> None:
    """A size that is no number of bytes is unknown, and the rest of the descriptor counts."""
    manifest = read({"layers": [{**LAYER, "size": size}]})
    assert manifest.layers[0].size is None


def test_old_schema_1_is_named() -> None:
    """Hazard 52: Docker's schema 1 is reported as what it is."""
    manifest = parse_manifest(b'{"schemaVersion": 1, "fsLayers": []}', media_type="", digest=digest("this"))
    assert isinstance(manifest, Unreadable)
    assert "schema 1" in manifest.why
