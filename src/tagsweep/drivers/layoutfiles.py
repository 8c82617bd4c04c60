"""The files of one OCI image layout: index.json and blobs, read with their digests checked, replaced by rename."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tagsweep.model.errors import Conflict, InvalidReference, PermissionDenied, ProtocolViolation, ServerFailed
from tagsweep.model.reference import Digest

if TYPE_CHECKING:
    from tagsweep.ports import Clock

_PATIENCE: Final = 10.0
"""Seconds to wait for another process that changes the same layout."""
_PAUSE: Final = 0.05
_BUSY: Final = (errno.EAGAIN, errno.EACCES)


@dataclass(frozen=True, slots=True)
class LayoutFiles:
    """One layout on disk; ``directory`` contains ``oci-layout``, ``index.json`` and ``blobs``."""

    directory: Path

    @property
    def exists(self) -> bool:
        """Whether the directory is a layout."""
        return (self.directory / "oci-layout").is_file()

    @property
    def writable(self) -> bool:
        """Whether index.json can be replaced and blobs can be removed by this user."""
        places = (self.directory, *(path for path in (self.directory / "blobs").glob("*") if path.is_dir()))
        return all(os.access(place, os.W_OK | os.X_OK) for place in places)

    def path(self, digest: Digest) -> Path:
        """Return where the blob with this digest lies."""
        return self.directory / "blobs" / digest.algorithm / digest.hex

    def index(self) -> dict[str, Any]:
        """Return index.json; its ``manifests`` are objects with a digest, everything else is left as it is."""
        place = self.directory / "index.json"
        with _told(place):
            data = place.read_bytes()
        try:
            document = json.loads(data)
            # Adding to a list refuses everything that is none, such as an empty object, which would read as "no tags".
            for entry in [] + document["manifests"]:
                Digest.parse(entry["digest"])
        except (ValueError, TypeError, KeyError, AttributeError, InvalidReference) as error:
            raise ProtocolViolation(
                f"{place} is not the index of an OCI image layout ({error})", remedy="repair it or take it from a copy"
            ) from error
        found: dict[str, Any] = document
        return found

    def replace_index(self, document: dict[str, Any]) -> None:
        """Put ``document`` in the place of index.json, at once and durably."""
        _replace(self.directory / "index.json", json.dumps(document, separators=(",", ":")).encode())

    def read(self, digest: Digest, *, max_bytes: int) -> bytes | None:
        """Return the blob, checked against its digest, or None if there is no such file."""
        place = self.path(digest)
        with _told(place):
            try:
                with place.open("rb") as stream:
                    data = stream.read(max_bytes + 1)
            except FileNotFoundError:
                return None
        if len(data) > max_bytes:
            raise ProtocolViolation(f"{place} is larger than the {max_bytes} bytes that were expected")
        _check(place, digest, data)
        return data

    def bytes_in(self, place: Path) -> bytes:
        """Return the bytes of a blob's file that :meth:`json_files` found."""
        with _told(place):
            return place.read_bytes()

    def json_files(self, *, max_bytes: int) -> Iterator[Path]:
        """Yield the blobs that may be JSON objects: small enough, and beginning with a brace."""
        with _told(self.directory):
            for place in (self.directory / "blobs").glob("*/*"):
                if place.name.startswith(".") or place.stat().st_size > max_bytes:
                    continue  # a file that is just being written, or a layer
                with place.open("rb") as stream:
                    if stream.read(1) == b"{":
                        yield place

    def store(self, digest: Digest, data: bytes) -> None:
        """Write a blob, at once and durably; ProtocolViolation if the digest is not that of its bytes."""
        _check(self.path(digest), digest, data)
        with _told(self.path(digest)):
            self.path(digest).parent.mkdir(parents=True, exist_ok=True)
        _replace(self.path(digest), data)

    def remove(self, digest: Digest) -> None:
        """Remove a blob's file, if it is there."""
        with _told(self.path(digest)):
            self.path(digest).unlink(missing_ok=True)

    @contextlib.contextmanager
    def locked(self, clock: Clock) -> Iterator[None]:
        """Hold the lock on the directory, against other threads and other processes that ask for it."""
        with _told(self.directory):
            handle = os.open(self.directory, os.O_RDONLY)
        try:
            self._lock(handle, clock)
            yield
        finally:
            os.close(handle)  # closing gives the lock back

    def _lock(self, handle: int, clock: Clock) -> None:
        patience = clock.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in _BUSY:
                    raise ServerFailed(f"{self.directory} cannot be locked: {error.strerror}") from error
            else:
                return
            if clock.monotonic() >= patience:
                raise Conflict(
                    f"{self.directory} is being changed by another process", remedy="try again when it has ended"
                )
            clock.sleep(_PAUSE)


def _check(place: Path, digest: Digest, data: bytes) -> None:
    if digest.algorithm not in hashlib.algorithms_guaranteed:
        raise ProtocolViolation(f"{place}: the digest algorithm {digest.algorithm} is not known")
    if hashlib.new(digest.algorithm, data).hexdigest() != digest.hex:
        raise ProtocolViolation(
            f"{place}: the bytes do not have the digest that names them", remedy="take them from a good copy"
        )


def _replace(place: Path, data: bytes) -> None:
    """Write to a file beside ``place``, sync it, and rename it: readers see the old bytes or the new ones."""
    with _told(place):
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=".tagsweep-")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            # Who may read the layout stays the owner's decision: a private index.json does not become readable.
            Path(name).chmod(stat.S_IMODE(place.stat().st_mode) if place.exists() else 0o644)
            Path(name).replace(place)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        directory = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


@contextlib.contextmanager
def _told(place: Path) -> Iterator[None]:
    """Say in our own words what the operating system refuses."""
    try:
        yield
    except PermissionError as error:
        raise PermissionDenied(f"{place} may not be used by this user", remedy="check its owner and mode") from error
    except OSError as error:
        raise ServerFailed(f"{place} cannot be used: {error.strerror or error}") from error
