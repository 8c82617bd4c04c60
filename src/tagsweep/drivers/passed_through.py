"""What a driver over another one passes through to it: every read, and what only some drivers can."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.manifest import Descriptor, RawManifest
from tagsweep.model.reference import Digest
from tagsweep.ports import CountsRequests, ListedTag, ListsNamespaces, ReadsTimes, RegistryDriver, TakesBack


class PassedThrough(ABC):
    """The part of :class:`tagsweep.ports.RegistryDriver` that is the driver's to which it is passed through."""

    @property
    @abstractmethod
    def _through(self) -> RegistryDriver:
        """The driver that answers."""

    @property
    def counts(self) -> Mapping[str, int]:
        """How many requests were sent so far, by method."""
        return self._through.counts if isinstance(self._through, CountsRequests) else {}

    def list_repositories(self) -> Iterable[str]:
        """Yield the paths of all repositories."""
        return self._through.list_repositories()

    def list_tags(self, repository: str) -> tuple[ListedTag, ...]:
        """Return every tag, once."""
        return self._through.list_tags(repository)

    def resolve_tag(self, repository: str, tag: str) -> Digest | None:
        """Return the digest that ``tag`` is on now, or None if it is certainly absent."""
        return self._through.resolve_tag(repository, tag)

    def has_manifest(self, repository: str, digest: Digest) -> bool:
        """Tell whether the manifest answers by digest."""
        return self._through.has_manifest(repository, digest)

    def fetch_manifest(self, repository: str, reference: str) -> RawManifest | None:
        """Return the bytes under a tag or digest, checked against their digest, or None if certainly absent."""
        return self._through.fetch_manifest(repository, reference)

    def list_referrers(self, repository: str, subject: Digest) -> tuple[Descriptor, ...] | None:
        """Return what refers to ``subject``, or None where the registry has no referrers API."""
        return self._through.list_referrers(repository, subject)

    def has_blob(self, repository: str, digest: Digest) -> bool:
        """Tell whether the blob answers in this repository."""
        return self._through.has_blob(repository, digest)

    def fetch_blob(self, repository: str, digest: Digest, *, max_bytes: int) -> bytes | None:
        """Return a small blob, checked against its digest, or None if certainly absent."""
        return self._through.fetch_blob(repository, digest, max_bytes=max_bytes)

    def put_manifest(self, repository: str, reference: str, manifest: RawManifest) -> Digest:
        """Store exactly these bytes under a tag or their digest."""
        return self._through.put_manifest(repository, reference, manifest)

    def close(self) -> None:
        """Give back the connections."""
        self._through.close()


class _TakesBack(PassedThrough):
    def take_back(self, repository: str, digest: Digest, tags: Sequence[str]) -> bool:
        """Bring a deleted manifest back by the registry's own means."""
        return isinstance(self._through, TakesBack) and self._through.take_back(repository, digest, tags)


class _ListsNamespaces(PassedThrough):
    def list_namespace(self, namespace: str) -> Iterable[str]:
        """Yield the paths of all repositories below ``namespace/``."""
        return self._through.list_namespace(namespace) if isinstance(self._through, ListsNamespaces) else ()


class _ReadsTimes(PassedThrough):
    @property
    def detailed_times(self) -> frozenset[TimeOrigin]:
        """The origins that a request for each tag tells."""
        return self._through.detailed_times if isinstance(self._through, ReadsTimes) else frozenset()

    def read_times(self, repository: str, tag: str) -> Mapping[TimeOrigin, datetime]:
        """Return what the registry tells of the times of one tag."""
        return self._through.read_times(repository, tag) if isinstance(self._through, ReadsTimes) else {}


_OPTIONAL: Mapping[type, type] = {TakesBack: _TakesBack, ListsNamespaces: _ListsNamespaces, ReadsTimes: _ReadsTimes}


def with_abilities_of(driver: RegistryDriver, kind: type) -> type:
    """Return ``kind``, or a class of it that also claims what ``driver`` can beyond the common: callers ask by the
    protocol, so that nothing may be claimed that the driver inside cannot do, and nothing lost that it can.
    """
    more = tuple(mixin for protocol, mixin in _OPTIONAL.items() if isinstance(driver, protocol))
    return type(kind.__name__, (*more, kind), {"__doc__": kind.__doc__}) if more else kind
