"""The page of ``tagsweep usage``: what is in use and where, what is not certain, and who was asked."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from tagsweep.core.open_references import Standing
from tagsweep.model.decision import UnresolvedReference
from tagsweep.model.reference import Reference
from tagsweep.model.usage import Usage
from tagsweep.report.canvas import PLAIN, Page, Piece, Screen, Span, Style
from tagsweep.report.evidence import NOT_REQUIRED, WAIVED
from tagsweep.report.reasons import open_remedy, remedy
from tagsweep.report.terminal_evidence import source_answers
from tagsweep.report.units import count, day, plural
from tagsweep.report.usage import UsageView, Used
from tagsweep.report.words import columns, listed, padded

_LABEL = 12
_MOST_PLACES = 5
_MOST_REFERENCES = 200
_MOST_PROBLEMS = 10
_NOW = "now"
_SEEN = "seen 2026-11-17"


def usage(view: UsageView, *, screen: Screen = PLAIN) -> str:
    """Return what is in use. A reference in thousands of places and thousands of references are cut; it says so."""
    page = Page(screen)
    page.paragraph(_title(view), style=Style.TITLE)
    _references(page, view)
    _sources(page, view)
    _remedies(page, view)
    return page.text()


def _title(view: UsageView) -> str:
    what = f"{plural(len(view.used), 'reference')} in use in {plural(view.places, 'place')}"
    return what if view.targets is None else f"{what}, of {listed(view.targets)}"


def _references(page: Page, view: UsageView) -> None:
    width = max((columns(place.source) for used in view.used for place in used.places[:_MOST_PLACES]), default=0)
    remembered = any(place.last_seen is not None for used in view.used for place in used.places[:_MOST_PLACES])
    seen = len(_SEEN) if remembered else len(_NOW)
    for repository, members in groupby(view.used[:_MOST_REFERENCES], lambda used: used.reference.repository):
        page.gap()
        page.line(Span(str(repository), Style.TITLE))
        for used in members:
            _reference(page, used, width, seen)
    if (more := len(view.used) - _MOST_REFERENCES) > 0:
        page.gap()
        page.line(f"and {plural(more, 'more reference')} (--json lists all)")


def _reference(page: Page, used: Used, width: int, seen: int) -> None:
    broken = used.exists is False
    page.hanging(
        ("  ", Span(_name(used.reference), Style.BAD if broken else Style.PLAIN), "  " if broken else ""),
        "names nothing: the registry has no such tag or digest" if broken else "",
        style=Style.BAD,
    )
    for place in used.places[:_MOST_PLACES]:
        when = Span(padded(_when(place), seen), Style.WARN if place.last_seen is not None else Style.DIM)
        note = f" ({place.note})" if place.note else ""
        page.hanging(("    ", when, "  ", padded(place.source, width), "  "), f"{place.where}{note}")
    if (more := len(used.places) - _MOST_PLACES) > 0:
        page.line(f"and {plural(more, 'more place')} (--json lists all)", indent=4)


def _name(reference: Reference) -> str:
    tag = reference.tag if reference.tag is not None else ""
    return tag + (f"@{reference.digest.short}" if reference.digest is not None else "")


def _when(place: Usage) -> str:
    return _NOW if place.last_seen is None else f"seen {day(place.last_seen)}"


def _sources(page: Page, view: UsageView) -> None:
    page.gap()
    label: Piece = Span("sources".ljust(_LABEL), Style.TITLE)
    if view.asked.waived:
        page.hanging((label,), NOT_REQUIRED if view.answers else WAIVED, style=Style.WARN)
        label = " " * _LABEL
    elif not view.answers:
        page.hanging((label,), "the policy has none", style=Style.WARN)
    source_answers(
        page,
        view.answers,
        label=label,
        now=view.now,
        asked=view.asked,
        sources=view.sources,
        where="in all" if view.targets is None else "in the targets",
    )
    for problem in view.unchecked[:_MOST_PROBLEMS]:
        page.hanging((" " * _LABEL, Span("  unchecked       ", Style.WARN)), problem)
    if (more := len(view.unchecked) - _MOST_PROBLEMS) > 0:
        page.line(f"and {count(more)} more that were not checked (--json lists all)", indent=_LABEL + 2)


def _remedies(page: Page, view: UsageView) -> None:
    words = list(dict.fromkeys(_words(view)))
    if words:
        page.gap()
    for line in words:
        page.hanging((Span("→ ", Style.WARN),), line)


def _words(view: UsageView) -> Iterator[str]:
    for reason in view.missing:
        yield f"{remedy(reason)}; until then nothing that depends on it is removed"
    first = next((each.entry for each in view.opened if each.standing is Standing.UNDECIDED), None)
    if first is not None:
        example = UnresolvedReference(source=first.source, where=first.where, text=first.text, path=first.path)
        yield f"Every tag that an unresolved reference could mean stays: {open_remedy(example)}"
