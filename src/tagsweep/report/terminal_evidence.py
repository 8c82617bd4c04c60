"""The answers of the evidence sources on a terminal page: one line each, and below it what needs a look."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tagsweep.model.plan import SourceAnswer
from tagsweep.model.policy import Evidence, SourceSettings
from tagsweep.report.canvas import Page, Piece, Span, Style
from tagsweep.report.evidence import listings, seen
from tagsweep.report.units import count
from tagsweep.report.words import columns, padded

_MOST = 10
_FEW = 3


def source_answers(
    page: Page,
    answers: Sequence[SourceAnswer],
    *,
    label: Piece,
    now: datetime,
    asked: Evidence,
    sources: Sequence[SourceSettings],
    where: str = "in these repositories",
) -> None:
    """Write each source with its answer; ``label`` stands before the first, and the rest is as far to the right."""
    indent = columns(label.text if isinstance(label, Span) else label)
    width = max((columns(answer.source) for answer in answers), default=0)
    for answer in answers:
        state = Span("partial ", Style.WARN) if answer.gaps else Span("complete", Style.GOOD)
        words = seen(answer, now=now, asked=asked, sources=sources, where=where)
        page.hanging((label, padded(answer.source, width), "  ", state, "  "), words)
        label = " " * indent
        _listings(page, answer, indent)


def _listings(page: Page, answer: SourceAnswer, indent: int) -> None:
    for listing in listings(answer):
        items, left = listing.shown(most=_MOST, few=_FEW)
        style = Style.WARN if listing.alarming else Style.DIM
        head = f"  {listing.label:<10} {count(len(listing.items)):>3}  "
        for item in items:
            page.hanging((" " * indent, Span(head, style)), item)
            head = " " * len(head)
        if left:
            page.hanging((" " * indent, head), f"and {count(left)} more (--json lists all)")
