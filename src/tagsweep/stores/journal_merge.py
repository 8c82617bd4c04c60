"""Two journals of one run as one: what either runner wrote down is kept."""

from __future__ import annotations

from tagsweep.model.errors import StateError


def merge_journals(one: bytes, other: bytes, *, name: str) -> bytes:
    """Return a journal with every line of both; lines that were cut off are left out unless they are the only end.

    They begin alike, because a run that is taken up goes on with the journal that it finds. Where one is the beginning
    of the other, the longer is returned as it is. Raises StateError, naming ``name``, where they are of two runs.
    """
    if one.startswith(other) or other.startswith(one):
        return max(one, other, key=len)
    mine, theirs = _whole_lines(one), _whole_lines(other)
    if not mine or not theirs:
        return max(one, other, key=lambda data: (len(_whole_lines(data)), data))
    if mine[0] != theirs[0]:
        raise StateError(
            f"{name}: the journals of two runners do not begin alike",
            remedy="one of them was changed; keep both files, and look at the registry with tagsweep verify",
        )
    first, second = sorted((mine, theirs))
    known = set(first)
    return b"".join([*first, *(line for line in second if line not in known)])


def _whole_lines(data: bytes) -> list[bytes]:
    return [line for line in data.splitlines(keepends=True) if line.endswith(b"\n")]
