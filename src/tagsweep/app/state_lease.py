"""Finding out that two runners are at work on one thing, in a registry that has no locks.

Each runner writes a lease under a tag of its own and looks at those of the others: whoever writes second sees the
first. Two that write at once see each other, and both step back for a random while. A lease is alive as long as it
changes; a runner that died leaves one that does not, and is told from a living one by watching it, not by any clock.
It detects; it does not lock: every step of a plan is checked directly before its call all the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tagsweep.model.errors import Busy, ConfigurationError, RegistryError, StateError
from tagsweep.stores.stateartifact import LEASE_TYPE, manifest_of, notes_of, read_manifest

if TYPE_CHECKING:
    from tagsweep.app.state_store import StateStore
    from tagsweep.model.reference import Digest
    from tagsweep.ports import Clock, Progress

_VARIABLE: Final = "TAGSWEEP_LEASE"
_SECONDS: Final = 180.0
"""A runner that said nothing for so long is taken for dead."""
_ROUNDS: Final = 5
"""How often to step back for another one that asks at the same moment."""
_HASTY: Final = 3
"""So often at once; after that it may have died while it asked, and is watched."""
_RELEASED: Final = manifest_of(LEASE_TYPE, [], {"released": "true"})
"""What a lease becomes that its registry does not let go: one glance at its digest tells, and no pull is counted."""
_BEATS: Final = 3
"""How many signs of life a runner gives in the time after which it is taken for dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """Another runner's lease."""

    tag: str
    digest: Digest
    holder: str
    holding: bool
    seconds: float


@dataclass(slots=True, kw_only=True)
class Leases:
    """The leases of one runner: one artifact that names all it works on, renewed by a thread while there is any."""

    store: StateStore
    clock: Clock
    progress: Progress
    writer: str
    seconds: float = _SECONDS
    _holds: dict[str, bool] = field(default_factory=dict)
    """What is worked on, and whether it is certain yet that nobody else does."""
    _beat: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _stop: threading.Event | None = None
    """What ends the thread that gives signs of life, while there is one."""

    @property
    def tag(self) -> str:
        """The tag that is this runner's own."""
        return f"{self.store.place.tag}-lease-{self.writer}"

    @contextlib.contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Hold the lease for ``name``; Busy if another runner of this state has it."""
        try:
            self._acquire(name)
            yield
        finally:
            self._release(name)

    def _acquire(self, name: str) -> None:
        for attempt in range(1, _ROUNDS + 1):
            self._put(name, holding=False)
            rival = self._rival(name, patient=attempt > _HASTY)
            if rival is None:
                self._put(name, holding=True)
                return
            if rival.holding or attempt == _ROUNDS:
                raise (Busy if rival.holding else StateError)(
                    f"another tagsweep ({rival.holder}) is at work on {name}",
                    remedy="wait until it has ended, or stop it; then try again. Nothing was deleted by this one",
                )
            self._put(None)
            self.clock.sleep(random.uniform(0.1, 1.0) * attempt)  # noqa: S311 (no secret: only to be out of step)

    def _rival(self, name: str, *, patient: bool) -> _Seen | None:
        """Return a living runner that works on ``name``; waits as long as it takes to tell a dead one.

        Unless ``patient``, one that only asks is taken for living.
        """
        for first in self._others(name):
            if not first.holding and not patient:
                return first
            waited, told = 0.0, False
            while waited < first.seconds:
                now = self._look(first.tag, name)
                if now is None:
                    break
                if now.digest != first.digest:
                    return now
                if not told:
                    told = True
                    self.progress.note(
                        f"{first.holder} was at work on {name}; waiting up to {first.seconds:.0f} s for a sign of life"
                    )
                pause = min(1.0, first.seconds / 10)
                self.clock.sleep(pause)
                waited += pause
            else:
                self.progress.note(f"{first.holder} gave no sign of life and is taken for dead")
                self.store.tidy({first.tag: first.digest})
        return None

    def _others(self, name: str) -> list[_Seen]:
        own = self.tag
        pattern = re.compile(rf"{re.escape(self.store.place.tag)}-lease-[0-9a-f]+")
        names = [tag for tag in self.store.reading(self.store.tags) if tag != own and pattern.fullmatch(tag)]
        found = [self._look(tag, name) for tag in names if self._digest(tag) not in (None, _RELEASED.digest)]
        return [one for one in found if one is not None]

    def _digest(self, tag: str) -> Digest | None:
        return self.store.reading(lambda: self.store.driver.resolve_tag(self.store.path, tag))

    def _look(self, tag: str, name: str) -> _Seen | None:
        store = self.store
        manifest = store.reading(lambda: store.driver.fetch_manifest(store.path, tag))
        document = None if manifest is None else read_manifest(manifest, LEASE_TYPE)
        if manifest is None or document is None:
            return None
        try:
            notes = notes_of(document)
            holding = json.loads(notes["holds"]).get(name)
            seconds = float(notes["seconds"])
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
        if holding is None:
            return None
        holder = f"{notes.get('holder', 'unknown')}, since {notes.get('since', 'unknown')}"
        return _Seen(tag=tag, digest=manifest.digest, holder=holder, holding=bool(holding), seconds=seconds)

    # --- writing the own one --------------------------------------------------------------------------------------
    def _put(self, name: str | None, *, holding: bool = False) -> None:
        """Write the lease, with ``name`` as what is asked for or held, or with nothing that is only asked for."""
        with self._lock:
            if name is not None:
                self._holds[name] = holding
            else:
                self._holds = {key: held for key, held in self._holds.items() if held}
            self._write()
            if self._stop is None:
                self._stop = stop = threading.Event()
                threading.Thread(target=self._keep_alive, args=(stop,), name="tagsweep-lease", daemon=True).start()

    def _write(self) -> None:
        self._beat += 1
        notes = {
            "holder": f"process {os.getpid()} on {socket.gethostname()}",
            "since": f"{self.clock.now():%Y-%m-%d %H:%M:%S} UTC",
            "holds": json.dumps(self._holds, sort_keys=True),
            "seconds": f"{self.seconds:g}",
            "writer": self.writer,
            "beat": str(self._beat),
        }
        self.store.writing(lambda: self.store.put(self.tag, manifest_of(LEASE_TYPE, [], notes)))

    def _keep_alive(self, stop: threading.Event) -> None:
        told = False
        while not stop.wait(self.seconds / _BEATS):
            try:
                with self._lock:
                    if not stop.is_set():
                        self._write()
            except StateError as error:
                if not told:
                    told = True
                    self.progress.note(f"other runners may take this one for dead: {error}")

    def _release(self, name: str) -> None:
        with self._lock:
            if self._holds.pop(name, None) is None:
                return
            if not self._holds and self._stop is not None:
                self._stop.set()
                self._stop = None
            try:
                self._write()
            except StateError:
                return  # it stops changing, and is then taken for dead
            if not self._holds:
                self._remove()

    def _remove(self) -> None:
        store = self.store
        with contextlib.suppress(RegistryError):
            digest = store.driver.resolve_tag(store.path, self.tag)
            if digest is not None:
                store.tidy({self.tag: digest})
                if store.driver.resolve_tag(store.path, self.tag) is not None:
                    store.put(self.tag, _RELEASED)


def lease_seconds(environ: Mapping[str, str]) -> float:
    """Return after how many seconds of silence a runner is taken for dead, which TAGSWEEP_LEASE may say."""
    text = environ.get(_VARIABLE, "")
    if not text:
        return _SECONDS
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1.0 <= seconds <= 86_400.0:  # noqa: PLR2004 (a second to a day)
        raise ConfigurationError(f"{_VARIABLE} is {text!r}", remedy="write a number of seconds from 1 to 86400")
    return seconds
