"""The reports as files, so that a change of what people read is seen in review.

Written anew with ``TAGSWEEP_UPDATE_GOLDENS=1``; look at the difference before committing it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tagsweep.report import changelog, changelog_file, html, json_report, markdown
from tagsweep.report.terminal import Screen
from tests.unit.report import samples
from tests.unit.report.test_json_report import DOCUMENTS
from tests.unit.report.test_terminal import PAGES

GOLDENS = Path(__file__).parent / "report"

SMALL = ("refusal", "error", "explanation", "verification", "restore", "history", "doctor", "usage", "watch")
"""The documents that are short enough to read as a file."""


def _page(name: str) -> Callable[[], str]:
    return lambda: PAGES[name](Screen())


def _document(name: str) -> Callable[[], str]:
    return lambda: json_report.dump(DOCUMENTS[name]())


CASES: dict[str, Callable[[], str]] = {
    **{f"terminal-{name}.txt": _page(name) for name in PAGES},
    **{f"json-{name}.json": _document(name) for name in SMALL},
    "json-hard-plan.json": lambda: json_report.dump(json_report.plan(samples.hard_plan(), path="plan.json")),
    "markdown-plan.md": lambda: markdown.plan(samples.plan()),
    "markdown-hard-plan.md": lambda: markdown.plan(samples.hard_plan()),
    "markdown-sweep.md": lambda: markdown.sweep(samples.report()),
    "markdown-broken-sweep.md": lambda: markdown.sweep(samples.broken_report()),
    "html-sweep.html": lambda: html.sweep(samples.report()),
    "html-broken-sweep.html": lambda: html.sweep(samples.broken_report()),
    "changelog-new.md": lambda: changelog_file.insert("", changelog.entry(samples.report()), run_id=samples.RUN),
    "changelog-broken-entry.md": lambda: changelog.entry(samples.broken_report()),
}


@pytest.mark.parametrize("name", CASES)
def test_a_report_is_as_it_was_reviewed(name: str) -> None:
    """What a person or program reads is the golden file, to the byte."""
    found = CASES[name]().encode()
    file = GOLDENS / name
    if os.environ.get("TAGSWEEP_UPDATE_GOLDENS") == "1":
        file.write_bytes(found)
    assert file.read_bytes() == found


def test_every_golden_has_its_case() -> None:
    """No golden file outlives the case that wrote it."""
    assert {file.name for file in GOLDENS.iterdir()} == set(CASES)
