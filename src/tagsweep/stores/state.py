"""The state directory: what tagsweep remembers between runs, who may write it, and one lease for each thing swept.

ledger.sqlite      what was seen when, plans, runs (see ledger)
manifests.sqlite   manifests by digest, a cache that may be deleted (see manifests)
locks/             one file a lease
runs/RUN/          one run: plan.json, journal.jsonl, snapshot.sqlite, reports

The directory has no version of its own. Each file says its kind and its version, and a newer one is refused; every
command opens the ledger first, so a change of this layout raises the version of the ledger's tables.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote

from tagsweep.model.errors import Busy, ConfigurationError
from tagsweep.model.reference import Repository
from tagsweep.stores import durable

if TYPE_CHECKING:
    from tagsweep.stores.ledger import Ledger
    from tagsweep.stores.manifests import ManifestCache

_RUN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", re.ASCII)
_LONGEST_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The files of one run."""

    path: Path

    @property
    def plan(self) -> Path:
        """The plan that the run carries out, as it was given."""
        return self.path / "plan.json"

    @property
    def journal(self) -> Path:
        """Intent and outcome of each step."""
        return self.path / "journal.jsonl"

    @property
    def snapshot(self) -> Path:
        """What undo needs."""
        return self.path / "snapshot.sqlite"

    @property
    def exists(self) -> bool:
        """Whether the run left anything here."""
        return self.path.is_dir()

    def create(self) -> None:
        """Make the directory, durably; raises StateError if the run has one already."""
        with durable.mapped(self.path, "created"):
            self.path.mkdir(mode=0o700, parents=False)
            durable.sync_directory(self.path.parent)


class Elsewhere(Protocol):
    """Where a state directory comes from and goes to, if it is only the working copy of a state in a registry."""

    @property
    def repository(self) -> Repository:
        """The repository that holds the state: never a target."""
        ...

    def fetch_run(self, run_id: str) -> None:
        """Bring the files of a run into the directory, where the state has them and the directory does not."""
        ...

    def lease(self, name: str) -> AbstractContextManager[None]:
        """Hold the lease for ``name`` among all runners of this state; Busy if another one holds it."""
        ...

    def push(self, ledger: Ledger) -> None:
        """Return when everything in the directory is in the registry; StateError if that cannot be."""
        ...

    def close(self, ledger: Ledger, *, failed: bool) -> None:
        """Push what is new and give everything back; ``failed`` says that an error is on its way already."""
        ...


@dataclass(frozen=True, slots=True)
class StateDirectory:
    """An existing, writable state directory. Made by :meth:`open` only.

    ``elsewhere`` is there where the directory is the working copy of a state that lives in a registry.
    """

    path: Path
    elsewhere: Elsewhere | None = None

    @classmethod
    def open(cls, path: Path) -> StateDirectory:
        """Create the directory where it is missing (0700) and prove by writing that it can be written.

        Raises StateError naming the path, before anything depends on it.
        """
        directory = cls(path.absolute())
        for part in (directory.path, directory.runs, directory.locks):
            durable.make_directory(part)
        durable.write_file(directory.path / "writable", b"tagsweep proves here that it can write\n")
        return directory

    @property
    def runs(self) -> Path:
        """The directory that has a directory for each run."""
        return self.path / "runs"

    @property
    def locks(self) -> Path:
        """The directory of the leases."""
        return self.path / "locks"

    def run_ids(self) -> tuple[str, ...]:
        """Return the ids of all runs that left something, in their order."""
        with durable.mapped(self.runs, "read"):
            return tuple(sorted(entry.name for entry in self.runs.iterdir() if entry.is_dir()))

    def run_directory(self, run_id: str) -> RunDirectory:
        """Return where the run's files are, whether or not there are any. Raises ConfigurationError for an odd id."""
        if _RUN_ID.fullmatch(run_id) is None:
            raise ConfigurationError(f"{run_id!r} is not the id of a run", remedy="tagsweep history shows the runs")
        directory = RunDirectory(self.runs / run_id)
        if self.elsewhere is not None and not directory.exists:
            self.elsewhere.fetch_run(run_id)
        return directory

    def ledger(self) -> Ledger:
        """Open the ledger; close it when done."""
        from tagsweep.stores.ledger import Ledger  # noqa: PLC0415  sqlite3 is not for --help

        return Ledger.open(self.path / "ledger.sqlite")

    def manifests(self) -> ManifestCache:
        """Open the cache of manifests; close it when done."""
        from tagsweep.stores.manifests import ManifestCache  # noqa: PLC0415  sqlite3 is not for --help

        return ManifestCache.open(self.path / "manifests.sqlite")

    @contextlib.contextmanager
    def lock(self, name: str, *, now: datetime | None = None) -> Iterator[None]:
        """Hold the lease for ``name`` (a repository or registry); Busy if another tagsweep holds it.

        The lease is the kernel's (flock): it ends with the process that holds it, however that ends. ``now`` is what
        the next one is told as the time since when.
        """
        path = self.locks / _file_name(name)
        with durable.mapped(path, "locked"):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with durable.mapped(path, "locked"):
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    raise _held(name, descriptor) from error
                since = (now or datetime.now(UTC)).isoformat(timespec="seconds")
                holder = json.dumps({"name": name, "pid": os.getpid(), "since": since}).encode()
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, holder, 0)
            with self.elsewhere.lease(name) if self.elsewhere is not None else contextlib.nullcontext():
                yield
        finally:
            os.close(descriptor)


def _file_name(name: str) -> str:
    quoted = quote(name, safe="")
    if len(quoted) > _LONGEST_NAME:
        quoted = f"{quoted[:100]}-{hashlib.sha256(name.encode()).hexdigest()[:32]}"
    return f"{quoted}.lock"


def _held(name: str, descriptor: int) -> Busy:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        who = f"another tagsweep (process {holder['pid']}, since {holder['since']})"
    except (ValueError, KeyError, TypeError):
        who = "another tagsweep"
    return Busy(f"{who} is sweeping {name}", remedy="wait until it has ended, or stop it; then try again")
