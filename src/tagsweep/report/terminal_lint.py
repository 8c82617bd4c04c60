"""The answer of `tagsweep lint`: a line for each tag, annotations for GitHub, or one JSON document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from tagsweep.core.lint import STANDARD_INPUT, Verdict
from tagsweep.report.canvas import PLAIN, Page, Screen, Span, Style
from tagsweep.report.units import count, plural
from tagsweep.report.words import clean, columns, padded

_MOST_WIDTH = 40
_MOST_GOOD = 100


def lint(verdicts: Sequence[Verdict], *, screen: Screen = PLAIN) -> str:
    """Return a line for each tag with its class or its fault, and the counts; of many good ones only the counts."""
    page = Page(screen)
    # One long tag must not push the words of all to the edge: it gets a line of its own, and its words one below.
    tags = [clean(verdict.candidate.tag) for verdict in verdicts]
    width = max((columns(tag) for tag in tags if columns(tag) <= _MOST_WIDTH), default=0)
    good = sum(verdict.fault is None for verdict in verdicts)
    for verdict, tag in zip(verdicts, tags, strict=True):
        if verdict.fault is None and good > _MOST_GOOD:
            continue
        bad = verdict.fault is not None
        mark = Span("error ", Style.BAD) if bad else Span("ok    ", Style.GOOD)
        words = fault_words(verdict) if bad else kind_words(verdict)
        if columns(tag) > _MOST_WIDTH:
            page.line(mark, tag)
            page.paragraph(words, indent=8)
        else:
            page.hanging((mark, f"{padded(tag, width)}  "), words)
    if good > _MOST_GOOD:
        page.line(Span("ok    ", Style.GOOD), f"{count(good)} tags (--format json lists them)")
    page.gap()
    page.paragraph(_total(verdicts))
    return page.text()


def github(verdicts: Iterable[Verdict]) -> str:
    """Return the workflow commands that annotate each fault at its place."""
    lines = []
    for verdict in verdicts:
        if verdict.fault is not None:
            candidate = verdict.candidate
            in_file = candidate.line and candidate.where != STANDARD_INPUT
            place = f"file={_property(candidate.where)}," if in_file else ""
            line = f"line={candidate.line}," if in_file else ""
            text = f"{candidate.tag}: {fault_words(verdict)}"
            lines.append(f"::error {place}{line}title=tagsweep lint::{_data(text)}\n")
    return "".join(lines)


def lint_document(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return the JSON document with every tag."""
    return {
        "schema": "tagsweep/lint",
        "version": 1,
        "faults": sum(verdict.fault is not None for verdict in verdicts),
        "tags": [
            {
                "tag": verdict.candidate.tag,
                "where": verdict.candidate.where,
                "line": verdict.candidate.line or None,
                "class": verdict.naming_class or None,
                "temporary": bool(verdict.rules),
                "rules": list(verdict.rules),
                "fault": verdict.fault.name.lower() if verdict.fault is not None else None,
                "why": fault_words(verdict) if verdict.fault is not None else "",
                "better": verdict.better or None,
                "example": verdict.example or None,
            }
            for verdict in verdicts
        ],
    }


def kind_words(verdict: Verdict) -> str:
    """Return the class of a good tag, and whether it is temporary."""
    kind = f"temporary: rule {verdict.rules[0]!r} may remove it" if verdict.rules else "stays"
    return f"{verdict.naming_class}, {kind}"


def fault_words(verdict: Verdict) -> str:
    """Return what is wrong with a tag, and what would be right."""
    assert verdict.fault is not None  # noqa: S101 (asked only for faults)
    place = verdict.candidate.where + (f":{verdict.candidate.line}" if verdict.candidate.line else "")
    words = verdict.fault.value + (f" ({place})" if place else "")
    if verdict.naming_class:
        words += f"; class {verdict.naming_class}"
    if verdict.better:
        words += f"; {verdict.better} would be a tag of {verdict.nearest}"
    elif verdict.nearest and verdict.example:
        words += f"; the nearest class is {verdict.nearest}, with tags such as {verdict.example}"
    elif verdict.nearest and verdict.expression:
        words += f"; the nearest class is {verdict.nearest}, whose tags match {verdict.expression}"
    return words


def _total(verdicts: Sequence[Verdict]) -> str:
    if not verdicts:
        return "There was no tag to check."
    faults = sum(verdict.fault is not None for verdict in verdicts)
    temporary = sum(bool(verdict.rules) for verdict in verdicts)
    classes = Counter(verdict.naming_class for verdict in verdicts if verdict.naming_class)
    listed = ", ".join(f"{name} {count(number)}" for name, number in sorted(classes.items()))
    words = f"{plural(len(verdicts), 'tag')}: {count(faults)} against the policy, {count(temporary)} temporary"
    return f"{words} ({listed})" if listed else words


def _data(text: str) -> str:
    # GitHub's own escapes: a line break would begin another command.
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
