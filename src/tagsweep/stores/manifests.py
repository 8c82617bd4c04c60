"""The cache of manifests by digest. A digest never means anything else, so an entry is good for ever.

Everything in it can be fetched again: the file may be deleted at any time, and is replaced whenever damage is met. Each
manifest is checked against its digest when it is read, facts (ages are decided by them) against a checksum of their
own. WAL and relaxed syncing: losing the last entries costs requests.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from tagsweep.model.errors import Malformed, StateError
from tagsweep.model.manifest import RawManifest
from tagsweep.model.reference import Digest
from tagsweep.stores.codec import Codec
from tagsweep.stores.database import Database, Schema, is_damaged, remove
from tagsweep.stores.hashing import fits

_SCHEMA: Final = Schema(
    what="tagsweep's cache of manifests",
    application_id=0x74736D63,
    pragmas=("journal_mode = WAL", "synchronous = NORMAL"),
    broken="delete the file: everything in it is fetched again",
    migrations=(
        """
        CREATE TABLE manifests (digest TEXT PRIMARY KEY, media_type TEXT NOT NULL, data BLOB NOT NULL);
        CREATE TABLE configs (digest TEXT PRIMARY KEY, facts TEXT NOT NULL)
        """,
    ),
)
_BATCH: Final = 500
_CODEC: Final = Codec({})
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFacts:
    """What is worth remembering of an image's config: when the builder says it was made, and its labels."""

    created: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class ManifestCache:
    """An open cache. Every method may be called from many threads."""

    database: Database

    @classmethod
    def open(cls, path: Path) -> ManifestCache:
        """Open or create the cache; a damaged file is replaced by an empty one. Raises StateError if that fails."""
        try:
            return cls(Database.open(path, _SCHEMA))
        except StateError as error:
            if not is_damaged(error):
                raise
            remove(path)
            return cls(Database.open(path, _SCHEMA))

    def close(self) -> None:
        """Give the file back."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def get(self, digests: Iterable[Digest]) -> dict[Digest, RawManifest]:
        """Return those of these manifests that are here and intact; a damaged entry is removed."""
        wanted = tuple(dict.fromkeys(digests))
        return self._healing(lambda: self._get(wanted))

    def _get(self, digests: Sequence[Digest]) -> dict[Digest, RawManifest]:
        found: dict[Digest, RawManifest] = {}
        damaged: list[tuple[str]] = []
        for batch in _batches(digests):
            marks = ", ".join("?" * len(batch))
            for text, media_type, data in self.database.rows(
                f"SELECT digest, media_type, data FROM manifests WHERE digest IN ({marks})",  # noqa: S608  only marks
                batch,
            ):
                digest = Digest(text)
                if fits(digest, data):
                    found[digest] = RawManifest(digest=digest, media_type=media_type, data=data)
                else:
                    damaged.append((text,))
        if damaged:
            with self.database.transaction() as connection:
                connection.executemany("DELETE FROM manifests WHERE digest = ?", damaged)
        return found

    def put(self, manifests: Iterable[RawManifest]) -> None:
        """Remember these manifests; one whose bytes do not have its digest is not taken."""
        rows = [(str(one.digest), one.media_type, one.data) for one in manifests if fits(one.digest, one.data)]
        self._write("INSERT OR IGNORE INTO manifests VALUES (?, ?, ?)", rows)

    def configs(self, digests: Iterable[Digest]) -> dict[Digest, ConfigFacts]:
        """Return the facts of those of these configs that are here; what cannot be read is as if it were not."""
        wanted = tuple(dict.fromkeys(digests))
        return self._healing(lambda: self._configs(wanted))

    def _configs(self, digests: Sequence[Digest]) -> dict[Digest, ConfigFacts]:
        found: dict[Digest, ConfigFacts] = {}
        for batch in _batches(digests):
            marks = ", ".join("?" * len(batch))
            for text, facts in self.database.rows(
                f"SELECT digest, facts FROM configs WHERE digest IN ({marks})",  # noqa: S608  only marks
                batch,
            ):
                try:
                    found[Digest(text)] = _CODEC.decode(ConfigFacts, json.loads(_unchecked(facts)))
                except (Malformed, ValueError):
                    continue
        return found

    def put_configs(self, facts: Mapping[Digest, ConfigFacts]) -> None:
        """Remember the facts of these configs."""
        rows = [(str(digest), _checked(json.dumps(_CODEC.encode(ConfigFacts, one)))) for digest, one in facts.items()]
        self._write("INSERT OR REPLACE INTO configs VALUES (?, ?)", rows)

    def _write(self, sql: str, rows: Sequence[tuple[str | bytes, ...]]) -> None:
        def write() -> None:
            with self.database.transaction() as connection:
                connection.executemany(sql, rows)

        self._healing(write)

    def _healing(self, work: Callable[[], _T]) -> _T:
        """Return what ``work`` returns; if it meets damage the file is replaced by an empty one and it works again."""
        connection = self.database.connection
        try:
            return work()
        except StateError as error:
            if not is_damaged(error):
                raise
        with self.database.lock:
            if self.database.connection is connection:  # else another thread has replaced it
                self.database.begin_anew()
        return work()


def _batches(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]


def _checked(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x} {text}"


def _unchecked(stored: object) -> str:
    text = str(stored).partition(" ")[2]
    if _checked(text) != stored:
        raise Malformed("the facts do not fit their checksum")
    return text
