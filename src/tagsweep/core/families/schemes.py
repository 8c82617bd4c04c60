"""By which rules the versions of a family are compared: SemVer, CalVer or PEP 440, or none that is known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from tagsweep.core.families.exact import calver_formats
from tagsweep.core.families.shapes import Shape

_SEMVER: Final = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*)){2}")
_PEP440_ONLY: Final = re.compile(r"\.?(?:a|b|rc|dev|post)[0-9]+")


def scheme_of(shapes: Sequence[Shape]) -> str:
    """Return ``calver``, ``semver``, ``pep440`` or nothing."""
    cores = [shape.core for shape in shapes]
    if calver_formats(cores):
        return "calver"
    if any(".post" in core for core in cores) or any(_PEP440_ONLY.fullmatch(shape.early) for shape in shapes):
        return "pep440"
    return "semver" if all(_SEMVER.fullmatch(core) for core in cores) else ""
