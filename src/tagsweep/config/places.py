"""Places in a policy file: every error of ``config`` is made here, so that each names file, line and column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final, TypeAlias
from unicodedata import name as character_name

from tagsweep.http.redact import HIDDEN, excerpt
from tagsweep.model.errors import PolicyError

Step: TypeAlias = str | int
"""A key of a mapping or an index of a list."""

_USERINFO: Final = re.compile(r"[^\s/@:'\"]+:[^\s/@'\"]+@(?!sha[0-9]+:)")
"""User and password before a host; a tag before a digest looks the same and is none."""
_HEAD: Final = 300
_TAIL: Final = 160
_MOST_NAMED: Final = 24


def policy_error(path: str, line: int, column: int, sentence: str, *, remedy: str = "") -> PolicyError:
    """Return the error for a place; ``line`` and ``column`` begin at 1.

    What is quoted from the file is shortened in its middle, and shows no secret that somebody wrote there.
    """
    return PolicyError(f"{path}:{line}:{column}: {_fit(sentence)}", remedy=_fit(remedy))


def _fit(text: str) -> str:
    # Cut before it is searched too: the file may be one line of a million characters.
    text = _shortened(text, 8 * _HEAD, 8 * _TAIL)
    text = _USERINFO.sub(f"{HIDDEN}@", excerpt(text, limit=2 * len(text) + 100))
    return _shortened(text, _HEAD, _TAIL)


def _shortened(text: str, head: int, tail: int) -> str:
    return text if len(text) <= head + tail else f"{text[:head]} … {text[-tail:]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One value of a policy file, by the keys that lead to it. ``positions`` maps such paths to (line, column)."""

    file: str
    positions: Mapping[tuple[Step, ...], tuple[int, int]] = field(repr=False, hash=False)
    path: tuple[Step, ...] = ()

    def at(self, *steps: Step) -> Place:
        """Return the place that these keys and indexes lead to from here."""
        return Place(file=self.file, positions=self.positions, path=self.path + steps)

    def entries(self, value: str | list[str]) -> list[tuple[Place, str]]:
        """Return the entries of a value that may be one text or a list of texts, each with its place."""
        if isinstance(value, str):
            return [(self, value)]
        return [(self.at(index), entry) for index, entry in enumerate(value)]

    @property
    def name(self) -> str:
        """What a person calls this place: its key, or the key of the list that it is an entry of."""
        keys = [step for step in self.path if isinstance(step, str)]
        if not keys:
            return "the policy"
        return f"an entry of {keys[-1]!r}" if isinstance(self.path[-1], int) else f"{keys[-1]!r}"

    @property
    def position(self) -> tuple[int, int]:
        """Line and column of the value, or of the nearest thing around it that is in the file."""
        path = self.path
        while path and path not in self.positions:
            path = path[:-1]
        return self.positions.get(path, (1, 1))

    def error(self, sentence: str, *, remedy: str = "") -> PolicyError:
        """Return the error that this place has, for the caller to raise."""
        line, column = self.position
        return policy_error(self.file, line, column, sentence, remedy=remedy)


def listing(words: Iterable[str], *, last: str = "or") -> str:
    """Return words as a person lists them: ``a, b or c``."""
    items = list(words)
    if len(items) <= 1:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that ``word`` most probably stands for, or None if none is near."""
    candidates = list(known)
    by_folded = {candidate.lower().replace("-", "_"): candidate for candidate in candidates}
    folded = word.lower().replace("-", "_").replace(" ", "_")
    if folded in by_folded:
        return by_folded[folded]
    found = get_close_matches(folded, by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the remedy for an unknown word: the nearest known one, or all of them."""
    candidates = list(known)
    near = nearest(word, candidates)
    if near is not None:
        return f"did you mean {near!r}?"
    if len(candidates) > _MOST_NAMED:
        shown = ", ".join(repr(candidate) for candidate in candidates[:_MOST_NAMED])
        return f"it can be {shown} or one of {len(candidates) - _MOST_NAMED} others"
    return f"it can be {listing(repr(c) for c in candidates)}" if candidates else ""


def foreign_character(text: str) -> str:
    """Return the first character of ``text`` that is not ASCII, in words, or nothing: some look like Latin letters."""
    for character in text:
        if not character.isascii():
            return f"U+{ord(character):04X} {character_name(character, '')}".strip()
    return ""
