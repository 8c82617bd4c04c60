"""How a server says what authorization it wants: WWW-Authenticate headers and token scopes, as values.

Rules: RFC 9110 section 11.6.1; distribution's token authentication specification for scopes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~/-]+")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_BARE: Final = re.compile(r"[^\s,]*")
_ACTION_ORDER: Final = ("pull", "push", "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One way to authenticate; ``scheme`` and the names of parameters are lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict, hash=False)


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Return every challenge of a WWW-Authenticate header (several headers joined by commas are one).

    Never raises: what cannot be read is left out, and then nobody answers to it.
    """
    challenges: list[tuple[str, dict[str, str]]] = []
    position = 0
    while position < len(header):
        word = _TOKEN.match(header, position)
        if word is None:
            position += 1
            continue
        position = word.end()
        after = _skip_spaces(header, position)
        if after < len(header) and header[after] == "=":
            value, position = _read_value(header, _skip_spaces(header, after + 1))
            if challenges:
                challenges[-1][1].setdefault(word[0].lower(), value)
        else:
            challenges.append((word[0].lower(), {}))
    return tuple(Challenge(scheme=scheme, parameters=parameters) for scheme, parameters in challenges)


def _skip_spaces(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t":
        position += 1
    return position


def _read_value(text: str, position: int) -> tuple[str, int]:
    quoted = _QUOTED.match(text, position)
    if quoted is not None:
        return re.sub(r"\\(.)", r"\1", quoted[1]), quoted.end()
    bare = _BARE.match(text, position)
    return (bare[0], bare.end()) if bare is not None else ("", position)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a token is to allow, such as ``repository:team/app:pull,delete``."""

    kind: str
    name: str
    actions: frozenset[str]

    @classmethod
    def repository(cls, name: str, *actions: str) -> Scope:
        """Return the scope of these actions in one repository."""
        return cls(kind="repository", name=name, actions=frozenset(actions))

    @classmethod
    def parse_all(cls, text: str) -> tuple[Scope, ...]:
        """Return the scopes in ``text``, separated by spaces; one that cannot be read is left out."""
        scopes = []
        for word in text.split():
            head, colon, actions = word.rpartition(":")
            kind, second, name = head.partition(":")
            if colon and second and kind and name:
                scopes.append(
                    cls(kind=kind, name=name, actions=frozenset(action for action in actions.split(",") if action))
                )
        return tuple(scopes)

    def __str__(self) -> str:
        """The form of the token specification, the actions in a fixed order."""
        known = [action for action in _ACTION_ORDER if action in self.actions]
        return f"{self.kind}:{self.name}:{','.join(known + sorted(self.actions.difference(_ACTION_ORDER)))}"

    def joined(self, others: tuple[Scope, ...]) -> tuple[Scope, ...]:
        """Return this scope with the actions that ``others`` have for the same thing, then the rest of ``others``."""
        actions = self.actions
        rest = []
        for other in others:
            if (other.kind, other.name) == (self.kind, self.name):
                actions |= other.actions
            else:
                rest.append(other)
        return (Scope(kind=self.kind, name=self.name, actions=actions), *rest)

    def missing_from(self, granted: tuple[Scope, ...]) -> frozenset[str]:
        """Return the actions of this scope that ``granted`` does not contain; ``*`` grants every action."""
        have = frozenset[str]().union(
            *(scope.actions for scope in granted if (scope.kind, scope.name) == (self.kind, self.name))
        )
        return frozenset() if "*" in have else self.actions - have


CATALOG: Final = Scope(kind="registry", name="catalog", actions=frozenset({"*"}))
"""What listing all repositories needs."""
