"""Does a pattern match a tag? Everything that turns the text of a pattern into a yes or no lives here.

Every pattern must match the whole tag. Tools that search, or that put anchors round an ungrouped alternative
(``^a|b$``), have deleted what nobody meant.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import assert_never

from tagsweep.core.versions import parse_version
from tagsweep.model.policy import Glob, Names, Pattern, Regex, VersionPattern

_CACHED = 1024


def matches(pattern: Pattern, tag: str) -> bool:
    """Tell whether ``pattern`` matches the whole of ``tag``; upper and lower case differ.

    Raises ValueError where the pattern itself is malformed.
    """
    match pattern:
        case Glob():
            return _glob(pattern.pattern).fullmatch(tag) is not None
        case Regex():
            return compile_regex(pattern.pattern).fullmatch(tag) is not None
        case Names():
            return tag in pattern.names
        case VersionPattern():
            return parse_version(pattern, tag) is not None
        case _:
            assert_never(pattern)


def accepts_empty(pattern: Pattern) -> bool:
    """Tell whether ``pattern`` matches the empty string, which is a sign that it matches far more than was meant.

    ``v*`` written as a regular expression is the classic: it stands for any number of the letter v.
    """
    return matches(pattern, "")


def group_value(pattern: Pattern, tag: str, group: str) -> str | None:
    """Return what the named group of a regular expression captured, or None where it has none or took no part."""
    if not isinstance(pattern, Regex):
        return None
    expression = compile_regex(pattern.pattern)
    found = expression.fullmatch(tag)
    if found is None or group not in expression.groupindex:
        return None
    value: str | None = found[group]
    return value


def group_names(pattern: Pattern) -> frozenset[str]:
    """Return the names of the groups that ``pattern`` captures; only regular expressions have any."""
    return frozenset(compile_regex(pattern.pattern).groupindex) if isinstance(pattern, Regex) else frozenset()


def repository_matches(glob: str, name: str) -> bool:
    """Tell whether ``glob`` matches the whole repository name, registry and path.

    ``*``, ``?`` and ``[…]`` stay within one path component; ``**`` crosses them, and beside a slash it may be nothing.
    """
    return _repository_glob(glob).fullmatch(name) is not None


@lru_cache(maxsize=_CACHED)
def compile_regex(pattern: str) -> re.Pattern[str]:
    """Return the compiled expression, or raise ValueError that says what is wrong with it and where."""
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error


@lru_cache(maxsize=_CACHED)
def _glob(pattern: str) -> re.Pattern[str]:
    return _compile_glob(pattern, any_character=".", crossing=False)


@lru_cache(maxsize=_CACHED)
def _repository_glob(pattern: str) -> re.Pattern[str]:
    return _compile_glob(pattern, any_character="[^/]", crossing=True)


def _compile_glob(pattern: str, *, any_character: str, crossing: bool) -> re.Pattern[str]:
    try:
        return re.compile(_translate(pattern, any_character=any_character, crossing=crossing))
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a glob: {error.msg}") from error


def _translate(pattern: str, *, any_character: str, crossing: bool) -> str:
    """Return the regular expression for a glob. ``crossing`` gives ``**`` its own meaning.

    Written out because ``fnmatch`` folds case on some systems and knows no ``**``.
    """
    out: list[str] = []
    at = 0
    while at < len(pattern):
        if crossing and pattern.startswith("/**/", at):
            out.append("/(?:.*/)?")
            at += 4
        elif crossing and at == 0 and pattern.startswith("**/"):
            out.append("(?:.*/)?")
            at += 3
        elif crossing and pattern.startswith("**", at):
            out.append(".*")
            at += 2
        elif pattern[at] == "*":
            out.append(f"{any_character}*")
            at += 1
        elif pattern[at] == "?":
            out.append(any_character)
            at += 1
        elif pattern[at] == "[" and (end := _class_end(pattern, at)) is not None:
            out.append(f"(?={any_character}){_character_class(pattern[at + 1 : end])}")
            at = end + 1
        else:
            out.append(re.escape(pattern[at]))
            at += 1
    return "".join(out)


def _class_end(pattern: str, start: int) -> int | None:
    # A closing bracket directly after the opening one (or after the negation) stands for itself, as in every shell.
    at = start + 1
    if at < len(pattern) and pattern[at] in "!^":
        at += 1
    end = pattern.find("]", at + 1)
    return end if end >= 0 else None


def _character_class(body: str) -> str:
    negated = body[0] in "!^"
    characters = body[1:] if negated else body
    escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", characters)
    return f"[{'^' if negated else ''}{escaped}]"
