"""The JSON Schema of the policy file, for editors; made from the same Structs that read it.

What a schema can say it says (keys, kinds, counts, patterns of durations); what it cannot, such as whether a class
exists or a regular expression compiles, only ``tagsweep`` itself says.
"""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from tagsweep.config.schedule import CRON_PATTERN, SCHEDULES, TIME_PATTERN
from tagsweep.config.sources import READINGS
from tagsweep.config.units import PERCENT_PATTERN
from tagsweep.config.wire import KEEP_CLAUSES, PolicyWire

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REFERENCES: Final = "#/$defs/"
_PATTERN_KEYS: Final = ("calver", "semver", "pep440", "regex", "glob", "names")
_VERSION_KEYS: Final = ("semver", "calver", "pep440", "class")
_PERCENT: Final = {"type": "string", "pattern": PERCENT_PATTERN}


def policy_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a policy as plain values."""
    shapes = [PolicyWire, *KEEP_CLAUSES.shapes.values()]
    _, components = msgspec.json.schema_components(shapes, ref_template=_REFERENCES + "{name}")
    definitions = {_name(name): _tidied(schema) for name, schema in components.items()}
    _say_what_types_cannot(definitions)
    root = definitions.pop("Policy")
    return {"$schema": _DIALECT, **root, "title": "tagsweep policy", "$defs": dict(sorted(definitions.items()))}


def schema_text() -> str:
    """Return the schema as the text of ``docs/policy.schema.json``."""
    return json.dumps(policy_schema(), indent=2, ensure_ascii=False) + "\n"


def _say_what_types_cannot(definitions: dict[str, Any]) -> None:
    definitions["Rule"]["properties"]["keep"]["items"] = {
        "anyOf": [{"const": "all"}]
        + [{"$ref": _REFERENCES + _name(shape.__name__)} for shape in KEEP_CLAUSES.shapes.values()]
    }
    definitions["Match"].update(minProperties=1, maxProperties=1)
    definitions["Naming"]["anyOf"] = [{"required": [key]} for key in _PATTERN_KEYS]
    definitions["NewestVersions"]["oneOf"] = [{"required": [key]} for key in _VERSION_KEYS]
    for owner, keys in (
        ("Naming", ("semver", "pep440")),
        ("NewestVersions", ("semver", "pep440")),
        ("KeepAll", ("all",)),
    ):
        for key in keys:
            definitions[owner]["properties"][key]["const"] = True
    percent = definitions["Limits"]["properties"]["max_percent"]
    percent["anyOf"] = [{"type": "number", "minimum": 0, "maximum": 100}, _PERCENT]
    waves = definitions["Apply"]["properties"]["waves"]
    waves["items"] = {"anyOf": [{"type": "integer", "minimum": 1}, _PERCENT]}
    schedule = definitions["Policy"]["properties"]["schedule"]
    schedule.pop("type", None)
    often = [{"enum": list(SCHEDULES)}, {"type": "string", "pattern": CRON_PATTERN}]
    schedule["anyOf"] = [*often, {"$ref": _REFERENCES + "Schedule"}]
    parts = definitions["Schedule"]["properties"]
    parts["every"].pop("type", None)
    parts["every"]["anyOf"] = often
    parts["at"]["pattern"] = TIME_PATTERN
    properties = definitions["Policy"]["properties"]
    properties["sources"]["additionalProperties"] = {"anyOf": [_source(definitions["Evidence"]), {"type": "null"}]}
    definitions["Evidence"]["required"] = ["require"]
    definitions["Evidence"]["properties"]["require"]["minItems"] = 1


def _source(evidence: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one source: what every kind has. The options of its kind only the source itself knows."""
    reading = {"enum": list(READINGS)}
    path = {"type": "string", "minLength": 1}
    rule = {
        "type": "object",
        "properties": {
            "path": {
                "description": "Globs over the places within the source; without it the rule is for all of them.",
                "anyOf": [path, {"type": "array", "items": path}],
            },
            "read": {"description": "protect: whatever fits stays. ignore: shown, not counted.", **reading},
        },
        "required": ["read"],
        "additionalProperties": False,
    }
    memory = {key: value for key, value in evidence["properties"]["remember"].items() if key != "default"}
    return {
        "type": "object",
        "properties": {
            "kind": {"description": "The kind of source, where its name does not begin with it.", "type": "string"},
            "remember": {**memory, "description": "For how long what this source no longer reports counts as in use."},
            "unresolved": {
                "description": "How references with open parts, such as web:${TAG}, are read.",
                "anyOf": [reading, {"type": "array", "items": rule}],
            },
        },
    }


def _tidied(schema: Any) -> Any:
    """Return a schema without msgspec's names and without the null that stands for an absent key."""
    match schema:
        case {"anyOf": [*members], **rest} if {"type": "null"} in members and rest.get("default", "") is None:
            others = [_tidied(member) for member in members if member != {"type": "null"}]
            kept = {key: _tidied(value) for key, value in rest.items() if key != "default"}
            return {**kept, **others[0]} if len(others) == 1 else {**kept, "anyOf": others}
        case dict():
            tidy = {key: _tidied(value) for key, value in schema.items() if not _is_noise(key, value)}
            if "title" in tidy and isinstance(tidy["title"], str):
                tidy["title"] = _name(tidy["title"])
            if isinstance(tidy.get("$ref"), str):
                tidy["$ref"] = _name(tidy["$ref"])
            return tidy
        case list():
            return [_tidied(entry) for entry in schema]
        case _:
            return schema


def _is_noise(key: str, value: Any) -> bool:
    return key == "default" and (value is None or value in ({}, []))


def _name(wire: str) -> str:
    return wire.removesuffix("Wire")
