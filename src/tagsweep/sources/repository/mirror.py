"""A bare, shallow copy of a remote repository in a directory of our own, which may be lost at any time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from tagsweep.model.errors import StateError, TagsweepError
from tagsweep.ports import Clock, Progress
from tagsweep.sources.repository.address import Address
from tagsweep.sources.repository.program import Git, failed, lines_of
from tagsweep.sources.repository.refs import HEAD, Ref

_OURS: Final = "refs/tagsweep/"
_POLL: Final = 0.2


class Mirror:
    """The copy of one address below ``place``. ``fresh`` tells whether it was made anew by this object."""

    def __init__(self, *, timeout: float, place: Path, address: Address) -> None:
        self.address = address
        self.path = place / f"{sha256(address.text.encode()).hexdigest()[:24]}.git"
        self.git = Git(timeout=timeout, directory=str(self.path))
        self.fresh = False

    def advertised(self, globs: Sequence[str]) -> tuple[tuple[Ref, ...], str]:
        """Return the branches, tags and HEAD that the remote has now, with what ``globs`` of whole names match, and the
        branch that its HEAD names.
        """
        git = Git(timeout=self.git.timeout)
        what = f"list the branches of {self.address}"
        patterns = dict.fromkeys((HEAD, "refs/heads/*", "refs/tags/*", *globs))
        answer = git.run("ls-remote", "--quiet", "--symref", "--", self.address.text, *patterns, what=what)
        refs = []
        default = ""
        for line in lines_of(answer):
            target, _, name = line.partition("\t")
            if target.startswith("ref: ") and name == HEAD:
                default = target.removeprefix("ref: ")
            elif not name.endswith("^{}") and (name == HEAD or name.startswith("refs/")):
                refs.append(Ref(name, target))
        return tuple(refs), default

    def prepare(self, some_id: str) -> None:
        """Make the copy ready: an empty one where there is none, or one that is no repository of this kind of ids."""
        kind = b"sha256" if len(some_id) == 64 else b"sha1"  # noqa: PLR2004 - SHA-256 in hexadecimal
        if self.path.exists():
            code, out, _ = self.git.ask(
                "rev-parse", "--is-bare-repository", "--show-object-format", what="look at its cache"
            )
            if code == 0 and out.split() == [b"true", kind]:
                return
            self.discard()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StateError(
                f"{self.path.parent} cannot be created: {error.strerror}", remedy="name another place with --state"
            ) from error
        Git(timeout=self.git.timeout).run(
            "init", "--quiet", "--bare", f"--object-format={kind.decode()}", "--", str(self.path), what="make a cache"
        )
        self.fresh = True

    def update(self, refs: Sequence[Ref]) -> tuple[Ref, ...]:
        """Bring these refs, and nothing else, up to date; return them as they are now in the copy."""
        wanted = {_name(ref): ref for ref in refs}
        have = self._have()
        if any(have.get(name) != ref.target for name, ref in wanted.items()):
            self._fetch([f"+{ref.name}:{name}" for name, ref in wanted.items()])
            have = self._have()
        stale = [name for name in have if name not in wanted]
        if stale:
            lines = "".join(f"delete {name}\n" for name in stale)
            self.git.run("update-ref", "--stdin", given=lines.encode(), what="tidy its cache")
        lost = next((ref for name, ref in wanted.items() if name not in have), None)
        if lost is not None:
            raise TagsweepError(f"{lost.short} of {self.address} did not arrive", remedy="run it again")
        return tuple(Ref(ref.name, have[name]) for name, ref in wanted.items())

    def fetch_commit(self, commit: str) -> None:
        """Fetch one commit; where the server gives no single ones, all branches and tags with their history."""
        try:
            self._fetch([f"+{commit}:{_OURS}commit/{commit}"])
        except TagsweepError as refused:
            try:
                self._fetch([f"+refs/heads/*:{_OURS}heads/*", f"+refs/tags/*:{_OURS}tags/*"], whole=True)
            except TagsweepError:
                raise refused from None

    def discard(self) -> None:
        """Remove the copy. Raises StateError where that cannot be done."""
        try:
            if self.path.is_dir() and not self.path.is_symlink():
                shutil.rmtree(self.path)
            else:
                self.path.unlink()
        except OSError as error:
            raise StateError(
                f"{self.path} is broken and cannot be removed: {error.strerror}", remedy="remove it by hand"
            ) from error

    def _have(self) -> dict[str, str]:
        answer = self.git.run("for-each-ref", "--format=%(objectname) %(refname)", _OURS, what="read its cache")
        pairs = (line.split(" ", 1) for line in lines_of(answer))
        return {name: target for target, name in pairs}

    def _fetch(self, refspecs: Sequence[str], *, whole: bool = False) -> None:
        what = f"fetch from {self.address}"
        fixed = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--stdin")
        given = "".join(f"{refspec}\n" for refspec in refspecs).encode("utf-8", "surrogateescape")
        errors = b"shallow"
        if not whole:
            code, _, errors = self.git.ask(*fixed, "--depth=1", "--", self.address.text, given=given, what=what)
            if code == 0:
                return
        if b"shallow" not in errors:  # what a plain web server cannot do
            raise failed(what, errors)
        unshallow = ("--unshallow",) if (self.path / "shallow").exists() else ()
        self.git.run(*fixed, *unshallow, "--", self.address.text, given=given, what=what)


def _name(ref: Ref) -> str:
    """Return our name for a remote's ref: a hash, as names may differ in case only, or be ``a`` and then ``a/b``."""
    return f"{_OURS}ref/{sha256(ref.name.encode('utf-8', 'surrogateescape')).hexdigest()[:40]}"


@contextlib.contextmanager
def workplace(cache: str, *, clock: Clock, progress: Progress, patience: float) -> Iterator[Path]:
    """Give a directory for copies to nobody else at the same time: the cache, or one that is removed afterwards.

    Raises StateError where another run does not leave it within ``patience`` seconds.
    """
    if not cache:
        try:
            temporary = tempfile.TemporaryDirectory(prefix="tagsweep-git-")
        except OSError as error:
            raise StateError(
                f"there is no place for temporary files: {error.strerror}", remedy="name one in TMPDIR"
            ) from error
        with temporary as directory:
            yield Path(directory)
        return
    place = Path(cache)
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(place / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(
            f"the cache {place} cannot be used: {error.strerror}", remedy="name another place with --state"
        ) from error
    try:
        _lock(descriptor, place, clock=clock, progress=progress, patience=patience)
        yield place
    finally:
        os.close(descriptor)


def _lock(descriptor: int, place: Path, *, clock: Clock, progress: Progress, patience: float) -> None:
    end = clock.monotonic() + patience
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if clock.monotonic() >= end:
                raise StateError(
                    f"another run has used the cache {place} for more than {patience:g} s",
                    remedy="wait until it has ended, or give this run another --state",
                ) from None
        except OSError as error:
            raise StateError(
                f"the cache {place} cannot be locked: {error.strerror}", remedy="name a local disk with --state"
            ) from error
        else:
            return
        if not told:
            progress.note(f"waiting for another run that uses {place}")
            told = True
        clock.sleep(_POLL)


def tidy(place: Path, used: set[str]) -> None:
    """Remove the copies that nothing needs any more, as after a change of the address."""
    for path in place.glob("*.git"):
        if path.name not in used:
            shutil.rmtree(path, ignore_errors=True)
