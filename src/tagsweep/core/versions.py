"""Versions in tags: what is one, and which of two is higher. SemVer 2.0.0, CalVer by calver.org's tokens, PEP 440.

Within one scheme the order is total. Zero-padding is a matter of the format, never of the order: ``2025.04.1`` and
``2025.4.1`` are the same month and the same version.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, assert_never

from tagsweep.model.policy import VersionPattern, VersionScheme

_SEMVER: Final = re.compile(
    r"(?P<major>0|[1-9][0-9]*)\.(?P<minor>0|[1-9][0-9]*)\.(?P<patch>0|[1-9][0-9]*)"
    r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_NUMBER: Final = r"(?:0|[1-9][0-9]*)"
# calver.org, "Scheme"; YY is the year since 2000, so that 106 is the year 2106.
_TOKENS: Final = {
    "YYYY": r"[1-9][0-9]{3}",
    "YY": r"(?:0|[1-9][0-9]{0,2})",
    "0Y": r"(?:0[0-9]|[1-9][0-9]{1,2})",
    "MM": r"(?:[1-9]|1[0-2])",
    "0M": r"(?:0[1-9]|1[0-2])",
    "WW": r"(?:[1-9]|[1-4][0-9]|5[0-3])",
    "0W": r"(?:0[1-9]|[1-4][0-9]|5[0-3])",
    "DD": r"(?:[1-9]|[12][0-9]|3[01])",
    "0D": r"(?:0[1-9]|[12][0-9]|3[01])",
    "MAJOR": _NUMBER,
    "MINOR": _NUMBER,
    "MICRO": _NUMBER,
    "MODIFIER": r"[0-9A-Za-z]+(?:[._-][0-9A-Za-z]+)*",
}
_MEANING: Final = {"YY": "YYYY", "0Y": "YYYY", "0M": "MM", "0W": "WW", "0D": "DD"}
_DATE: Final = frozenset({"YYYY", "MM", "WW", "DD"})
_TOKEN: Final = re.compile("|".join(sorted(_TOKENS, key=len, reverse=True)))
_SHORT_YEAR_BASE: Final = 2000


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A version that can be compared with others of the same scheme; equal ones may be written differently.

    ``major`` and ``minor`` name the line that it belongs to; ``prerelease`` says that it comes before a release.
    """

    key: tuple[Any, ...]
    major: tuple[int, ...] = field(compare=False)
    minor: tuple[int, ...] = field(compare=False)
    prerelease: bool = field(compare=False, default=False)


def parse_version(pattern: VersionPattern, tag: str) -> Version | None:
    """Return the version that the whole of ``tag`` is, after the pattern's prefix, or None if it is none.

    Raises ValueError where a calver format is malformed.
    """
    if not tag.startswith(pattern.prefix):
        return None
    text = tag[len(pattern.prefix) :]
    match pattern.scheme:
        case VersionScheme.SEMVER:
            return _semver(_without_v(text, pattern.prefix))
        case VersionScheme.CALVER:
            return _calver(text, pattern.formats)
        case VersionScheme.PEP440:
            return _pep440(text)
        case _:
            assert_never(pattern.scheme)


def check_formats(pattern: VersionPattern) -> None:
    """Raise ValueError, saying what is wrong, if the formats of ``pattern`` do not fit its scheme."""
    if pattern.scheme is not VersionScheme.CALVER:
        if pattern.formats:
            raise ValueError(f"{pattern.scheme.value} has no formats; only calver has")
        return
    if not pattern.formats:
        raise ValueError("calver needs at least one format, such as YYYY.0M.MICRO")
    for text in pattern.formats:
        _compile_format(text)


# --- SemVer -------------------------------------------------------------------------------------------------------
def _without_v(text: str, prefix: str) -> str:
    # The v is optional, not repeatable: with "v" as the policy's prefix, "vv1.0.0" is no version.
    return text[1:] if text.startswith("v") and not prefix.endswith("v") else text


def _semver(text: str) -> Version | None:
    found = _SEMVER.fullmatch(text)
    if found is None:
        return None
    major, minor, patch = int(found["major"]), int(found["minor"]), int(found["patch"])
    pre = found["pre"]
    identifiers = pre.split(".") if pre is not None else []
    if any(part.isdigit() and len(part) > 1 and part[0] == "0" for part in identifiers):
        return None  # rule 9: numeric identifiers have no leading zeros
    key = (major, minor, patch, pre is None, tuple(_identifier(part) for part in identifiers))
    return Version(key, (major,), (major, minor), pre is not None)


def _identifier(part: str) -> tuple[int, int, str]:
    # Rule 11: numbers compare as numbers and come before words; words compare in ASCII order.
    return (0, int(part), "") if part.isdigit() else (1, 0, part)


# --- CalVer -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Format:
    tokens: tuple[str, ...]
    expression: re.Pattern[str]


@lru_cache(maxsize=256)
def _compile_format(text: str) -> _Format:
    """Return the format as an expression with one group for each token, in order."""
    tokens: list[str] = []
    expression: list[str] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is not None:
            tokens.append(found[0])
            expression.append(f"({_TOKENS[found[0]]})")
            at = found.end()
        elif text[at].isupper():
            raise ValueError(f"{text!r}: {text[at:]!r} does not begin with a token of calver.org")
        else:
            expression.append(re.escape(text[at]))
            at += 1
    meanings = [_MEANING.get(token, token) for token in tokens]
    if len(set(meanings)) != len(meanings):
        raise ValueError(f"{text!r} says the same thing twice")
    if not _DATE.intersection(meanings):
        raise ValueError(f"{text!r} has no part of a date, so it is no calendar version")
    return _Format(tuple(tokens), re.compile("".join(expression)))


def _calver(text: str, formats: tuple[str, ...]) -> Version | None:
    for each in formats:
        layout = _compile_format(each)
        found = layout.expression.fullmatch(text)
        if found is not None:
            return _calendar_version(layout.tokens, found.groups())
    return None


def _calendar_version(tokens: tuple[str, ...], values: tuple[str, ...]) -> Version:
    numbers: list[int] = []
    modifier: tuple[tuple[int, int, str], ...] | None = None
    for part, value in zip(tokens, values, strict=True):
        if part == "MODIFIER":
            modifier = _natural(value)
        elif part in ("YY", "0Y"):
            numbers.append(_SHORT_YEAR_BASE + int(value))
        else:
            numbers.append(int(value))
    key = (tuple(numbers), modifier is None, modifier or ())
    return Version(key, tuple(numbers[:1]), tuple(numbers[:2]), modifier is not None)


def _natural(text: str) -> tuple[tuple[int, int, str], ...]:
    # rc2 comes before rc10.
    return tuple(_identifier(part) for part in re.findall(r"[0-9]+|[A-Za-z]+", text))


# --- PEP 440 ------------------------------------------------------------------------------------------------------
def _pep440(text: str) -> Version | None:
    from packaging.version import InvalidVersion  # noqa: PLC0415  # only policies that say pep440 pay for it
    from packaging.version import Version as PythonVersion  # noqa: PLC0415  # only policies that say pep440 pay for it

    try:
        parsed = PythonVersion(text)
    except InvalidVersion:
        return None
    minor = parsed.release[1] if len(parsed.release) > 1 else 0
    line = (parsed.epoch, parsed.release[0])
    return Version((parsed,), line, (*line, minor), parsed.is_prerelease)
