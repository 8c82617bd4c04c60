"""GitHub Actions expressions (``${{ … }}``) as far as images need them: what texts one can come out as."""

from __future__ import annotations

import re
from typing import Final

from tagsweep.sources.syntaxes.template import Value, Variables

_PATH: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_*-]+|\[[^\]]*\])*", re.ASCII)
_INDEX: Final = re.compile(r"\[\s*'([^']*)'\s*\]")
_CALL: Final = re.compile(r"([A-Za-z]+)\s*\((.*)\)", re.DOTALL)
_ARGUMENT: Final = re.compile(r"\{(\d+)\}")
_DEEPEST: Final = 8


def expressions(contexts: Variables) -> Variables:
    """Return variables that know expressions over ``contexts``, which knows paths such as ``env.TAG``."""

    def look_up(name: str) -> Value | None:
        return _evaluate(name, contexts, _DEEPEST)

    return look_up


def _evaluate(text: str, contexts: Variables, depth: int) -> Value | None:
    text = text.strip()
    if depth == 0 or not text:
        return None
    alternatives = _split(text, "||")
    if len(alternatives) > 1:
        return _either(alternatives, contexts, depth - 1)
    conditions = _split(text, "&&")
    if len(conditions) > 1:
        value = _evaluate(conditions[-1], contexts, depth - 1)
        return None if value is None else Value((*value.texts, ""), value.settled)
    if text[0] == "(" and text[-1] == ")":
        return _evaluate(text[1:-1], contexts, depth - 1)
    return _operand(text, contexts, depth)


def _operand(text: str, contexts: Variables, depth: int) -> Value | None:
    """Return what a text, a path or a call can be; of the functions only ``format`` makes texts."""
    if _is_literal(text):
        return Value((text[1:-1].replace("''", "'"),))
    if _PATH.fullmatch(text):
        return contexts(_INDEX.sub(r".\1", text))
    call = _CALL.fullmatch(text)
    return None if call is None or call[1].lower() != "format" else _formatted(_split(call[2], ","), contexts, depth)


def _either(alternatives: list[str], contexts: Variables, depth: int) -> Value | None:
    """Return what ``a || b`` can be: an empty value falls through to the next."""
    texts: list[str] = []
    settled = True
    for alternative in alternatives:
        value = _evaluate(alternative, contexts, depth)
        if value is None:
            settled = False
            continue
        texts.extend(text for text in value.texts if text)
        settled = settled and value.settled
        if value.settled and all(value.texts):
            return Value(tuple(dict.fromkeys(texts)), settled)
    return Value(tuple(dict.fromkeys(texts or [""])), settled) if texts or settled else None


def _formatted(arguments: list[str], contexts: Variables, depth: int) -> Value | None:
    """Return ``format('{0}:{1}', a, b)`` as a template with the arguments in their places."""
    layout = _evaluate(arguments[0], contexts, depth - 1)
    if layout is None or not layout.settled:
        return None
    given = [argument.strip() for argument in arguments[1:]]

    def place(found: re.Match[str]) -> str:
        index = int(found[1])
        if index >= len(given):
            return found[0]
        return given[index][1:-1] if _is_literal(given[index]) else f"${{{{ {given[index]} }}}}"

    return Value(tuple(_ARGUMENT.sub(place, text) for text in layout.texts))


def _is_literal(text: str) -> bool:
    return len(text) > 1 and text[0] == "'" and text[-1] == "'" and "'" not in text[1:-1].replace("''", "")


def _split(text: str, operator: str) -> list[str]:
    """Return the parts of ``text`` between ``operator``, as far as it stands outside of quotes and brackets."""
    parts: list[str] = []
    depth = 0
    quoted = False
    start = at = 0
    while at < len(text):
        character = text[at]
        if character == "'":
            quoted = not quoted
        elif not quoted and character in "([":
            depth += 1
        elif not quoted and character in ")]":
            depth -= 1
        elif not quoted and depth == 0 and text.startswith(operator, at):
            parts.append(text[start:at])
            at += len(operator)
            start = at
            continue
        at += 1
    return [*parts, text[start:]]
