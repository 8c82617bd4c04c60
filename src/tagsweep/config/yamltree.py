"""YAML text becomes PyYAML's node tree, which keeps positions and the text as written; syntax errors become sentences.

Only the node tree is used: nothing is constructed, so that ``2025.10`` never becomes a number nor ``on`` a truth value.
"""

from __future__ import annotations

import re
from typing import Final

import yaml

from tagsweep.config.places import policy_error
from tagsweep.model.errors import PolicyError

MAX_CHARACTERS: Final = 4 * 1024 * 1024
"""A longer policy file is refused: nobody wrote it by hand, and reading it would only waste memory."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_NO_SPACE_AFTER_COLON: Final = re.compile(r"^[\s\-]*(?P<key>[A-Za-z_][\w-]*):(?P<value>[^\s:/].*)$")
_NULL: Final = "tag:yaml.org,2002:null"
_SPACES: Final = "indent with spaces, two for each level"
_QUOTE: Final = "put the whole value in single quotes"


def compose(text: str, *, file: str) -> yaml.Node:
    """Return the root node of the one document in ``text``, or raise PolicyError at its place."""
    if len(text) > MAX_CHARACTERS:
        raise policy_error(file, 1, 1, f"the file has more than {MAX_CHARACTERS:,} characters and is no policy")
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    try:
        root = _root(text.removeprefix(mark), file)
    except yaml.MarkedYAMLError as error:
        raise _explain(error, text, file) from error
    except yaml.reader.ReaderError as error:
        line, column = _line_and_column(text, error.position + len(mark))
        sentence = f"the character U+{ord(_character(error)):04X} is not allowed in YAML"
        raise policy_error(file, line, column, sentence, remedy="remove it, or save the file as UTF-8") from error
    except RecursionError as error:
        raise policy_error(file, 1, 1, "the brackets are nested too deeply to be a policy") from error
    if root is None or (isinstance(root, yaml.ScalarNode) and root.tag == _NULL):
        raise policy_error(
            file,
            1,
            1,
            "the policy is empty",
            remedy="it needs at least version: 1, targets: […], rules: […] and evidence: none or {require: […]}",
        )
    return root


def _root(text: str, file: str) -> yaml.Node | None:
    loader = yaml.SafeLoader(text)
    try:
        root: yaml.Node | None = loader.get_single_node()
    except (ValueError, OverflowError) as error:
        # PyYAML lets int() and chr() fail: "\UFFFFFFFF", or %YAML 1. with thousands of digits.
        line, column = position(loader.get_mark())
        sentence = "a number stands here that is too large for YAML"
        raise policy_error(
            file, line, column, sentence, remedy="remove it; a character has at most U+10FFFF"
        ) from error
    finally:
        loader.dispose()
    return root


def check_characters(node: yaml.ScalarNode, *, file: str) -> None:
    """Refuse what only an escape can write: no name, path or pattern has it, and terminals, files and JSON choke on it.

    Tab and line feed are harmless, and a block of text has them without escapes.
    """
    found = _CONTROL.search(node.value)
    if found is not None:
        sentence = f"the character U+{ord(found[0]):04X} is not allowed in a policy"
        raise policy_error(file, *position(node.start_mark), sentence, remedy="remove it, or the escape that makes it")


def position(mark: yaml.Mark) -> tuple[int, int]:
    """Return line and column of a mark, both beginning at 1."""
    return mark.line + 1, mark.column + 1


def _character(error: yaml.reader.ReaderError) -> str:
    # PyYAML gives a code point for text and the character itself for bytes.
    return chr(error.character) if isinstance(error.character, int) else str(error.character)


def _line_and_column(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def _explain(error: yaml.MarkedYAMLError, text: str, file: str) -> PolicyError:
    """Return what is wrong and what to write instead, for the mistakes that people make."""
    context, problem = error.context or "", error.problem or "it is not YAML"
    at = position(error.problem_mark) if error.problem_mark is not None else (1, 1)
    opened = position(error.context_mark) if error.context_mark is not None else at
    lines = text.splitlines()
    place, sentence, remedy = (
        _scanner_mistake(context, problem, at, opened, lines)
        or _indicator_mistake(context, problem, at, opened)
        or _structure_mistake(context, problem, at, opened, lines)
    )
    return policy_error(file, *place, sentence, remedy=remedy)


_Mistake = tuple[tuple[int, int], str, str]


def _indicator_mistake(context: str, problem: str, at: tuple[int, int], opened: tuple[int, int]) -> _Mistake | None:
    """Recognise values that begin with a character that means something to YAML."""
    if "cannot start any token" in problem:
        return at, f"a value cannot begin with {_shown(problem)} without quotes", _QUOTE
    if "undefined alias" in problem or "scanning an alias" in context:
        return (
            opened if context else at,
            "a value that begins with * needs quotes (YAML reads it as an alias)",
            f"{_QUOTE}, such as '*-dev'",
        )
    if "scanning an anchor" in context:
        return opened, "a value that begins with & needs quotes (YAML reads it as an anchor)", _QUOTE
    if "scanning a tag" in context or "undefined tag handle" in problem:
        return opened, "a value that begins with ! needs quotes (YAML reads it as a tag)", _QUOTE
    return None


def _scanner_mistake(  # noqa: PLR0911  one return a mistake reads best
    context: str, problem: str, at: tuple[int, int], opened: tuple[int, int], lines: list[str]
) -> _Mistake | None:
    """Recognise what PyYAML's scanner and composer stumble over: tabs, quotes, directives, documents."""
    if "character '\\t'" in problem or "'\\t'" in problem:
        return at, "a tab stands where YAML wants spaces", _SPACES
    if "scanning a quoted scalar" in context:
        return opened, "the quote that opens here is never closed", "close it with the same kind of quote"
    if "unknown escape character" in problem:
        return at, "a backslash in double quotes begins an escape, and this is none that YAML knows", _QUOTE
    if (
        "directive" in context
        or "YAML document" in problem
        or "duplicate tag handle" in problem
        or "YAML directive" in problem
    ):
        return (
            at,
            f"this directive (%) is none that tagsweep can follow: {problem}",
            "remove the line that begins with %",
        )
    if "duplicate anchor" in context + problem:
        return at, "this anchor (&) has the name of an earlier one", "give each anchor its own name"
    if "expected a single document" in context:
        return at, "a second document begins here; a policy is one document", "remove the line ---"
    if "expected '<document start>'" in problem:
        return at, "the policy has ended before this line", "remove the line ... or the bracket that ends it too early"
    if "scanning a simple key" in context:
        # The first word only: what follows it may be a secret.
        written = [*_line(lines, opened[0]).strip("- \t").split(), ""][0]
        return opened, f"there is no colon after {written!r}", "write key: value, with a colon and a space"
    return None


def _structure_mistake(  # noqa: PLR0911  one return a mistake reads best
    context: str, problem: str, at: tuple[int, int], opened: tuple[int, int], lines: list[str]
) -> _Mistake:
    """Recognise what PyYAML's parser stumbles over: brackets, indentation, colons; or repeat what PyYAML says."""
    if "parsing a flow" in context:
        bracket = "[" if "sequence" in context else "{"
        return (
            opened,
            f"the {bracket} that opens here is not closed, or a comma is missing before line {at[0]}",
            "close it with ] or }, and put commas between the entries",
        )
    if "mapping values are not allowed" in problem:
        return _stray_colon(at, lines)
    if "sequence entries are not allowed" in problem:
        return at, "a list entry (-) cannot begin on the line of its key", "begin the list on the next line, indented"
    if problem == "expected <block end>, but found ':'":
        return at, "no key stands before this colon", "write key: value, or put the value in single quotes"
    if "expected <block end>" in problem or "expected the node content" in problem:
        if "'<scalar>'" in problem:
            return at, "text follows a value that was already complete", _QUOTE
        if any(f"'{closing}'" in problem for closing in "]},"):
            return at, f"{_shown(problem)} closes or separates nothing here", f"remove it, or {_QUOTE}"
        return at, "the indentation of this line fits no line above it", "align it with the keys of the same level"
    return at, f"this is not YAML: {context + ': ' if context else ''}{problem}", ""


def _stray_colon(at: tuple[int, int], lines: list[str]) -> _Mistake:
    # "version:1" is one word to YAML, and the colon of the NEXT line is what it stumbles over.
    number = at[0] - 1
    while number >= 1:
        line = _line(lines, number)
        if line.strip() and not line.lstrip().startswith("#"):
            found = _NO_SPACE_AFTER_COLON.match(line)
            if found is not None:
                place = (number, found.end("key") + 1)
                return place, "a space is missing after the colon", f"write {found['key']}: {found['value'].strip()}"
            break
        number -= 1
    return (
        at,
        "a second colon makes no sense here, or this line is indented more than the one above it",
        "put a value that contains ': ' in quotes, and align the keys of one level",
    )


def _line(lines: list[str], number: int) -> str:
    return lines[number - 1] if 0 < number <= len(lines) else ""


def _shown(problem: str) -> str:
    found = re.search(r"'[^']*'", problem)
    return found[0] if found else "this character"
