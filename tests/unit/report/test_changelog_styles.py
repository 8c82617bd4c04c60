"""An entry goes into a changelog of any style as a person would have put it there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tagsweep.model.run import RestoreKind, RestoreOutcome
from tagsweep.model.schedule import Attempt, AttemptResult
from tagsweep.report.changelog import entry, failed_entry, restore_entry
from tagsweep.report.changelog_file import insert
from tests.unit.report import samples

RUN = samples.RUN
ENTRY = entry(samples.report())
TITLE, BODY = ENTRY.split("\n", 1)
"""The heading, which is on level 3, and all below it."""
STARRED = BODY.replace("\n- ", "\n* ").replace("\n  - ", "\n  * ")

kept = {
    "brackets": ("# Changelog\n\n", "## [1.0.0] - 2026-01-01\n\n- A thing.\n"),
    "brackets alone": ("# Changelog\n\n    ## [Unreleased]\n\n", "## [1.0.0]\n"),
    "code in a line": ("# Changelog\n\n``` x ``` is code.\n\n", "## [1.0.0]\n"),
    "fence with a word": ("# C\n\n```\n```python\n## [0.9.0]\n```\n\n", "## [1.0.0]\n"),
    "in words": ("# C\n\nThe format is that of Keep a Changelog.\n\n", "## 1.0.0 (2026-01-01)\n"),
    "dates for versions": ("# C\n\nSee <https://keepachangelog.com>.\n\n", "## 2026-01-01\n"),
}
versions = {
    "underlined": ("Changelog\n=========\n\n", "1.1.0 / 2026-01-01\n-------------------\n\n- A thing.\n"),
    "underlined with ===": ("", "1.1.0 / 2026-01-01\n===================\n\n- A thing.\n"),
    "level 1": ("", "# 1.1.0 (2026-01-01)\n\n## Features\n\n- A thing.\n\n# 1.0.0\n"),
    "level 1 with a link": ("", "# [1.1.0](https://example.com/1.1.0) (2026-01-01)\n\n### Features\n\n- A thing.\n"),
    "level 3": ("# Changelog\n\n", "### 1.1.0\n\n- A thing.\n"),
    "about": ("# Changelog\n\n## About this file\n\nText.\n\n", "## v1.1.0\n\n- A thing.\n"),
    "front matter": ("---\ntitle: Changelog\n---\n\n# Changelog\n\n", "## 1.0.0\n"),
    "rule": ("# Changelog\n\nText.\n\n---\n\n", "## 1.0.0\n"),
    "two lines and a rule": ("# Changelog\n\nText of\n1.0 lines\n---\n\n", "## 1.0.0\n"),
    "towncrier": (
        "# Changelog\n\n<!-- towncrier release notes start -->\n\n",
        "## app 1.0.0 (2026-01-01)\n\n### Fixes\n",
    ),
}


def heading(like: str, text: str) -> str:
    """Return a heading on the level and with the underline of the first one in ``like``."""
    first, second = [*like.splitlines(), ""][:2]
    if second and set(second) <= {"=", "-"}:
        return f"{text}\n{second[0] * len(text)}"
    return f"{first.split()[0]} {text}"


@pytest.mark.parametrize("name", kept)
def test_keep_a_changelog_is_recognised_and_gets_its_section_back(name: str) -> None:
    """A file that says so, or whose versions look so, gets an Unreleased section above the newest version."""
    head, rest = kept[name]
    assert insert(head + rest, ENTRY, run_id=RUN) == f"{head}## [Unreleased]\n\n{ENTRY}\n{rest}"


@pytest.mark.parametrize("name", versions)
def test_among_versions_of_another_style_the_entry_is_a_section_of_its_own(name: str) -> None:
    """It stands above the newest version, with a heading like it; an Unreleased section would stay behind there."""
    head, rest = versions[name]
    title = heading(rest, TITLE.removeprefix("### "))
    assert insert(head + rest, ENTRY, run_id=RUN) == f"{head}{title}\n{BODY}\n{rest}"


@pytest.mark.parametrize("name", versions)
def test_the_next_entry_stands_above_the_one_before(name: str) -> None:
    """Newest first, as the versions are, and both outside of any version."""
    head, rest = versions[name]
    once = insert(head + rest, ENTRY, run_id=RUN)
    later = ENTRY.replace(RUN, "later").replace("2026-11-24", "2027-01-01")
    text = insert(once, later, run_id="later")
    assert text.startswith(head + heading(rest, "Registry sweep 2027-01-01"))
    assert text.endswith(once.removeprefix(head))


def test_a_file_of_towncrier_without_a_release_keeps_its_marker_first() -> None:
    """The entry stands below the marker, where towncrier would put its news above it."""
    head = "# Changelog\n\n<!-- towncrier release notes start -->\n"
    assert insert(head, ENTRY, run_id=RUN) == f"{head}\n## Registry sweep 2026-11-24\n{BODY}"


@pytest.mark.parametrize("mark", ["#", "##", "###"])
def test_among_dates_the_entry_stands_in_the_section_of_its_day(mark: str) -> None:
    """The day gets a section above the others, or has one already; the heading is one level below."""
    head, rest = "", f"{mark} 2026-11-01\n\n* A thing.\n"
    text = insert(head + rest, ENTRY, run_id=RUN)
    assert text == f"{mark} 2026-11-24\n\n{mark}# Registry sweep 2026-11-24\n{STARRED}\n{rest}"
    today = f"{mark} 2026-11-24\n\n* Another thing.\n\n{mark} 2026-11-01\n\n* A thing.\n"
    text = insert(today, ENTRY, run_id=RUN)
    before, after = today.split(f"\n{mark} 2026-11-01")
    assert text == f"{before}\n{mark}# Registry sweep 2026-11-24\n{STARRED}\n{mark} 2026-11-01{after}"


def test_a_file_whose_dates_rise_grows_at_its_end() -> None:
    """The newest day is the last one there."""
    rising = "2026-01-01\n----------\n\nText.\n\n2026-02-01\n----------\n\nText.\n"
    text = insert(rising, ENTRY, run_id=RUN)
    assert text == f"{rising}\n2026-11-24\n----------\n\n### Registry sweep 2026-11-24\n{BODY}"


def test_lists_have_the_sign_of_the_others() -> None:
    """Stars where the file has mostly stars, also when the entry is written anew."""
    stars = "# Changelog\n\n## Unreleased\n\n* A thing.\n* Another.\n- One.\n"
    text = insert(stars, ENTRY, run_id=RUN)
    assert text == f"{stars}\n{TITLE}\n{STARRED}"
    assert insert(text, ENTRY, run_id=RUN) == text


def test_an_underlined_unreleased_section_is_found() -> None:
    """The entry goes to the end of it, before the next version."""
    before = "Unreleased\n----------\n\n- Soon.\n\n"
    rest = "1.0.0\n-----\n"
    assert insert(before + rest, ENTRY, run_id=RUN) == f"{before}{ENTRY}\n{rest}"


def test_a_level_1_unreleased_section_holds_its_level_2_sections() -> None:
    """What is under Unreleased ends at the next version, not at the first heading in it; ours is one of those."""
    before = "# Unreleased\n\n## Features\n\n- Soon.\n\n"
    rest = "# 1.0.0\n"
    assert insert(before + rest, ENTRY, run_id=RUN) == f"{before}## Registry sweep 2026-11-24\n{BODY}\n{rest}"


def test_a_scheduled_sweep_says_for_which_date_it_was() -> None:
    """A reader sees that nobody started it by hand."""
    text = entry(samples.report(), due=datetime(2026, 10, 1, 4, tzinfo=UTC))
    assert f"(run `{RUN}`, scheduled for 2026-10-01 04:00 UTC)." in text


def test_a_failure_says_what_was_removed_before_it() -> None:
    """Nothing, or how many tags of which run; and that a scheduled one is tried again."""
    attempt = Attempt(
        policy="/p.yaml",
        due=datetime(2026, 10, 1, 4, tzinfo=UTC),
        began_at=samples.NOW,
        result=AttemptResult.FAILED,
        why="registry.example answers <503>",
    )
    text = failed_entry(attempt, entry_id="attempt-1", removed=0)
    assert text.startswith("### Registry sweep failed 2026-11-24\n\n<!-- tagsweep run attempt-1 -->\n")
    assert "Nothing was removed: registry.example answers \\<503\\>." in text
    assert "scheduled for 2026-10-01 04:00 UTC; the next run tries again." in text
    text = failed_entry(replace(attempt, run_id="run-7", due=None), entry_id="attempt-1", removed=3)
    assert "3 tags were removed before that (run `run-7`): registry.example" in text
    assert "scheduled" not in text


def test_a_restore_says_what_is_back_and_what_is_not() -> None:
    """A line for each repository and end, with samples; in the same style, and with markers of its own."""
    ends = [RestoreKind.RESTORED, RestoreKind.RESTORED, RestoreKind.COLLECTED, RestoreKind.FAILED]
    outcomes = [
        RestoreOutcome(
            repository=samples.GATEWAY, tag=f"sha-{n}", digest=samples.digest(f"{n}"), kind=kind, why="HTTP 500"
        )
        for n, kind in enumerate(ends)
    ]
    text = restore_entry(outcomes, run_id=RUN, entry_id=f"{RUN}-restored-1", at=samples.NOW)
    assert text.startswith("### Registry restore 2026-11-24\n")
    assert f"Put back 2 of 4 image tags that run `{RUN}` had removed." in text
    assert "- `docker.io/tensorzero/gateway`: Put back: 2: `sha-0`, `sha-1`." in text
    assert "Not put back, because the registry has collected what they need: 1: `sha-2`." in text
    assert "Not put back, because of an error: 1 (HTTP 500): `sha-3`." in text
    both = insert(insert("", ENTRY, run_id=RUN), text, run_id=f"{RUN}-restored-1")
    assert (both.count("### Registry sweep"), both.count("### Registry restore")) == (1, 1)
