"""Text with parts that something fills in later: ``${TAG:-latest}``, ``{{ .Values.tag }}``, ``$(TAG)``, ``%TAG%``.

A template has readings: each way in which its parts can come out, as literal text and holes. A default is one reading
and the hole another, because whoever sets the variable gets something else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final, TypeAlias


@dataclass(frozen=True, slots=True)
class Hole:
    """A part that is not known. ``placeholder`` says that it only stands for something in a text for people."""

    text: str
    placeholder: bool = False


Piece: TypeAlias = str | Hole
Reading: TypeAlias = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """What a variable can be. ``settled`` says that it is nothing else; otherwise it can also be anything.

    The texts are templates themselves.
    """

    texts: tuple[str, ...]
    settled: bool = True


Variables: TypeAlias = Callable[[str], "Value | None"]
"""Returns what is known of the variable (or expression, without its braces and outer spaces) of this name."""

_MOST_READINGS: Final = 64
_DEEPEST: Final = 12
_OPERATOR: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(:?[-=?+])(.*)", re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_PERCENT: Final = re.compile(r"%[A-Za-z_][A-Za-z0-9_.]*%", re.ASCII)
_AT: Final = re.compile(r"@[A-Za-z_][A-Za-z0-9_.]*@", re.ASCII)
_ANGLE: Final = re.compile(r"<[A-Za-z][A-Za-z0-9 _.-]*>", re.ASCII)
_BRACE: Final = re.compile(r"\{[A-Za-z_]?[A-Za-z0-9_. :-]*\}", re.ASCII)
_SPECIAL: Final = re.compile(r"[$`{<%#@\[]")
# Opening and closing of those whose end is a fixed text; longer ones first.
_PAIRS: Final = (("${{", "}}"), ("{{", "}}"), ("<%", "%>"))


def nothing_known(name: str) -> Value | None:  # noqa: ARG001 (the shape of Variables)
    """Return None: no variable has a value."""
    return None


def known(values: Mapping[str, str], *, settled: bool = True) -> Variables:
    """Return variables that have these values."""

    def look_up(name: str) -> Value | None:
        text = values.get(name)
        return None if text is None else Value((text,), settled)

    return look_up


def has_holes(text: str) -> bool:
    """Tell whether something in ``text`` is to be filled in."""
    return any(isinstance(piece, Hole) for reading in readings(text) for piece in reading)


def readings(text: str, variables: Variables = nothing_known) -> tuple[Reading, ...]:
    """Return the ways in which ``text`` can be read, each once, the literal ones as they are written.

    Where there are very many, whatever varies becomes a hole, which means more and never less.
    """
    return tuple(dict.fromkeys(_joined(reading) for reading in _read(text, _Known(variables), _DEEPEST)))


class _Known:
    """The variables, and what was read already: values that mean each other are read once for each depth."""

    def __init__(self, variables: Variables) -> None:
        self.value = variables
        self.read: dict[tuple[str, int], list[Reading]] = {}


def _joined(reading: Reading) -> Reading:
    """Return the reading with neighbouring texts put together and empty ones left out."""
    pieces: list[Piece] = []
    for piece in reading:
        if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
            pieces[-1] += piece
        elif piece:
            pieces.append(piece)
    return tuple(pieces)


def _read(text: str, variables: _Known, depth: int) -> list[Reading]:
    if depth == 0:
        return [(Hole(text),)]
    read = variables.read.get((text, depth))
    if read is None:
        read = variables.read[text, depth] = _parts(text, variables, depth)
    return read


def _parts(text: str, variables: _Known, depth: int) -> list[Reading]:
    parts: list[list[Reading]] = []
    at = 0
    while at < len(text):
        found = _SPECIAL.search(text, at)
        if found is None:
            parts.append([(text[at:],)])
            break
        if found.start() > at:
            parts.append([(text[at : found.start()],)])
        at = found.start()
        end, alternatives = _part(text, at, variables, depth)
        parts.append(alternatives)
        at = end
    count = 1
    for alternatives in parts:
        count *= len(alternatives)
    if count > _MOST_READINGS:
        parts = [[(Hole(text),)] if len(alternatives) > 1 else alternatives for alternatives in parts]
    return [tuple(piece for reading in chosen for piece in reading) for chosen in product(*parts)]


def _part(text: str, at: int, variables: _Known, depth: int) -> tuple[int, list[Reading]]:
    """Return the end of what begins at ``at``, and its readings; a character that means nothing is literal."""
    for opening, closing in _PAIRS:
        if text.startswith(opening, at):
            found = text.find(closing, at + len(opening))
            end = len(text) if found < 0 else found + len(closing)
            inner = text[at + len(opening) : max(found, at)].strip().strip("-=").strip()
            return end, _value(text[at:end], inner, variables, depth)
    if text[at] == "$":
        return _dollar(text, at, variables, depth)
    if text.startswith(("#{", "%{"), at):
        end = _closing(text, at + 1, "{", "}")
        return end, _value(text[at:end], text[at + 2 : end - 1].strip(), variables, depth)
    return _marked(text, at, variables, depth)


def _marked(text: str, at: int, variables: _Known, depth: int) -> tuple[int, list[Reading]]:
    """Return end and readings of what one character begins and ends: a command, a variable, a placeholder."""
    if text[at] == "`":
        end = text.find("`", at + 1)
        end = len(text) if end < 0 else end + 1
        return end, [(Hole(text[at:end]),)]
    for expression, mark in ((_PERCENT, "%"), (_AT, "@")):
        variable = expression.match(text, at) if text[at] == mark else None
        if variable is not None:
            return variable.end(), _value(variable[0], variable[0].strip(mark), variables, depth)
    for expression in (_ANGLE, _BRACE):
        placeholder = expression.match(text, at)
        if placeholder is not None:
            return placeholder.end(), [(Hole(placeholder[0], placeholder=True),)]
    return at + 1, [(text[at],)]


def _dollar(text: str, at: int, variables: _Known, depth: int) -> tuple[int, list[Reading]]:
    after = text[at + 1 : at + 2]
    if after == "$":  # an escape in Compose, the shell's own dollar in a Makefile: the same variable either way
        return _dollar(text, at + 1, variables, depth)
    if after == "{":
        end = _closing(text, at + 1, "{", "}")
        return end, _braced(text[at:end], text[at + 2 : end - 1], variables, depth)
    for opening, closing in (("(", ")"), ("[", "]")):
        if after == opening:
            end = _closing(text, at + 1, opening, closing)
            return end, _value(text[at:end], text[at + 2 : end - 1].strip(), variables, depth)
    found = _NAME.match(text, at + 1)
    if found is not None:
        return found.end(), _value(text[at : found.end()], found[0], variables, depth)
    if after.isdigit() or after in set("@*#?!"):
        return at + 2, [(Hole(text[at : at + 2]),)]
    return at + 1, [("$",)]


def _braced(whole: str, inner: str, variables: _Known, depth: int) -> list[Reading]:
    found = _OPERATOR.fullmatch(inner)
    if found is None:
        return _value(whole, inner.strip(), variables, depth)
    name, operator, word = found.groups()
    value = variables.value(name)
    if operator.endswith("+"):
        return _distinct([(), *_read(word, variables, depth - 1)])
    if operator.endswith("?"):
        return _value(whole, name, variables, depth)
    default = _read(word, variables, depth - 1)
    if value is None:
        return _distinct([*default, (Hole(whole),)])
    set_ones = [reading for text in value.texts if text for reading in _read(text, variables, depth - 1)]
    if value.settled and set_ones and all(value.texts):
        return _distinct(set_ones)
    return _distinct([*set_ones, *default, *([] if value.settled else [(Hole(whole),)])])


def _value(whole: str, name: str, variables: _Known, depth: int) -> list[Reading]:
    value = variables.value(name)
    if value is None or not value.texts:
        return [(Hole(whole),)]
    found = [reading for text in value.texts for reading in _read(text, variables, depth - 1)]
    return _distinct(found if value.settled else [*found, (Hole(whole),)])


def _distinct(found: list[Reading]) -> list[Reading]:
    return list(dict.fromkeys(found))


def _closing(text: str, at: int, opening: str, closing: str) -> int:
    """Return the index after the bracket that closes the one at ``at``, or the end of the text."""
    depth = 0
    for index in range(at, len(text)):
        if text[index] == opening:
            depth += 1
        elif text[index] == closing:
            depth -= 1
            if depth == 0:
                return index + 1
    return len(text)
