"""What GitHub remembers of a registry's manifests: numbers, times, tags, and for a while what was deleted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from tagsweep.model.manifest import RawManifest
from tagsweep.model.reference import Digest
from tagsweep.testing.storage import Storage, StoredRepository

_BEGINNING: Final = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class RecordedVersion:
    """One version. ``manifest`` and ``deleted`` are there once it was deleted; ``unseen`` is for how many lists it is
    not shown yet.
    """

    number: int
    digest: Digest
    created: datetime
    updated: datetime
    tags: frozenset[str] = frozenset()
    manifest: RawManifest | None = None
    deleted: datetime | None = None
    unseen: int = 0


class VersionBook:
    """The versions of every repository. Whoever asks it holds the storage's lock."""

    def __init__(self) -> None:
        self.storage = Storage()
        self._active: dict[str, dict[Digest, RecordedVersion]] = {}
        self._gone: dict[str, list[RecordedVersion]] = {}
        self._numbers: dict[int, tuple[str, Digest]] = {}
        self._ticks = 0

    def look(self, repository: str, *, late_by: int = 0) -> dict[Digest, RecordedVersion]:
        """Number what was pushed since the last look, date what changed, and return what is there."""
        stored = self.storage.repositories.get(repository, StoredRepository())
        known = self._active.setdefault(repository, {})
        for digest in [digest for digest in known if digest not in stored.manifests]:
            del known[digest]
        for digest in stored.manifests:
            tags = frozenset(stored.tags_on(digest))
            if digest in known:
                self._date(known[digest], tags)
                continue
            now = self._tick()
            known[digest] = RecordedVersion(
                number=self._ticks, digest=digest, created=now, updated=now, tags=tags, unseen=late_by
            )
            self._numbers[self._ticks] = (repository, digest)
        return known

    def numbered(self, repository: str, number: int) -> RecordedVersion | None:
        """Return the version of that number as it is now, if it is there and of this repository."""
        if number not in self._numbers:
            self.look(repository)
        where, digest = self._numbers.get(number, ("", Digest("")))
        stored = self.storage.repositories[repository]
        if where != repository or digest not in stored.manifests:
            return None
        version = self._active[repository].get(digest)
        if version is not None:
            self._date(version, frozenset(stored.tags_on(digest)))
        return version

    def deleted(self, repository: str) -> list[RecordedVersion]:
        """Return the versions that were deleted and not restored."""
        return self._gone.get(repository, [])

    def delete(self, repository: str, version: RecordedVersion) -> None:
        """Take a version away with all its tags, and keep it to be restored."""
        stored = self.storage.repositories[repository]
        version.manifest = stored.manifests.pop(version.digest)
        for tag in version.tags:
            del stored.tags[tag]
        version.deleted = self._tick()
        del self._active[repository][version.digest]
        self._gone.setdefault(repository, []).append(version)

    def restore(self, repository: str, number: int, *, tags: bool) -> bool:
        """Bring a deleted version back, with its tags or without; False where there is none, or it was pushed again.

        A tag that another version has by now is taken from it: nobody promises otherwise.
        """
        version = next((each for each in self.deleted(repository) if each.number == number), None)
        stored = self.storage.repositories[repository]
        if version is None or version.manifest is None or version.digest in stored.manifests:
            return False
        self._gone[repository].remove(version)
        stored.add(version.digest, version.manifest, self.storage.parsed(version.manifest))
        for tag in version.tags if tags else ():
            stored.point(tag, version.manifest)
        version.deleted = None
        self._active[repository][version.digest] = version
        return True

    def _date(self, version: RecordedVersion, tags: frozenset[str]) -> None:
        if version.tags != tags:
            version.tags, version.updated = tags, self._tick()

    def _tick(self) -> datetime:
        self._ticks += 1
        return _BEGINNING + timedelta(minutes=self._ticks)
