"""From the wire to keep clauses: what stays of the tags that a rule matches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from tagsweep.config import matching
from tagsweep.config.places import Place, did_you_mean, listing
from tagsweep.config.units import parse_duration
from tagsweep.config.wire import (
    AnnotationWire,
    EveryWire,
    KeepAllWire,
    KeepClauseWire,
    KeepGlobWire,
    KeepNamesWire,
    KeepRegexWire,
    LabelWire,
    NewestVersionsWire,
    NewestWire,
    WithinWire,
)
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import (
    KeepAll,
    KeepClause,
    KeepEvery,
    KeepLabelled,
    KeepNamed,
    KeepNewest,
    KeepNewestVersions,
    KeepWithin,
    Match,
    NamingClass,
    Period,
    VersionPattern,
)

Classes = Mapping[str, NamingClass]


def keep_clause(wire: KeepClauseWire | str, place: Place, *, matched: Match, classes: Classes) -> KeepClause:
    """Return one keep clause. ``matched`` is the rule's match, whose groups ``per`` may name."""
    match wire:
        case str() | KeepAllWire():
            return _keep_all(wire, place)
        case NewestWire() | WithinWire() | EveryWire():
            return _by_time(wire, place, matched, classes)
        case NewestVersionsWire():
            version = _version(wire, place, classes)
            return KeepNewestVersions(count=wire.newest_versions, version=version, per=wire.per)
        case LabelWire():
            return KeepLabelled(key=_key(wire.label, place.at("label")), value=wire.value)
        case AnnotationWire():
            return KeepLabelled(key=_key(wire.annotation, place.at("annotation")), value=wire.value, annotation=True)
        case KeepNamesWire() | KeepGlobWire() | KeepRegexWire():
            return _by_pattern(wire, place)
        case _:
            assert_never(wire)


def _keep_all(wire: str | KeepAllWire, place: Place) -> KeepAll:
    if isinstance(wire, KeepAllWire) and not wire.all:
        raise place.at("all").error("'all' can only be true", remedy="remove the clause")
    return KeepAll()


def _by_time(wire: NewestWire | WithinWire | EveryWire, place: Place, matched: Match, classes: Classes) -> KeepClause:
    origin = TimeOrigin(wire.of)
    match wire:
        case NewestWire():
            per = None if wire.per is None else _group(wire.per, place.at("per"), matched, classes)
            return KeepNewest(count=wire.newest, of=origin, per=per)
        case WithinWire():
            return KeepWithin(age=parse_duration(wire.within, place.at("within")), of=origin)
        case EveryWire():
            return KeepEvery(period=Period(wire.every), count=wire.for_, of=origin)
        case _:
            assert_never(wire)


def _by_pattern(wire: KeepNamesWire | KeepGlobWire | KeepRegexWire, place: Place) -> KeepNamed:
    match wire:
        case KeepNamesWire():
            found = matching.texts(glob=None, regex=None, names=wire.names, place=place)
        case KeepGlobWire():
            found = matching.texts(glob=wire.glob, regex=None, names=None, place=place)
        case KeepRegexWire():
            found = matching.texts(glob=None, regex=wire.regex, names=None, place=place)
        case _:
            assert_never(wire)
    return KeepNamed(match=tuple(found))


def _key(text: str, place: Place) -> str:
    if not text.strip():
        raise place.error(f"{place.name} is empty", remedy="write the key, such as org.opencontainers.image.version")
    return text


def _group(name: str, place: Place, matched: Match, classes: Classes) -> str:
    for pattern, groups in matching.group_names(matched, classes):
        if name not in groups:
            raise place.error(
                f"'per' names the group {name!r}, which the rule's match does not have: {pattern!r}",
                remedy=did_you_mean(name, sorted(groups))
                if groups
                else f"it has no named group; write (?P<{name}>…) in a regex",
            )
    return name


def _version(wire: NewestVersionsWire, place: Place, classes: Classes) -> VersionPattern:
    keys = {"semver": wire.semver, "calver": wire.calver, "pep440": wire.pep440, "class": wire.class_}
    given = [key for key, value in keys.items() if value is not None]
    if len(given) != 1:
        at = place if not given else place.at(given[1])
        raise at.error(
            "'newest_versions' does not say how versions are read"
            if not given
            else f"both {given[0]!r} and {given[1]!r}",
            remedy=f"write exactly one of {listing(keys)}",
        )
    if wire.class_ is None:
        found = matching.version_patterns(wire, place)
    else:
        if wire.prefix is not None:
            raise place.at("prefix").error("the class says the prefix", remedy="remove the key")
        named = matching.class_name(wire.class_, place.at("class"), classes)
        found = [one for one in classes[named].patterns if isinstance(one, VersionPattern)]
    match found:
        case [VersionPattern() as version]:
            return version
        case _:
            raise place.at("class").error(
                f"the class {wire.class_!r} reads versions in {len(found)} ways, and one is needed",
                remedy="write the scheme here: semver: true, calver: [formats] or pep440: true",
            )
