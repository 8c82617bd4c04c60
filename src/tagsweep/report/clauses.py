"""Keep clauses, patterns and matches of a policy in words."""

from __future__ import annotations

from typing import Final, assert_never

from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import (
    Glob,
    InClass,
    KeepAll,
    KeepClause,
    KeepEvery,
    KeepLabelled,
    KeepNamed,
    KeepNewest,
    KeepNewestVersions,
    KeepWithin,
    Match,
    Names,
    Pattern,
    Regex,
    VersionPattern,
)
from tagsweep.report.units import agree, count, duration, plural
from tagsweep.report.words import listed, quoted

_CODES: Final[dict[type[KeepClause], str]] = {
    KeepNewest: "newest",
    KeepWithin: "within",
    KeepEvery: "every",
    KeepNewestVersions: "newest-versions",
    KeepLabelled: "labelled",
    KeepNamed: "named",
    KeepAll: "all",
}


def origin_words(origin: TimeOrigin) -> str:
    """Return what a time of this origin is called in a sentence: ``push time``."""
    match origin:
        case TimeOrigin.PUSHED:
            return "push time"
        case TimeOrigin.UPDATED:
            return "tag update time"
        case TimeOrigin.FIRST_SEEN:
            return "time when tagsweep first saw it"
        case TimeOrigin.CREATED:
            return "build time (created)"
        case TimeOrigin.PULLED:
            return "last pull time"
        case _:
            assert_never(origin)


def clause_code(clause: KeepClause) -> str:
    """Return the stable name of the clause's class in JSON, such as ``newest``; never renamed."""
    return _CODES[type(clause)]


def clause_words(clause: KeepClause) -> str:  # noqa: PLR0911  # one return for each class of the closed union
    """Return what a keep clause keeps: ``the 20 newest by push time``."""
    match clause:
        case KeepNewest(count=number, of=of, per=per):
            group = f" for each {quoted(per)}" if per is not None else ""
            return f"the {_several(number)}newest by {origin_words(of)}{group}"
        case KeepWithin(age=age, of=of):
            return f"what is not older than {duration(age)} by {origin_words(of)}"
        case KeepEvery(period=period, count=number, of=of):
            span = period.value if number == 1 else plural(number, period.value)
            return f"the newest of each {period.value} for the last {span} by {origin_words(of)}"
        case KeepNewestVersions(count=number, version=version, per=per):
            line = f" of each {per} line" if per is not None else ""
            return f"the {_several(number)}highest {version.scheme.value} {agree(number, 'version')}{line}"
        case KeepLabelled(key=key, value=value, annotation=annotation):
            noun = "annotation" if annotation else "label"
            return f"what has the {noun} {key}" + (f" = {value}" if value is not None else "")
        case KeepNamed(match=patterns):
            return f"what matches {match_words(patterns)}"
        case KeepAll():
            return "everything that the rule matches"
        case _:
            assert_never(clause)


def _several(number: int) -> str:
    return "" if number == 1 else f"{count(number)} "


def match_words(match: Match) -> str:
    """Return which tags a match means: ``class ci-build or glob v*``; ``nothing`` for an empty one."""
    return " or ".join(_pattern_words(part) for part in match) or "nothing"


def _pattern_words(pattern: Pattern | InClass) -> str:
    match pattern:
        case Glob(pattern=text):
            return f"glob {text}"
        case Regex(pattern=text):
            return f"regex {text}"
        case Names(names=names):
            return listed(sorted(names), most=5)
        case VersionPattern(scheme=scheme, formats=formats, prefix=prefix):
            shape = f" {' or '.join(formats)}" if formats else ""
            return f"{scheme.value}{shape}" + (f" after {quoted(prefix)}" if prefix else "")
        case InClass(name=name):
            return f"class {name}"
        case _:
            assert_never(pattern)
