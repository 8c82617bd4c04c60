"""What a script's variables can be at each of its commands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tagsweep.sources.syntaxes.shell_words import LEADING, Command, Word, expanded
from tagsweep.sources.syntaxes.template import Value, Variables

_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?)=(.*)", re.DOTALL | re.ASCII)
_DEFAULTED: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*):?=([^}]*)\}", re.ASCII)
_DECLARING: Final = frozenset(
    {"export", "readonly", "local", "declare", "typeset", "set", "env", "sudo", "setenv", "let"}
)
_READING: Final = frozenset({"read", "mapfile", "readarray", "getopts"})
_INDEX: Final = re.compile(r"\[[^\]]*\]$")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_ARGUMENT: Final = re.compile(r"[0-9]+:?[-=](.*)", re.DOTALL)
OUTER: Final = "__outer_"


@dataclass(frozen=True, slots=True)
class _Set:
    """One assignment. ``texts`` is None where a command gives the value (``read``). It holds where ``path`` leads."""

    index: int
    path: tuple[int, ...] | None
    texts: tuple[str, ...] | None


class Scope:
    """The assignments of one script, in their order."""

    def __init__(self, script: Sequence[Command], outer: Variables) -> None:
        self._script = script
        self._outer = outer
        self._sets: dict[str, list[_Set]] = {}
        self._first: dict[str, int] = {}
        for index, command in enumerate(script):
            self._assignments(index, command)
        self._sets = {name: [self._without_later(name, each) for each in sets] for name, sets in self._sets.items()}

    def at(self, index: int) -> Variables:
        """Return the variables as the command of this index sees them."""
        path = self._script[index].path
        remembered: dict[str, Value | None] = {}

        def look_up(name: str) -> Value | None:
            if name not in remembered:
                remembered[name] = self._value(name, index, path)
            return remembered[name]

        return look_up

    def _value(self, name: str, index: int, path: tuple[int, ...]) -> Value | None:
        if name.startswith(OUTER):
            return self._outer(name.removeprefix(OUTER))
        argument = _ARGUMENT.fullmatch(name)
        if argument is not None:  # ${1:-latest}: the caller may give another
            return Value((argument[1],), settled=False)
        sets = self._sets.get(_INDEX.sub("", name))
        if sets is None:
            return self._outer(name)
        holds = any(
            each.index < index and each.path is not None and path[: len(each.path)] == each.path for each in sets
        )
        texts = [part for each in sets for text in each.texts or () for part in _parts(text)]
        told = all(each.texts is not None for each in sets)
        if not holds and (before := self._outer(name)) is not None:
            return Value(tuple(dict.fromkeys((*texts, *before.texts))), before.settled and told)
        return Value(tuple(dict.fromkeys(texts)), holds and told)

    def _assignments(self, index: int, command: Command) -> None:
        for name, array in command.arrays:
            self._add(name, _Set(index, command.path, tuple(text for word in array for text in expanded(word.text))))
        words: Sequence[Word] = command.words
        at = 0
        while at < len(words) and words[at].text in LEADING:
            at += 1
        if at < len(words) and words[at].text in _READING:
            for word in words[at + 1 :]:
                if _NAME.fullmatch(word.text):
                    self._add(word.text, _Set(index, command.path, None))
            return
        self._loop(index, command, words[at:])
        self._pairs(index, command, words[at:])
        for word in words[at:]:
            for found in _DEFAULTED.finditer(word.text):
                self._add(found[1], _Set(index, None, (found[2],)))

    def _pairs(self, index: int, command: Command, words: Sequence[Word]) -> None:
        """Take the assignments at the beginning; those before another command hold for that command alone."""
        pairs: list[tuple[str, str]] = []
        plain = True
        declared = False
        for word in words:
            found = _ASSIGNMENT.fullmatch(word.text)
            if found is not None:
                pairs.append((found[1], found[3]))
            elif word.text in _DECLARING or word.text.startswith("-"):
                declared = declared or word.text in _DECLARING
            elif not declared or not _NAME.fullmatch(word.text):
                plain = False
                break
        for name, text in pairs:
            self._add(name, _Set(index, command.path if plain else None, (text,)))

    def _loop(self, index: int, command: Command, words: Sequence[Word]) -> None:
        if len(words) > 1 and words[0].text in {"for", "select"} and _NAME.fullmatch(words[1].text):
            listed = words[3:] if len(words) > 2 and words[2].text == "in" else ()  # noqa: PLR2004 - for NAME in WORDS
            self._add(
                words[1].text,
                _Set(index, command.path, tuple(text for word in listed for text in expanded(word.text)) or None),
            )

    def _add(self, name: str, each: _Set) -> None:
        self._first.setdefault(name, each.index)
        self._sets.setdefault(name, []).append(each)

    def _without_later(self, name: str, each: _Set) -> _Set:
        """Let a value refer to variables that were set before only, so that none can mean itself."""
        if each.texts is None or not any("$" in text for text in each.texts):
            return each
        own = self._first[name]

        def outer(found: re.Match[str]) -> str:
            later = self._first.get(found[2], -1) >= own
            return f"{found[1]}{OUTER}{found[2]}" if later else found[0]

        texts = tuple(re.sub(r"(\$\{?)([A-Za-z_][A-Za-z0-9_]*)", outer, text) for text in each.texts)
        return _Set(each.index, each.path, texts)


def _parts(text: str) -> tuple[str, ...]:
    """Return the words of a value that is a list of words (``"a:1 b:2"``), or the value."""
    if "${{" in text or "{{" in text or "$(" in text:
        return (text,)
    return tuple(text.split()) or ("",)
