"""An entry of ``sources``: what every kind of source has; the rest is checked by the source itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from tagsweep.config import units
from tagsweep.config.places import Place, did_you_mean
from tagsweep.core.patterns import repository_matches
from tagsweep.model.policy import SourceSettings, UnresolvedReading, UnresolvedRule

READINGS: Final = tuple(reading.value for reading in UnresolvedReading)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_.-]+)*", re.ASCII)
_EXAMPLE: Final = 'unresolved: ignore, or unresolved: [{path: "tests/**", read: ignore}]'


def parse_source(name: str, options: Mapping[str, Any] | None, place: Place) -> SourceSettings:
    """Return the settings of the source called ``name``: its kind is the first part of that unless ``kind`` says it."""
    if _NAME.fullmatch(name) is None:
        raise place.error(f"{name!r} is no name for a source", remedy="write KIND/NAME, such as kubernetes/prod")
    rest = dict(options or {})
    kind = rest.pop("kind", name.partition("/")[0])
    if not isinstance(kind, str) or not kind:
        raise place.at("kind").error("'kind' is not the name of a kind of source", remedy="write it as text")
    return SourceSettings(
        name=name,
        kind=kind,
        unresolved=_unresolved(rest.pop("unresolved", None), place.at("unresolved")),
        remember=_remember(rest.pop("remember", None), place.at("remember")),
        options=rest,
    )


def _remember(value: Any, place: Place) -> timedelta | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise place.error("'remember' is not a duration", remedy="write a number and a unit, such as remember: 90d")
    return parse_memory(value, place)


def parse_memory(text: str, place: Place) -> timedelta:
    """Return for how long something is remembered; 0d is a value. The ledger itself forgets after two years."""
    duration = units.parse_duration(text, place)
    if duration > timedelta(days=730):
        raise place.error(f"{text!r} is longer than the two years that anything is remembered", remedy="write 730d")
    return duration


def _unresolved(value: Any, place: Place) -> tuple[UnresolvedRule, ...]:
    if value is None:
        return ()
    if isinstance(value, list):
        return tuple(_rule(entry, place.at(index)) for index, entry in enumerate(value))
    return (UnresolvedRule(read=_reading(value, place)),)


def _rule(entry: Any, place: Place) -> UnresolvedRule:
    if not isinstance(entry, dict):
        raise place.error("this is not a path with its reading", remedy=_EXAMPLE)
    for key in entry:
        if key not in {"path", "read"}:
            raise place.at(key).error(f"the key {key!r} is not known here", remedy=did_you_mean(key, ("path", "read")))
    if "read" not in entry:
        raise place.error("'read' is missing", remedy=_EXAMPLE)
    written = entry.get("path", [])
    globs = written if isinstance(written, list) else [written]
    return UnresolvedRule(
        read=_reading(entry["read"], place.at("read")),
        paths=tuple(_glob(glob, place.at("path")) for glob in globs),
    )


def _glob(glob: Any, place: Place) -> str:
    if not isinstance(glob, str) or not glob.strip():
        raise place.error("'path' is not a glob over paths", remedy='write it as text, such as path: "tests/**"')
    try:
        repository_matches(glob, "")
    except ValueError as error:
        raise place.error(str(error), remedy="[abc] stands for one of these characters, [a-z] for a range") from error
    return glob


def _reading(value: Any, place: Place) -> UnresolvedReading:
    if value not in READINGS:
        raise place.error(f"open references cannot be read as {value!r}", remedy="write protect or ignore")
    return UnresolvedReading(value)
