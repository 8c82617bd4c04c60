"""Waking on a clock that knows UTC alone: never before the date, and within a day of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tagsweep.core.cron import parse_cron
from tagsweep.core.due import latest_date, next_date
from tagsweep.core.utc_cron import utc_cron

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
CASES = [
    ("0 4 1 1,4,7,10 *", "UTC", "0 4 1 1,4,7,10 *"),
    ("0 4 1 1,4,7,10 *", "Europe/Berlin", "0 3 1 1,4,7,10 *"),
    ("0 4 1 1,4,7,10 *", "Asia/Tokyo", "0 0 1 1,4,7,10 *"),
    ("0 22 1 * *", "America/New_York", "0 3 2 * *"),
    ("30 22 * * 6", "America/New_York", "30 3 * * 0"),
    ("15 5 * * *", "Asia/Kolkata", "0 0 * * *"),
    ("0 22 31 12 *", "America/New_York", "0 * * * *"),
    ("0 22 * 2 *", "America/New_York", "0 * * * *"),
    ("*/15 4 * * *", "Europe/Berlin", "0 * * * *"),
]


@pytest.mark.parametrize(("text", "zone", "expected"), CASES)
def test_the_wake_is_at_the_date_or_within_a_day_after_it(text: str, zone: str, expected: str) -> None:
    """For two years of dates, some wake comes not before the date, and less than 25 hours after it."""
    place = ZoneInfo(zone)
    woken = utc_cron(text, place, NOW)
    assert woken == expected
    at = NOW
    for _ in range(20):
        date = next_date(at, parse_cron(text), place)
        assert date is not None
        wake = next_date(date - timedelta(minutes=1), parse_cron(woken), UTC)
        assert wake is not None
        assert wake - date < timedelta(hours=25)
        assert latest_date(wake, parse_cron(text), place) is not None
        at = date
