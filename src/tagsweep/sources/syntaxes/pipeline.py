"""What the formats of CI systems have in common: scopes of variables, scripts with their lines, images in nodes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from tagsweep.sources.syntaxes import shell
from tagsweep.sources.syntaxes.files import File
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.shape import looks_like_image
from tagsweep.sources.syntaxes.template import Value, Variables, nothing_known
from tagsweep.sources.syntaxes.yamlnodes import Items, Node, Pairs, Scalar, documents, walk

_MOST_TEXTS: Final = 64
_BLOCK: Final = re.compile(r"[|>][0-9+-]*[ \t]*(#.*)?$")
YAML_NAMES: Final = (".yml", ".yaml")


def mappings(file: File) -> tuple[Pairs, ...]:
    """Return the documents of ``file`` that are mappings, or raise NotParsed."""
    return tuple(document for document in documents(file.text) if isinstance(document, Pairs))


def rewritten(root: Pairs, pattern: re.Pattern[str]) -> Pairs:
    """Return ``root`` with every text that ``pattern`` matches as the variable that its first group names.

    For formats whose variables are written in a way of their own: ``<< parameters.tag >>``, ``((tag))``.
    """
    seen: dict[int, Node] = {}

    def again(node: Node) -> Node:
        if id(node) not in seen:
            seen[id(node)] = node  # what refers to itself stays as it is
            seen[id(node)] = once(node)
        return seen[id(node)]

    def once(node: Node) -> Node:
        if isinstance(node, Scalar):
            return Scalar(pattern.sub(r"${{ \1 }}", node.value), node.line, node.plain, node.tag)
        if isinstance(node, Items):
            return Items(tuple(again(entry) for entry in node.entries), node.line)
        return Pairs({key: again(entry) for key, entry in node.entries.items()}, node.line, node.key_lines)

    result = again(root)
    return result if isinstance(result, Pairs) else root


def chain(*scopes: Variables) -> Variables:
    """Return variables that are looked up in each scope in turn, the innermost first."""

    def look_up(name: str) -> Value | None:
        return next((value for scope in scopes if (value := scope(name)) is not None), None)

    return look_up


def table(values: Mapping[str, Value], *, prefixes: tuple[str, ...] = ("",)) -> Variables:
    """Return variables that have these values, each under its name behind one of ``prefixes``."""

    def look_up(name: str) -> Value | None:
        for prefix in prefixes:
            if name.startswith(prefix) and name[len(prefix) :] in values:
                return values[name[len(prefix) :]]
        return None

    return look_up


def scalars(node: Node | None) -> Iterator[Scalar]:
    """Yield the texts that ``node`` is or lists, also those in lists within the list."""
    if isinstance(node, Scalar):
        if not node.is_null:
            yield node
    elif isinstance(node, Items):
        for entry in node.entries:
            if not isinstance(entry, Pairs):
                yield from scalars(entry)


def values_in(pairs: Pairs, *, settled: bool = True) -> dict[str, Value]:
    """Return what the mapping gives each name that has a text, also as ``{value: …}`` or ``{default: …}``."""
    found: dict[str, Value] = {}
    for name, node in pairs.entries.items():
        text = node
        if isinstance(node, Pairs):
            text = node.text("value") or node.text("default") or node
        if isinstance(text, Scalar):
            found[name] = Value(("" if text.is_null else text.value,), settled)
    return found


def together(*values: Value | None) -> Value | None:
    """Return the value of a variable that is one or the other; None where nothing is known of any."""
    known = [value for value in values if value is not None]
    texts = tuple(dict.fromkeys(text for value in known for text in value.texts))
    return Value(texts, all(value.settled for value in known)) if texts else None


def merged(tables: Iterable[Mapping[str, Value]], *, settled: bool) -> dict[str, Value]:
    """Return every text that any of ``tables`` gives a name. One with very many is open, which means more."""
    found: dict[str, dict[str, None]] = {}
    for each in tables:
        for name, value in each.items():
            if value.texts:
                found.setdefault(name, {}).update(dict.fromkeys(value.texts))
    return {
        name: Value(tuple(texts), settled) if len(texts) <= _MOST_TEXTS else Value((), settled=False)
        for name, texts in found.items()
    }


def body_line(scalar: Scalar, lines: list[str]) -> int:
    """Return the line on which the text itself begins: a block (``|``) begins below its key."""
    at = scalar.line - 1
    block = not scalar.plain and at < len(lines) and _BLOCK.search(lines[at]) is not None
    return scalar.line + 1 if block else scalar.line


def script(
    node: Node | None, lines: list[str], *, at: str = "", variables: Variables = nothing_known
) -> Iterator[Finding]:
    """Yield what the commands in ``node`` name: one text, or a list of lines that share their variables."""
    for line, text in script_texts(node, lines):
        yield from shell.find(text, line=line, variables=variables, at=at)


def script_texts(node: Node | None, lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield the script in ``node`` with its first line. A list is one script, its entries on their own lines.

    An entry that stands elsewhere (an alias of a list further up) begins a script of its own.
    """
    first = 0
    text = ""
    for scalar in scalars(node):
        line = body_line(scalar, lines)
        reached = first + text.count("\n") + 1
        if text and line >= reached:
            text += "\n" * (line - reached + 1) + scalar.value.rstrip("\n")
            continue
        if text:
            yield first, text
        first, text = line, scalar.value.rstrip("\n")
    if text:
        yield first, text


def image(
    node: Node | None, *, at: str = "", note: str = "", variables: Variables = nothing_known, keys: tuple[str, ...] = ()
) -> Iterator[Finding]:
    """Yield the image that ``node`` names: a text, or a mapping that has it under one of ``keys``."""
    if isinstance(node, Pairs):
        for key in keys:
            yield from image(node.text(key), at=at, note=note, variables=variables)
    elif isinstance(node, Scalar) and not node.is_null:
        yield from read_image(node.value, line=node.line, at=at, note=note, variables=variables)


def shaped(
    root: Node, *, at: str = "", variables: Variables = nothing_known, but: frozenset[int] = frozenset()
) -> Iterator[Finding]:
    """Yield the single texts anywhere in ``root`` that can only be meant as images, whatever their key is.

    ``but`` are the ids of texts that look like images and are something else.
    """
    for node in walk(root):
        if isinstance(node, Scalar) and id(node) not in but and "\n" not in node.value:
            option = _OPTION.match(node.value)
            text = node.value if option is None else node.value[option.end() :]
            if looks_like_image(text):
                yield from read_image(text, line=node.line, at=at, variables=variables, prose=True)


_OPTION: Final = re.compile(r"-{0,2}[A-Za-z_][\w.-]*=")


def words(scalar: Scalar | None, lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield the entries of a list that is written in one text, by lines or commas, each with its line.

    Commas inside ``${{ }}`` do not part; neither do those between ``name=value`` pairs, which are one entry.
    """
    if scalar is None:
        return
    first = body_line(scalar, lines)
    for offset, line in enumerate(scalar.value.splitlines()):
        if "=" in line.partition(":")[0]:
            yield first + offset, line.strip()
            continue
        for word in _COMMA.split(line):
            if word.strip():
                yield first + offset, word.strip()


_COMMA: Final = re.compile(r",(?![^{]*\}\})")


def assignments(text: str, sink: str) -> dict[str, Value]:
    """Return the variables that a script writes to ``sink`` with ``echo "NAME=value" >> $SINK``."""
    if sink not in text:
        return {}
    found = (
        {written["quoted"] or written["name"]: Value(((written["inside"] or written["bare"] or "").strip("\"'"),))}
        for written in _ECHO.finditer(text)
    )
    return merged(found, settled=True)


_ECHO: Final = re.compile(
    r"""\b(?:echo|printf|Write-Output)[ \t]+(?:-\w+[ \t]+)*
    (?:(?P<quote>["'])(?P<quoted>[A-Za-z_][A-Za-z0-9_-]*)=(?P<inside>[^\n]*?)(?:\\n)?(?P=quote)
    |(?P<name>[A-Za-z_][A-Za-z0-9_-]*)=(?P<bare>(?:\$\{\{.*?\}\}|\$\([^)\n]*\)|"[^"\n]*"|'[^'\n]*'|[^\s"'>|;&])*))""",
    re.VERBOSE,
)
