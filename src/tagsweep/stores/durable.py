"""Writing so that it is there after a power cut, and OSError as sentences: everything durable goes through here."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tagsweep.model.errors import StateError

_NO_SUCH_OPERATION: Final = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.ENOTTY}
_ELSEWHERE: Final = "choose a writable place with --state DIR or TAGSWEEP_STATE"
_REMEDIES: Final = {
    errno.ENOSPC: "free some space, or choose another disk with --state DIR or TAGSWEEP_STATE",
    errno.EDQUOT: "free some of the quota, or choose another disk with --state DIR or TAGSWEEP_STATE",
    errno.EFBIG: "raise the limit of file sizes (ulimit -f)",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENOLCK: "choose a disk that has locks (no network file system without them) with --state DIR",
    errno.EACCES: _ELSEWHERE,
    errno.EPERM: _ELSEWHERE,
    errno.EROFS: _ELSEWHERE,
    errno.ENOTDIR: _ELSEWHERE,
    errno.EEXIST: _ELSEWHERE,
    errno.ENOENT: "create the directory first, or choose another place with --state DIR or TAGSWEEP_STATE",
    errno.EISDIR: "name a file, not a directory",
    errno.ELOOP: "name a file, not a link that leads back to itself",
}


def state_error(path: Path | str, doing: str, error: OSError) -> StateError:
    """Return the StateError for an operating system's error: what could not be done with which path, and the remedy."""
    words = os.strerror(error.errno) if error.errno is not None else str(error)
    remedy = _REMEDIES.get(error.errno or 0, "look at the disk and at the rights of this path")
    return StateError(f"{path} cannot be {doing}: {words}", remedy=remedy)


@contextlib.contextmanager
def mapped(path: Path | str, doing: str) -> Iterator[None]:
    """Turn any OSError inside into a StateError that names ``path``; ``doing`` is a participle such as ``written``."""
    try:
        yield
    except OSError as error:
        raise state_error(path, doing, error) from error


def sync(descriptor: int) -> None:
    """Return when everything written to ``descriptor`` is on the medium."""
    full = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: fsync alone leaves it in the drive's cache
    if full is not None:
        try:
            fcntl.fcntl(descriptor, full)
        except OSError as error:
            if error.errno not in _NO_SUCH_OPERATION:
                raise
        else:
            return
    os.fsync(descriptor)  # all there is on other systems, and on macOS for a network's file system


def sync_directory(path: Path) -> None:
    """Return when the names in the directory are on the medium; without it a rename may be undone by a power cut.

    Some file systems (SMB, 9p, several in user space) have no such operation: then there is nothing more to be done.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SUCH_OPERATION:
            raise
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``, however many calls that takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_file(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace the file with ``data`` as a whole: after any interruption the old or the new content is there.

    A link is followed; what is no regular file (``/dev/stdout``, a pipe) is written to directly. Raises StateError.
    """
    with mapped(path, "written"):
        target = target_of(path)
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            target.write_bytes(data)
            return
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.", suffix=".tmp")
        try:
            try:
                os.fchmod(descriptor, mode)
                write_all(descriptor, data)
                sync(descriptor)
            finally:
                os.close(descriptor)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        sync_directory(target.parent)


def target_of(path: Path) -> Path:
    """Return what the path leads to over all links. Raises OSError for links that lead nowhere but to each other."""
    try:
        target = path.resolve()
    except RuntimeError as error:  # Python before 3.13
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from error
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return target


def make_directory(path: Path) -> None:
    """Create the directory and those above it where they are missing, all 0700 and durably. Raises StateError."""
    with mapped(path, "created"):
        missing = [path]
        while not missing[-1].exists() and missing[-1].parent != missing[-1]:
            missing.append(missing[-1].parent)
        for part in reversed(missing):
            if not part.is_dir():
                part.mkdir(mode=0o700, exist_ok=True)
                sync_directory(part.parent)
