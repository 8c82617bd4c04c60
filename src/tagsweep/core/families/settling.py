"""Which reading of a tag holds, given all the others: the one place where ambiguous names are decided.

``4409409`` is a hash beside ``sha-`` tags with letters in them and a number elsewhere; ``18`` is a part of ``18.6`` if
there is such a tag. A tag on its own, without a mark, is never taken for a hash.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from tagsweep.core.families.escaping import escaped
from tagsweep.core.families.shapes import ROLLING, Shape, readings
from tagsweep.core.families.wording import begins_branch

_FEW: Final = 2
_LARGEST_MAJOR: Final = 99
_NUMBER_OF_BUILD: Final = 1000
_VERSION_BEFORE: Final = re.compile(r"[vV]?[0-9]+(?:\.[0-9]+)+.*")


def settle(tags: Iterable[str]) -> Mapping[str, Shape]:
    """Return the reading of each tag that fits best with the others."""
    known = {tag: readings(tag) for tag in tags}
    hashes = _Hashes(known)
    dotted = {
        shape.prefix
        for shapes in known.values()
        for shape in shapes
        if shape.kind == "version" and _has_parts(shape.core)
    }
    majors = {
        re.split(r"[.u_+]", shape.core, maxsplit=1)[0]
        for shapes in known.values()
        for shape in shapes
        if shape.kind == "version" and not shape.prefix and _has_parts(shape.core)
    }
    return {tag: _settled(shapes, hashes, dotted, majors) for tag, shapes in known.items()}


def generalised(text: str) -> str:
    """Return the regular expression for texts like this one: its numbers may be any numbers."""
    return "".join(
        part if part == "[0-9]+" else escaped(part)
        for part in re.split(r"(\[0-9\]\+)", re.sub(r"[0-9]+", "[0-9]+", text))
    )


class _Hashes:
    """How many tags of one prefix, or of one length, are certainly hashes: they have both digits and letters."""

    def __init__(self, known: Mapping[str, tuple[Shape, ...]]) -> None:
        self._mixed: Counter[tuple[str, int]] = Counter()
        self._plain: Counter[tuple[str, int]] = Counter()
        self._lengths: Counter[int] = Counter()
        for shape in (shape for shapes in known.values() for shape in shapes if shape.kind == "hash"):
            key = (generalised(shape.prefix), len(shape.core))
            (self._plain if shape.early else self._mixed)[key] += 1
            self._lengths[len(shape.core)] += not shape.early

    def hold(self, shape: Shape) -> bool:
        """Tell whether the others make it certain that this is a hash."""
        if shape.sure:
            return True
        key = (generalised(shape.prefix), len(shape.core))
        if shape.early:  # digits only: about one in twenty-seven of seven is so
            return self._mixed[key] >= _FEW and self._plain[key] <= self._mixed[key]
        return self._mixed[key] >= _FEW or self._lengths[len(shape.core)] > _FEW


def _settled(shapes: tuple[Shape, ...], hashes: _Hashes, dotted: set[str], majors: set[str]) -> Shape:
    for shape in shapes:
        if _holds(shape, hashes, dotted, majors):
            return shape
    return shapes[-1]


def _holds(shape: Shape, hashes: _Hashes, dotted: set[str], majors: set[str]) -> bool:
    match shape.kind:
        case "hash":
            return hashes.hold(shape)
        case "date":
            return _VERSION_BEFORE.fullmatch(shape.prefix) is None
        case "build":
            return (
                bool(shape.prefix) or not majors or (shape.core not in majors and int(shape.core) >= _NUMBER_OF_BUILD)
            )
        case "version":
            return _is_version(shape, dotted)
        case _:
            return True


def _is_version(shape: Shape, dotted: set[str]) -> bool:
    if shape.prefix and begins_branch(shape.prefix):
        return False
    if _has_parts(shape.core) or shape.v:
        return True
    if shape.prefix:
        return shape.prefix in dotted
    return "" in dotted or int(shape.core) <= _LARGEST_MAJOR


def _has_parts(core: str) -> bool:
    return not core.isdigit()


def rolls(prefix: str) -> bool:
    """Tell whether a prefix names a line that always moves, such as ``nightly-``."""
    return any(word in ROLLING for word in re.split(r"[-_.]", prefix.lower()))
