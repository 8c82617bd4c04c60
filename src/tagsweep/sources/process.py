"""Running a program with a limit on its time and on what it prints, and ending all that it started."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import IO, Final

_CHUNK: Final = 64 * 1024
_KEPT_ERRORS: Final = 16 * 1024


class Ending(Enum):
    """How a program came to its end."""

    EXITED = "exited"
    TIMED_OUT = "timed out"
    TOO_LARGE = "too large"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a program printed, and how it ended; ``code`` is negative for a signal. ``errors`` is the end of stderr."""

    ending: Ending
    code: int
    output: bytes
    errors: bytes


def run_program(
    command: Sequence[str],
    *,
    directory: str,
    seconds: float,
    most: int,
    environment: Mapping[str, str] | None = None,
) -> Result:
    """Run ``command`` in ``directory`` without a shell, with an empty stdin, and return what came of it.

    After ``seconds``, or ``most`` bytes of output, it is killed with everything that it started and that did not leave
    its process group. Raises OSError where it cannot be started.
    """
    process = subprocess.Popen(  # noqa: S603 - the program is the one that the policy names, and no shell reads it
        list(command),
        cwd=directory,
        env=None if environment is None else dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        return _watch(process, deadline=time.monotonic() + seconds, most=most)
    finally:
        if process.poll() is None:
            _kill_group(process)
            process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _watch(process: subprocess.Popen[bytes], *, deadline: float, most: int) -> Result:
    output, errors = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        for pipe, kept in ((process.stdout, output), (process.stderr, errors)):
            if pipe is not None:
                selector.register(pipe, selectors.EVENT_READ, kept)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                return _broken_off(process, Ending.TIMED_OUT, output, errors)
            for key, _ in selector.select(left):
                if not _take(key.fileobj, key.data):  # type: ignore[arg-type]  # what was registered is a pipe
                    selector.unregister(key.fileobj)
            if len(output) > most:
                return _broken_off(process, Ending.TOO_LARGE, output, errors)
            del errors[:-_KEPT_ERRORS]
    try:
        code = process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return _broken_off(process, Ending.TIMED_OUT, output, errors)
    return Result(ending=Ending.EXITED, code=code, output=bytes(output), errors=bytes(errors))


def _take(pipe: IO[bytes], kept: bytearray) -> bool:
    data = os.read(pipe.fileno(), _CHUNK)
    kept += data
    return bool(data)


def _broken_off(process: subprocess.Popen[bytes], ending: Ending, output: bytearray, errors: bytearray) -> Result:
    _kill_group(process)
    code = process.wait()
    return Result(ending=ending, code=code, output=bytes(output), errors=bytes(errors))


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    # The program leads a group of its own, whose number stays its own until the last of the group has ended.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
