"""Numbers, sizes, durations and instants as people write them. Every unit that a person sees is made here."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

_SI: Final = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_IRREGULAR: Final = {
    "repository": "repositories",
    "index": "indexes",
    "entry": "entries",
    "this": "these",
    "its": "their",
    "it": "they",
    "needs": "need",
    "stays": "stay",
    "refers": "refer",
    "is": "are",
    "has": "have",
    "was": "were",
}


def count(number: int) -> str:
    """Return ``number`` with a comma between thousands: ``13,390``."""
    return f"{number:,}"


def plural(number: int, noun: str) -> str:
    """Return number and noun in agreement: ``1 tag``, ``1,204 files``."""
    return f"{count(number)} {agree(number, noun)}"


def counted(number: int, unit: str) -> str:
    """Return a number of units that somebody else named in the plural: ``1 file on 3 branches``, ``312 references``."""
    noun, space, rest = unit.partition(" ")
    if number == 1:
        noun = f"{noun.removesuffix('ies')}y" if noun.endswith("ies") else noun.removesuffix("s")
    return f"{count(number)} {noun}{space}{rest}"


def agree(number: int, noun: str) -> str:
    """Return ``noun`` (or one of a few verbs and pronouns) in the form that goes with ``number``."""
    if number == 1:
        return noun
    return _IRREGULAR.get(noun, f"{noun}s")


def size(number: int) -> str:
    """Return bytes in decimal SI units with one place: ``41.2 GB``; below 1 kB the exact number of bytes."""
    value = float(number)
    if abs(value) < 1000:  # noqa: PLR2004  # the step of SI prefixes
        return f"{number} B"
    for unit in _SI[1:]:
        value /= 1000
        if abs(round(value, 1)) < 1000:  # noqa: PLR2004  # the step of SI prefixes; rounded first, so never 1000.0 kB
            return f"{value:.1f} {unit}"
    return f"{value:,.1f} {_SI[-1]}"


def percent(part: int, whole: int) -> str:
    """Return the share of ``part`` in ``whole``: ``32 %``; one place below 10 %, and never 0 or 100 unless it is so."""
    if whole == 0:
        return "0 %"
    share = 100 * part / whole
    if part in (0, whole):
        return f"{share:.0f} %"
    if round(share, 1) < 10:  # noqa: PLR2004  # below this the first place matters
        return "< 0.1 %" if share < 0.05 else f"{share:.1f} %"  # noqa: PLR2004  # would round to 0.0
    return "> 99 %" if share >= 99.5 else f"{share:.0f} %"  # noqa: PLR2004  # would round to 100


def duration(span: timedelta) -> str:
    """Return a length of time in its two largest units: ``45 s``, ``3 min 20 s``, ``2 h 5 min``, ``30 days``."""
    seconds = round(abs(span.total_seconds()))
    if seconds < 1:
        return "under 1 s" if span else "0 s"
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return _two(f"{seconds // _MINUTE} min", seconds % _MINUTE, "s")
    if seconds < _DAY:
        return _two(f"{seconds // _HOUR} h", seconds % _HOUR // _MINUTE, "min")
    return _two(plural(seconds // _DAY, "day"), seconds % _DAY // _HOUR, "h")


def estimated(span: timedelta) -> str:
    """Return a duration that is a forecast."""
    words = duration(span)
    return words if words.startswith("under") else f"about {words}"


def _two(first: str, second: int, unit: str) -> str:
    return f"{first} {second} {unit}" if second else first


def rough(span: timedelta) -> str:
    """Return a length of time in one unit, for ages: ``41 s``, ``12 min``, ``5 h``, ``3 days``, ``14 months``."""
    seconds = abs(span.total_seconds())
    if seconds < _MINUTE:
        return f"{int(seconds)} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min"
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR:.0f} h"
    days = int(seconds // _DAY)
    if days < 90:  # noqa: PLR2004  # up to three months people count days
        return plural(days, "day")
    if days < 730:  # noqa: PLR2004  # up to two years people count months
        return plural(round(days / 30.44), "month")
    return plural(days // 365, "year")


def age(then: datetime, now: datetime) -> str:
    """Return how long before ``now`` it was: ``41 s old``, ``now`` within a second, ``5 min ahead`` for the future."""
    span = now - then
    if abs(span) < timedelta(seconds=1):
        return "now"
    return f"{rough(span)} old" if span > timedelta() else f"{rough(span)} ahead"


def moment(instant: datetime) -> str:
    """Return a UTC instant to the minute: ``2026-11-25 09:12 UTC``."""
    return f"{instant:%Y-%m-%d %H:%M} UTC"


def day(instant: datetime) -> str:
    """Return the UTC day of an instant: ``2026-11-25``."""
    return f"{instant:%Y-%m-%d}"
