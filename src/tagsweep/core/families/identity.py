"""Which tags are certainly one build each: their name holds a commit, a moment, or the number of a build.

A day, a branch or a pull request does not tell one build from the next: what is built again takes the same name, and
the tag moves. In the history of Docker's golang images seven of 484 tags such as ``tip-20250808`` did.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from tagsweep.core.families.settling import generalised
from tagsweep.core.families.shapes import Shape

_CALENDAR: Final = r"20[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
BUILD_MARK: Final = re.compile(
    r"(?<![A-Za-z0-9.])(?:"
    r"(?:(?:sha|sha1|commit|git|rev)[-_.]|g)?(?P<hex>(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{7,40})|"
    rf"(?P<moment>{_CALENDAR}[-_.T]?(?:[01][0-9]|2[0-3])[0-5][0-9](?:[0-5][0-9])?)|"
    r"(?:build|bld|run|pipeline)[-_.]?(?P<number>[0-9]+)|"
    rf"(?!{_CALENDAR}(?![0-9]))(?P<long>[0-9]{{7,}})"
    r")(?![A-Za-z0-9])"
)
"""What makes the tag of a pull request the tag of one build. Seven digits are too many for a version or a year."""

_BUILD_SERVER: Final = re.compile(r"(?:.*[-_.])?(?:build|bld|jenkins|pipeline|run|job)[-_.]?", re.IGNORECASE)
_MANY_NUMBERS: Final = 30
_LARGE_NUMBER: Final = 1000
_DAY: Final = 8
_SECONDS: Final = "0" * 10
_YEAR_OR_MONTH: Final = re.compile(
    r"20[0-9]{2}(?:0[1-9]|1[0-2])?|[12][0-9](?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])|[12][0-9](?:04|10)"
)
"""2026, 202608 and 260810, and Ubuntu's 2604: what is called so is built again."""
_VERSIONS_LIKE_TIMES: Final = frozenset({"1204", "1404", "1604", "1804", "2004", "2204"})
"""Ubuntu's versions without their dot, which end dated tags as variants do."""


def proven(shapes: Mapping[str, Shape]) -> frozenset[str]:
    """Return the tags whose names prove that each build has its own; ``shapes`` are those of all tags."""
    lines: dict[tuple[str, str], dict[str, Shape]] = {}
    for tag, shape in shapes.items():
        lines.setdefault((shape.kind, generalised(shape.prefix)), {})[tag] = shape
    return frozenset(tag for (kind, _), line in lines.items() for tag in _of_line(kind, line))


def _of_line(kind: str, line: Mapping[str, Shape]) -> Iterator[str]:
    match kind:
        case "hash":
            yield from line
        case "pull":
            yield from (tag for tag in line if BUILD_MARK.search(tag) is not None)
        case "build" if _run_on(line.values()):
            yield from line
        case "date":
            yield from _dates(line)
        case _:
            return


def _dates(line: Mapping[str, Shape]) -> Iterator[str]:
    """Yield the tags with a time of the day; and ``20260810.2`` where no tag of the line is of the whole day."""
    counted = all(shape.gap.endswith(".") for shape in line.values())
    timed = {tag: re.sub(r"[^0-9]", "", shape.core)[_DAY:] for tag, shape in line.items() if _has_time(shape)}
    if set(timed.values()) <= _VERSIONS_LIKE_TIMES:
        timed = {}
    yield from line if counted else timed


def _has_time(shape: Shape) -> bool:
    return shape.gap == _SECONDS or shape.gap.rstrip(".").count("0") > _DAY


def _run_on(shapes: Collection[Shape]) -> bool:
    """Tell whether the numbers are those of a build server: it is named, or they are many or large.

    ``main-17`` may be a version's, and ``ci-2404`` Ubuntu's.
    """
    if _are_calendar([shape.core for shape in shapes]):
        return False
    named = all(_BUILD_SERVER.fullmatch(shape.prefix) for shape in shapes)
    large = min(int(shape.core) for shape in shapes) >= _LARGE_NUMBER
    return named or large or len(shapes) >= _MANY_NUMBERS


def _are_calendar(numbers: Sequence[str]) -> bool:
    """Tell whether the numbers of some length are mostly years, months or days, and so no running number."""
    by_length: dict[int, list[str]] = {}
    for number in numbers:
        by_length.setdefault(len(number), []).append(number)
    return any(2 * sum(map(_is_calendar, some)) > len(some) for some in by_length.values())


def _is_calendar(number: str) -> bool:
    return _YEAR_OR_MONTH.fullmatch(number) is not None
