"""The keep clauses that look at a clock: newest, within and every."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tagsweep.core.keeps.every import bucket, bucket_label
from tagsweep.model.decision import KeptByClause, TimeUnknown
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import (
    Glob,
    KeepClause,
    KeepEvery,
    KeepNewest,
    KeepWithin,
    Period,
    Regex,
)
from tests.unit.core.builders import NOW, asked, days_ago, doubted, inventory, kept, tag

BUILDS = inventory([tag(f"b{age}", pushed=age) for age in (3, 1, 2, 5, 4)])
ONE_DAY = timedelta(days=1)


# --- newest -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, set()),
        (1, {"b1"}),
        (2, {"b1", "b2"}),
        (5, {"b1", "b2", "b3", "b4", "b5"}),
        (9, {f"b{n}" for n in range(1, 6)}),
    ],
)
def test_newest_keeps_the_youngest_in_any_order_of_the_list(count: int, expected: set[str]) -> None:
    """The newest N stay, whatever the order in which the registry lists the tags; zero is a count."""
    assert kept(asked(KeepNewest(count=count), BUILDS)) == expected


def test_newest_keeps_equal_times_together() -> None:
    """Tags of one time have one rank: all of them stay or none does (hazard 16)."""
    found = inventory([tag("a", pushed=1), tag("b", pushed=2), tag("c", pushed=2), tag("d", pushed=3)])
    assert kept(asked(KeepNewest(count=2), found)) == {"a", "b", "c"}
    assert kept(asked(KeepNewest(count=3), found)) == {"a", "b", "c"}
    assert kept(asked(KeepNewest(count=4), found)) == {"a", "b", "c", "d"}


def test_a_tie_that_keeps_more_than_the_number_says_so() -> None:
    """Where the limit falls among tags of one time, each of these says how many others have it; elsewhere none does."""
    found = inventory([tag("a", pushed=1), tag("b", pushed=2), tag("c", pushed=2), tag("d", pushed=3)])
    said = asked(KeepNewest(count=2), found)
    details = {name: one.detail for name, one in said.items() if isinstance(one, KeptByClause)}
    tied = "rank 2 of 4, with 1 of the same time"
    assert details == {"a": "rank 1 of 4", "b": tied, "c": tied}
    said = asked(KeepNewest(count=3), found)
    assert {one.detail for one in said.values() if isinstance(one, KeptByClause)} == {"rank 1 of 4", "rank 2 of 4"}


def test_a_tag_of_unknown_time_is_undecided_and_takes_no_place() -> None:
    """What is not known neither goes nor pushes out what is known."""
    found = inventory([tag("unknown"), tag("young", pushed=1), tag("old", pushed=9)])
    said = asked(KeepNewest(count=1), found)
    assert kept(said) == {"young"}
    assert said["unknown"] == TimeUnknown(rule="builds", origin=TimeOrigin.PUSHED)
    assert "old" not in said


def test_newest_counts_for_each_value_of_a_group() -> None:
    """With `per`, each branch keeps its own newest; tags outside the group are a group of their own."""
    names = {"main-1": 4, "main-2": 3, "dev-1": 9, "dev-2": 8, "x": 20, "y": 30}
    found = inventory([tag(name, pushed=age) for name, age in names.items()])
    patterns = (Glob("?"), Regex("(?P<branch>[a-z]+)-[0-9]+"))
    said = asked(KeepNewest(count=1, per="branch"), found, patterns=patterns)
    assert kept(said) == {"main-2", "dev-2", "x"}
    reason = said["dev-2"]
    assert isinstance(reason, KeptByClause)
    assert reason.detail == "rank 1 of 2 of branch dev"


def test_newest_says_the_rank() -> None:
    """The reason carries the rank and the number of tags that were compared."""
    reason = asked(KeepNewest(count=2), BUILDS)["b2"]
    assert isinstance(reason, KeptByClause)
    assert reason.detail == "rank 2 of 5"


# --- within -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("pushed", "stays"),
    [
        (NOW - ONE_DAY, True),
        (NOW - ONE_DAY - timedelta(microseconds=1), False),
        (NOW, True),
        (NOW + timedelta(days=400), True),
        ((NOW - ONE_DAY).astimezone(timezone(timedelta(hours=9))), True),
    ],
)
def test_within_includes_its_boundary_and_the_future(pushed: datetime, stays: bool) -> None:  # noqa: FBT001  # a column of the table
    """An age of exactly the limit stays, a microsecond more does not, and what lies in the future is young."""
    found = inventory([tag("b", pushed=pushed)])
    assert kept(asked(KeepWithin(age=ONE_DAY), found)) == ({"b"} if stays else set())


def test_within_takes_any_age() -> None:
    """The longest duration there is keeps everything, and does not leave the calendar."""
    assert len(kept(asked(KeepWithin(age=timedelta.max), BUILDS))) == 5
    assert kept(asked(KeepWithin(age=timedelta(0)), BUILDS)) == set()


# --- every --------------------------------------------------------------------------------------------------------
def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "instant", "label"),
    [
        (Period.DAY, "2025-03-09T23:59:59", "2025-03-09"),
        (Period.WEEK, "2024-12-29T00:00:00", "2024-W52"),
        (Period.WEEK, "2024-12-30T00:00:00", "2025-W01"),
        (Period.WEEK, "2027-01-01T00:00:00", "2026-W53"),
        (Period.MONTH, "2025-03-31T00:00:00", "2025-03"),
        (Period.QUARTER, "2025-03-31T23:00:00", "2025-Q1"),
        (Period.QUARTER, "2025-04-01T00:00:00", "2025-Q2"),
        (Period.YEAR, "2025-12-31T00:00:00", "2025"),
    ],
)
def test_periods_are_those_of_the_calendar(period: Period, instant: str, label: str) -> None:
    """Days, months, quarters and years are calendar ones in UTC; weeks are ISO 8601."""
    assert bucket_label(bucket(at(instant), period), period) == label


def test_every_keeps_the_newest_of_each_of_the_last_periods() -> None:
    """One tag of each month stays, the newest; months without a tag take no place; equal times stay together."""
    pushed = {
        "jan-1": "2026-01-01T00:00:00",
        "jan-31": "2026-01-31T23:59:59",
        "march-a": "2026-03-15T00:00:00",
        "march-b": "2026-03-15T00:00:00",
        "march-old": "2026-03-14T00:00:00",
        "last-year": "2025-06-01T00:00:00",
    }
    found = inventory([tag(name, pushed=at(time)) for name, time in pushed.items()])
    assert kept(asked(KeepEvery(period=Period.MONTH, count=0), found)) == set()
    assert kept(asked(KeepEvery(period=Period.MONTH, count=1), found)) == {"march-a", "march-b"}
    assert kept(asked(KeepEvery(period=Period.MONTH, count=2), found)) == {"march-a", "march-b", "jan-31"}
    assert kept(asked(KeepEvery(period=Period.MONTH, count=9), found)) == {"march-a", "march-b", "jan-31", "last-year"}


def test_every_uses_utc_and_no_other_zone() -> None:
    """A push at 01:00 in Tokyo's zone belongs to the day before, in UTC."""
    tokyo = datetime(2026, 3, 2, 1, 0, tzinfo=timezone(timedelta(hours=9)))
    found = inventory([tag("night", pushed=tokyo), tag("morning", pushed=at("2026-03-01T06:00:00"))])
    assert kept(asked(KeepEvery(period=Period.DAY, count=5), found)) == {"night"}


# --- clocks -------------------------------------------------------------------------------------------------------
CLAUSES: list[KeepClause] = [
    KeepNewest(count=1, of=TimeOrigin.CREATED),
    KeepWithin(age=ONE_DAY, of=TimeOrigin.CREATED),
    KeepEvery(period=Period.DAY, count=1, of=TimeOrigin.CREATED),
]


@pytest.mark.parametrize("clause", CLAUSES)
@pytest.mark.parametrize(
    "created",
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1980, 1, 1, 0, 0, 1, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(2013, 3, 19, tzinfo=UTC),
        datetime(2026, 3, 1),  # noqa: DTZ001  # a time without a zone is the point
    ],
)
def test_impossible_times_are_unknown_and_not_old(clause: KeepClause, created: datetime) -> None:
    """T13, hazard 15: 1970, 1980, the year 1 and times without a zone make a tag undecided, never removable."""
    found = inventory([tag("b", times={TimeOrigin.CREATED: created})])
    assert doubted(asked(clause, found)) == {"b"}


@pytest.mark.parametrize("clause", CLAUSES)
def test_origins_are_never_mixed(clause: KeepClause) -> None:
    """T13: a rule that trusts `created` does not look at a push time in its place."""
    found = inventory([tag("b", pushed=days_ago(1000))])
    assert asked(clause, found)["b"] == TimeUnknown(rule="builds", origin=TimeOrigin.CREATED)


def test_never_pulled_is_unknown_and_not_old() -> None:
    """Hazard 20: a tag without a pull time, or with the year 1 in its place, is undecided."""
    found = inventory([tag("a"), tag("b", times={TimeOrigin.PULLED: datetime(1, 1, 1, tzinfo=UTC)})])
    assert doubted(asked(KeepWithin(age=ONE_DAY, of=TimeOrigin.PULLED), found)) == {"a", "b"}
