"""Reading git's objects by their ids through one ``git cat-file --batch``, each with bounded memory."""

from __future__ import annotations

import contextlib
import re
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final, Self

from tagsweep.sources.repository.program import Git, kill

_HEADER: Final = re.compile(rb"[0-9a-f]{40,64} ([a-z]+) ([0-9]+)\n")
_CHUNK: Final = 1024 * 1024
_MOST_RESTARTS: Final = 100


@dataclass(frozen=True, slots=True)
class Object:
    """An object as read: its type, its size, and the first bytes of it, up to what was asked for."""

    kind: str
    size: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An object that is missing or broken; ``why`` says which."""

    why: str


class Objects:
    """The objects of one repository. ``reads`` counts how many were asked for.

    git ends at a broken object, and so is started anew for the next one; after many of them it is not tried further.
    """

    def __init__(self, git: Git) -> None:
        self.git = git
        self._open: contextlib.ExitStack | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._failures = 0
        self.reads = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, name: str, *, most: int) -> Object | Unreadable:
        """Return the object called ``name`` (an id, or ``ID^{}`` for what a tag is on), the first ``most`` bytes."""
        self.reads += 1
        if self._failures > _MOST_RESTARTS:
            return Unreadable("not tried, because too many objects are broken")
        try:
            process = self._running()
            assert process.stdin is not None  # noqa: S101 - it was started with pipes
            assert process.stdout is not None  # noqa: S101 - likewise: both are pipes
            process.stdin.write(f"{name}\n".encode())
            process.stdin.flush()
            return self._answer(process.stdout, most)
        except (BrokenPipeError, EOFError):
            self._failures += 1
            self.close()
            return Unreadable("broken or missing in the repository")

    def _answer(self, output: IO[bytes], most: int) -> Object | Unreadable:
        line = output.readline()
        header = _HEADER.fullmatch(line)
        if header is None:
            if line.endswith((b" missing\n", b" ambiguous\n")):
                return Unreadable("missing in the repository")
            raise EOFError
        size = int(header[2])
        data = _exactly(output, min(size, most))
        left = size - len(data) + 1  # the line end behind the object
        while left > 0:
            left -= len(_exactly(output, min(left, _CHUNK)))
        return Object(header[1].decode(), size, data)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._open = contextlib.ExitStack()
            self._process = self._open.enter_context(_draining(self.git))
        return self._process

    def close(self) -> None:
        """End the program; the next read starts it again."""
        if self._open is not None:
            self._open.close()
        self._open = self._process = None


@contextlib.contextmanager
def _draining(git: Git) -> Iterator[subprocess.Popen[bytes]]:
    """Run cat-file with its complaints thrown away. It reads what is on this machine, so nothing waits for a server."""
    with git.started("cat-file", "--batch") as process:
        assert process.stderr is not None  # noqa: S101 - it was started with pipes
        drain = threading.Thread(target=_discard, args=(process.stderr,), daemon=True)
        drain.start()
        try:
            yield process
        finally:
            kill(process)
            drain.join()


def _discard(stream: IO[bytes]) -> None:
    while stream.read(_CHUNK):
        pass


def _exactly(output: IO[bytes], count: int) -> bytes:
    data = output.read(count)
    if len(data) < count:
        raise EOFError
    return data
