"""Snapshots: everything that undo needs, on disk and read back before the first deletion of a run.

While it is written a snapshot has another name; sealing reads it back whole, syncs it and renames it. So a file under
the final name is complete, and where there is none nothing was deleted. One SQLite file, readable without tagsweep:
    select registry, path, tag, digest from tags join repositories on id = repository;
    select media_type, data from manifests where digest = ?;
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tagsweep.model.errors import StateError
from tagsweep.model.manifest import RawManifest
from tagsweep.model.reference import Digest, Repository
from tagsweep.stores import durable
from tagsweep.stores.database import Database, Schema
from tagsweep.stores.hashing import fits

_TABLES: Final = """
    CREATE TABLE repositories (
        id INTEGER PRIMARY KEY, registry TEXT NOT NULL, path TEXT NOT NULL, UNIQUE (registry, path)
    );
    CREATE TABLE manifests (digest TEXT PRIMARY KEY, media_type TEXT NOT NULL, data BLOB NOT NULL);
    CREATE TABLE members (
        repository INTEGER NOT NULL REFERENCES repositories, digest TEXT NOT NULL REFERENCES manifests,
        PRIMARY KEY (repository, digest)
    ) WITHOUT ROWID;
    CREATE TABLE tags (
        repository INTEGER NOT NULL REFERENCES repositories, tag TEXT NOT NULL, digest TEXT NOT NULL,
        PRIMARY KEY (repository, tag)
    ) WITHOUT ROWID
"""
_SCHEMA: Final = Schema(
    what="a snapshot of tagsweep",
    application_id=0x7473736E,
    pragmas=("journal_mode = MEMORY", "synchronous = OFF"),  # until it is sealed it may be lost; sealing syncs
    broken="restore the file from a backup; the registry may still have what it held",
    migrations=(_TABLES,),
)
_AGAIN: Final = "nothing was deleted; apply the plan again"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotCounts:
    """What a sealed snapshot holds."""

    repositories: int
    manifests: int
    tags: int
    bytes: int


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")


@dataclass(frozen=True, slots=True)
class SnapshotWriter:
    """A snapshot that is being written. Safe to use from many threads."""

    path: Path
    database: Database

    @classmethod
    def create(cls, path: Path) -> SnapshotWriter:
        """Begin a snapshot that will be at ``path``; the rest of one that was never sealed is thrown away.

        Raises StateError if there is a sealed one already, or if the file cannot be written.
        """
        with durable.mapped(path, "created"):
            if path.exists():
                raise StateError(f"{path} is there already", remedy="a run has one snapshot; open it instead")
            _partial(path).unlink(missing_ok=True)
        return cls(path, Database.open(_partial(path), _SCHEMA))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.database.close()

    def add(self, repository: Repository, manifests: Iterable[RawManifest]) -> None:
        """Store manifests of a repository. Raises StateError if the bytes of one do not have its digest."""
        rows: list[tuple[str, str, bytes]] = []
        for one in manifests:
            if not fits(one.digest, one.data):
                raise StateError(f"the bytes of {one.digest} do not have that digest", remedy=_AGAIN)
            rows.append((str(one.digest), one.media_type, one.data))
        with self.database.transaction() as connection:
            key = self._key(repository)
            connection.executemany("INSERT OR IGNORE INTO manifests VALUES (?, ?, ?)", rows)
            connection.executemany("INSERT OR IGNORE INTO members VALUES (?, ?)", [(key, row[0]) for row in rows])

    def tags(self, repository: Repository, tags: Mapping[str, Digest]) -> None:
        """Store on which digest each tag of a repository is."""
        with self.database.transaction() as connection:
            key = self._key(repository)
            rows = [(key, tag, str(digest)) for tag, digest in tags.items()]
            connection.executemany("INSERT OR REPLACE INTO tags VALUES (?, ?, ?)", rows)

    def seal(self) -> SnapshotCounts:
        """Read everything back, sync it and give it its name; return what is in it.

        Raises StateError if something is not as it was stored, or if a tag's manifest was never stored.
        """
        self.database.close()
        partial = _partial(self.path)
        with durable.mapped(partial, "sealed"):
            descriptor = os.open(partial, os.O_RDWR)
            try:
                durable.sync(descriptor)
            finally:
                os.close(descriptor)
        with Snapshot(partial, Database.open(partial, _SCHEMA, read_only=True)) as written:
            counts = written.verify()
        with durable.mapped(self.path, "sealed"):
            partial.rename(self.path)
            durable.sync_directory(self.path.parent)
        return counts

    def _key(self, repository: Repository) -> int:
        names = (repository.registry, repository.path)
        self.database.connection.execute("INSERT OR IGNORE INTO repositories (registry, path) VALUES (?, ?)", names)
        return int(self.database.rows("SELECT id FROM repositories WHERE registry = ? AND path = ?", names)[0][0])


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A sealed snapshot, open for reading. Every manifest is checked against its digest when it is read."""

    path: Path
    database: Database

    @classmethod
    def open(cls, path: Path) -> Snapshot:
        """Open a sealed snapshot. Raises StateError if there is none, saying so where it was never sealed."""
        with durable.mapped(path, "read"):
            there, begun = path.exists(), _partial(path).exists()
        if not there:
            if begun:
                raise StateError(f"{path} was not finished, so the run deleted nothing", remedy=_AGAIN)
            raise StateError(f"there is no snapshot {path}", remedy="tagsweep history shows the runs that have one")
        return cls(path, Database.open(path, _SCHEMA, read_only=True))

    def close(self) -> None:
        """Give the file back."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def repositories(self) -> tuple[Repository, ...]:
        """Return the repositories in it, sorted."""
        rows = self.database.rows("SELECT registry, path FROM repositories ORDER BY registry, path")
        return tuple(Repository(registry, path) for registry, path in rows)

    def tags(self, repository: Repository) -> Mapping[str, Digest]:
        """Return the digest of each tag of the repository."""
        rows = self.database.rows(
            "SELECT tag, digest FROM tags JOIN repositories ON id = repository"
            " WHERE registry = ? AND path = ? ORDER BY tag",
            (repository.registry, repository.path),
        )
        return {tag: Digest(digest) for tag, digest in rows}

    def digests(self, repository: Repository) -> tuple[Digest, ...]:
        """Return the digests of the repository's manifests, sorted."""
        rows = self.database.rows(
            "SELECT digest FROM members JOIN repositories ON id = repository"
            " WHERE registry = ? AND path = ? ORDER BY digest",
            (repository.registry, repository.path),
        )
        return tuple(Digest(digest) for (digest,) in rows)

    def manifests(self, repository: Repository) -> Iterator[RawManifest]:
        """Yield the repository's manifests, sorted by digest. The order of dependency is the core's to find."""
        for digest in self.digests(repository):
            yield self.manifest(digest)

    def manifest(self, digest: Digest) -> RawManifest:
        """Return one manifest. Raises StateError if it is not here or is damaged."""
        rows = self.database.rows("SELECT media_type, data FROM manifests WHERE digest = ?", (digest,))
        if not rows:
            raise StateError(f"{self.path} has no manifest {digest}", remedy=_SCHEMA.broken)
        media_type, data = rows[0]
        if not fits(digest, data):
            raise StateError(f"{self.path}: the manifest {digest} is damaged", remedy=_SCHEMA.broken)
        return RawManifest(digest=digest, media_type=media_type, data=data)

    def verify(self) -> SnapshotCounts:
        """Read everything and return what is there; raises StateError if anything is damaged or missing."""
        repositories = self.repositories()
        held = {Digest(digest) for (digest,) in self.database.rows("SELECT digest FROM manifests")}
        size = sum(len(self.manifest(digest).data) for digest in held)
        tags = 0
        for repository in repositories:
            stored, named = set(self.digests(repository)), self.tags(repository)
            tags += len(named)
            for digest in sorted(stored - held):
                raise StateError(f"{self.path} has no manifest {digest}", remedy=_SCHEMA.broken)
            for tag, digest in named.items():
                if digest not in stored:
                    raise StateError(
                        f"{self.path} has the tag {repository}:{tag}, but not its manifest {digest}", remedy=_AGAIN
                    )
        return SnapshotCounts(repositories=len(repositories), manifests=len(held), tags=tags, bytes=size)
