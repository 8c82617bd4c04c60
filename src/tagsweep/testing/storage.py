"""What a fake registry holds in memory: repositories with manifests, tags and blobs, and its garbage collection."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from tagsweep.model.manifest import Manifest, RawManifest
from tagsweep.model.reference import Digest
from tagsweep.testing.images import BuiltImage


@dataclass(slots=True)
class StoredRepository:
    """One repository. A tag holds its manifest itself, because some registries delete the digest and keep the tag.

    ``known`` once it had a manifest: blobs alone make no repository, and one that was emptied stays. Manifests and tags
    come in by ``add`` and ``point``, which note what they name, so that no deletion looks at everything.
    """

    manifests: dict[Digest, RawManifest] = field(default_factory=dict)
    tags: dict[str, RawManifest] = field(default_factory=dict)
    blobs: set[Digest] = field(default_factory=set)
    known: bool = False
    _tags_by_digest: dict[Digest, dict[str, None]] = field(default_factory=dict)
    _parents: dict[Digest, dict[Digest, None]] = field(default_factory=dict)
    _referrers: dict[Digest, dict[Digest, None]] = field(default_factory=dict)

    def add(self, name: Digest, manifest: RawManifest, parsed: Manifest | None) -> None:
        """Store a manifest under a digest, which crane's registry does not compare with its bytes."""
        self.known = True
        self.manifests[name] = manifest
        if parsed is not None:
            for entry in parsed.children:
                self._parents.setdefault(entry.digest, {})[name] = None
            if parsed.subject is not None:
                self._referrers.setdefault(parsed.subject.digest, {})[name] = None

    def point(self, tag: str, manifest: RawManifest) -> None:
        """Move a tag to a manifest."""
        self.known = True
        self.tags[tag] = manifest
        self._tags_by_digest.setdefault(manifest.digest, {})[tag] = None

    # The notes only grow: what has gone since is sorted out here.
    def tags_on(self, digest: Digest) -> list[str]:
        """Return the tags that are on ``digest`` now."""
        noted = self._tags_by_digest.get(digest, {})
        return [tag for tag in noted if tag in self.tags and self.tags[tag].digest == digest]

    def parents(self, child: Digest) -> list[Digest]:
        """Return the indexes that list ``child``."""
        return [digest for digest in self._parents.get(child, {}) if digest in self.manifests]

    def referrers(self, subject: Digest) -> list[RawManifest]:
        """Return the manifests whose subject is ``subject``."""
        noted = self._referrers.get(subject, {})
        return [self.manifests[digest] for digest in noted if digest in self.manifests]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a garbage collection took away; ``bytes_freed`` counts blobs and manifests."""

    manifests: frozenset[Digest]
    blobs: frozenset[Digest]
    bytes_freed: int


class Storage:
    """All repositories and the blobs that they share. Every caller holds ``lock`` around what it does."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.repositories: dict[str, StoredRepository] = {}
        self.blobs: dict[Digest, bytes] = {}
        self._parsed: dict[Digest, Manifest | None] = {}

    def push(self, repository: str, image: BuiltImage, tags: tuple[str, ...]) -> None:
        """Store an image and point the tags at its top; nothing is checked, so a broken image can be stored."""
        with self.lock:
            place = self.repositories.setdefault(repository, StoredRepository())
            for digest, content in image.blobs.items():
                self.blobs[digest] = content
                place.blobs.add(digest)
            for manifest in image.manifests:
                place.add(manifest.digest, manifest, self.parsed(manifest))
            for tag in tags:
                place.point(tag, image.manifest)

    def known(self, path: str) -> StoredRepository | None:
        """Return the repository, or None where nothing was ever pushed to it."""
        repository = self.repositories.get(path)
        return repository if repository is not None and repository.known else None

    def parsed(self, manifest: RawManifest) -> Manifest | None:
        """Return what the bytes mean, or None where they mean nothing; remembered by digest."""
        if manifest.digest not in self._parsed:
            parsed = manifest.parse()
            self._parsed[manifest.digest] = parsed if isinstance(parsed, Manifest) else None
        return self._parsed[manifest.digest]

    def stored_bytes(self) -> int:
        """Return the bytes of all blobs and manifests, each digest once, as a content-addressed disk would."""
        with self.lock:
            manifests = {
                digest: len(manifest.data)
                for repository in self.repositories.values()
                for digest, manifest in repository.manifests.items()
            }
            return sum(len(content) for content in self.blobs.values()) + sum(manifests.values())

    def collect(self, *, untagged: bool) -> Collected:
        """Remove every blob that no manifest needs and, where told so, every manifest that no tag reaches."""
        with self.lock:
            before = self.stored_bytes()
            gone_manifests: set[Digest] = set()
            for repository in self.repositories.values():
                if untagged:
                    kept = self._reachable(repository)
                    gone_manifests |= repository.manifests.keys() - kept
                    repository.manifests = {
                        digest: manifest for digest, manifest in repository.manifests.items() if digest in kept
                    }
                repository.blobs &= self._needed(repository)
            needed = {digest for repository in self.repositories.values() for digest in repository.blobs}
            gone_blobs = frozenset(self.blobs.keys() - needed)
            for digest in gone_blobs:
                del self.blobs[digest]
            return Collected(
                manifests=frozenset(gone_manifests),
                blobs=gone_blobs,
                bytes_freed=before - self.stored_bytes(),
            )

    def _needed(self, repository: StoredRepository) -> set[Digest]:
        needed: set[Digest] = set()
        for manifest in (*repository.manifests.values(), *repository.tags.values()):
            parsed = self.parsed(manifest)
            if parsed is not None:
                needed.update(blob.digest for blob in parsed.blobs)
        return needed

    def _reachable(self, repository: StoredRepository) -> set[Digest]:
        """Return what tags reach: children at any depth, and the referrers of everything that is reached."""
        by_subject: dict[Digest, list[Digest]] = {}
        for manifest in repository.manifests.values():
            parsed = self.parsed(manifest)
            if parsed is not None and parsed.subject is not None:
                by_subject.setdefault(parsed.subject.digest, []).append(manifest.digest)
        reached: set[Digest] = set()
        pending = [manifest.digest for manifest in repository.tags.values()]
        while pending:
            digest = pending.pop()
            if digest in reached:
                continue
            reached.add(digest)
            pending.extend(by_subject.get(digest, ()))
            stored = repository.manifests.get(digest)
            parsed = self.parsed(stored) if stored is not None else None
            if parsed is not None:
                pending.extend(entry.digest for entry in parsed.children)
        return reached
