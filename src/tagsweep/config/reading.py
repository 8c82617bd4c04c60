"""Reads a YAML node tree into the Structs of ``wire``, led by their types; every error has its place.

Being led by the expected type is the point: where text belongs, ``1.10``, ``on``, ``null`` or ``2025-10-01`` is the
text as written, whatever YAML 1.1 makes of it; where a number or a truth value belongs, only its plain form will do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, TypeVar

import msgspec
import yaml
from msgspec import inspect

from tagsweep.config import wording
from tagsweep.config.places import Place, Step, did_you_mean, foreign_character, listing, policy_error
from tagsweep.config.wire import Choice
from tagsweep.config.yamltree import check_characters, position
from tagsweep.model.errors import PolicyError

_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_NUMBER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,17})?", re.ASCII)
_TRUTH: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_STANDARD_TAG: Final = "tag:yaml.org,2002:"
_KNOWN_TAGS: Final = frozenset(
    _STANDARD_TAG + name
    for name in ("str", "int", "float", "bool", "null", "timestamp", "seq", "map", "merge", "value")
)
_MOST_NODES: Final = 200_000
"""Aliases can blow a small file up without bound; a policy that reads as more values than this is refused."""

W = TypeVar("W", bound=msgspec.Struct)


def read(root: yaml.Node, shape: type[W], *, file: str) -> tuple[W, Place]:
    """Return ``root`` as a ``shape`` and the place of the whole file, or raise PolicyError at the first mistake."""
    reader = _Reader(file=file)
    try:
        value = reader.value(root, _type_info(shape), ())
    except RecursionError as error:
        raise policy_error(file, 1, 1, "the values are nested too deeply to be a policy") from error
    if not isinstance(value, shape):
        raise TypeError(f"reading a {shape.__name__} gave a {type(value).__name__}")
    return value, Place(file=file, positions=reader.positions)


@cache
def _type_info(shape: type[msgspec.Struct]) -> inspect.StructType:
    info = inspect.type_info(shape)
    if not isinstance(info, inspect.StructType):
        raise TypeError(f"{shape.__name__} is not a Struct")
    return info


@dataclass(slots=True, kw_only=True)
class _Reader:
    file: str
    positions: dict[tuple[Step, ...], tuple[int, int]] = field(default_factory=dict)
    seen: int = 0
    around: set[int] = field(default_factory=set)

    def value(self, node: yaml.Node, info: inspect.Type, path: tuple[Step, ...]) -> Any:
        """Return what ``node`` says, read as ``info`` wants it."""
        self.positions[path] = position(node.start_mark)
        self._check_node(node)
        extra: dict[str, Any] = {}
        while isinstance(info, inspect.Metadata):
            extra = {**(info.extra or {}), **extra}
            info = info.type
        if isinstance(node, yaml.ScalarNode) and _is_null(node) and not _takes_null(node, info):
            if extra.get("empty"):
                return None
            raise self._error(
                node, f"{self._name(path)} has no value", extra.get("remedy", "write one, or remove the key")
            )
        self.around.add(id(node))
        try:
            return self._read(node, info, path, extra)
        finally:
            self.around.discard(id(node))

    def _read(self, node: yaml.Node, info: inspect.Type, path: tuple[Step, ...], extra: dict[str, Any]) -> Any:
        if isinstance(info, inspect.UnionType):
            info = self._alternative(node, info, path, extra)
            while isinstance(info, inspect.Metadata):
                extra = {**extra, **(info.extra or {})}
                info = info.type
        choice = extra.get("choice")
        if isinstance(choice, Choice):
            return self._choice(node, choice, path, extra)
        match info:
            case inspect.StructType():
                return self._struct(node, info, path, extra)
            case inspect.DictType():
                pairs = self._pairs(self._mapping(node, info, path, extra))
                return {key: self.value(value, info.value_type, (*path, key)) for key, (_, value) in pairs.items()}
            case inspect.ListType():
                return self._list(node, info, path, extra)
            case inspect.AnyType():
                return self._plain(node, path)
            case _:
                return self._scalar(node, info, path, extra)

    # --- mappings ---
    def _mapping(
        self, node: yaml.Node, info: inspect.Type, path: tuple[Step, ...], extra: dict[str, Any]
    ) -> yaml.MappingNode:
        if not isinstance(node, yaml.MappingNode):
            raise self._wrong_type(node, info, path, extra)
        return node

    def _pairs(self, node: yaml.MappingNode) -> dict[str, tuple[yaml.ScalarNode, yaml.Node]]:
        pairs: dict[str, tuple[yaml.ScalarNode, yaml.Node]] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._error(key, "a key must be plain text", "put a value that begins with [ or { in quotes")
            self._check_tag(key)
            check_characters(key, file=self.file)
            if key.tag == _STANDARD_TAG + "merge" and key.style is None:
                raise self._error(
                    key, "merge keys (<<) are not supported", "repeat the keys, or use an alias for a value"
                )
            if key.value in pairs:
                line, _ = position(pairs[key.value][0].start_mark)
                raise self._error(
                    key, f"the key {key.value!r} is written twice", f"it is first on line {line}; keep one"
                )
            pairs[key.value] = (key, value)
        return pairs

    def _struct(
        self, node: yaml.Node, info: inspect.StructType, path: tuple[Step, ...], extra: dict[str, Any]
    ) -> msgspec.Struct:
        pairs = self._pairs(self._mapping(node, info, path, extra))
        fields = {one.encode_name: one for one in info.fields}
        for name, (key, value) in pairs.items():
            if name not in fields:
                raise self._unknown_key(key, value, fields)
        values: dict[str, Any] = {}
        for name, one in fields.items():
            if name in pairs:
                values[one.name] = self.value(pairs[name][1], one.type, (*path, name))
            elif one.required:
                raise self._missing(node, one, path)
        made: msgspec.Struct = info.cls(**values)
        return made

    def _unknown_key(self, key: yaml.ScalarNode, value: yaml.Node, known: dict[str, inspect.Field]) -> PolicyError:
        name = key.value
        glued, colon, rest = name.partition(":")
        if colon and glued in known and isinstance(value, yaml.ScalarNode) and value.value == "":
            return self._error(key, f"a space is missing after the colon of {glued!r}", f"write {glued}: {rest}")
        if isinstance(value, yaml.ScalarNode) and value.value == "":
            first = name.split(" ")[0]
            if first in known:
                return self._error(
                    key, f"a colon is missing after {first!r}", f"write {first}: {name[len(first) :].strip()}"
                )
        odd = foreign_character(name)
        sentence = f"the key {name!r} {f'(with {odd}) ' if odd else ''}is not known here"
        return self._error(key, sentence, did_you_mean(name, known))

    def _missing(self, node: yaml.Node, one: inspect.Field, path: tuple[Step, ...]) -> PolicyError:
        remedy = _extra(one.type).get("remedy", "")
        owner = "the policy" if not path else f"this {wording.owner(path)}"
        return self._error(node, f"{owner} has no {one.encode_name!r}", remedy)

    def _choice(self, node: yaml.Node, choice: Choice, path: tuple[Step, ...], extra: dict[str, Any]) -> Any:
        if isinstance(node, yaml.ScalarNode) and node.value in extra.get("words", ()):
            return node.value
        if not isinstance(node, yaml.MappingNode):
            raise self._wrong_type(node, inspect.AnyType(), path, extra)
        pairs = self._pairs(node)
        chosen = [key for key in pairs if key in choice.shapes]
        if len(chosen) > 1:
            second = pairs[chosen[1]][0]
            raise self._error(
                second,
                f"a {choice.what} has either {chosen[0]!r} or {chosen[1]!r}",
                "write two entries; what one of them keeps stays",
            )
        if chosen:
            return self._struct(node, _type_info(choice.shapes[chosen[0]]), path, {})
        for name, (key, value) in pairs.items():
            raise self._unknown_clause(choice, name, key, value)
        raise self._error(node, f"this {choice.what} is empty", f"write one of {listing(choice.shapes)}")

    def _unknown_clause(self, choice: Choice, name: str, key: yaml.ScalarNode, value: yaml.Node) -> PolicyError:
        known = {clause: _type_info(shape).fields[0] for clause, shape in choice.shapes.items()}
        if any(name == one.encode_name for shape in choice.shapes.values() for one in _type_info(shape).fields):
            sentence = f"{name!r} alone does not say what is kept"
            return self._error(key, sentence, f"a {choice.what} has one of {listing(choice.shapes)}")
        return self._unknown_key(key, value, known)

    # --- lists and scalars ---
    def _list(
        self, node: yaml.Node, info: inspect.ListType, path: tuple[Step, ...], extra: dict[str, Any]
    ) -> list[Any]:
        if not isinstance(node, yaml.SequenceNode):
            raise self._wrong_type(node, info, path, extra)
        if info.min_length is not None and len(node.value) < info.min_length:
            raise self._error(node, f"{self._name(path)} is empty", _remedy(extra, "write at least one entry"))
        return [self.value(entry, info.item_type, (*path, index)) for index, entry in enumerate(node.value)]

    def _scalar(self, node: yaml.Node, info: inspect.Type, path: tuple[Step, ...], extra: dict[str, Any]) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            raise self._wrong_type(node, info, path, extra)
        match info:
            case inspect.StrType():
                return node.value
            case inspect.BoolType():
                return self._truth(node, info, path, extra)
            case inspect.IntType() | inspect.FloatType():
                return self._number(node, info, path, extra)
            case inspect.LiteralType():
                return self._literal(node, info, path, extra)
            case _:
                raise TypeError(f"no policy value is a {type(info).__name__}")

    def _truth(self, node: yaml.ScalarNode, info: inspect.Type, path: tuple[Step, ...], extra: dict[str, Any]) -> bool:
        if node.style is None and node.value in _TRUTH:
            return _TRUTH[node.value]
        raise self._wrong_type(node, info, path, extra)

    def _number(
        self,
        node: yaml.ScalarNode,
        info: inspect.IntType | inspect.FloatType,
        path: tuple[Step, ...],
        extra: dict[str, Any],
    ) -> int | float:
        whole = isinstance(info, inspect.IntType)
        if node.style is not None or (_INTEGER if whole else _NUMBER).fullmatch(node.value) is None:
            raise self._wrong_type(node, info, path, extra)
        number = int(node.value) if whole else float(node.value)
        if info.ge is not None and number < info.ge:
            raise self._error(node, f"{self._name(path)} must be {info.ge} or more, and is {node.value}", "")
        return number

    def _literal(
        self, node: yaml.ScalarNode, info: inspect.LiteralType, path: tuple[Step, ...], extra: dict[str, Any]
    ) -> Any:
        for value in info.values:
            if node.value == str(value) and not (isinstance(value, int) and node.style is not None):
                return value
        words = [str(value) for value in info.values]
        remedy = extra.get("remedy") if len(words) == 1 else did_you_mean(node.value, words)
        raise self._error(
            node, f"{node.value!r} is not known as {self._name(path)}", remedy or f"write {listing(words)}"
        )

    def _alternative(
        self, node: yaml.Node, info: inspect.UnionType, path: tuple[Step, ...], extra: dict[str, Any]
    ) -> inspect.Type:
        """Return the member of a union that fits the kind of node; numbers before text, if it is one."""
        members = [member for member in info.types if not isinstance(member, inspect.NoneType)]
        if len(members) == 1:
            return members[0]
        for member in members:
            inner = member
            while isinstance(inner, inspect.Metadata):
                inner = inner.type
            if _fits(node, inner):
                return member
        raise self._wrong_type(node, info, path, extra)

    def _plain(self, node: yaml.Node, path: tuple[Step, ...]) -> Any:
        """Return a plugin's option: text as written, save true, false, null and plain whole numbers."""
        match node:
            case yaml.MappingNode():
                pairs = self._pairs(node)
                return {key: self.value(value, inspect.AnyType(), (*path, key)) for key, (_, value) in pairs.items()}
            case yaml.SequenceNode():
                return [self.value(one, inspect.AnyType(), (*path, index)) for index, one in enumerate(node.value)]
            case yaml.ScalarNode():
                text: str = node.value
                if node.style is not None or node.tag == _STANDARD_TAG + "str":
                    return text
                if text in _NULLS:
                    return None
                if text in _TRUTH:
                    return _TRUTH[text]
                return int(text) if _INTEGER.fullmatch(text) else text
            case _:
                raise TypeError(f"YAML has no {type(node).__name__}")

    # --- errors ---
    def _check_node(self, node: yaml.Node) -> None:
        self.seen += 1
        if id(node) in self.around:
            raise self._error(node, "this value contains itself through an alias", "write it out")
        if self.seen > _MOST_NODES:
            raise self._error(node, f"the policy has more than {_MOST_NODES:,} values", "use fewer aliases")
        self._check_tag(node)
        if isinstance(node, yaml.ScalarNode):
            check_characters(node, file=self.file)

    def _check_tag(self, node: yaml.Node) -> None:
        if node.tag not in _KNOWN_TAGS:
            shown = "!!" + node.tag.removeprefix(_STANDARD_TAG) if node.tag.startswith(_STANDARD_TAG) else node.tag
            raise self._error(node, f"the YAML tag {shown} is not supported", "remove it, or put the value in quotes")

    def _wrong_type(
        self, node: yaml.Node, info: inspect.Type, path: tuple[Step, ...], extra: dict[str, Any]
    ) -> PolicyError:
        wanted = extra.get("expected") or wording.expected(info)
        sentence = f"{self._name(path)} must be {wanted}, and is {wording.found(node)}"
        return self._error(node, sentence, wording.repair(node, info, path) or extra.get("remedy", ""))

    def _name(self, path: tuple[Step, ...]) -> str:
        return Place(file=self.file, positions=self.positions, path=path).name

    def _error(self, node: yaml.Node, sentence: str, remedy: str) -> PolicyError:
        return policy_error(self.file, *position(node.start_mark), sentence, remedy=remedy)


def _is_null(node: yaml.ScalarNode) -> bool:
    return node.style is None and node.value in _NULLS and node.tag == _STANDARD_TAG + "null"


def _takes_null(node: yaml.ScalarNode, info: inspect.Type) -> bool:
    """Tell whether YAML's null is a value here: AnyType decides for itself, and a tag may be called ``null``."""
    if isinstance(info, inspect.AnyType):
        return True
    members = info.types if isinstance(info, inspect.UnionType) else (info,)
    if any(isinstance(member, inspect.NoneType) for member in members):
        return False
    return node.value != "" and any(isinstance(member, inspect.StrType) for member in members)


def _extra(info: inspect.Type) -> dict[str, Any]:
    return dict(info.extra or {}) if isinstance(info, inspect.Metadata) else {}


def _remedy(extra: dict[str, Any], otherwise: str) -> str:
    return str(extra.get("remedy", otherwise))


def _fits(node: yaml.Node, info: inspect.Type) -> bool:
    if not isinstance(node, yaml.ScalarNode):
        wanted = inspect.ListType if isinstance(node, yaml.SequenceNode) else inspect.StructType | inspect.DictType
        return isinstance(info, wanted)
    match info:
        case inspect.IntType():
            return node.style is None and _INTEGER.fullmatch(node.value) is not None
        case inspect.FloatType():
            return node.style is None and _NUMBER.fullmatch(node.value) is not None
        case inspect.LiteralType():
            return node.value in {str(value) for value in info.values}
        case _:
            return isinstance(info, inspect.StrType)
