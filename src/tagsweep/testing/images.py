"""Deterministic builders of real images: manifests, configs and layers whose digests are those of their bytes.

The same arguments always give the same bytes. Shapes follow what `docker buildx` and `cosign` push: an index with one
manifest per platform and one attestation manifest per platform, and signatures under tags made from a digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from tagsweep.model.manifest import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Platform, RawManifest
from tagsweep.model.reference import Digest

OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY: Final = "application/vnd.oci.empty.v1+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
IN_TOTO: Final = "application/vnd.in-toto+json"
COSIGN_SIGNATURE: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
PROVENANCE: Final = "https://slsa.dev/provenance/v0.2"

AMD64: Final = Platform("linux", "amd64")
ARM64: Final = Platform("linux", "arm64")
UNKNOWN: Final = Platform("unknown", "unknown")
LONG_AGO: Final = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """Everything that a registry stores for one thing that can be tagged.

    ``manifests`` come children first, so that pushing them in order never meets a missing child; ``top`` is the digest
    that a tag would name. ``platform`` and ``entry_annotations`` are what an index writes about it.
    """

    manifests: tuple[RawManifest, ...]
    blobs: Mapping[Digest, bytes] = field(hash=False)
    top: Digest
    platform: Platform | None = None
    entry_annotations: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def manifest(self) -> RawManifest:
        """The manifest that ``top`` names."""
        return next(manifest for manifest in reversed(self.manifests) if manifest.digest == self.top)

    @property
    def children(self) -> tuple[RawManifest, ...]:
        """Every manifest below ``top``, at any depth."""
        return tuple(manifest for manifest in self.manifests if manifest.digest != self.top)


def digest_of(data: bytes, *, algorithm: str = "sha256") -> Digest:
    """Return the digest of ``data``."""
    return Digest(f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}")


def encode(document: Mapping[str, Any]) -> bytes:
    """Return ``document`` as compact JSON, keys in the order given."""
    return json.dumps(document, separators=(",", ":")).encode()


def layer(seed: str, size: int = 240) -> bytes:
    """Return ``size`` bytes that depend on ``seed`` alone and that no compression shrinks."""
    return hashlib.shake_256(seed.encode()).digest(size)


def raw(document: Mapping[str, Any], media_type: str, *, algorithm: str = "sha256") -> RawManifest:
    """Return ``document`` as manifest bytes of that media type."""
    data = encode(document)
    return RawManifest(digest=digest_of(data, algorithm=algorithm), media_type=media_type, data=data)


def descriptor(data: bytes, media_type: str) -> dict[str, Any]:
    """Return the descriptor that a manifest writes for these bytes."""
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}


def image(
    seed: str,
    *,
    platform: Platform = AMD64,
    created: datetime | str | None = LONG_AGO,
    labels: Mapping[str, str] | None = None,
    layers: Sequence[bytes] | None = None,
    annotations: Mapping[str, str] | None = None,
    docker: bool = False,
    algorithm: str = "sha256",
) -> BuiltImage:
    """Return one platform's image: a config, layers (two small ones unless given) and their manifest.

    ``created`` may be text, to write what a broken builder would; None leaves it out. ``docker`` writes Docker's schema
    2 media types instead of OCI's. ``algorithm`` is that of the manifest's own digest.
    """
    contents = [layer(f"base {platform}"), layer(seed)] if layers is None else list(layers)
    config = encode(_config(platform, created, labels or {}, contents))
    config_type, layer_type, media_type = (
        (DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST) if docker else (OCI_CONFIG, OCI_LAYER, OCI_MANIFEST)
    )
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": descriptor(config, config_type),
        "layers": [descriptor(content, layer_type) for content in contents],
    }
    if annotations:
        document["annotations"] = dict(annotations)
    manifest = raw(document, media_type, algorithm=algorithm)
    blobs = {digest_of(content): content for content in (config, *contents)}
    return BuiltImage(manifests=(manifest,), blobs=blobs, top=manifest.digest, platform=platform)


def index(
    entries: Iterable[BuiltImage],
    *,
    annotations: Mapping[str, str] | None = None,
    subject: RawManifest | None = None,
    docker: bool = False,
) -> BuiltImage:
    """Return an index of ``entries``, which may be indexes themselves; ``docker`` writes a Docker manifest list."""
    members = tuple(entries)
    media_type = DOCKER_LIST if docker else OCI_INDEX
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "manifests": [_entry(member) for member in members],
    }
    if subject is not None:
        document["subject"] = _subject(subject)
    if annotations:
        document["annotations"] = dict(annotations)
    manifest = raw(document, media_type)
    below = {child.digest: child for member in members for child in member.manifests}
    blobs = {digest: content for member in members for digest, content in member.blobs.items()}
    return BuiltImage(manifests=(*below.values(), manifest), blobs=blobs, top=manifest.digest)


def attestation(of: BuiltImage, *, note: str = "") -> BuiltImage:
    """Return the attestation manifest that BuildKit puts beside ``of`` in an index (platform unknown/unknown)."""
    statement = encode(
        {
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": PROVENANCE,
            "subject": [{"name": "image", "digest": {of.top.algorithm: of.top.hex}}],
            "predicate": {"invocation": note},
        }
    )
    config = encode(
        {
            "architecture": "unknown",
            "os": "unknown",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(statement)]},
        }
    )
    predicate = {**descriptor(statement, IN_TOTO), "annotations": {"in-toto.io/predicate-type": PROVENANCE}}
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(config, OCI_CONFIG),
        "layers": [predicate],
    }
    manifest = raw(document, OCI_MANIFEST)
    return BuiltImage(
        manifests=(manifest,),
        blobs={digest_of(statement): statement, digest_of(config): config},
        top=manifest.digest,
        platform=UNKNOWN,
        entry_annotations={
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": of.top,
        },
    )


def multi_platform(
    seed: str,
    *,
    platforms: Sequence[Platform] = (AMD64, ARM64),
    attestations: bool = True,
    created: datetime | str | None = LONG_AGO,
    labels: Mapping[str, str] | None = None,
    layers: Mapping[Platform, Sequence[bytes]] | None = None,
    docker: bool = False,
) -> BuiltImage:
    """Return an index with one manifest per platform and, unless told otherwise, an attestation for each of them."""
    images = [
        image(
            f"{seed} {platform}",
            platform=platform,
            created=created,
            labels=labels,
            layers=None if layers is None else layers[platform],
            docker=docker,
        )
        for platform in platforms
    ]
    proofs = [attestation(member, note=seed) for member in images] if attestations else []
    return index([*images, *proofs], docker=docker)


def referrer(
    subject: RawManifest,
    *,
    artifact_type: str = "application/vnd.example.sbom.v1+json",
    seed: str = "sbom",
    annotations: Mapping[str, str] | None = None,
) -> BuiltImage:
    """Return an artifact whose ``subject`` is the given manifest (OCI distribution specification 1.1)."""
    empty, content = b"{}", layer(f"{seed} of {subject.digest}", 120)
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": descriptor(empty, OCI_EMPTY),
        "layers": [descriptor(content, artifact_type)],
        "subject": _subject(subject),
    }
    if annotations:
        document["annotations"] = dict(annotations)
    manifest = raw(document, OCI_MANIFEST)
    blobs = {digest_of(empty): empty, digest_of(content): content}
    return BuiltImage(manifests=(manifest,), blobs=blobs, top=manifest.digest)


def fallback_index(referrers: Iterable[BuiltImage]) -> BuiltImage:
    """Return the index that clients push under ``subject.fallback_tag()`` where there is no referrers API."""
    return index([replace(member, platform=None) for member in referrers])


def cosign_tag(subject: Digest, suffix: str = "sig") -> str:
    """Return the tag under which cosign keeps a signature (``sig``), attestation (``att``) or SBOM (``sbom``)."""
    return f"{subject.algorithm}-{subject.hex}.{suffix}"


def cosign_signature(subject: Digest) -> BuiltImage:
    """Return a signature as cosign pushes it under ``cosign_tag(subject)``: an image without a ``subject`` field."""
    payload = encode({"critical": {"image": {"docker-manifest-digest": subject}, "type": "cosign container image"}})
    config = encode(_config(Platform("", ""), None, {}, [payload]))
    signed = {**descriptor(payload, COSIGN_SIGNATURE), "annotations": {"dev.cosignproject.cosign/signature": "MEUC"}}
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(config, OCI_CONFIG),
        "layers": [signed],
    }
    manifest = raw(document, OCI_MANIFEST)
    blobs = {digest_of(payload): payload, digest_of(config): config}
    return BuiltImage(manifests=(manifest,), blobs=blobs, top=manifest.digest)


def _config(
    platform: Platform, created: datetime | str | None, labels: Mapping[str, str], layers: Sequence[bytes]
) -> dict[str, Any]:
    moment = created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(created, datetime) else created
    stamp = {} if moment is None else {"created": moment}
    return {
        "architecture": platform.architecture,
        "os": platform.os,
        **stamp,
        "config": {"Entrypoint": ["/server"], "Labels": dict(labels)},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(content[::-1]) for content in layers]},
        # One entry for each layer: distribution 2.x refuses to convert to schema 1 what does not add up.
        "history": [{**stamp, "created_by": f"RUN step {number}"} for number in range(len(layers))],
    }


def _entry(member: BuiltImage) -> dict[str, Any]:
    top = member.manifest
    entry: dict[str, Any] = {"mediaType": top.media_type, "digest": top.digest, "size": len(top.data)}
    if member.platform is not None:
        entry["platform"] = {"architecture": member.platform.architecture, "os": member.platform.os}
        if member.platform.variant:
            entry["platform"]["variant"] = member.platform.variant
    if member.entry_annotations:
        entry["annotations"] = dict(member.entry_annotations)
    return entry


def _subject(manifest: RawManifest) -> dict[str, Any]:
    return {"mediaType": manifest.media_type, "digest": manifest.digest, "size": len(manifest.data)}
