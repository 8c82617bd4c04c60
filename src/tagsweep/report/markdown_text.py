"""Text inside Markdown: escaped prose, code spans, tables. What others wrote must not become markup or a mention."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from tagsweep.report.words import clean

_SPECIAL: Final = re.compile(r"[\\`*_\[\]<>|~#&]")
_MENTION: Final = re.compile(r"(?<![A-Za-z0-9_])@(?=\w)")
_NUMBER: Final = re.compile(r"(\\#|\bGH-)(?=\d)", re.IGNORECASE)


def escape(text: str) -> str:
    """Return prose in which nothing is markup.

    An ``@name`` is broken by a comment, so that it notifies nobody, and so is the number of an issue (``#12``).
    """
    escaped = _SPECIAL.sub(r"\\\g<0>", clean(text))
    return _NUMBER.sub(r"\g<0><!-- -->", _MENTION.sub("@<!-- -->", escaped))


def code(text: str) -> str:
    """Return a code span, fenced by more backticks than the text has in a row; one space for an empty text."""
    cleaned = clean(text) or " "
    longest = max((len(run) for run in re.findall(r"`+", cleaned)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if cleaned.startswith("`") or cleaned.endswith("`") else ""
    return f"{fence}{pad}{cleaned}{pad}{fence}"


def cell(text: str) -> str:
    """Return a code span for a table, where a bar would end the cell even inside of code."""
    return code(text).replace("|", r"\|")


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, right: frozenset[int] = frozenset()) -> list[str]:
    """Return the lines of a table; ``right`` are the numbers of the columns that hold numbers."""
    rule = ["---:" if n in right else "---" for n in range(len(headings))]
    return [f"| {' | '.join(row)} |" for row in (headings, rule, *rows)]
