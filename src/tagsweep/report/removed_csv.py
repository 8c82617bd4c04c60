"""What a sweep removed as CSV (RFC 4180): a line a tag, with its digest, class and the reasons."""

from __future__ import annotations

import csv
import io
from typing import Final

from tagsweep.model.run import SweepReport
from tagsweep.report.reasons import sentence
from tagsweep.report.results import results_of
from tagsweep.report.words import clean

_HEADINGS: Final = ("run", "ended", "repository", "tag", "digest", "class", "reasons")
_FORMULA: Final = ("=", "+", "-", "@")


def removed(report: SweepReport) -> str:
    """Return the removed tags, in the plan's order; only the headings where nothing was removed."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_HEADINGS)
    ended = report.run.ended_at
    at = "" if ended is None else f"{ended:%Y-%m-%dT%H:%M:%SZ}"
    for result in results_of(report):
        for one in result.removed:
            reasons = "; ".join(sentence(reason) for reason in one.reasons)
            row = (report.run.id, at, result.plan.repository, one.tag, one.digest or "", one.naming_class, reasons)
            writer.writerow([_harmless(str(value)) for value in row])
    return text.getvalue()


def _harmless(value: str) -> str:
    """Return the value so that no spreadsheet takes it for a formula."""
    cleaned = clean(value)
    return f"'{cleaned}" if cleaned.startswith(_FORMULA) else cleaned
