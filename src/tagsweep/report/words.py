"""Text for people: tags cut so that they can still be told apart, lists with an end, lines that wrap, safe characters.

Nothing that a registry, a cluster or a file said reaches a terminal before :func:`clean` has seen it: an escape
sequence in a pod's name must not move somebody's cursor.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Final

from tagsweep.report.units import count

ELLIPSIS: Final = "…"
_LONG_HEX: Final = re.compile(r"[0-9a-f]{20,}")
_HASH: Final = re.compile(r"([0-9a-f]{12})[0-9a-f]{20,}")
_HEX_SHOWN: Final = 7
_PIECE: Final = re.compile(r" +|[^ ]+")
_ASCII: Final = str.maketrans(
    {
        ELLIPSIS: "...",
        "\N{MIDDLE DOT}": "-",
        "\N{RIGHTWARDS ARROW}": "->",
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
        "\N{LEFT DOUBLE QUOTATION MARK}": '"',
        "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
        "\N{LEFT SINGLE QUOTATION MARK}": "'",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    }
)


def clean(text: str) -> str:
    """Return ``text`` on one line without anything that a terminal could act on or that reorders what is read."""
    if text.isprintable():
        return text
    return "".join(ch if ch.isprintable() else " " if ch.isspace() else "\N{REPLACEMENT CHARACTER}" for ch in text)


def clean_lines(text: str) -> str:
    """Return ``text`` with each of its lines cleaned, for messages that are written as they are."""
    return "\n".join(clean(line) for line in text.split("\n"))


def to_ascii(text: str) -> str:
    """Return ``text`` for an output that knows ASCII only; what has no ASCII form becomes ``?``."""
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")


def columns(text: str) -> int:
    """Return how many columns a terminal needs for ``text``: two for a wide character, none for a combining one."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(ch) else 1 + (unicodedata.east_asian_width(ch) in "WF") for ch in text)


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Return ``text`` with as many spaces after it (before it, with ``right``) as make it ``width`` columns wide."""
    space = " " * max(width - columns(text), 0)
    return space + text if right else text + space


def shorten(text: str, width: int) -> str:
    """Return ``text`` in at most ``width`` columns; what is cut out of the middle becomes an ellipsis.

    The end is kept as well as the beginning, because long tags differ at either end.
    """
    if columns(text) <= width:
        return text
    if width <= 1:
        return ELLIPSIS[: max(width, 0)]
    tail = (width - 1) // 3
    return f"{_first(text, width - 1 - tail)}{ELLIPSIS}{_first(text[::-1], tail)[::-1]}"


def _first(text: str, width: int) -> str:
    """Return the longest beginning of ``text`` that has at most ``width`` columns."""
    if text.isascii():
        return text[:width]
    used = 0
    for number, ch in enumerate(text):
        used += columns(ch)
        if used > width:
            return text[:number]
    return text


def short_tag(tag: str, *, width: int = 32, shown: int = _HEX_SHOWN) -> str:
    """Return a tag short enough for a table: a long hex run to ``shown`` digits (``sha-12c9d60…``), then the middle."""
    match = _LONG_HEX.search(tag)
    if match is not None and match.end() - match.start() > shown:
        tag = f"{tag[: match.start() + shown]}{ELLIPSIS}{tag[match.end() :]}"
    return shorten(tag, width)


def short_tags(tags: Sequence[str], *, width: int = 32) -> tuple[str, ...]:
    """Return the short form of each tag; forms that would be equal for different tags are lengthened until they differ.

    Two commits may share their first seven digits, and a list that shows the same text twice helps nobody.
    """
    short = {tag: short_tag(tag, width=width) for tag in tags}
    shown = _HEX_SHOWN
    while clashing := _clashing(short):
        shown += 4
        width += 8
        for tag in clashing:
            short[tag] = short_tag(tag, width=width, shown=shown) if shown < len(tag) else tag
    return tuple(short[tag] for tag in tags)


def _clashing(short: dict[str, str]) -> list[str]:
    seen = Counter(short.values())
    return [tag for tag, form in short.items() if seen[form] > 1 and form != tag]


def short_hashes(text: str) -> str:
    """Return ``text`` with each digest and commit in it cut to twelve digits, which is enough to recognise one."""
    return _HASH.sub(rf"\1{ELLIPSIS}", text)


def listed(items: Sequence[str], *, most: int = 3, total: int | None = None) -> str:
    """Return the first items and how many more there are: ``a, b, c and 69 more``.

    ``total`` is how many there are in all, where ``items`` are only some of them.
    """
    whole = len(items) if total is None else max(total, len(items))
    if whole == len(items) <= most + 1:  # "and 1 more" is longer than the item
        return " and ".join(part for part in (", ".join(items[:-1]), *items[-1:]) if part)
    shown = items[:most]
    return f"{', '.join(shown)} and {count(whole - len(shown))} more"


def sampled(tags: Sequence[str], *, most: int = 3, total: int | None = None) -> str:
    """Return a few of the tags in their short form, and how many more there are."""
    shown = short_tags(tags[: most + 1])
    return listed(shown, most=most, total=len(tags) if total is None else total)


def quoted(name: str) -> str:
    """Return a name that a person chose, in quotation marks."""
    return f"“{name}”"


def wrap(text: str, width: int) -> list[str]:
    """Return ``text`` in lines of at most ``width`` columns; a longer word keeps its own line whole."""
    lines: list[str] = []
    line, used = "", 0
    for piece in _PIECE.findall(text):
        size = columns(piece)
        if line.strip() and piece.strip() and used + size > width:
            lines.append(line.rstrip())
            line, used = "", 0
        if line or piece.strip() or not lines:
            line, used = line + piece, used + size
    return [*lines, line.rstrip()] if line.strip() or not lines else lines
