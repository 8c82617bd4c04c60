"""Version tags of one prefix: which are whole, which come before a release, and which are parts that move along."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from tagsweep.core.families.family import FamilyKind
from tagsweep.core.families.shapes import ROLLING, Shape
from tagsweep.core.families.wording import words_of

_PART_ENDS = "._+u"


def version_kinds(shapes: Mapping[str, Shape]) -> Mapping[str, FamilyKind]:
    """Return what each version tag of one prefix is; ``shapes`` are those of the whole line.

    ``18`` is a part of ``18.6`` and moves with it. Where most versions with as many parts as ``1.27`` have longer ones
    beside them, ``1.27`` is a part too, although nothing longer is there yet.
    """
    cores = {shape.core for shape in shapes.values() if not shape.early}
    parts = _parts(cores)
    numbered = {_mark(shape.early) for shape in shapes.values() if _numbered(shape.early)}
    return {tag: _kind(shape, parts, numbered) for tag, shape in shapes.items()}


def depth(core: str) -> int:
    """Return of how many numbers the version is made."""
    return len(re.findall(r"[0-9]+", core))


def _parts(cores: set[str]) -> set[str]:
    longer: set[str] = set()
    for core in cores:
        # 8u342-b07 is whole although there is an 8u342-b07.1, and so is 1.2.0 beside 1.2.0.post1.
        numbers = re.split(r"-|\.?post", core, maxsplit=1)[0]
        longer.update(numbers[:at] for at, sign in enumerate(numbers) if sign in _PART_ENDS)
    extended = {core for core in cores if core in longer}
    having = Counter(depth(core) for core in extended)
    total = Counter(depth(core) for core in cores)
    deepest = max(total, default=0)
    usual = {level for level, number in having.items() if level < deepest and 2 * number > total[level]}
    return extended | {core for core in cores if depth(core) in usual}


def _kind(shape: Shape, parts: set[str], numbered: set[str]) -> FamilyKind:
    if _rolls(shape):
        return FamilyKind.FLOATING_VERSION
    if shape.early:
        # 1.27-rc stands for the last of 1.27rc1, 1.27rc2 and so on.
        rolling = not _numbered(shape.early) and _mark(shape.early) in numbered
        return FamilyKind.FLOATING_VERSION if rolling else FamilyKind.PRERELEASE
    if shape.core in parts:
        return FamilyKind.FLOATING_VERSION
    return FamilyKind.PRERELEASE if shape.ahead else FamilyKind.RELEASE


def _rolls(shape: Shape) -> bool:
    """Tell whether the version names what moves before its release: ``8-nightly``, ``1.4.0-SNAPSHOT``."""
    marks = [*words_of(shape.suffix.lower()), *([] if _numbered(shape.early) else [_mark(shape.early)])]
    return any(mark in ROLLING for mark in marks)


def _numbered(early: str) -> bool:
    return any(sign.isdigit() for sign in early)


def _mark(early: str) -> str:
    return "".join(sign for sign in early.lower() if sign.isalpha())
