"""HCL (Terraform, OpenTofu, Bake, Nomad) as the tree of yamlnodes: tolerant, with lines, functions as far as they go.

A block is a list under its type, each entry a mapping of labels that ends in its attributes. A text keeps its
``${…}``; an expression without quotes is a text ``${expression}``; what an expression chooses between is a list.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from tagsweep.sources.syntaxes.files import NotParsed
from tagsweep.sources.syntaxes.yamlnodes import Items, Node, Pairs, Scalar

_SPACE: Final = re.compile(r"(?:[ \t\r\f\v]+|#[^\n]*|//[^\n]*|/\*.*?\*/)+", re.DOTALL)
_SPACE_AND_LINES: Final = re.compile(r"(?:\s+|#[^\n]*|//[^\n]*|/\*.*?\*/)+", re.DOTALL)
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
_TRAVERSAL: Final = re.compile(
    r"[A-Za-z_][A-Za-z0-9_-]*(?:::[A-Za-z_][A-Za-z0-9_-]*)*(?:\.(?:[A-Za-z_][A-Za-z0-9_-]*|[0-9]+|\*)|\[[^\]\[\n]*\])*"
)
_NUMBER: Final = re.compile(r"-?[0-9][0-9.eE+-]*")
_HEREDOC: Final = re.compile(r"<<([~-]?)([A-Za-z_][A-Za-z0-9_-]*)[ \t]*\n")
_OPERATOR: Final = re.compile(r"&&|\|\||[=!<>]=|[-+*/%<>!?:]")
_DEEPEST: Final = 60
_LISTING: Final = frozenset(
    {"concat", "toset", "tolist", "flatten", "compact", "distinct", "merge", "setunion", "try", "coalesce"}
)
_TRANSPARENT: Final = frozenset(
    {"jsonencode", "yamlencode", "trimspace", "tostring", "tomap", "nonsensitive", "sensitive", "lower"}
)


def parse(text: str, *, line: int = 1) -> Pairs:
    """Return the body of a file. Raises NotParsed where hardly anything in it is HCL."""
    reader = _Reader(text.removeprefix("\ufeff").replace("\r\n", "\n"), line)
    body = reader.body(_DEEPEST, nested=False)
    if reader.odd and not body.entries:
        raise NotParsed(f"line {reader.odd}: an attribute or a block was expected")
    return body


def texts(node: Node | None) -> tuple[Scalar, ...]:
    """Return the texts that an expression can give: one, or each that it chooses between."""
    if isinstance(node, Scalar):
        return (node,)
    if isinstance(node, Items):
        return tuple(text for entry in node.entries for text in texts(entry))
    return ()


class _Reader:
    """Reads one text from the left; what it cannot make sense of it steps over."""

    def __init__(self, text: str, line: int) -> None:
        self._text = text
        self._at = 0
        self._line = line
        self._counted = 0
        self.odd = 0

    def body(self, depth: int, *, nested: bool) -> Pairs:
        entries: dict[str, Node] = {}
        lines: dict[str, int] = {}
        first = self._here()
        while True:
            self._skip(_SPACE_AND_LINES)
            if self._at >= len(self._text) or (nested and self._text[self._at] == "}"):
                break
            line = self._here()
            name = self._name()
            if name is None or depth == 0:
                self.odd = self.odd or line
                self._at += 1
                continue
            self._entry(name, line, entries, lines, depth)
        self._at += 1
        return Pairs(entries, first, lines)

    def _entry(self, name: str, line: int, entries: dict[str, Node], lines: dict[str, int], depth: int) -> None:
        self._skip(_SPACE)
        if self._looking_at("=") and not self._looking_at("=="):
            self._at += 1
            entries[name] = self._expression(depth - 1)
            lines[name] = line
            return
        labels: list[str] = []
        while not self._looking_at("{"):
            label = self._name()
            if label is None:
                self.odd = self.odd or line
                return
            labels.append(label)
            self._skip(_SPACE)
        self._at += 1
        node: Node = self.body(depth - 1, nested=True)
        for label in reversed(labels):
            node = Pairs({label: node}, line, {label: line})
        before = entries.get(name)
        earlier = before.entries if isinstance(before, Items) else ()
        entries[name] = Items((*earlier, node), lines.setdefault(name, line))

    def _name(self) -> str | None:
        if self._looking_at('"'):
            return self._string().value
        found = _IDENTIFIER.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return found[0]

    def _expression(self, depth: int, *, inside: bool = False) -> Node:
        """Return what stands up to the end of the line (``inside`` brackets: to a comma or the closing one)."""
        self._skip(_SPACE_AND_LINES if inside else _SPACE)
        start, line = self._at, self._here()
        terms: list[Node] = []
        operators: list[str] = []
        asked = 0
        while self._at < len(self._text) and depth > 0:
            if self._text[self._at] in ",]})" or (self._text[self._at] == "\n" and not inside):
                break
            operator = _OPERATOR.match(self._text, self._at)
            value = _NUMBER.match(self._text, self._at) or _HEREDOC.match(self._text, self._at)
            if operator is not None and value is None:
                operators.append(operator[0])
                asked = asked or (len(terms) if operator[0] == "?" else 0)
                self._at = operator.end()
                self._skip(_SPACE_AND_LINES)
                continue
            if inside and terms and not operators and self._looking_at("="):
                break
            terms.append(self._term(depth - 1))
            self._skip(_SPACE_AND_LINES if inside else _SPACE)
        if depth == 0:
            self.odd = self.odd or line
            self._at += 1
        if len(terms) == 1 and not operators:
            return terms[0]
        whole = self._text[start : self._at].strip()
        return self._combined(terms, asked, whole, line)

    @staticmethod
    def _combined(terms: list[Node], asked: int, whole: str, line: int) -> Node:
        """Return what ``condition ? this : that`` can be, or the whole expression as one open text.

        ``asked`` is how many terms stand before the first question mark.
        """
        if asked:
            return Items(tuple(terms[asked:]), line)
        if any(not isinstance(term, Scalar) for term in terms):
            return Items(tuple(terms), line)  # for expressions: what is inside them counts
        return Scalar(f"${{{whole}}}", line, tag="expression")

    def _term(self, depth: int) -> Node:
        line = self._here()
        character = self._text[self._at]
        if character == '"':
            return self._string()
        heredoc = _HEREDOC.match(self._text, self._at)
        if heredoc is not None:
            return self._heredoc(heredoc)
        if character in "[{(":
            self._at += 1
            return self._bracket(character, depth, line)
        number = _NUMBER.match(self._text, self._at)
        if number is not None:
            self._at = number.end()
            return Scalar(number[0], line)
        return self._named(depth, line)

    def _bracket(self, character: str, depth: int, line: int) -> Node:
        if character == "[":
            return self._list(depth, "]", line)
        if character == "{":
            return self._object(depth, line)
        inner = self._list(depth, ")", line)
        return inner.entries[0] if len(inner.entries) == 1 else inner

    def _named(self, depth: int, line: int) -> Node:
        """Return what a name stands for: a variable, a constant or a function's call."""
        found = _TRAVERSAL.match(self._text, self._at)
        if found is None:
            self._at += 1
            self.odd = self.odd or line
            return Scalar("", line)
        self._at = found.end()
        if self._looking_at("("):
            self._at += 1
            return _called(found[0], self._list(depth, ")", line))
        if found[0] in {"true", "false", "null"}:
            return Scalar(found[0], line)
        return Scalar(f"${{{found[0]}}}", line, tag="expression")

    def _list(self, depth: int, closing: str, line: int) -> Items:
        entries: list[Node] = []
        while True:
            self._skip(_SPACE_AND_LINES)
            if self._at >= len(self._text):
                break
            character = self._text[self._at]
            if character == closing:
                self._at += 1
                break
            if character in ",]})":
                self._at += 1
            elif depth <= 0:
                self.odd = self.odd or line
                self._at += 1
            else:
                entries.append(self._expression(depth - 1, inside=True))
        return Items(tuple(entries), line)

    def _object(self, depth: int, line: int) -> Node:
        entries: dict[str, Node] = {}
        lines: dict[str, int] = {}
        odd: list[Node] = []
        while True:
            self._skip(_SPACE_AND_LINES)
            if self._at >= len(self._text):
                break
            if self._text[self._at] == "}":
                self._at += 1
                break
            if self._text[self._at] in ",])" or depth <= 0:
                self._at += 1
                continue
            key_line = self._here()
            key = self._term(depth - 1)
            self._skip(_SPACE)
            if self._at < len(self._text) and self._text[self._at] in "=:" and isinstance(key, Scalar):
                self._at += 1 if not self._looking_at("=>") else 2
                name = key.value.removeprefix("${").removesuffix("}") if key.tag == "expression" else key.value
                entries[name] = self._expression(depth - 1)
                lines[name] = key_line
            else:
                odd.append(key)  # a for expression
        made = Pairs(entries, line, lines)
        return Items((made, *odd), line) if any(not isinstance(each, Scalar) for each in odd) else made

    def _string(self) -> Scalar:
        line = self._here()
        start = self._at + 1
        end = _string_end(self._text, start)
        self._at = min(end + 1, len(self._text))
        raw = self._text[start:end]
        return Scalar(
            re.sub(r"\\([nt\"\\])", lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]), raw),
            line,
            plain=False,
        )

    def _heredoc(self, found: re.Match[str]) -> Scalar:
        line = self._here()
        self._at = found.end()
        lines: list[str] = []
        while self._at < len(self._text):
            end = self._text.find("\n", self._at)
            end = len(self._text) if end < 0 else end
            content = self._text[self._at : end]
            if content.strip() == found[2]:
                self._at = end
                break
            lines.append(content)
            self._at = min(end + 1, len(self._text))
        return Scalar("\n".join(lines), line + 1, plain=False, tag="heredoc")

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()

    def _looking_at(self, text: str) -> bool:
        return self._text.startswith(text, self._at)

    def _here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = max(self._at, self._counted)
        return self._line


def _string_end(text: str, at: int) -> int:
    """Return the index of the quote that ends a text; quotes within ``${…}`` do not."""
    depth = 0
    while at < len(text):
        character = text[at]
        if character == "\\":
            at += 1
        elif text.startswith(("${", "%{"), at) and text[at - 1] != text[at]:
            depth += 1
            at += 1
        elif depth and character == "{":
            depth += 1
        elif depth and character == "}":
            depth -= 1
        elif (character == '"' and not depth) or character == "\n":
            return at
        at += 1
    return at


def _called(name: str, arguments: Items) -> Node:
    """Return what a function gives, where that can be told from its arguments."""
    entries = arguments.entries
    if name in _TRANSPARENT and len(entries) == 1:
        return entries[0]
    if name in _LISTING:
        return arguments
    if name == "format" and entries and all(isinstance(entry, Scalar) for entry in entries):
        given = iter(entry.value for entry in entries[1:] if isinstance(entry, Scalar))
        first = entries[0]
        assert isinstance(first, Scalar)  # noqa: S101 - said for the type checker; all of them were looked at above
        return replace(first, value=re.sub(r"%(?:[svdq]|#v)", lambda found: next(given, found[0]), first.value))
    if name == "join" and len(entries) > 1 and isinstance(entries[0], Scalar):
        separator = entries[0].value
        parts = [text.value for entry in entries[1:] for text in texts(entry)]
        return Scalar(separator.join(parts), arguments.line, plain=False)
    if any(not isinstance(entry, Scalar) for entry in entries):
        return arguments
    return Scalar(f"${{{name}(…)}}", arguments.line, tag="expression")
