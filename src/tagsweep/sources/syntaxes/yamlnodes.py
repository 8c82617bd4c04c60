"""YAML as a tree that knows its lines, with every scalar as it was written: ``1.10`` stays a text, not a number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import yaml

from tagsweep.sources.syntaxes.files import NotParsed

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_DEEPEST: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """A text. ``plain`` is False where it was quoted or a block; ``line`` begins at 1."""

    value: str
    line: int
    plain: bool = True
    tag: str = ""

    @property
    def is_null(self) -> bool:
        """Whether YAML reads it as nothing."""
        return self.plain and self.value in _NULLS


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """A list."""

    entries: tuple[Node, ...]
    line: int


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """A mapping. Keys that are not texts are left out; merge keys (``<<``) are merged, what is written here wins."""

    entries: dict[str, Node] = field(default_factory=dict)
    line: int = 0
    key_lines: dict[str, int] = field(default_factory=dict)

    def get(self, *keys: str) -> Node | None:
        """Return what these keys lead to, or None."""
        node: Node | None = self
        for key in keys:
            node = node.entries.get(key) if isinstance(node, Pairs) else None
        return node

    def text(self, *keys: str) -> Scalar | None:
        """Return the scalar that these keys lead to; None where there is none or it is null."""
        node = self.get(*keys)
        return node if isinstance(node, Scalar) and not node.is_null else None

    def pairs(self, *keys: str) -> Pairs:
        """Return the mapping that these keys lead to, or an empty one."""
        node = self.get(*keys)
        return node if isinstance(node, Pairs) else Pairs()

    def items(self, *keys: str) -> tuple[Node, ...]:
        """Return the entries of the list that these keys lead to, or none."""
        node = self.get(*keys)
        return node.entries if isinstance(node, Items) else ()


Node: TypeAlias = Scalar | Items | Pairs


def documents(text: str) -> tuple[Node, ...]:
    """Return the documents of ``text`` (also JSON), or raise NotParsed. Aliases are shared nodes, so no bomb grows."""
    try:
        loader = _LOADER(text)
        try:
            found = []
            while loader.check_node():
                node = loader.get_node()
                if node is not None:
                    found.append(_convert(node, {}, _DEEPEST))
            return tuple(found)
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        raise NotParsed(_why(error)) from error


def _why(error: BaseException) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or type(error).__name__
    return f"line {mark.line + 1}: {problem}" if mark is not None else str(problem)


def _convert(node: Any, seen: dict[int, Node], depth: int) -> Node:
    if depth == 0:
        raise ValueError("nested too deep")
    if id(node) in seen:
        return seen[id(node)]
    line = node.start_mark.line + 1
    result: Node
    if isinstance(node, yaml.ScalarNode):
        result = Scalar(node.value, line, not node.style, node.tag)  # libyaml says "" for plain, PyYAML None
    elif isinstance(node, yaml.SequenceNode):
        seen[id(node)] = Items((), line)  # what refers to itself ends here
        result = Items(tuple(_convert(entry, seen, depth - 1) for entry in node.value), line)
    else:
        seen[id(node)] = Pairs({}, line)
        result = _mapping(node, line, seen, depth)
    seen[id(node)] = result
    return result


def _mapping(node: Any, line: int, seen: dict[int, Node], depth: int) -> Pairs:
    merged: dict[str, Node] = {}
    merged_lines: dict[str, int] = {}
    own: dict[str, Node] = {}
    lines: dict[str, int] = {}
    for key, value in node.value:
        converted = _convert(value, seen, depth - 1)
        if not isinstance(key, yaml.ScalarNode):
            continue
        if key.value == "<<" and not key.style:
            for base in converted.entries if isinstance(converted, Items) else (converted,):
                if isinstance(base, Pairs):
                    for name, entry in base.entries.items():
                        merged.setdefault(name, entry)
                        merged_lines.setdefault(name, base.key_lines.get(name, base.line))
        else:
            own[key.value] = converted
            lines[key.value] = key.start_mark.line + 1
    return Pairs({**merged, **own}, line, {**merged_lines, **lines})


def walk(node: Node) -> Iterator[Node]:
    """Yield ``node`` and everything below it once, in the order of the text, without recursion."""
    seen: set[int] = set()
    stack = [node]
    while stack:
        current = stack.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        if isinstance(current, Items):
            stack.extend(reversed(current.entries))
        elif isinstance(current, Pairs):
            stack.extend(reversed(tuple(current.entries.values())))
