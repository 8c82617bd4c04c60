"""The journal of a run: what is about to be done is on disk before it is done, and how it ended afterwards.

JSON lines, appended only; each line ends with its own CRC-32. A process killed at any byte leaves at most one torn line
at the end, which is dropped when the journal is read and cut off when the run is resumed. Anything else that does not
fit is corruption and is reported, never skipped.
"""

from __future__ import annotations

import json
import os
import re
import threading
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

import msgspec

from tagsweep.model.errors import Malformed, StateError
from tagsweep.model.reference import Repository
from tagsweep.model.run import Outcome, OutcomeKind
from tagsweep.stores import durable
from tagsweep.stores.codec import instant_text, parse_instant

VERSION: Final = 1
StepName = tuple[Repository, str]
"""A step within the whole run: its repository and its key."""

_BACKUP: Final = "restore the file from a backup, and keep snapshot.sqlite beside it: it has what the run deleted"
_CHECKED: Final = re.compile(rb'(?P<body>\{.*),"crc":"(?P<crc>[0-9a-f]{8})"\}', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalHeader:
    """The first line: which run this is, and of which plan."""

    run_id: str
    plan_id: str
    seal: str
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalContent:
    """What a journal says.

    ``outcomes`` has the last outcome of each step. A step in ``open`` was begun (again) after that and may have
    happened: only the registry knows. ``ended`` is when the run ended, or None. ``torn`` counts the bytes of a line
    that was cut off.
    """

    header: JournalHeader
    outcomes: Mapping[StepName, Outcome] = field(default_factory=dict, hash=False)
    open: frozenset[StepName] = frozenset()
    notes: tuple[str, ...] = ()
    ended: datetime | None = None
    torn: int = 0


class Journal:
    """The journal of a run that is going on. Safe to use from many threads; their records share one fsync."""

    def __init__(self, path: Path, descriptor: int, header: JournalHeader) -> None:
        self.path = path
        self.header = header
        self._descriptor = descriptor
        self._changed = threading.Condition()
        self._written = 0
        self._synced = 0
        self._syncing = False
        self._broken: StateError | None = None

    @classmethod
    def create(cls, path: Path, header: JournalHeader) -> Journal:
        """Begin a journal with its header on disk. Raises StateError if the file exists or cannot be written."""
        with durable.mapped(path, "created"):
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        journal = cls(path, descriptor, header)
        try:
            journal._append(_header_record(header))
            journal.flush()
            with durable.mapped(path, "created"):
                durable.sync_directory(path.parent)
        except BaseException:
            journal._release()
            raise
        return journal

    @classmethod
    def resume(cls, path: Path) -> Journal:
        """Go on with a journal: cut off a torn last line and append. Raises StateError if it is corrupt."""
        content, good = _parse(_read(path), path)
        with durable.mapped(path, "opened"):
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        journal = cls(path, descriptor, content.header)
        try:
            with durable.mapped(path, "repaired"):
                os.ftruncate(descriptor, good)
                durable.sync(descriptor)
        except BaseException:
            journal._release()
            raise
        return journal

    def intend(self, repository: Repository, step: str) -> None:
        """Return when it is on disk that ``step`` is about to be done. Raises StateError; then do not do it."""
        self._sync(self._append({"intend": [repository.registry, repository.path, step]}))

    def intend_all(self, repository: Repository, steps: Iterable[str]) -> None:
        """Return when it is on disk that all these steps are about to be done. Raises StateError as intend does."""
        for step in steps:
            self._append({"intend": [repository.registry, repository.path, step]})
        self.flush()

    def finish(self, outcome: Outcome) -> None:
        """Note how a step ended; on disk with the next intent, flush or close."""
        at, repository = instant_text(outcome.at), outcome.repository
        record = {"finish": [repository.registry, repository.path, outcome.step], "kind": outcome.kind.value, "at": at}
        self._append({**record, "why": outcome.why} if outcome.why else record)

    def note(self, text: str) -> None:
        """Note something that a person should find here, such as a wave that was checked."""
        self._append({"note": text})

    def end(self, at: datetime) -> None:
        """Say that the run has ended, on disk."""
        self._append({"end": instant_text(at)})
        self.flush()

    def flush(self) -> None:
        """Return when everything noted is on disk."""
        with self._changed:
            self._check()
            ticket = self._written
        self._sync(ticket)

    def close(self) -> None:
        """Flush and give the file back; harmless when done twice."""
        if self._descriptor >= 0:
            try:
                self.flush()
            finally:
                self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _append(self, record: Mapping[str, Any]) -> int:
        line = _line(record)
        with self._changed:
            self._check()
            try:
                durable.write_all(self._descriptor, line)
            except OSError as error:
                # Half a line may stand there now; writing on would bury it in the middle.
                self._broken = durable.state_error(self.path, "written", error)
                raise self._broken from error
            self._written += 1
            return self._written

    def _sync(self, ticket: int) -> None:
        """Return when line number ``ticket`` is on disk. One thread syncs for all whose lines are written by then."""
        while True:
            with self._changed:
                while self._syncing and self._synced < ticket:
                    self._changed.wait()
                if self._synced >= ticket:
                    return
                self._check()
                self._syncing = True
                upto = self._written
            failure: StateError | None = None
            try:
                durable.sync(self._descriptor)
            except OSError as error:
                failure = durable.state_error(self.path, "synced", error)
            finally:
                with self._changed:
                    self._syncing = False
                    if failure is not None:
                        self._broken = failure
                    self._changed.notify_all()
            if failure is not None:
                raise failure
            with self._changed:
                self._synced = max(self._synced, upto)
                self._changed.notify_all()

    def _check(self) -> None:
        if self._broken is not None:
            raise self._broken
        if self._descriptor < 0:
            raise StateError(f"{self.path} is closed", remedy="this is a mistake in tagsweep: please report it")

    def _release(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def read_journal(path: Path) -> JournalContent:
    """Return what the journal says; a torn last line is left out. Raises StateError if it is missing or corrupt."""
    return _parse(_read(path), path)[0]


def _read(path: Path) -> bytes:
    with durable.mapped(path, "read"):
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            raise StateError(f"there is no journal {path}", remedy=_BACKUP) from error


def _line(record: Mapping[str, Any]) -> bytes:
    try:
        body = msgspec.json.encode(record)[:-1]
    except UnicodeEncodeError:
        # A registry's words may have half a surrogate pair. How a step ended must be written all the same.
        body = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")[:-1]
    return b'%s,"crc":"%08x"}\n' % (body, zlib.crc32(body))


def _header_record(header: JournalHeader) -> dict[str, Any]:
    return {
        "journal": "tagsweep",
        "version": VERSION,
        "run": header.run_id,
        "plan": header.plan_id,
        "seal": header.seal,
        "started": instant_text(header.started_at),
    }


def _parse(data: bytes, path: Path) -> tuple[JournalContent, int]:
    """Return the content and the length of the good part."""
    good = data.rfind(b"\n") + 1
    lines = data[:good].split(b"\n")[:-1]
    # A power cut may leave zeros where the last lines were to be.
    while lines and b"\0" in lines[-1]:
        good -= len(lines.pop()) + 1
    if not lines:
        # A run that the ledger knows had its first line on disk, so this may be what damage left of a long journal.
        raise StateError(
            f"{path} has no complete first line: it was cut off, or its run was interrupted before it did anything",
            remedy=_BACKUP,
        )
    reading = _Reading()
    for number, line in enumerate(lines, start=1):
        try:
            record = _checked(line)
            if number == 1:
                _refuse_newer(record, path)
            reading.take(record, first=number == 1)
        except (Malformed, KeyError, TypeError, ValueError) as error:
            raise StateError(
                f"{path}:{number}: this line of the journal is corrupt: {error}",
                remedy=_BACKUP,
            ) from error
    return reading.content(torn=len(data) - good), good


def _checked(line: bytes) -> dict[str, Any]:
    found = _CHECKED.fullmatch(line)
    if found is None:
        raise Malformed("it has no checksum")
    if int(found["crc"], 16) != zlib.crc32(found["body"]):
        raise Malformed("its checksum is wrong")
    record: dict[str, Any] = msgspec.json.decode(found["body"] + b"}", type=dict[str, Any])
    return record


def _refuse_newer(header: Mapping[str, Any], path: Path) -> None:
    version = header.get("version")
    if header.get("journal") == "tagsweep" and type(version) is int and version > VERSION:
        raise StateError(
            f"{path} was written by a newer tagsweep (the journal has version {version}, not {VERSION})",
            remedy="go on with that tagsweep",
        )


class _Reading:
    """What the lines so far say."""

    def __init__(self) -> None:
        self._header: JournalHeader | None = None
        self._outcomes: dict[StepName, Outcome] = {}
        self._open: set[StepName] = set()
        self._notes: list[str] = []
        self._ended: datetime | None = None

    def take(self, record: dict[str, Any], *, first: bool) -> None:
        if first:
            self._begin(record)
            return
        self._ended = None
        match record:
            case {"intend": [str() as registry, str() as path, str() as step]}:
                self._open.add((Repository(registry, path), step))
            case {"finish": [str() as registry, str() as path, str() as step], "kind": kind, "at": at}:
                repository = Repository(registry, path)
                self._open.discard((repository, step))
                self._outcomes[repository, step] = Outcome(
                    repository=repository,
                    step=step,
                    kind=OutcomeKind(kind),
                    at=parse_instant(at),
                    why=str(record.get("why", "")),
                )
            case {"note": str() as text}:
                self._notes.append(text)
            case {"end": at}:
                self._ended = parse_instant(at)
            case _:
                raise Malformed("it is no record that this tagsweep knows")

    def _begin(self, record: dict[str, Any]) -> None:
        if record.get("journal") != "tagsweep" or record.get("version") != VERSION:
            raise Malformed(f"the first line is no header of version {VERSION}")
        self._header = JournalHeader(
            run_id=str(record["run"]),
            plan_id=str(record["plan"]),
            seal=str(record["seal"]),
            started_at=parse_instant(record["started"]),
        )

    def content(self, *, torn: int) -> JournalContent:
        if self._header is None:
            raise Malformed("there is no header")
        return JournalContent(
            header=self._header,
            outcomes=MappingProxyType(self._outcomes),
            open=frozenset(self._open),
            notes=tuple(self._notes),
            ended=self._ended,
            torn=torn,
        )
