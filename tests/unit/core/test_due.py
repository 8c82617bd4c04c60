"""Which date is due: daylight saving, quarters, leap days, pauses, clocks that are wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tagsweep.core.cron import parse_cron
from tagsweep.core.due import due, latest_date, next_date

QUARTERLY = parse_cron("0 4 1 1,4,7,10 *")
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    """Return an instant, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_quarter_is_due_from_its_first_day_on_and_once() -> None:
    """Not a minute before, from the minute on, and no more when it was done."""
    done = [at("2026-07-01 04:00")]
    assert due(at("2026-10-01 03:59"), done, QUARTERLY, UTC) is None
    assert due(at("2026-10-01 04:00"), done, QUARTERLY, UTC) == at("2026-10-01 04:00")
    assert due(at("2026-12-31 23:59"), done, QUARTERLY, UTC) == at("2026-10-01 04:00")
    assert due(at("2026-12-31 23:59"), [*done, at("2026-10-01 04:00")], QUARTERLY, UTC) is None


def test_a_long_pause_is_made_up_for_once() -> None:
    """After a year without a look only the latest of four dates is due, and after it none."""
    late = due(at("2027-07-20 12:00"), [at("2026-07-01 04:00")], QUARTERLY, UTC)
    assert late == at("2027-07-01 04:00")
    assert due(at("2027-07-20 12:01"), [at("2026-07-01 04:00"), late], QUARTERLY, UTC) is None


def test_the_first_time_the_latest_date_is_due() -> None:
    """A runner that lost its memory still does the work of the day."""
    assert due(at("2026-11-24 09:00"), [], QUARTERLY, UTC) == at("2026-10-01 04:00")


def test_the_hour_that_is_skipped_is_due_when_the_clocks_were_set() -> None:
    """02:30 on the last Sunday of March does not exist in Berlin; it is due at 03:30 there."""
    nightly = parse_cron("30 2 * * *")
    assert latest_date(at("2026-03-29 01:29"), nightly, BERLIN) == at("2026-03-28 01:30")
    assert latest_date(at("2026-03-29 01:30"), nightly, BERLIN) == at("2026-03-29 01:30")
    assert next_date(at("2026-03-29 01:30"), nightly, BERLIN) == at("2026-03-30 00:30")


def test_the_hour_that_is_doubled_has_one_date() -> None:
    """02:30 on the last Sunday of October comes twice in Berlin, and is due at its first coming alone."""
    nightly = parse_cron("30 2 * * *")
    assert due(at("2026-10-25 00:30"), [at("2026-10-24 00:30")], nightly, BERLIN) == at("2026-10-25 00:30")
    assert due(at("2026-10-25 01:30"), [at("2026-10-25 00:30")], nightly, BERLIN) is None


def test_a_day_that_the_calendar_skipped_counts_on_the_next() -> None:
    """Samoa had no 30 December 2011: what was for that day is due on the 31st."""
    apia = ZoneInfo("Pacific/Apia")
    assert latest_date(at("2011-12-30 14:00"), parse_cron("0 4 30 12 *"), apia) == at("2011-12-30 14:00")


def test_leap_days_come_after_eight_years_too() -> None:
    """29 February is found across 2100, which is no leap year, and on one certain weekday across decades."""
    leap = parse_cron("0 4 29 2 *")
    assert latest_date(at("2103-12-01 00:00"), leap, UTC) == at("2096-02-29 04:00")
    assert next_date(at("2096-03-01 00:00"), leap, UTC) == at("2104-02-29 04:00")
    on_sunday = parse_cron("0 4 */28 2 0")  # 1 and 29, and only on Sundays
    found = next_date(at("2026-03-01 00:00"), on_sunday, UTC)
    assert found is not None
    assert (found.day in {1, 29}, found.month, found.isoweekday()) == (True, 2, 7)


def test_a_date_that_never_comes_is_none() -> None:
    """The search ends, with nothing."""
    assert latest_date(at("2026-11-24 09:00"), parse_cron("0 4 30 2 *"), UTC) is None
    assert next_date(at("2026-11-24 09:00"), parse_cron("0 4 30 2 *"), UTC) is None


def test_a_clock_that_was_ahead_holds_nobody_up() -> None:
    """A date of 2030 that was noted by a wrong clock does not stop the dates until then, and is not done twice."""
    done = [at("2026-07-01 04:00"), at("2030-01-01 04:00")]
    assert due(at("2026-10-02 00:00"), done, QUARTERLY, UTC) == at("2026-10-01 04:00")
    assert due(at("2030-01-02 00:00"), done, QUARTERLY, UTC) is None


@pytest.mark.parametrize("now", ["2026-10-01 04:00", "2026-09-30 12:00", "2026-07-01 04:00"])
def test_a_clock_that_is_set_back_does_nothing_twice(now: str) -> None:
    """What was done stays done when the time of it comes again."""
    assert due(at(now), [at("2026-07-01 04:00"), at("2026-10-01 04:00")], QUARTERLY, UTC) is None
