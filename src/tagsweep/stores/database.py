"""One SQLite file of ours: its mark, the version of its tables, one connection behind a lock, errors as sentences."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tagsweep.model.errors import StateError
from tagsweep.stores import durable

_BUSY_SECONDS: Final = 20.0
_SIDE_FILES: Final = ("-wal", "-shm", "-journal")
_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_IN_USE: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_ENVIRONMENT: Final = {
    sqlite3.SQLITE_FULL: "free some space, or choose another disk with --state DIR or TAGSWEEP_STATE",
    sqlite3.SQLITE_IOERR: "look at the disk: space, limits of file sizes and its health",
    sqlite3.SQLITE_READONLY: "choose a writable place with --state DIR or TAGSWEEP_STATE",
    sqlite3.SQLITE_PERM: "choose a writable place with --state DIR or TAGSWEEP_STATE",
    sqlite3.SQLITE_CANTOPEN: "choose a place that can be read and written with --state DIR or TAGSWEEP_STATE",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What a kind of file is: its mark, the scripts from each version to the next, and what to do if it is broken.

    ``application_id`` is SQLite's own mark of a file's kind, so that no other program's database is ever written to.
    ``migrations[n]`` leads from version n to n + 1; they are only ever appended to.
    """

    what: str
    application_id: int
    migrations: tuple[str, ...]
    pragmas: tuple[str, ...]
    broken: str


@dataclass(slots=True)
class Database:
    """An open file. Every method may be called from many threads; they take turns."""

    path: Path
    schema: Schema
    connection: sqlite3.Connection
    lock: threading.RLock = field(default_factory=threading.RLock)

    @classmethod
    def open(cls, path: Path, schema: Schema, *, read_only: bool = False) -> Database:
        """Open the file, create or migrate it as needed. Raises StateError if that cannot be."""
        with errors(path, schema, "opened"):
            connection = _connect(path, mode="ro" if read_only else "rwc")
        database = cls(path, schema, connection)
        try:
            with errors(path, schema, "opened"):
                database._prepare(read_only=read_only)
        except BaseException:
            connection.close()
            raise
        return database

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        with self.lock, errors(self.path, self.schema, "read"):
            return self.connection.execute(sql, parameters).fetchall()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all or nothing: on disk when the block ends, undone when it raises."""
        with self.lock, errors(self.path, self.schema, "written"):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                # SQLite has rolled back by itself after some errors, a full disk among them.
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def begin_anew(self) -> None:
        """Replace the file by an empty one, for content that can be had again. Raises StateError if that fails."""
        with self.lock:
            self.close()
            remove(self.path)
            with errors(self.path, self.schema, "opened"):
                self.connection = _connect(self.path, mode="rwc")
                self._prepare(read_only=False)

    def close(self) -> None:
        """Give the file back; harmless when done twice."""
        with self.lock, errors(self.path, self.schema, "closed"):
            self.connection.close()

    def _prepare(self, *, read_only: bool) -> None:
        application, version, tables = self._marks()
        fresh = version == 0 and application == 0 and tables == 0
        if not fresh and application != self.schema.application_id:
            raise _foreign()
        latest = len(self.schema.migrations)
        if version > latest:
            raise StateError(
                f"{self.path} was written by a newer tagsweep (its tables have version {version}, not {latest})",
                remedy="use that tagsweep, or choose another directory with --state DIR or TAGSWEEP_STATE",
            )
        if read_only:
            if version != latest:
                raise _foreign()
            return
        for pragma in self.schema.pragmas:
            self.connection.execute(f"PRAGMA {pragma}")
        if version < latest:
            self._migrate()

    def _marks(self) -> tuple[int, int, int]:
        """Return kind, version and how many tables there are, at one moment: another process may be making them."""
        self.connection.execute("BEGIN")
        try:
            questions = ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
            application, version, tables = (self.connection.execute(one).fetchone()[0] for one in questions)
        finally:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        return application, version, tables

    def _migrate(self) -> None:
        """Bring the tables to the latest version, each step as a whole; another process may be doing the same."""
        with self.transaction() as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            for number, script in enumerate(self.schema.migrations[version:], start=version + 1):
                for statement in script.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")
            connection.execute(f"PRAGMA application_id = {self.schema.application_id}")


def remove(path: Path) -> None:
    """Delete a database with the files that SQLite keeps beside it. Raises StateError if that fails."""
    with durable.mapped(path, "replaced"):
        for name in (path, *(path.with_name(f"{path.name}{end}") for end in _SIDE_FILES)):
            name.unlink(missing_ok=True)


def _connect(path: Path, *, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=_BUSY_SECONDS,
    )


@contextlib.contextmanager
def errors(path: Path, schema: Schema, doing: str) -> Iterator[None]:
    """Turn SQLite's errors into StateErrors that name the path."""
    try:
        yield
    except sqlite3.Error as error:
        raise _state_error(path, schema, doing, error) from error
    except OSError as error:
        raise durable.state_error(path, doing, error) from error


def is_damaged(error: StateError) -> bool:
    """Tell whether the content of the file is at fault: it is damaged, or is no database of this kind."""
    return isinstance(error.__cause__, sqlite3.Error) and _code(error.__cause__) in _DAMAGED


def _code(error: sqlite3.Error) -> int:
    if isinstance(error, sqlite3.OperationalError) and not hasattr(error, "sqlite_errorcode"):
        return sqlite3.SQLITE_CORRUPT  # Python's own: text that is no UTF-8, which we never wrote
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF  # the low byte is the kind, the rest its details


def _foreign() -> sqlite3.DatabaseError:
    """Return the error that SQLite itself gives for a file that is no database, for one that is not ours."""
    error = sqlite3.DatabaseError("the database has another kind")
    error.sqlite_errorcode = sqlite3.SQLITE_NOTADB
    return error


def _state_error(path: Path, schema: Schema, doing: str, error: sqlite3.Error) -> StateError:
    code = _code(error)
    if code in _DAMAGED:
        return StateError(f"{path} is damaged, or is not {schema.what}", remedy=schema.broken)
    if code in _IN_USE:
        return StateError(f"{path} is in use by another tagsweep", remedy="wait until it has ended; then try again")
    return StateError(f"{path} cannot be {doing}: {error}", remedy=_ENVIRONMENT.get(code, ""))
