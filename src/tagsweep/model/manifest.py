"""What a registry stores under a digest: Manifest, Descriptor, Platform, and how bytes become them.

A manifest's kind is decided by its structure (``manifests``, ``layers``, ``subject``), never by a list of media types:
tools that knew only Docker's manifest lists deleted the children of OCI indexes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from tagsweep.model.errors import InvalidReference
from tagsweep.model.reference import Digest

OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
MANIFEST_TYPES: Final = (OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST)
"""What every request for a manifest must accept; without the index types a registry answers another digest or a 404."""

DOCKER_SCHEMA_1: Final = frozenset(
    {
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    }
)
"""The format before Docker 1.10. It refers to layers only, so that it can reach no other manifest."""

INDEX_TYPES: Final = frozenset({OCI_INDEX, DOCKER_LIST})

ATTESTATION_ANNOTATION: Final = "vnd.docker.reference.type"


class Kind(Enum):
    """What a manifest is by its structure."""

    INDEX = "index"
    """It lists other manifests."""
    IMAGE = "image"
    """It lists layers (a container image, or any other artifact)."""


@dataclass(frozen=True, slots=True)
class Platform:
    """Operating system, architecture and variant of one entry of an index; ``unknown/unknown`` marks attestations."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        """The form that Docker prints: ``linux/arm64/v8``."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A pointer from one object to another. ``size`` is in bytes, or None where it was not given."""

    digest: Digest
    media_type: str = ""
    size: int | None = None
    artifact_type: str = ""
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def is_attestation(self) -> bool:
        """Whether this entry of an index is a BuildKit attestation rather than a platform."""
        return self.annotations.get(ATTESTATION_ANNOTATION) == "attestation-manifest"


def is_foreign(descriptor: Descriptor) -> bool:
    """Tell whether this is a layer that registries need not hold: Windows base layers are served by their vendor."""
    return "foreign" in descriptor.media_type or "nondistributable" in descriptor.media_type


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest as read from its bytes; ``size`` is the length of those bytes."""

    digest: Digest
    media_type: str
    size: int
    kind: Kind
    children: tuple[Descriptor, ...] = ()
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """The config and the layers: everything below this manifest that is not a manifest."""
        return ((self.config,) if self.config is not None else ()) + self.layers


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """Bytes that tagsweep does not understand, or could not get. What they reach is unknown, so they stay."""

    digest: Digest
    why: str
    media_type: str = ""
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RawManifest:
    """The exact bytes of a manifest with the media type under which the registry served them."""

    digest: Digest
    media_type: str
    data: bytes

    def parse(self) -> Manifest | Unreadable:
        """Return what the bytes mean; never raises, because unknown content is a reason to keep, not to stop."""
        return parse_manifest(self.data, media_type=self.media_type, digest=self.digest)


def parse_manifest(data: bytes, *, media_type: str, digest: Digest) -> Manifest | Unreadable:
    """Return the manifest in ``data`` by its structure, or Unreadable with the reason."""
    try:
        document = json.loads(data)
        if not isinstance(document, dict):
            return _unreadable(digest, "not a JSON object", media_type, data)
        return _from_document(document, media_type=media_type, digest=digest, size=len(data))
    except (ValueError, RecursionError) as error:
        return _unreadable(digest, f"not JSON ({error})", media_type, data)
    except (InvalidReference, TypeError, KeyError) as error:
        return _unreadable(digest, f"malformed descriptor ({error})", media_type, data)


def _unreadable(digest: Digest, why: str, media_type: str, data: bytes) -> Unreadable:
    return Unreadable(digest=digest, why=why, media_type=media_type, size=len(data))


def _from_document(document: dict[str, Any], *, media_type: str, digest: Digest, size: int) -> Manifest | Unreadable:
    has_children = isinstance(document.get("manifests"), list)
    has_layers = isinstance(document.get("layers"), list)
    if not has_children and not has_layers and _is_schema_1(document):
        old = media_type if media_type in DOCKER_SCHEMA_1 else min(DOCKER_SCHEMA_1)
        return Unreadable(digest=digest, why="Docker's old schema 1", media_type=old, size=size)
    if has_children == has_layers:
        why = f"{'both' if has_children else 'neither'} manifests {'and' if has_children else 'nor'} layers are listed"
        return Unreadable(digest=digest, why=why, media_type=media_type, size=size)
    subject = document.get("subject")
    config = document.get("config")
    return Manifest(
        digest=digest,
        media_type=str(document.get("mediaType") or media_type),
        size=size,
        kind=Kind.INDEX if has_children else Kind.IMAGE,
        children=tuple(_descriptor(entry) for entry in document["manifests"]) if has_children else (),
        config=_descriptor(config) if config is not None else None,
        layers=tuple(_descriptor(entry) for entry in document["layers"]) if has_layers else (),
        subject=_descriptor(subject) if subject is not None else None,
        artifact_type=str(document.get("artifactType") or ""),
        annotations=_annotations(document),
    )


def _is_schema_1(document: dict[str, Any]) -> bool:
    return (
        document.get("schemaVersion") == 1 and isinstance(document.get("fsLayers"), list) and "subject" not in document
    )


def _descriptor(entry: Any) -> Descriptor:
    if not isinstance(entry, dict):
        raise TypeError("not an object")
    size = entry.get("size")
    return Descriptor(
        digest=Digest.parse(entry["digest"]),
        media_type=str(entry.get("mediaType") or ""),
        size=size if isinstance(size, int) and size >= 0 else None,
        artifact_type=str(entry.get("artifactType") or ""),
        platform=_platform(entry.get("platform")),
        annotations=_annotations(entry),
    )


def _platform(entry: Any) -> Platform | None:
    if not isinstance(entry, dict):
        return None
    return Platform(str(entry.get("os") or ""), str(entry.get("architecture") or ""), str(entry.get("variant") or ""))


def _annotations(entry: dict[str, Any]) -> Mapping[str, str]:
    annotations = entry.get("annotations")
    if not isinstance(annotations, dict):
        return {}
    return {str(key): str(value) for key, value in annotations.items()}
