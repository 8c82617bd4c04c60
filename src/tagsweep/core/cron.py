"""The five fields of cron as sets of numbers, and the words of a policy as such fields.

Rules: crontab(5) of Debian. Where the day of the month and the day of the week are both restricted, a day needs to be
only one of them; a field that begins with ``*`` is not restricted, also as ``*/2``. Beyond it, ``?`` is ``*``, and
``5/15`` is ``5-59/15``, as other programs have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from tagsweep.model.errors import NotParsed

WORDS: Final[Mapping[str, str]] = {
    "daily": "* * *",
    "weekly": "* * 1",
    "monthly": "1 * *",
    "quarterly": "1 1,4,7,10 *",
    "yearly": "1 1 *",
}
"""The last three fields of cron for each word; the first two are the time of the day."""

MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_SUNDAY: Final = 7
"""Cron's other name for 0."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field: what it counts, its least and most number, and names for numbers from ``least`` on."""

    what: str
    least: int
    most: int
    names: tuple[str, ...] = ()


FIELDS: Final = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of the month", 1, 31),
    Field("month", 1, 12, MONTHS),
    Field("day of the week", 0, _SUNDAY, WEEKDAYS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """The moments that cron fields name, on the clock of some wall. Sunday is 0."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    def on(self, day: date) -> bool:
        """Tell whether it names moments on this day."""
        if day.month not in self.months:
            return False
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return of_month and of_week if self.any_day or self.any_weekday else of_month or of_week

    @property
    def possible(self) -> bool:
        """Whether there is such a day at all: not for the 30th of February."""
        if not (self.any_day or self.any_weekday):
            return True
        return any(day <= _LONGEST[month - 1] for month in self.months for day in self.days)


def parse_cron(text: str) -> Cron:
    """Return what five fields say, or raise NotParsed, which says which field does not."""
    texts = text.split()
    if len(texts) != len(FIELDS):
        raise NotParsed(f"{text!r} does not have five fields")
    minutes, hours, days, months, weekdays = (parse_field(one, field) for one, field in zip(texts, FIELDS, strict=True))
    return Cron(
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=days,
        months=months,
        weekdays=frozenset(day % _SUNDAY for day in weekdays),
        any_day=texts[2][0] in "*?",
        any_weekday=texts[4][0] in "*?",
    )


def parse_field(text: str, field: Field) -> frozenset[int]:
    """Return the numbers that one field names, or raise NotParsed."""
    return frozenset(number for part in text.split(",") for number in _part(part, field))


def _part(text: str, field: Field) -> range:
    base, slash, step_text = text.partition("/")
    step = _number(step_text, text) if slash else 1
    if base in {"*", "?"}:
        # Sunday is 0 and 7: counted once, or every second day of the week would be one too many.
        first, last = field.least, field.most - (field.names == WEEKDAYS)
    else:
        low, dash, high = base.partition("-")
        first = _value(low, field)
        last = _value(high, field) if dash else field.most if slash else first
    if step == 0 or last < first:
        raise NotParsed(f"{text!r} is no {field.what}")
    return range(first, last + 1, step)


def _value(text: str, field: Field) -> int:
    if text.lower() in field.names:
        return field.least + field.names.index(text.lower())
    number = _number(text, text)
    if not field.least <= number <= field.most:
        raise NotParsed(f"{text!r} is no {field.what}")
    return number


def _number(text: str, shown: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 2):  # noqa: PLR2004 (no field has longer numbers)
        raise NotParsed(f"{shown!r} is no number of one or two digits")
    return int(text)


def plain(text: str) -> str:
    """Return the fields in the form that every program reads alike: ``*``, or numbers with commas between them."""
    cron = parse_cron(text)
    fields = (frozenset(cron.minutes), frozenset(cron.hours), cron.days, cron.months, cron.weekdays)
    return " ".join(
        "*" if _is_all(numbers, field) else ",".join(map(str, sorted(numbers)))
        for numbers, field in zip(fields, FIELDS, strict=True)
    )


def _is_all(numbers: frozenset[int], field: Field) -> bool:
    return len(numbers) == field.most - field.least + 1 - (field.names == WEEKDAYS)
