"""Cron's fields as sets of numbers, as Debian's crontab(5) reads them."""

from __future__ import annotations

from datetime import date

import pytest

from tagsweep.core.cron import parse_cron, plain
from tagsweep.model.errors import NotParsed

GOOD = [
    ("0 4 1 1,4,7,10 *", "0 4 1 1,4,7,10 *"),
    ("0 4 1 */3 *", "0 4 1 1,4,7,10 *"),
    ("*/15 0-6,22 ? JAN,jul 1-5", "0,15,30,45 0,1,2,3,4,5,6,22 * 1,7 1,2,3,4,5"),
    ("5/20 * * * *", "5,25,45 * * * *"),
    ("0 0 * * */2", "0 0 * * 0,2,4,6"),
    ("0 0 * * 7", "0 0 * * 0"),
    ("0 0 * * sat,sun", "0 0 * * 0,6"),
    ("0 0 * * 5-7", "0 0 * * 0,5,6"),
    ("* * * * *", "* * * * *"),
]


@pytest.mark.parametrize(("text", "expected"), GOOD)
def test_fields_are_read_and_written_plainly(text: str, expected: str) -> None:
    """Ranges, steps and names become numbers, which every program reads alike."""
    assert plain(text) == expected
    assert parse_cron(plain(text)).hours == parse_cron(text).hours


BAD = "0 4 1 *;60 * * * *;* 24 * * *;* * 0 * *;* * * 13 *;* * * * 8;5-2 * * * *;*/0 * * * *;a * * * *;1, * * * *"
BAD += ";1-2-3 * * * *;-1 * * * *;001 * * * *;* * * jan- *;\u0661 * * * *"


@pytest.mark.parametrize("text", BAD.split(";"))
def test_what_is_no_field_is_refused(text: str) -> None:
    """Numbers out of range, empty parts, ranges that go backwards, digits of other scripts."""
    with pytest.raises(NotParsed):
        parse_cron(text)


@pytest.mark.parametrize(
    ("text", "day", "expected"),
    [
        ("0 0 1 * 1", date(2026, 6, 1), True),
        ("0 0 1 * 1", date(2026, 6, 8), True),
        ("0 0 2 * 1", date(2026, 6, 2), True),
        ("0 0 2 * 1", date(2026, 6, 3), False),
        ("0 0 */2 * 1", date(2026, 6, 8), False),
        ("0 0 */2 * 1", date(2026, 6, 15), True),
        ("0 0 * * 0", date(2026, 6, 7), True),
        ("0 0 29 2 *", date(2028, 2, 29), True),
    ],
)
def test_days_are_those_of_crontab(text: str, day: date, *, expected: bool) -> None:
    """Day of month and of week, both restricted: one is enough; a field that begins with a star restricts nothing."""
    assert parse_cron(text).on(day) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0 4 30 2 *", False), ("0 4 31 4,6,9,11 *", False), ("0 4 29 2 *", True), ("0 4 30 2 1", True)],
)
def test_a_day_that_no_year_has_is_told(text: str, *, expected: bool) -> None:
    """The 30th of February never comes; the 29th does."""
    assert parse_cron(text).possible is expected
