"""YAML as a tree that knows its lines, with every scalar as it was written: ``1.10`` stays a text, not a number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import yaml

from tagsweep.sources.syntaxes.files import NotParsed
from tagsweep.sources.syntaxes.recent import Recent

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BLOCKS: Final = frozenset({"|", ">"})
_DEEPEST: Final = 100
_HELD: Final = 2 * 1024 * 1024  # the nodes take some ten times as much as their text
_OVERHEAD: Final = 500


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """A text. ``plain`` is False where it was quoted or a block; ``line`` begins at 1."""

    value: str
    line: int
    plain: bool = True
    tag: str = ""
    block: bool = False

    @property
    def first_line(self) -> int:
        """The line on which the text itself begins: that of a block (``|``, ``>``) is below its mark."""
        return self.line + 1 if self.block else self.line

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
    """Return the documents of ``text`` (also JSON), or raise NotParsed. Aliases are shared nodes, so no bomb grows.

    Several syntaxes ask for the same text one after the other: the last few answers are remembered, and shared.
    """
    found = _parsed.of(text, lambda: _parse(text))
    if isinstance(found, str):
        raise NotParsed(found)
    return found


def _parse(text: str) -> tuple[Node, ...] | str:
    """Return the documents, or why there are none."""
    try:
        return tuple(_Builder(text).documents())
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        return _why(error)


_parsed: Final[Recent[str, tuple[Node, ...] | str]] = Recent(_HELD, lambda text, _: len(text) + _OVERHEAD)


def _why(error: BaseException) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or type(error).__name__
    return f"line {mark.line + 1}: {problem}" if mark is not None else str(problem)


class _Builder:
    """Nodes from the events of libyaml. Its own composer takes four times as long, and calls itself without a bound:
    a text that nests very deep would crash the process.
    """

    def __init__(self, text: str) -> None:
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self._anchors: dict[str, Node] = {}

    def documents(self) -> Iterator[Node]:
        """Yield the root of each document."""
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors = {}
                root = self._node(next(self._events), _DEEPEST)
                if root is not None:
                    yield root

    def _node(self, event: Any, depth: int) -> Node | None:
        """Return the node that begins with ``event``; None at the end of a list or mapping."""
        kind = type(event)
        if kind is yaml.ScalarEvent:
            # libyaml says "" for plain, PyYAML None
            style = event.style
            node: Node = Scalar(event.value, event.start_mark.line + 1, not style, event.tag or "", style in _BLOCKS)
            if event.anchor is not None:
                self._anchors[event.anchor] = node
            return node
        if kind is yaml.SequenceEndEvent or kind is yaml.MappingEndEvent:
            return None
        if kind is yaml.AliasEvent:
            if event.anchor not in self._anchors:
                raise yaml.composer.ComposerError(None, None, "found undefined alias", event.start_mark)
            return self._anchors[event.anchor]
        if depth == 0:
            raise ValueError("nested too deep")
        line = event.start_mark.line + 1
        listed = kind is yaml.SequenceStartEvent
        if event.anchor is not None:
            self._anchors[event.anchor] = Items((), line) if listed else Pairs({}, line)  # what is within itself ends
        made: Node = self._items(line, depth - 1) if listed else self._pairs(line, depth - 1)
        if event.anchor is not None:
            self._anchors[event.anchor] = made
        return made

    def _items(self, line: int, depth: int) -> Items:
        entries: list[Node] = []
        while (entry := self._node(next(self._events), depth)) is not None:
            entries.append(entry)
        return Items(tuple(entries), line)

    def _pairs(self, line: int, depth: int) -> Pairs:
        merged: dict[str, Node] = {}
        merged_lines: dict[str, int] = {}
        own: dict[str, Node] = {}
        lines: dict[str, int] = {}
        while (key := self._node(next(self._events), depth)) is not None:
            value = self._node(next(self._events), depth)
            if value is None or not isinstance(key, Scalar):
                continue
            if key.value == "<<" and key.plain:
                for base in value.entries if isinstance(value, Items) else (value,):
                    if isinstance(base, Pairs):
                        for name, entry in base.entries.items():
                            merged.setdefault(name, entry)
                            merged_lines.setdefault(name, base.key_lines.get(name, base.line))
            else:
                own[key.value] = value
                lines[key.value] = key.line
        if merged:
            return Pairs({**merged, **own}, line, {**merged_lines, **lines})
        return Pairs(own, line, lines)


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
