"""Durations and percentages as people write them; both carry their unit, so that 30 is never misread."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from tagsweep.config.places import Place

DURATION_PATTERN: Final = r"^[0-9]+(s|m|h|d|w)$"
PERCENT_PATTERN: Final = r"^[0-9]+(\.[0-9]+)?%$"

_DURATION: Final = re.compile(r"(?P<count>[0-9]{1,12})(?P<unit>s|m|h|d|w)", re.ASCII)
_PERCENT: Final = re.compile(r"(?P<value>[0-9]{1,6}(?:\.[0-9]{1,6})?)\s?%", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]+", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST: Final = timedelta(days=36_500)
_HUNDRED: Final = 100.0


def parse_duration(text: str, place: Place) -> timedelta:
    """Return the duration in ``text``: a whole number and s, m, h, d or w (seconds to weeks)."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        example = f"{text.strip()}d" if _NUMBER.fullmatch(text.strip()) else "30d"
        raise place.error(
            f"{text!r} is not a duration" if not _NUMBER.fullmatch(text.strip()) else f"{text!r} has no unit",
            remedy=f"write a number and a unit (s, m, h, d for days, w for weeks), such as {example}",
        )
    seconds = int(found["count"]) * _SECONDS[found["unit"]]
    if seconds > _LONGEST.total_seconds():
        raise place.error(f"{text!r} is longer than 100 years", remedy="use {all: true} to keep everything")
    return timedelta(seconds=seconds)


def parse_positive_duration(text: str, place: Place) -> timedelta:
    """Return the duration in ``text``, which must not be zero."""
    duration = parse_duration(text, place)
    if not duration:
        raise place.error(f"{place.name} must be longer than zero")
    return duration


def parse_percent(text: str, place: Place) -> float:
    """Return the number before the ``%`` in ``text``, from 0 to 100."""
    found = _PERCENT.fullmatch(text.strip())
    if found is None:
        raise place.error(f"{text!r} is not a percentage", remedy='write a number and a percent sign, such as "10%"')
    return check_percent(float(found["value"]), place)


def check_percent(value: float, place: Place) -> float:
    """Return ``value`` if it is a possible share in percent."""
    if not 0.0 <= value <= _HUNDRED:
        raise place.error(f"{value:.12g} is not from 0 to 100 percent")
    return value
