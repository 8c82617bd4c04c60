"""Numbers, sizes and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.report import units

good_sizes = [
    (0, "0 B"),
    (999, "999 B"),
    (1000, "1.0 kB"),
    (999_949, "999.9 kB"),
    (999_950, "1.0 MB"),
    (41_200_000_000, "41.2 GB"),
    (10**21, "1,000.0 EB"),
]
good_percents = [
    ((0, 0), "0 %"),
    ((0, 5), "0 %"),
    ((5, 5), "100 %"),
    ((1, 100_000), "< 0.1 %"),
    ((1, 30), "3.3 %"),
    ((72, 226), "32 %"),
    ((9_999, 10_000), "> 99 %"),
]
good_durations = [
    (timedelta(0), "0 s"),
    (timedelta(milliseconds=40), "under 1 s"),
    (timedelta(seconds=45), "45 s"),
    (timedelta(seconds=59.7), "1 min"),
    (timedelta(seconds=200), "3 min 20 s"),
    (timedelta(hours=2, minutes=5), "2 h 5 min"),
    (timedelta(days=30), "30 days"),
    (timedelta(days=1, hours=3), "1 day 3 h"),
]
good_ages = [
    (timedelta(0), "now"),
    (timedelta(seconds=41), "41 s old"),
    (timedelta(hours=30), "30 h old"),
    (timedelta(days=3), "3 days old"),
    (timedelta(days=420), "14 months old"),
    (timedelta(days=365 * 56), "56 years old"),
    (timedelta(minutes=-5), "5 min ahead"),
]


@pytest.mark.parametrize(("number", "words"), good_sizes)
def test_a_size_has_one_decimal_and_a_decimal_prefix(number: int, words: str) -> None:
    """Bytes are shown in SI units, exact below one kilobyte."""
    assert units.size(number) == words


@pytest.mark.parametrize(("parts", "words"), good_percents)
def test_a_share_is_none_or_all_only_if_it_is(parts: tuple[int, int], words: str) -> None:
    """A share is never rounded to 0 or 100 percent unless it is exactly that."""
    assert units.percent(*parts) == words


@pytest.mark.parametrize(("span", "words"), good_durations)
def test_a_duration_shows_its_two_largest_units(span: timedelta, words: str) -> None:
    """Durations are short, and rounding never gives sixty of a unit."""
    assert units.duration(span) == words


@pytest.mark.parametrize(("span", "words"), good_ages)
def test_an_age_names_the_side_of_now_that_it_is_on(span: timedelta, words: str) -> None:
    """Times in the future are said to be ahead, not old."""
    now = datetime(2026, 11, 24, tzinfo=UTC)
    assert units.age(now - span, now) == words


@given(number=st.integers(min_value=0, max_value=10**24))
@settings(max_examples=100, deadline=None)
def test_every_size_is_short(number: int) -> None:
    """No number of bytes up to a thousand exabytes makes a long cell, and none is shown as a thousand of a unit."""
    words = units.size(number)
    assert len(words) <= len("1,000,000.0 EB")
    assert not words.startswith("1000.0")


def test_nouns_agree_with_their_number() -> None:
    """One tag, two tags, no tags; and the irregular ones."""
    assert [units.plural(n, "tag") for n in (0, 1, 2, 1204)] == ["0 tags", "1 tag", "2 tags", "1,204 tags"]
    assert units.plural(2, "repository") == "2 repositories"
    assert units.plural(190, "index") == "190 indexes"


def test_units_that_somebody_else_named_agree_with_one() -> None:
    """The first word is the noun, also where more follows it."""
    assert units.counted(1, "references") == "1 reference"
    assert units.counted(1, "files on 3 branches") == "1 file on 3 branches"
    assert units.counted(1, "repositories") == "1 repository"
    assert units.counted(2, "files on 1 branch") == "2 files on 1 branch"


def test_rounding_does_not_reach_the_next_unit() -> None:
    """There is no age of 60 s, and no 10.0 %."""
    assert units.rough(timedelta(seconds=59.7)) == "59 s"
    assert units.percent(996, 10_000) == "10 %"


def test_a_forecast_says_that_it_is_one() -> None:
    """A forecast is about so long; one that is under a second says that alone."""
    assert units.estimated(timedelta(seconds=45)) == "about 45 s"
    assert units.estimated(timedelta(milliseconds=30)) == "under 1 s"
