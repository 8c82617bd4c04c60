"""JSON as the tree of yamlnodes, with its lines: also with comments and trailing commas, and JSON5's bare keys."""

from __future__ import annotations

import re
from typing import Final

from tagsweep.sources.syntaxes.files import NotParsed
from tagsweep.sources.syntaxes.yamlnodes import Items, Node, Pairs, Scalar

_SPACE: Final = re.compile(r"(?:\s+|//[^\n]*|#[^\n]*|/\*.*?\*/)+", re.DOTALL)
_STRING: Final = re.compile(r"(?P<mark>[\"'])(?:(?!(?P=mark))[^\\\n]|\\.)*(?P=mark)", re.DOTALL)
_KEY: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*", re.ASCII)
_BARE: Final = re.compile(r"[^\s,:\[\]{}\"]+")
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_DEEPEST: Final = 100


def parse(text: str, *, line: int = 1) -> Node:
    """Return the value that ``text`` is, or raise NotParsed. What follows it is not read."""
    return _Reader(text.removeprefix("\ufeff"), line).value(_DEEPEST)


class _Reader:
    """Reads one text from the left."""

    def __init__(self, text: str, line: int) -> None:
        self._text = text
        self._at = 0
        self._line = line
        self._counted = 0

    def value(self, depth: int) -> Node:
        if depth == 0:
            raise NotParsed("nested too deep")
        character = self._next()
        line = self._line_here()
        if character == "{":
            return self._object(line, depth)
        if character == "[":
            return self._list(line, depth)
        if character in "\"'":
            return Scalar(self._string(), line, plain=False)
        bare = _BARE.match(self._text, self._at)
        if bare is None:
            raise NotParsed(f"line {line}: a value was expected")
        self._at = bare.end()
        return Scalar(bare[0], line)

    def _object(self, line: int, depth: int) -> Pairs:
        self._at += 1
        entries: dict[str, Node] = {}
        lines: dict[str, int] = {}
        while (character := self._next()) != "}":
            if character == ",":
                self._at += 1
                continue
            key_line = self._line_here()
            bare = _KEY.match(self._text, self._at)
            if bare is None and character not in "\"'":
                raise NotParsed(f"line {key_line}: a key was expected")
            key = self._string() if bare is None else bare[0]
            self._at = self._at if bare is None else bare.end()
            if self._next() != ":":
                raise NotParsed(f"line {self._line_here()}: a colon was expected")
            self._at += 1
            entries[key] = self.value(depth - 1)
            lines[key] = key_line
        self._at += 1
        return Pairs(entries, line, lines)

    def _list(self, line: int, depth: int) -> Items:
        self._at += 1
        entries: list[Node] = []
        while (character := self._next()) != "]":
            if character == ",":
                self._at += 1
            else:
                entries.append(self.value(depth - 1))
        self._at += 1
        return Items(tuple(entries), line)

    def _next(self) -> str:
        space = _SPACE.match(self._text, self._at)
        if space is not None:
            self._at = space.end()
        if self._at >= len(self._text):
            raise NotParsed(f"line {self._line_here()}: the text ends too early")
        return self._text[self._at]

    def _string(self) -> str:
        found = _STRING.match(self._text, self._at)
        if found is None:
            raise NotParsed(f"line {self._line_here()}: a text is not closed")
        self._at = found.end()
        return _ESCAPE.sub(_unescaped, found[0][1:-1])

    def _line_here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line


def _unescaped(found: re.Match[str]) -> str:
    if found[1] is not None:
        return chr(int(found[1], 16))
    return _ESCAPED.get(found[2], found[2])
