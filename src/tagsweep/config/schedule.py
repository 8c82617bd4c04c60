"""When a policy is to be run: a word, or the five fields of cron, on the clock of a time zone.

Time zones are looked up in the system's database (``zoneinfo``), or in the package tzdata where that is installed.
"""

from __future__ import annotations

import re
from datetime import UTC, tzinfo
from typing import Final

from tagsweep.config.places import Place, did_you_mean
from tagsweep.config.wire_record import ScheduleWire
from tagsweep.core.cron import FIELDS, WORDS, parse_cron, parse_field
from tagsweep.model.errors import ConfigurationError, NotParsed
from tagsweep.model.schedule import Schedule

SCHEDULES: Final = tuple(WORDS)
CRON_PATTERN: Final = r"^[0-9A-Za-z*/,?#-]+( +[0-9A-Za-z*/,?#-]+){4}$"
"""What an editor can tell of cron's fields; :func:`parse_schedule` knows them better."""
TIME_PATTERN: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
DEFAULT_TIME: Final = "04:00"

_EXAMPLE: Final = "'0 4 1 */3 *'"


def parse_schedule(wire: str | ScheduleWire, place: Place) -> Schedule:
    """Return the schedule, or raise PolicyError with its place."""
    if isinstance(wire, str):
        return Schedule(cron=_cron(wire, None, place, place), written=wire)
    cron = _cron(wire.every, wire.at, place.at("every"), place.at("at"))
    schedule = Schedule(cron=cron, written=wire.every, time_zone=wire.time_zone)
    try:
        zone_of(schedule)
    except ConfigurationError as error:
        raise place.at("time_zone").error(str(error), remedy=error.remedy) from error
    return schedule


def zone_of(schedule: Schedule) -> tzinfo:
    """Return the time zone of a schedule, or raise ConfigurationError if this machine does not know it."""
    if schedule.time_zone == "UTC":
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones  # noqa: PLC0415 (only where named)

    try:
        return ZoneInfo(schedule.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        known = available_timezones()
        remedy = (
            did_you_mean(schedule.time_zone, sorted(known))
            if known
            else "this machine has no time zones at all: install the system's package tzdata, or pip install tzdata"
        )
        raise ConfigurationError(f"{schedule.time_zone!r} is not a known time zone", remedy=remedy) from error


def _cron(text: str, at: str | None, place: Place, at_place: Place) -> str:
    if text in WORDS:
        hour, minute = _time(DEFAULT_TIME if at is None else at, at_place)
        return f"{minute} {hour} {WORDS[text]}"
    if at is not None:
        raise at_place.error(
            "cron's fields have the time of the day already", remedy="remove 'at', or write a word such as quarterly"
        )
    if re.fullmatch(CRON_PATTERN.strip("^$"), text, re.ASCII) is None:
        raise place.error(
            f"{text!r} is not a schedule",
            remedy=f"{did_you_mean(text, SCHEDULES)} (or the five fields of cron, such as {_EXAMPLE})",
        )
    for field, expected in zip(text.split(), FIELDS, strict=True):
        try:
            parse_field(field, expected)
        except NotParsed as error:
            raise place.error(
                f"{text!r} is not a schedule: {field!r} is no {expected.what}",
                remedy=f"write * or numbers from {expected.least} to {expected.most}, such as {_EXAMPLE}",
            ) from error
    if not parse_cron(text).possible:
        raise place.error(f"{text!r} names a day that no year has", remedy=f"write one that exists, such as {_EXAMPLE}")
    return text


def _time(text: str, place: Place) -> tuple[int, int]:
    if re.fullmatch(TIME_PATTERN.strip("^$"), text, re.ASCII) is None:
        raise place.error(f"{text!r} is no time of the day", remedy="write hours and minutes, such as at: '04:00'")
    hour, _, minute = text.partition(":")
    return int(hour), int(minute)
