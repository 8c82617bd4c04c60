"""Dates and timestamps in tags: the expression for those that are written in the same ways."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from tagsweep.core.families.escaping import escaped
from tagsweep.core.families.shapes import Shape

_SECONDS: Final = "0" * 10


def date_expression(shapes: Sequence[Shape]) -> str:
    """Return the expression for the dates of these shapes, whose ``gap`` is the layout with a zero for each digit."""
    layouts = sorted({shape.gap.rstrip(".") for shape in shapes}, key=lambda layout: (-len(layout), layout))
    counted = {shape.gap.endswith(".") for shape in shapes}
    again = {True: r"\.[0-9]{1,3}", False: ""}[counted.pop()] if len(counted) == 1 else r"(?:\.[0-9]{1,3})?"
    texts = [_layout(layout) for layout in layouts]
    return (texts[0] if len(texts) == 1 else f"(?:{'|'.join(texts)})") + again


def _layout(layout: str) -> str:
    if layout == _SECONDS:
        return "1[0-9]{9}"
    parts = re.findall(r"0+|[^0]+", layout)
    return "".join(_part(part, first=number == 0) for number, part in enumerate(parts))


def _part(part: str, *, first: bool) -> str:
    if part[0] != "0":
        return escaped(part)
    # The year comes first, and no tag is from another millennium.
    return f"20[0-9]{{{len(part) - 2}}}" if first else f"[0-9]{{{len(part)}}}"
