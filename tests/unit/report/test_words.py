"""Tags that are cut can still be told apart, and nothing foreign reaches the terminal."""

from __future__ import annotations

import textwrap

from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.report.words import (
    clean,
    clean_lines,
    columns,
    listed,
    padded,
    sampled,
    short_tag,
    short_tags,
    shorten,
    to_ascii,
    wrap,
)

tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", fullmatch=True)
commits = st.from_regex(r"sha-12c9d6[0-9a-f]{34}", fullmatch=True)


def test_a_tag_by_commit_is_cut_like_git_cuts_it() -> None:
    """A long hex run keeps seven digits, and what follows it stays."""
    assert short_tag("sha-12c9d60f00000000000000000000000000000000") == "sha-12c9d60…"
    assert short_tag("sha-12c9d60f00000000000000000000000000000000-amd64") == "sha-12c9d60…-amd64"
    assert short_tag("2025.8.1") == "2025.8.1"


@given(names=st.lists(st.one_of(tags, commits), unique=True, max_size=8))
@settings(max_examples=100, deadline=None)
def test_different_tags_have_different_short_forms(names: list[str]) -> None:
    """However alike two tags are, their short forms differ."""
    assert len(set(short_tags(names))) == len(names)


@given(text=st.text(max_size=60), width=st.integers(min_value=0, max_value=70))
@settings(max_examples=100, deadline=None)
def test_shortened_text_fits(text: str, width: int) -> None:
    """A shortened text is never wider than asked, and one that fits is not touched."""
    short = shorten(text, width)
    assert columns(short) <= width
    assert columns(text) > width or short == text


def test_a_wide_character_takes_two_columns() -> None:
    """What is padded or cut for a column fits it, whatever the script; a combining mark takes no column."""
    assert columns("本番 e\u0301") == 6
    assert padded("本番", 6) == "本番  "
    assert padded("本番", 6, right=True) == "  本番"
    assert shorten("本番環境と検証環境", 9) == "本番環…境"


@given(text=st.text(alphabet="ab c-“…", max_size=60), width=st.integers(min_value=1, max_value=30))
@settings(max_examples=200, deadline=None)
def test_narrow_text_wraps_as_the_standard_library_does(text: str, width: int) -> None:
    """Lines are as full as they can be, and no word is broken or lost."""
    expected = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
    assert [line.strip() for line in wrap(text, width)] == [line.strip() for line in expected]


def test_wide_text_wraps_by_columns() -> None:
    """A line of wide characters is as wide as the screen, not twice as wide."""
    assert wrap("本番 環境 検証", 9) == ["本番 環境", "検証"]


def test_a_message_of_several_lines_keeps_them() -> None:
    """Each line is cleaned by itself, so that only escape sequences and the like are gone."""
    assert clean_lines("one\n\x1b[31mtwo\r") == "one\n\N{REPLACEMENT CHARACTER}[31mtwo "


@given(text=st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_cleaned_text_holds_nothing_that_a_terminal_acts_on(text: str) -> None:
    """Control characters, escape sequences and direction overrides are gone, and cleaning again changes nothing."""
    cleaned = clean(text)
    assert cleaned.isprintable()
    assert clean(cleaned) == cleaned
    assert clean("\x1b[2J\u202eevil\n") == "\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}evil "


@given(text=st.text(max_size=60))
@settings(max_examples=50, deadline=None)
def test_ascii_text_is_ascii(text: str) -> None:
    """An output that knows ASCII only gets nothing else."""
    assert to_ascii(text).isascii()


def test_a_list_says_how_many_more_there_are() -> None:
    """A list shows its first items; a rest of one is shown, because saying so would be longer."""
    assert listed(()) == ""
    assert listed(("a",)) == "a"
    assert listed(("a", "b")) == "a and b"
    assert listed(tuple("abcd")) == "a, b, c and d"
    assert listed(tuple("abcdef")) == "a, b, c and 3 more"
    assert sampled(("1.0", "1.1", "1.2"), total=107) == "1.0, 1.1, 1.2 and 104 more"
