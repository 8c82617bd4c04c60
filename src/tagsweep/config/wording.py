"""How the reader speaks of types and values: what was expected, what was found, and what to write instead."""

from __future__ import annotations

from typing import Final

import yaml
from msgspec import inspect

from tagsweep.config.places import Step, listing

_TYPES: Final[dict[type[inspect.Type], str]] = {
    inspect.DictType: "a mapping (key: value)",
    inspect.ListType: "a list",
    inspect.StrType: "text",
    inspect.BoolType: "true or false",
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
}
_MOST_DIGITS: Final = 18
"""Longer whole numbers are none to the reader."""
_ENTRIES: Final = {"rules": "rule", "protect": "protection", "keep": "keep clause", "checks": "check"}
_TRUTHS: Final = {"yes": "true", "on": "true", "no": "false", "off": "false", "true": "true", "false": "false"}


def bare(info: inspect.Type) -> inspect.Type:
    """Return the type without metadata and without the None that stands for an absent key."""
    while isinstance(info, inspect.Metadata):
        info = info.type
    if isinstance(info, inspect.UnionType):
        members = [member for member in info.types if not isinstance(member, inspect.NoneType)]
        return bare(members[0]) if len(members) == 1 else info
    return info


def expected(info: inspect.Type) -> str:
    """Return what belongs in a place of this type."""
    info = bare(info)
    match info:
        case inspect.StructType():
            return f"a mapping ({listing((one.encode_name for one in info.fields), last='and')})"
        case inspect.LiteralType():
            return listing(str(value) for value in info.values)
        case inspect.UnionType():
            return listing(expected(member) for member in info.types if not isinstance(member, inspect.NoneType))
        case _:
            return _TYPES.get(type(info), "a value")


def found(node: yaml.Node) -> str:
    """Return what stands there instead."""
    match node:
        case yaml.MappingNode():
            return "a mapping"
        case yaml.ScalarNode() if node.style in {"'", '"'}:
            return f"the quoted text {node.value!r}"
        case yaml.ScalarNode():
            return repr(node.value)
        case _:
            return "a list"


def owner(path: tuple[Step, ...]) -> str:
    """Return what a person calls the mapping at ``path``."""
    last = next((step for step in reversed(path) if isinstance(step, str)), "")
    return _ENTRIES.get(last, last) if isinstance(path[-1], int) else repr(last)


def _is_entry(text: str, info: inspect.Type) -> bool:
    """Tell whether ``text`` alone could be an entry of this list, so that brackets are all that is missing."""
    item = bare(info)
    entry = item.item_type if isinstance(item, inspect.ListType) else item
    if isinstance(entry, inspect.Metadata) and "words" in (entry.extra or {}):
        return text in (entry.extra or {})["words"]
    inner = bare(entry)
    members = inner.types if isinstance(inner, inspect.UnionType) else (inner,)
    return any(isinstance(member, inspect.StrType) for member in members)


def _whole_number(text: str) -> str:
    digits = text.replace("_", "").replace(",", "").lstrip("0") or text[-1:]
    if not (digits.isascii() and digits.isdecimal()):
        return "write decimal digits only"
    if len(digits) > _MOST_DIGITS:
        return f"write a number of at most {_MOST_DIGITS} digits"
    return f"write {digits}, without quotes, zeros in front or separators"


def repair(node: yaml.Node, info: inspect.Type, path: tuple[Step, ...]) -> str:
    """Return what to write instead, where the value itself tells; empty where it does not."""
    if not isinstance(node, yaml.ScalarNode):
        return ""
    key = next((step for step in reversed(path) if isinstance(step, str)), "")
    text: str = node.value
    match bare(info):
        case inspect.ListType():
            return f'write {key}: ["{text}"]' if key and " " not in text and _is_entry(text, info) else ""
        case inspect.IntType():
            return _whole_number(text)
        case inspect.BoolType():
            truth = _TRUTHS.get(text.lower())
            return f"write {key}: {truth}" if truth is not None else "write true or false"
        case inspect.StructType() | inspect.DictType():
            return "put a space after the colon" if ":" in text and ": " not in text else ""
        case _:
            return ""
