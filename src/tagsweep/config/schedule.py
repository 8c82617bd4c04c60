"""When a policy is to be run: a word, or the five fields of cron with numbers that its clock has."""

from __future__ import annotations

import re
from typing import Final

from tagsweep.config.places import Place, did_you_mean

SCHEDULES: Final = ("daily", "weekly", "monthly", "quarterly", "yearly")
CRON_PATTERN: Final = r"^[0-9A-Za-z*/,?#-]+( +[0-9A-Za-z*/,?#-]+){4}$"
"""What an editor can tell of cron's fields; :func:`parse_schedule` knows them better."""

_NUMBER: Final = re.compile(r"[0-9]{1,2}", re.ASCII)
_MONTHS: Final = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS: Final = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_FIELDS: Final[tuple[tuple[str, int, int, list[str]], ...]] = (
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day of the month", 1, 31, []),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_EXAMPLE: Final = "'0 4 1 */3 *'"


def parse_schedule(text: str, place: Place) -> str:
    """Return ``text`` if it is a word for a period or five fields that cron understands."""
    if text in SCHEDULES:
        return text
    if re.fullmatch(CRON_PATTERN.strip("^$"), text, re.ASCII) is None:
        raise place.error(
            f"{text!r} is not a schedule",
            remedy=f"{did_you_mean(text, SCHEDULES)} (or the five fields of cron, such as {_EXAMPLE})",
        )
    for field, (what, least, most, names) in zip(text.split(), _FIELDS, strict=True):
        if not all(_is_part(part, least, most, names) for part in field.split(",")):
            raise place.error(
                f"{text!r} is not a schedule: {field!r} is no {what}",
                remedy=f"write * or numbers from {least} to {most}, such as {_EXAMPLE}",
            )
    return text


def _is_part(part: str, least: int, most: int, names: list[str]) -> bool:
    base, slash, step = part.partition("/")
    if slash and (_NUMBER.fullmatch(step) is None or int(step) == 0):
        return False
    if base in {"*", "?"}:
        return True
    ends = base.split("-")
    return len(ends) in {1, 2} and all(_is_value(end, least, most, names) for end in ends)


def _is_value(text: str, least: int, most: int, names: list[str]) -> bool:
    if text.lower() in names:
        return True
    return _NUMBER.fullmatch(text) is not None and least <= int(text) <= most
