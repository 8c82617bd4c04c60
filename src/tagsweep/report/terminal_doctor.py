"""The page of ``tagsweep doctor``: what works, what does not, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import assert_never

from tagsweep.report.canvas import PLAIN, Page, Screen, Span, Style
from tagsweep.report.doctor import DoctorRow, Health
from tagsweep.report.units import count, plural
from tagsweep.report.words import padded

_SUBJECT = 16


def doctor(rows: Sequence[DoctorRow], *, screen: Screen = PLAIN) -> str:
    """Return the findings by place, each with its remedy, and how many there are of each kind."""
    page = Page(screen)
    for place, found in groupby(rows, lambda row: row.place):
        page.gap()
        page.line(Span(place, Style.TITLE))
        for row in found:
            subject = f"{padded(row.subject, _SUBJECT)} "
            page.hanging(("  ", Span(f"{row.health.value:<4}", _look(row.health)), f"  {subject}"), row.what)
            if row.remedy:
                page.hanging(("        ",), f"→ {row.remedy}", style=Style.DIM)
    page.gap()
    page.line(_total(rows))
    return page.text()


def _look(health: Health) -> Style:
    match health:
        case Health.OK:
            return Style.GOOD
        case Health.WARN:
            return Style.WARN
        case Health.FAIL:
            return Style.BAD
        case _:
            assert_never(health)


def _total(rows: Sequence[DoctorRow]) -> str:
    if not rows:
        return "There was nothing to look at."
    failed = sum(row.health is Health.FAIL for row in rows)
    warned = sum(row.health is Health.WARN for row in rows)
    if not failed and not warned:
        return f"{plural(len(rows), 'check')}: all is well."
    return f"{plural(len(rows), 'check')}: {count(failed)} failed, {plural(warned, 'warning')}."
