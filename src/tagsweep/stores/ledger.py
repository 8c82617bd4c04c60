"""The ledger: what tagsweep saw when, over all runs. Tags with their digests, counts, plans with their seals, runs.

SQLite with its rollback journal and full syncing: there are few and small writes, one file that can be copied is worth
more than WAL's concurrency, and WAL does not work on network file systems. Times are microseconds since 1970, UTC.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from tagsweep.model.errors import InvalidReference, Malformed, PlanError, StateError
from tagsweep.model.reference import Digest, Reference, Repository
from tagsweep.model.run import CountPoint, RunRecord
from tagsweep.model.schedule import Attempt
from tagsweep.model.usage import Usage
from tagsweep.stores.codec import Codec, writable
from tagsweep.stores.database import Database, Schema

if TYPE_CHECKING:
    import sqlite3

_SCHEMA: Final = Schema(
    what="a ledger of tagsweep",
    application_id=0x74736C67,
    pragmas=("journal_mode = DELETE", "synchronous = FULL", "foreign_keys = ON"),
    broken="restore a backup, or move the file away: tagsweep begins a new one, which knows no first-seen and no "
    "earlier counts; the runs and the plans that they used come back from the directory runs",
    migrations=(
        """
        CREATE TABLE repositories (
            id INTEGER PRIMARY KEY, registry TEXT NOT NULL, path TEXT NOT NULL, UNIQUE (registry, path)
        );
        CREATE TABLE sightings (
            repository INTEGER NOT NULL REFERENCES repositories, tag TEXT NOT NULL, digest TEXT,
            first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, PRIMARY KEY (repository, tag)
        ) WITHOUT ROWID;
        CREATE TABLE earlier_sightings (
            repository INTEGER NOT NULL REFERENCES repositories, tag TEXT NOT NULL, digest TEXT NOT NULL,
            first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL
        );
        CREATE TABLE counts (
            repository INTEGER NOT NULL REFERENCES repositories, at INTEGER NOT NULL, class TEXT NOT NULL,
            origin TEXT NOT NULL, tags INTEGER NOT NULL, PRIMARY KEY (repository, at, class, origin)
        ) WITHOUT ROWID;
        CREATE TABLE plans (
            id TEXT PRIMARY KEY, seal TEXT NOT NULL, made_at INTEGER NOT NULL, run TEXT
        ) WITHOUT ROWID;
        CREATE TABLE runs (
            id TEXT PRIMARY KEY, started_at INTEGER NOT NULL, record TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE calibrations (registry TEXT PRIMARY KEY, at INTEGER NOT NULL, coefficients TEXT NOT NULL)
        """,
        """
        CREATE TABLE usages (
            source TEXT NOT NULL, reference TEXT NOT NULL, place TEXT NOT NULL, note TEXT NOT NULL,
            first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, PRIMARY KEY (source, reference, place)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE attempts (
            policy TEXT NOT NULL, began_at INTEGER NOT NULL, record TEXT NOT NULL, PRIMARY KEY (policy, began_at)
        ) WITHOUT ROWID
        """,
    ),
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_CODEC: Final = Codec({})
_FORGOTTEN: Final = timedelta(days=730)
"""What no source has said for so long is no longer kept; no policy remembers longer."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """An open ledger. Every method may be called from many threads, and raises StateError if the file does not do."""

    database: Database

    @classmethod
    def open(cls, path: Path) -> Ledger:
        """Open or create the ledger."""
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

    # --- sightings ---
    def observe(self, repository: Repository, tags: Mapping[str, Digest | None], now: datetime) -> None:
        """Note the complete tag list of a repository as it is at ``now``; None is a tag that did not resolve.

        A tag that is on another digest, or was away in between, is new from now on: first-seen can only make things
        look younger than they are. So it is never before the last look, even if the clock was set back. A tag that did
        not resolve stays as it was.
        """
        with self.database.transaction() as connection:
            key = _repository_key(connection, repository)
            known = {
                tag: (digest, first, last)
                for tag, digest, first, last in connection.execute(
                    "SELECT tag, digest, first_seen, last_seen FROM sightings WHERE repository = ?", (key,)
                )
            }
            at = max([_micros(now), *(last for _, _, last in known.values())])
            closed = [tag for tag, (digest, _, _) in known.items() if _is_other(tags, tag, digest)]
            connection.executemany(
                "INSERT INTO earlier_sightings SELECT * FROM sightings"
                " WHERE repository = ? AND tag = ? AND digest IS NOT NULL",
                [(key, tag) for tag in closed],
            )
            connection.executemany(
                "DELETE FROM sightings WHERE repository = ? AND tag = ?", [(key, tag) for tag in closed]
            )
            connection.executemany(
                "INSERT INTO sightings VALUES (?, ?, ?, ?, ?) ON CONFLICT (repository, tag)"
                " DO UPDATE SET last_seen = max(last_seen, excluded.last_seen)",
                [(key, tag, digest, at, at) for tag, digest in tags.items()],
            )

    def first_seen(self, repository: Repository) -> Mapping[str, tuple[Digest, datetime]]:
        """Return for each tag that was there at the last look its digest and since when it has been on that digest."""
        rows = self.database.rows(
            "SELECT tag, digest, first_seen FROM sightings JOIN repositories ON repositories.id = repository"
            " WHERE registry = ? AND path = ? AND digest IS NOT NULL",
            (repository.registry, repository.path),
        )
        with self._reading("a sighting"):
            return {tag: (Digest.parse(digest), _instant(first)) for tag, digest, first in rows}

    def last_digests(self, repository: Repository) -> Mapping[str, Digest]:
        """Return for each tag that was there at the last look the digest that it was on."""
        return {tag: digest for tag, (digest, _) in self.first_seen(repository).items()}

    def last_look(self, repository: Repository) -> tuple[datetime, Mapping[str, Digest | None]] | None:
        """Return when the repository was last looked at and its tags then, or None if no tag was ever seen in it."""
        rows = self.database.rows(
            "SELECT tag, digest, last_seen FROM sightings JOIN repositories ON repositories.id = repository"
            " WHERE registry = ? AND path = ?",
            (repository.registry, repository.path),
        )
        with self._reading("a sighting"):
            tags = {tag: Digest.parse(digest) if digest is not None else None for tag, digest, _ in rows}
            return (_instant(max(last for _, _, last in rows)), tags) if rows else None

    def earlier_digests(self, repository: Repository) -> Mapping[str, frozenset[Digest]]:
        """Return for each tag that was seen to move, or to go and come back, the digests that it was on before."""
        rows = self.database.rows(
            "SELECT tag, digest FROM earlier_sightings JOIN repositories ON repositories.id = repository"
            " WHERE registry = ? AND path = ?",
            (repository.registry, repository.path),
        )
        found: dict[str, set[Digest]] = {}
        with self._reading("an earlier sighting"):
            for tag, digest in rows:
                found.setdefault(tag, set()).add(Digest.parse(digest))
        return {tag: frozenset(digests) for tag, digests in found.items()}

    # --- counts ---
    def record_counts(self, points: Iterable[CountPoint]) -> None:
        """Note how many tags of each class there were; a second note of the same point replaces the first."""
        with self.database.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO counts VALUES (?, ?, ?, ?, ?)",
                [
                    (
                        _repository_key(connection, one.repository),
                        _micros(one.at),
                        one.naming_class,
                        one.origin,
                        one.tags,
                    )
                    for one in points
                ],
            )

    def counts(self, repository: Repository | None = None) -> tuple[CountPoint, ...]:
        """Return the points of one repository or of all, in the order of time."""
        one = "" if repository is None else " WHERE registry = ? AND path = ?"
        rows = self.database.rows(
            "SELECT registry, path, at, class, origin, tags FROM counts"  # noqa: S608  no value is put into the text
            f" JOIN repositories ON repositories.id = repository{one} ORDER BY at, registry, path, class, origin",
            () if repository is None else (repository.registry, repository.path),
        )
        with self._reading("a count"):
            return tuple(
                CountPoint(
                    at=_instant(at), repository=Repository(registry, path), naming_class=name, origin=origin, tags=tags
                )
                for registry, path, at, name, origin, tags in rows
            )

    # --- usages ---
    def remember_usages(self, source: str, usages: Iterable[Usage], now: datetime) -> None:
        """Note what a source says is in use at ``now``. What it has not said for two years is forgotten.

        A clock that was set back makes nothing older.
        """
        at = _micros(now)
        with self.database.transaction() as connection:
            connection.executemany(
                "INSERT INTO usages VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (source, reference, place)"
                " DO UPDATE SET note = excluded.note, last_seen = max(last_seen, excluded.last_seen)",
                (
                    (source, str(one.reference.with_default_tag()), writable(one.where), writable(one.note), at, at)
                    for one in usages
                ),
            )
            oldest = at - _FORGOTTEN // _MICROSECOND
            connection.execute("DELETE FROM usages WHERE source = ? AND last_seen < ?", (source, oldest))

    def remembered_usages(self, source: str, *, since: datetime) -> tuple[Usage, ...]:
        """Return what the source said was in use at ``since`` or later, each with the last time that it said so."""
        rows = self.database.rows(
            "SELECT reference, place, note, last_seen FROM usages WHERE source = ? AND last_seen >= ?"
            " ORDER BY reference, place",
            (source, _micros(since)),
        )
        with self._reading("a usage"):
            return tuple(
                Usage(
                    reference=Reference.parse(reference),
                    source=source,
                    where=place,
                    note=note,
                    last_seen=_instant(last_seen),
                )
                for reference, place, note, last_seen in rows
            )

    # --- plans ---
    def register_plan(self, plan_id: str, seal: str, now: datetime) -> None:
        """Note that a plan was made here. Raises PlanError if the id stands for another plan."""
        with self.database.transaction() as connection:
            _register(connection, plan_id, seal, now)

    def seal_of_plan(self, plan_id: str) -> str | None:
        """Return the seal that the plan had when it was made here, or None if it was not."""
        rows = self.database.rows("SELECT seal FROM plans WHERE id = ?", (plan_id,))
        return str(rows[0][0]) if rows else None

    def run_of_plan(self, plan_id: str) -> str | None:
        """Return the run that used the plan, or None if it was not used."""
        rows = self.database.rows("SELECT run FROM plans WHERE id = ?", (plan_id,))
        return str(rows[0][0]) if rows and rows[0][0] is not None else None

    def claim_plan(
        self, plan_id: str, seal: str, run_id: str, now: datetime, *, record: RunRecord | None = None
    ) -> None:
        """Give the plan to the run, once and for all, even if two ask at once; again for the same run does no harm.

        ``record`` is noted in the same stroke: a plan whose run nobody knows could be neither resumed nor used again.
        Raises PlanError if another run has used it, or if it is not the plan that was made here under that id.
        """
        with self.database.transaction() as connection:
            _register(connection, plan_id, seal, now)
            holder = connection.execute("SELECT run FROM plans WHERE id = ?", (plan_id,)).fetchone()[0]
            if holder not in {None, run_id}:
                raise PlanError(
                    f"the plan {plan_id} was used by the run {holder}",
                    remedy=f"tagsweep apply resumes {holder} if it was interrupted; otherwise make a new plan",
                )
            connection.execute("UPDATE plans SET run = ? WHERE id = ?", (run_id, plan_id))
            if record is not None:
                _save(connection, record)

    # --- runs ---
    def save_run(self, record: RunRecord) -> None:
        """Note a run, or how it stands now."""
        with self.database.transaction() as connection:
            _save(connection, record)

    def run(self, run_id: str) -> RunRecord | None:
        """Return one run, or None if it is not known."""
        rows = self.database.rows("SELECT record FROM runs WHERE id = ?", (run_id,))
        return self._record(rows[0][0]) if rows else None

    def runs(self) -> tuple[RunRecord, ...]:
        """Return all runs, the newest first."""
        rows = self.database.rows("SELECT record FROM runs ORDER BY started_at DESC, id DESC")
        return tuple(self._record(text) for (text,) in rows)

    # --- attempts ---
    def save_attempt(self, attempt: Attempt) -> None:
        """Note an attempt to run a policy unattended, or how it stands now."""
        text = json.dumps(_CODEC.encode(Attempt, attempt), sort_keys=True)
        with self.database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO attempts VALUES (?, ?, ?)",
                (writable(attempt.policy), _micros(attempt.began_at), text),
            )

    def attempts(self, policy: str) -> tuple[Attempt, ...]:
        """Return all attempts to run a policy, in the order of their beginning."""
        rows = self.database.rows("SELECT record FROM attempts WHERE policy = ? ORDER BY began_at", (writable(policy),))
        with self._reading("an attempt"):
            return tuple(_CODEC.decode(Attempt, json.loads(text)) for (text,) in rows)

    def last_attempts(self) -> tuple[Attempt, ...]:
        """Return the last attempt of every policy that was ever run."""
        rows = self.database.rows("SELECT record, max(began_at) FROM attempts GROUP BY policy ORDER BY policy")
        with self._reading("an attempt"):
            return tuple(_CODEC.decode(Attempt, json.loads(text)) for text, _ in rows)

    def due_of_plan(self, plan_id: str) -> datetime | None:
        """Return the scheduled date that a plan was made for, or None if it was made for none."""
        with self._reading("an attempt"):
            rows = self.database.rows("SELECT record FROM attempts")
            found = (_CODEC.decode(Attempt, json.loads(text)) for (text,) in rows)
            return next((one.due for one in found if one.plan_id == plan_id and one.due is not None), None)

    def _record(self, text: str) -> RunRecord:
        with self._reading("a run"):
            return _CODEC.decode(RunRecord, json.loads(text))

    @contextlib.contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        """Turn what a damaged value does to its reader into a StateError."""
        try:
            yield
        except (Malformed, InvalidReference, ValueError, TypeError, AttributeError, OverflowError) as error:
            raise StateError(
                f"{self.database.path} has {what} that cannot be read: {error}", remedy=_SCHEMA.broken
            ) from error

    # --- calibration ---
    def save_calibration(self, registry: str, coefficients: Mapping[str, float], now: datetime) -> None:
        """Note what a forecast for this registry may be based on, by name; it replaces what was noted before."""
        with self.database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO calibrations VALUES (?, ?, ?)",
                (registry, _micros(now), json.dumps(dict(coefficients), sort_keys=True)),
            )

    def calibration(self, registry: str) -> Mapping[str, float] | None:
        """Return what was noted for this registry, or None."""
        rows = self.database.rows("SELECT coefficients FROM calibrations WHERE registry = ?", (registry,))
        with self._reading("a calibration"):
            return {str(name): float(value) for name, value in json.loads(rows[0][0]).items()} if rows else None


def _is_other(tags: Mapping[str, Digest | None], tag: str, digest: str | None) -> bool:
    """Tell whether a tag that was seen on ``digest`` is gone or is on another one now."""
    if tag not in tags:
        return True
    now_on = tags[tag]
    return now_on is not None and now_on != digest


def _register(connection: sqlite3.Connection, plan_id: str, seal: str, now: datetime) -> None:
    connection.execute("INSERT OR IGNORE INTO plans VALUES (?, ?, ?, NULL)", (plan_id, seal, _micros(now)))
    known = connection.execute("SELECT seal FROM plans WHERE id = ?", (plan_id,)).fetchone()[0]
    if known != seal:
        raise PlanError(
            f"the plan {plan_id} is not the one that was made here under that name",
            remedy="it was changed and sealed again; make a new plan with tagsweep plan",
        )


def _save(connection: sqlite3.Connection, record: RunRecord) -> None:
    text = json.dumps(_CODEC.encode(RunRecord, record), sort_keys=True)
    connection.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?)", (record.id, _micros(record.started_at), text))


def _repository_key(connection: sqlite3.Connection, repository: Repository) -> int:
    names = (repository.registry, repository.path)
    connection.execute("INSERT OR IGNORE INTO repositories (registry, path) VALUES (?, ?)", names)
    row = connection.execute("SELECT id FROM repositories WHERE registry = ? AND path = ?", names).fetchone()
    return int(row[0])


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _instant(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
