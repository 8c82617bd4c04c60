"""The drawing kit of the terminal pages: Screen, Style, Page. Lines are plain text first and coloured last.

Layout never depends on colour, so a CI log and a terminal show the same lines; no line ends in a space.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

from tagsweep.report.words import clean, columns, padded, shorten, to_ascii, wrap

_NARROWEST: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """Where a page will be shown: its width in columns, and whether it shows colour and more than ASCII."""

    width: int = 80
    color: bool = False
    unicode: bool = True


PLAIN: Final = Screen()
"""80 columns without colour: what a CI log shows."""


class Style(Enum):
    """What a piece of text is; the value is its look in rich's words."""

    PLAIN = ""
    TITLE = "bold"
    DIM = "dim"
    GOOD = "green"
    WARN = "yellow"
    BAD = "bold red"
    COMMAND = "cyan"


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of one line."""

    text: str
    style: Style = Style.PLAIN


Piece: TypeAlias = Span | str


class Align(Enum):
    """Which edge of its column a cell touches."""

    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table. ``wraps``: the text takes what is left of the width, on as many lines as it needs.

    Others are as wide as their widest cell, at most ``most``.
    """

    heading: str = ""
    align: Align = Align.LEFT
    most: int = 40
    wraps: bool = False


@dataclass(slots=True)
class Page:
    """Lines that are being written for a screen; :meth:`text` returns them all."""

    screen: Screen
    _lines: list[tuple[Span, ...]] = field(default_factory=list)

    def line(self, *pieces: Piece, indent: int = 0) -> None:
        """Write one line as it is, however long; for commands, which must stay whole to be copied."""
        self._lines.append((Span(" " * indent), *(self._span(piece) for piece in pieces)))

    def gap(self) -> None:
        """Leave one empty line, unless there is one already or nothing stands above it."""
        if self._lines and any(span.text.strip() for span in self._lines[-1]):
            self._lines.append(())

    def paragraph(self, text: str, *, style: Style = Style.PLAIN, indent: int = 0) -> None:
        """Write text in as many lines as it needs."""
        self.hanging((), text, style=style, indent=indent)

    def hanging(self, lead: Sequence[Piece], text: str, *, style: Style = Style.PLAIN, indent: int = 0) -> None:
        """Write ``lead`` and after it the text, whose further lines begin below its first one."""
        spans = tuple(self._span(piece) for piece in lead)
        column = indent + sum(columns(span.text) for span in spans)
        cleaned = self._span(text).text
        if self.screen.width - column < _NARROWEST and spans:
            self.line(*spans, indent=indent)
            spans, column, indent = (), indent + 2, indent + 2
        for number, part in enumerate(wrap(cleaned, self.screen.width - column)):
            begin = (Span(" " * indent), *spans) if number == 0 else (Span(" " * column),)
            self._lines.append((*begin, Span(part, style)))

    def table(self, heads: Sequence[Column], rows: Iterable[Sequence[Piece]], *, indent: int = 2) -> None:
        """Write rows of cells under headings (none are written where all are empty). At most the last column wraps."""
        cells = [tuple(self._span(cell) for cell in row) for row in rows]
        head = tuple(Span(column.heading, Style.DIM) for column in heads)
        if any(column.heading for column in heads):
            cells.insert(0, head)
        widths = [
            min(column.most, max((columns(row[n].text) for row in cells), default=0)) for n, column in enumerate(heads)
        ]
        for row in cells:
            self._row(heads, widths, row, indent)

    def _row(self, heads: Sequence[Column], widths: Sequence[int], row: Sequence[Span], indent: int) -> None:
        lead: list[Piece] = []
        for column, width, cell in zip(heads, widths, row, strict=True):
            if column.wraps:
                used = indent + sum(columns(span.text if isinstance(span, Span) else span) for span in lead)
                room = self.screen.width - used
                if room < _NARROWEST:  # it will stand below the others, where there is more room
                    room = max(self.screen.width - indent - 2, _NARROWEST)
                text = " ".join(self._fitted(word, room) for word in cell.text.split(" "))
                self.hanging(lead, text, style=cell.style, indent=indent)
                return
            text = self._fitted(cell.text, width)
            lead += [Span(padded(text, width, right=column.align is Align.RIGHT), cell.style), "  "]
        self.line(*lead, indent=indent)

    def text(self) -> str:
        """Return everything that was written, each line ended by a newline."""
        return "".join(f"{self._rendered(line)}\n" for line in self._lines)

    def _span(self, piece: Piece) -> Span:
        span = Span(piece) if isinstance(piece, str) else piece
        text = clean(span.text)
        return Span(text if self.screen.unicode else to_ascii(text), span.style)

    def _fitted(self, text: str, width: int) -> str:
        if self.screen.unicode or columns(text) <= width:
            return shorten(text, width)
        return to_ascii(shorten(text, width - 2))  # the ellipsis becomes three characters

    def _rendered(self, line: tuple[Span, ...]) -> str:
        kept = _without_trailing_space(line)
        if not self.screen.color:
            return "".join(span.text for span in kept)
        return "".join(_colored(span) for span in kept)


def _without_trailing_space(line: tuple[Span, ...]) -> tuple[Span, ...]:
    spans = list(line)
    while spans and not spans[-1].text.rstrip():
        spans.pop()
    if spans:
        spans[-1] = Span(spans[-1].text.rstrip(), spans[-1].style)
    return tuple(spans)


def _colored(span: Span) -> str:
    if span.style is Style.PLAIN or not span.text.strip():
        return span.text
    from rich.color import ColorSystem  # noqa: PLC0415  # rich costs 10 ms, and plain output does without it
    from rich.style import Style as Look  # noqa: PLC0415  # rich, only where it is needed

    return Look.parse(span.style.value).render(span.text, color_system=ColorSystem.STANDARD)
