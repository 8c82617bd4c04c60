"""A state that lives in a registry: taken in when a command begins, sent at its safe points and at its end.

Each command works in a directory of its own. What it could not send stays there, and the next command on this machine
takes it in; a runner that has no disk of its own loses at most what it did since the last safe point, and the journal
that was sent says what that may be.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from tagsweep.app.state_lease import Leases, lease_seconds
from tagsweep.app.state_remover import remover_for
from tagsweep.app.state_store import Head, StateStore
from tagsweep.drivers.oci_storing import connect_for_state
from tagsweep.model.errors import StateError, TagsweepError
from tagsweep.stores import durable
from tagsweep.stores.journal_merge import merge_journals
from tagsweep.stores.ledger_rows import TABLES, Rows, dump, load, merge_into, read_rows
from tagsweep.stores.state import StateDirectory
from tagsweep.stores.stateartifact import RUN_FILES, Layer, StateArtifact

if TYPE_CHECKING:
    from tagsweep.model.policy import RegistrySettings
    from tagsweep.model.reference import Digest, Repository
    from tagsweep.model.stateplace import StatePlace
    from tagsweep.ports import Clock, Progress
    from tagsweep.stores.ledger import Ledger

_JOURNAL: Final = "journal.jsonl"
_ALIVE: Final = "alive"


@dataclass(slots=True, kw_only=True)
class RemoteState:
    """Implements :class:`tagsweep.stores.state.Elsewhere`. Made by :func:`open_remote` only."""

    store: StateStore
    directory: StateDirectory
    leases: Leases
    progress: Progress
    writer: str
    alive: int
    """The open file whose lock says that this command works in the directory."""
    left_behind: dict[Path, int]
    """Directories of earlier commands, each locked, whose content was not sent yet."""
    _covers: dict[str, Digest] = field(default_factory=dict)
    _history: dict[str, Digest] = field(default_factory=dict)
    """What the states that were taken in had taken in themselves: to be tidied up."""
    _own: dict[str, Digest] = field(default_factory=dict)
    """What this command itself sent last, by its tag."""
    _generation: int = 1
    _remote: dict[str, list[Layer]] = field(default_factory=dict)
    """The files of the heads that are not here, by path; more than one where the heads differ."""
    _known: dict[str, tuple[int, int, Layer]] = field(default_factory=dict)
    """Files here that are in the registry as they are, by path: size, time of change, and what they are there."""
    _sent: tuple[bytes, ...] | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def repository(self) -> Repository:
        """The repository that holds the state: never a target."""
        return self.store.place.repository

    # --- taking in ------------------------------------------------------------------------------------------------
    def pull(self) -> None:
        """Take in all heads, and what earlier commands on this machine could not send. Raises StateError."""
        found: tuple[Head, ...] = ()

        def read() -> list[Rows]:
            nonlocal found
            found, history = self.store.heads()
            self._history = dict(history)
            return [self._rows(head.artifact) for head in found]

        rows = self.store.reading(read)
        self._taken_in(found)
        with self.directory.ledger() as ledger:
            merge_into(ledger, rows)
            if len(found) <= 1:
                self._sent = self._content(ledger)
            for directory in self.left_behind:
                self.progress.note(f"taking in what an earlier run could not send: {directory}")
                self._adopt(directory, ledger)

    def _taken_in(self, found: tuple[Head, ...]) -> None:
        """Note which heads this state has in it from now on, and where the files are that are not here."""
        self._covers = {**self._history, **{head.tag: head.digest for head in found}}
        self._generation = 1 + max((head.artifact.generation for head in found), default=0)
        self._remote = {}
        for head in found:
            for path, layer in head.artifact.layers.items():
                layers = self._remote.setdefault(path, []) if path.startswith("runs/") else [layer]
                if layer not in layers:
                    layers.append(layer)

    def refresh(self) -> None:
        """Take in what others sent since the last look. Raises StateError.

        Whoever waited for another one to end would else go by what was there before that one began. Called while no
        file of a run is open.
        """
        with self._lock:
            known = {**self._covers, **self._own}
            if self.store.is_as(known):
                return
            found, history = self.store.heads()
            fresh = [head for head in found if known.get(head.tag) != head.digest]
            if not fresh:
                return
            rows = [self.store.reading(partial(self._rows, head.artifact)) for head in fresh]
            with self.directory.ledger() as ledger:
                clean = self._sent is not None and self._content(ledger) == self._sent
                self._history = {**self._history, **history}
                self._taken_in(found)
                merge_into(ledger, rows)
                for run_id in self.directory.run_ids():
                    self._merge_run(run_id)
                self._sent = self._content(ledger) if clean and len(found) == 1 else None

    def _merge_run(self, run_id: str) -> None:
        """Add what others know of a run that is here to what is here; what they have as it is here is left alone."""
        for name in RUN_FILES:
            key = f"runs/{run_id}/{name}"
            here = self._known.get(key)
            for layer in self._remote.pop(key, []):
                if here is None or here[2] != layer:
                    self._keep(run_id, name, self.store.reading(partial(self.store.read, layer)))

    def _rows(self, artifact: StateArtifact) -> Rows:
        found: Rows = {}
        for path, layer in artifact.layers.items():
            if not path.startswith("ledger/"):
                continue
            table, name = path.removeprefix("ledger/"), f"{self.store.place} {path}"
            if table not in TABLES:
                raise StateError(f"{name} was written by a newer tagsweep", remedy="use that tagsweep")
            found[table] = load(table, self.store.read(layer), name=name)
        return found

    def _adopt(self, path: Path, ledger: Ledger) -> None:
        other = StateDirectory(path)
        if (path / "ledger.sqlite").exists():
            with other.ledger() as theirs:
                merge_into(ledger, [read_rows(theirs)])
        for run_id in other.run_ids() if other.runs.is_dir() else ():
            self.fetch_run(run_id)
            for name in RUN_FILES:
                file = other.runs / run_id / name
                if file.exists():
                    self._keep(run_id, name, file.read_bytes())

    def fetch_run(self, run_id: str) -> None:
        """Bring the files of a run into the directory, where the state has them. Raises StateError.

        All are read before one is written: a run of which only a part is here would pass for one that has no more,
        and what undo needs would be made anew, without what is deleted already.
        """
        with self._lock:
            remote = {name: self._remote.get(f"runs/{run_id}/{name}", []) for name in RUN_FILES}
            read = {
                name: [self.store.reading(partial(self.store.read, layer)) for layer in layers]
                for name, layers in remote.items()
            }
            for name, layers in remote.items():
                key = f"runs/{run_id}/{name}"
                for data in read[name]:
                    self._keep(run_id, name, data)
                if len(layers) == 1 and not self.left_behind:
                    self._know(key, layers[0])
                self._remote.pop(key, None)

    def _keep(self, run_id: str, name: str, data: bytes) -> None:
        """Write a file of a run beside what is there: a journal gets the lines of both, all else is written once."""
        path = self.directory.runs / run_id / name
        durable.make_directory(path.parent)
        if not path.exists():
            durable.write_file(path, data)
        elif name == _JOURNAL:
            durable.write_file(path, merge_journals(path.read_bytes(), data, name=str(path)))

    # --- sending --------------------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def lease(self, name: str) -> Iterator[None]:
        """Hold the lease for ``name`` among all runners of this state, and know what the last one to hold it did."""
        with self.leases.hold(name):
            self.refresh()
            yield

    def push(self, ledger: Ledger) -> None:
        """Return when everything in the directory is in the registry, under this runner's own tag."""
        with self._lock:
            content = self._content(ledger)
            if content == self._sent and not self.left_behind:
                return
            for path in [path for path, layers in self._remote.items() if len(layers) > 1]:
                self.fetch_run(path.split("/")[1])  # the heads have different files: they are sent as one
            self.store.writing(lambda: self._push(ledger), again=self._known.clear)
            self._sent = self._content(ledger)
            for directory, descriptor in self.left_behind.items():
                shutil.rmtree(directory, ignore_errors=True)
                os.close(descriptor)
            self.left_behind.clear()
            # What was taken in now stays one generation longer: a runner may be reading it.
            self.store.tidy(self._history)
            self._history = {}

    def _push(self, ledger: Ledger) -> None:
        layers = {path: layers[0] for path, layers in self._remote.items()}
        for table, rows in sorted(read_rows(ledger).items()):
            if rows:
                layers[f"ledger/{table}"] = self.store.send(dump(rows))
        for key, path in self._files():
            known = self._known.get(key)
            if known is None or known[:2] != _stamp(path):
                self._know(key, self.store.send(path.read_bytes()))
            layers[key] = self._known[key][2]
        artifact = StateArtifact(generation=self._generation, writer=self.writer, covers=self._covers, layers=layers)
        tag, manifest = f"{self.store.place.tag}-{self._generation:06d}-{self.writer}", artifact.encode()
        self.store.put(tag, manifest)
        self._own = {tag: manifest.digest}

    def _know(self, key: str, layer: Layer) -> None:
        self._known[key] = (*_stamp(self.directory.path / key), layer)

    def _files(self) -> Iterator[tuple[str, Path]]:
        for run_id in self.directory.run_ids():
            for name in RUN_FILES:
                path = self.directory.runs / run_id / name
                if path.exists():
                    yield f"runs/{run_id}/{name}", path

    def _content(self, ledger: Ledger) -> tuple[bytes, ...]:
        """Return what tells whether anything is new: the ledger, and the files that are not in the registry so."""
        rows = read_rows(ledger)
        new = [
            f"{key} {_stamp(path)}"
            for key, path in self._files()
            if key not in self._known or self._known[key][:2] != _stamp(path)
        ]
        return (*(dump(rows[table]) for table in TABLES), "\n".join(new).encode())

    def close(self, ledger: Ledger, *, failed: bool) -> None:
        """Send what is new and remove the working copy; where that fails it stays, and the error says where it is."""
        sent = False
        try:
            self.push(ledger)
            sent = True
        except TagsweepError as error:
            words = f"{error}; this run's state is in {self.directory.path}"
            if not failed:
                raise StateError(
                    words,
                    remedy="the next tagsweep on this machine takes it in; elsewhere an unfinished run is taken up "
                    "from the last safe point",
                ) from error
            self.progress.note(words)
        finally:
            if sent:
                ledger.close()
                shutil.rmtree(self.directory.path, ignore_errors=True)
            self.give_back()

    def give_back(self) -> None:
        """Close connections and locks; what was left behind and not sent stays for the next command."""
        self.store.close()
        for descriptor in (self.alive, *self.left_behind.values()):
            os.close(descriptor)
        self.left_behind = {}


def open_remote(
    place: StatePlace, *, base: Path, settings: RegistrySettings, clock: Clock, progress: Progress
) -> StateDirectory:
    """Return a working copy, below ``base``, of the state in ``place``. Raises StateError where it cannot be read."""
    writer = secrets.token_hex(4)
    home = base / quote(str(place).removeprefix("oci://"), safe="")
    durable.make_directory(home)
    plain = StateDirectory.open(home / writer)
    alive = _lock(plain.path)
    driver = connect_for_state(settings, clock=clock, progress=progress)
    remover = remover_for(settings, clock=clock, progress=progress)
    store = StateStore(place=place, driver=driver, remover=remover)
    remote = RemoteState(
        store=store,
        directory=plain,
        leases=Leases(store=store, clock=clock, progress=progress, writer=writer, seconds=lease_seconds(os.environ)),
        progress=progress,
        writer=writer,
        alive=alive,
        left_behind=_left_behind(home, plain.path),
    )
    try:
        remote.pull()
    except BaseException:
        remote.give_back()
        shutil.rmtree(plain.path, ignore_errors=True)
        raise
    return replace(plain, elsewhere=remote)


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _lock(path: Path) -> int:
    with durable.mapped(path, "locked"):
        descriptor = os.open(path / _ALIVE, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor


def _left_behind(home: Path, own: Path) -> dict[Path, int]:
    """Return the directories of commands that have ended and left something, each locked for this one alone."""
    found: dict[Path, int] = {}
    for path in sorted(home.iterdir()):
        if path == own or not (path / _ALIVE).exists():
            continue
        with contextlib.suppress(StateError):  # its command works in it now
            found[path] = _lock(path)
    return found
