"""A sweep's entry in CHANGELOG.md: in its place, once, and nothing else is touched."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.report.changelog import entry
from tagsweep.report.changelog_file import insert
from tests.unit.report import samples

ENTRY = entry(samples.report())
RUN = samples.RUN
BEGIN, CLOSE = f"<!-- tagsweep run {RUN} -->", f"<!-- /tagsweep run {RUN} -->"

KEPT = """\
# Changelog

## [Unreleased]

### Added

- A thing.

## [1.0.0] - 2026-01-01

### Added

- The first thing.

[unreleased]: https://example.com/compare/1.0.0...HEAD
[1.0.0]: https://example.com/1.0.0
"""

lines = st.lists(
    st.sampled_from(
        [
            "# Changelog",
            "## [Unreleased]",
            "## Unreleased",
            "## [1.0.0] - 2026-01-01",
            "### Added",
            "- A thing.",
            "",
            "```",
            "~~~~",
            "<!-- a comment",
            "-->",
            "[1.0.0]: https://example.com",
            "text with a form feed \x0c in it",
            "text",
        ]
    ),
    max_size=14,
)
files = st.builds(
    lambda parts, end, last, mark: mark + end.join(parts) + (end if last else ""),
    lines,
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.sampled_from(["", "\ufeff"]),
)


def _lines(text: str) -> list[str]:
    """Return the lines with their ends, split at line feeds only."""
    return [part + "\n" for part in text.split("\n")[:-1]] + [text.rsplit("\n", 1)[-1]]


@given(text=files)
@settings(max_examples=100, deadline=None)
def test_inserting_twice_is_inserting_once(text: str) -> None:
    """Writing the same entry again changes nothing."""
    once = insert(text, ENTRY, run_id=RUN)
    assert once.count(BEGIN) == once.count(CLOSE) == 1
    assert insert(once, ENTRY, run_id=RUN) == once


@given(text=files)
@settings(max_examples=100, deadline=None)
def test_every_other_line_stays_as_it_is(text: str) -> None:
    """All lines that were there are there in their order, byte for byte; only an Unreleased heading may be new."""
    after = insert(text, ENTRY, run_id=RUN)
    before = _lines(text.removeprefix("\ufeff")) if text.strip("\ufeff \r\n") else []
    remaining = iter(_lines(after.removeprefix("\ufeff")))
    assert all(any(found in (line, line + "\n", line + "\r\n") for found in remaining) for line in before if line)
    added = [line for line in _lines(after.removeprefix("\ufeff")) if line.strip("\ufeff \r\n")]
    kept = [line for line in before if line.strip("\ufeff \r\n")]
    if kept:
        wanted = [line for line in _lines(ENTRY) if line.strip()]
        assert len(added) - len(kept) - len(wanted) in (0, 1)
    assert after.startswith("\ufeff") is text.startswith("\ufeff")


def test_the_entry_is_the_last_section_of_unreleased() -> None:
    """It stands behind what is already under Unreleased and before the newest version."""
    text = insert(KEPT, ENTRY, run_id=RUN)
    head, _, rest = text.partition("### Registry sweep 2026-11-24\n")
    assert head == KEPT[: KEPT.index("## [1.0.0]")]
    assert rest.endswith(f"{CLOSE}\n\n{KEPT[KEPT.index('## [1.0.0]') :]}")


def test_a_missing_unreleased_section_is_made_above_the_newest_version() -> None:
    """A file right after a release gets the section back."""
    released = KEPT.replace("## [Unreleased]\n\n### Added\n\n- A thing.\n\n", "")
    text = insert(released, ENTRY, run_id=RUN)
    assert text.startswith("# Changelog\n\n## [Unreleased]\n\n### Registry sweep 2026-11-24\n")
    assert text.index(CLOSE) < text.index("## [1.0.0]")


def test_link_definitions_stay_at_the_end() -> None:
    """The links at the foot of a file belong to all of it, not to Unreleased."""
    text = insert("# Changelog\n\n## [Unreleased]\n\n[unreleased]: https://example.com\n", ENTRY, run_id=RUN)
    assert text.endswith(f"{CLOSE}\n\n[unreleased]: https://example.com\n")


def test_an_empty_file_becomes_a_changelog() -> None:
    """The first sweep of a project without a changelog writes a Keep a Changelog file."""
    text = insert("", ENTRY, run_id=RUN)
    assert text.startswith("# Changelog\n")
    assert "keepachangelog.com" in text
    assert "## [Unreleased]\n\n### Registry sweep 2026-11-24\n" in text


def test_windows_line_ends_stay() -> None:
    """A file with CRLF gets an entry with CRLF and no bare line feed."""
    text = insert(KEPT.replace("\n", "\r\n"), ENTRY, run_id=RUN)
    assert text.count("\n") == text.count("\r\n")


bad_headings = [
    "# C\n\n```\n## [Unreleased]\n```\n\n## [1.0.0]\n",
    "# C\n\n<!--\n## [Unreleased]\n-->\n\n## [1.0.0]\n",
    "# C\n\n~~~~\n```\n## [Unreleased]\n~~~~\n\n## [1.0.0]\n",
]


@pytest.mark.parametrize("text", bad_headings)
def test_a_heading_in_code_or_in_a_comment_is_none(text: str) -> None:
    """An example of a changelog inside a changelog is left alone."""
    after = insert(text, ENTRY, run_id=RUN)
    assert after.startswith(text[: text.index("## [1.0.0]")])


def test_an_update_replaces_the_text_of_its_run_only() -> None:
    """After a verification the same run's entry is written anew, even under a release that was cut meanwhile."""
    unverified = entry(replace(samples.report(), verification=None))
    other = insert(KEPT, unverified.replace(RUN, "other-run"), run_id="other-run")
    released = insert(other, unverified, run_id=RUN).replace("[Unreleased]", "[1.1.0] - 2026-12-01")
    updated = insert(released, ENTRY, run_id=RUN)
    assert updated.count("Not verified yet.") == 1
    assert "all is well" in updated
    assert updated.replace(ENTRY, "") == released.replace(unverified, "")


def test_an_entry_that_a_person_took_over_is_left_alone() -> None:
    """Without its closing marker nobody knows where the entry ends."""
    mine = insert(KEPT, ENTRY, run_id=RUN).replace(CLOSE, "")
    assert insert(mine, ENTRY, run_id=RUN) == mine


def test_a_broken_sweep_says_what_is_left() -> None:
    """The entry does not claim what was not done."""
    text = entry(samples.broken_report())
    assert "70 of 226 tags removed" in text
    assert "Not removed though planned: 2 tags" in text
    assert "1 damaged, 1 still there" in text
