"""OverOci: what a vendor's driver leaves to the registry API, so that it holds only what is its vendor's."""

from __future__ import annotations

from tagsweep.drivers.oci import OciDriver
from tagsweep.model.capability import Capability
from tagsweep.model.errors import InvalidReference, ProtocolViolation, Unsupported
from tagsweep.model.manifest import Descriptor, RawManifest
from tagsweep.model.reference import Digest


class OverOci:
    """The part of :class:`tagsweep.ports.RegistryDriver` that is the same everywhere. ``_oci`` is the registry API."""

    _oci: OciDriver

    def resolve_tag(self, repository: str, tag: str) -> Digest | None:
        """Return the digest that ``tag`` is on now, or None if it is certainly absent; a HEAD."""
        return self._oci.resolve_tag(repository, tag)

    def has_manifest(self, repository: str, digest: Digest) -> bool:
        """Tell whether the manifest answers by digest; a HEAD."""
        return self._oci.has_manifest(repository, digest)

    def fetch_manifest(self, repository: str, reference: str) -> RawManifest | None:
        """Return the bytes under a tag or digest, checked against their digest, or None if certainly absent."""
        return self._oci.fetch_manifest(repository, reference)

    def list_referrers(self, repository: str, subject: Digest) -> tuple[Descriptor, ...] | None:
        """Return what refers to ``subject``, or None where the registry has no referrers API."""
        return self._oci.list_referrers(repository, subject)

    def has_blob(self, repository: str, digest: Digest) -> bool:
        """Tell whether the blob answers in this repository."""
        return self._oci.has_blob(repository, digest)

    def fetch_blob(self, repository: str, digest: Digest, *, max_bytes: int) -> bytes | None:
        """Return a small blob, checked against its digest, or None if certainly absent."""
        return self._oci.fetch_blob(repository, digest, max_bytes=max_bytes)

    def put_manifest(self, repository: str, reference: str, manifest: RawManifest) -> Digest:
        """Store exactly these bytes under a tag or their digest."""
        return self._oci.put_manifest(repository, reference, manifest)


def need(capability: Capability, *, place: str, doing: str) -> None:
    """Raise Unsupported where the ability is not certain, so that nothing is sent."""
    if not capability.usable:
        raise Unsupported(
            f"{place}: cannot {doing}: {capability.why}", remedy="tagsweep doctor shows what this registry can do"
        )


def as_digest(text: object, *, place: str, doing: str) -> Digest:
    """Return a digest that an answer names, or raise ProtocolViolation."""
    try:
        return Digest.parse(str(text))
    except InvalidReference as error:
        raise ProtocolViolation(f"{place}: cannot {doing}: the answer names {str(text)[:80]!r} as a digest") from error
