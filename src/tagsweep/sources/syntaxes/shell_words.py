"""A shell script as commands of words, each word with its line: tolerant of whatever is not shell at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Final

_PLAIN: Final = re.compile(r"[^\s\\'\"$`;|&()<>{]+")
_ASSIGNED: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=", re.ASCII)
_PLACEHOLDER: Final = re.compile(r"<[A-Za-z][A-Za-z0-9 _.-]{0,60}>", re.ASCII)
_HEREDOC: Final = re.compile(r"<<(-?)[ \t]*(?:\\?([A-Za-z0-9_.!-]+)|'([^'\n]+)'|\"([^\"\n]+)\")")
_REDIRECT: Final = re.compile(r"(?:&>>?|[<>]&[0-9-]*|<<<|>>|>\||<>|<|>)")
_LONGEST_EXPRESSION: Final = 600
_DEEPEST: Final = 64
_OPENING: Final = frozenset({"if", "while", "until", "for", "select", "case", "{"})
_CLOSING: Final = frozenset({"fi", "done", "esac", "}"})
_BETWEEN: Final = frozenset({"else", "elif"})
LEADING: Final = frozenset({"if", "then", "else", "elif", "do", "while", "until", "{", "!", "time"})
"""Words that another command can follow directly."""
_BRACES: Final = re.compile(r"(?<!\$)\{([A-Za-z0-9._/-]*(?:,[A-Za-z0-9._/-]*)+)\}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Word:
    """One word without its quotes. Variables stand in it as they are written; ``quoted`` if any part was in quotes."""

    text: str
    line: int
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """Text within the script that is read on its own: a heredoc's body, or the inside of ``$(…)`` (``body`` False)."""

    text: str
    line: int
    body: bool


@dataclass(slots=True)
class Command:
    """One simple command. ``path`` names the blocks around it: what a command did holds where its path is a prefix."""

    words: list[Word] = field(default_factory=list)
    arrays: list[tuple[str, tuple[Word, ...]]] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    path: tuple[int, ...] = ()


def commands(text: str, *, line: int = 1) -> list[Command]:
    """Return the simple commands of a script in their order. Never raises; an unclosed quote is a character."""
    return _Reader(text.replace("\r\n", "\n"), line).read()


def expanded(text: str) -> tuple[str, ...]:
    """Return the words of ``acme/{api,web}:1``; only the first braces are read, as there are hardly ever two."""
    found = _BRACES.search(text)
    if found is None:
        return (text,)
    return tuple(text[: found.start()] + part + text[found.end() :] for part in found[1].split(","))


class _Reader:
    """Reads a script once, from the left."""

    def __init__(self, text: str, line: int) -> None:
        self._text = text
        self._at = 0
        self._line = line
        self._found: list[Command] = []
        self._now = Command()
        self._heredocs: list[tuple[str, bool, Command]] = []
        self._ids = count(1)
        self._nesting: list[tuple[str, int]] = []
        self._chain: tuple[int, ...] = ()

    def read(self) -> list[Command]:
        text = self._text
        while self._at < len(text):
            character = text[self._at]
            if character == "\n":
                self._end()
                self._step(1)
                self._bodies()
            elif character in " \t\r\f\v":
                self._at += 1
            elif text.startswith("\\\n", self._at):
                self._step(2)
            elif character == "#":
                end = text.find("\n", self._at)
                self._at = len(text) if end < 0 else end
            elif character in ";|&()<>" and not self._process_substitution():
                self._operator(character)
            else:
                self._word_or_array()
        self._end()
        return self._found

    def _step(self, length: int) -> None:
        self._line += self._text.count("\n", self._at, self._at + length)
        self._at += length

    def _end(self, *, chained: bool = False) -> None:
        """End the command here; ``chained`` where the next one runs only if this one allows it."""
        if self._now.words or self._now.arrays or self._now.blocks:
            deep = len(self._nesting) + len(self._chain) > _DEEPEST
            # Deeper than anybody nests: a block of its own, in which nothing from before surely holds.
            self._now.path = (next(self._ids),) if deep else (*(each for _, each in self._nesting), *self._chain)
            self._found.append(self._now)
            self._now = Command()
        self._chain = (*self._chain[:_DEEPEST], next(self._ids)) if chained else ()

    def _operator(self, character: str) -> None:
        text, at = self._text, self._at
        if character in "<>" or text.startswith("&>", at):
            self._redirection()
        elif text.startswith(("&&", "||"), at):
            self._end(chained=True)
            self._at += 2
        elif text.startswith(";;", at):
            self._end()
            self._renew()
            self._at += 2
        elif character == "(":
            self._end()
            self._nesting.append(("(", next(self._ids)))
            self._at += 1
        elif character == ")":
            self._end()
            self._close("(")
            self._at += 1
        else:
            self._end(chained=character == "|")
            self._at += 1

    def _redirection(self) -> None:
        heredoc = _HEREDOC.match(self._text, self._at)
        if heredoc is not None and not self._text.startswith("<<<", self._at):
            name = heredoc[2] or heredoc[3] or heredoc[4]
            self._heredocs.append((name, bool(heredoc[1]), self._now))
            self._at = heredoc.end()
            return
        found = _REDIRECT.match(self._text, self._at)
        operator = found[0] if found is not None else self._text[self._at]
        self._at += len(operator)
        if operator == "<<<" or operator[-1].isdigit() or operator[-1] == "-":
            return  # a here-string is a word; a copied descriptor has no target
        while self._at < len(self._text) and self._text[self._at] in " \t":
            self._at += 1
        if self._at < len(self._text) and self._text[self._at] not in "\n;|&()<>":
            self._word()  # the target is a file

    def _bodies(self) -> None:
        """Read the heredocs that were begun on the line that has just ended."""
        for name, indented, command in self._heredocs:
            first = self._line
            lines: list[str] = []
            while self._at < len(self._text):
                end = self._text.find("\n", self._at)
                end = len(self._text) if end < 0 else end
                content = self._text[self._at : end]
                self._step(min(end + 1, len(self._text)) - self._at)
                if (content.strip() if indented else content.rstrip()) == name:
                    break
                lines.append(content.lstrip("\t") if indented else content)
            command.blocks.append(Block("\n".join(lines), first, body=True))
        self._heredocs.clear()

    def _word_or_array(self) -> None:
        assigned = _ASSIGNED.match(self._text, self._at)
        if assigned is not None and self._text.startswith("(", assigned.end()):
            self._at = assigned.end() + 1
            self._now.arrays.append((assigned[0].rstrip("+="), tuple(self._array())))
            return
        before = self._at
        word = self._word()
        if self._at == before:
            self._step(1)  # cannot be, but must not be an endless loop
            return
        if word.text.isdigit() and not word.quoted and self._text[self._at : self._at + 1] in {"<", ">"}:
            return  # the descriptor that is redirected
        if not word.quoted and all(each.text in LEADING for each in self._now.words):
            self._keyword(word.text)
        self._now.words.append(word)

    def _array(self) -> Iterator[Word]:
        text = self._text
        while self._at < len(text) and text[self._at] != ")":
            if text[self._at] == "#":
                end = text.find("\n", self._at)
                self._at = len(text) if end < 0 else end
            elif text[self._at] in " \t\r\n\f\v;|&(<>":
                self._step(1)
            else:
                before = self._at
                yield self._word()
                if self._at == before:
                    self._step(1)
        self._at += 1

    def _keyword(self, text: str) -> None:
        if text in _OPENING:
            self._nesting.append((text, next(self._ids)))
        elif text in _CLOSING:
            self._close("{" if text == "}" else "")
        elif text in _BETWEEN:
            self._renew()

    def _close(self, opening: str) -> None:
        """Leave the innermost block, if it is one that is closed like this."""
        if self._nesting and (self._nesting[-1][0] == opening or (not opening and self._nesting[-1][0] not in "({")):
            self._nesting.pop()

    def _renew(self) -> None:
        """Begin another branch of the innermost block."""
        if self._nesting:
            self._nesting[-1] = (self._nesting[-1][0], next(self._ids))

    def _process_substitution(self) -> bool:
        return self._text.startswith(("<(", ">("), self._at)

    def _word(self) -> Word:
        text = self._text
        first = self._line
        parts: list[str] = []
        quoted = False
        while self._at < len(text):
            character = text[self._at]
            plain = _PLAIN.match(text, self._at)
            if plain is not None:
                parts.append(plain[0])
                self._at = plain.end()
            elif character == "\\":
                if not text.startswith("\\\n", self._at):
                    parts.append(text[self._at + 1 : self._at + 2])
                self._step(2)
            elif character in "'\"":
                inside = self._quoted(character)
                quoted = quoted or inside is not None
                parts.append(character if inside is None else inside)
            elif character in "$`{" or self._process_substitution():
                parts.append(self._expansion())
            elif character == "<" and parts and (mark := _PLACEHOLDER.match(text, self._at)) is not None:
                parts.append(mark[0])
                self._at = mark.end()
            else:
                break
        return Word("".join(parts), first, quoted)

    def _quoted(self, mark: str) -> str | None:
        """Return what is in the quotes that begin here, or None (and step over the mark) where they never end."""
        text, start = self._text, self._at + 1
        end = text.find("'", start) if mark == "'" else _double_end(text, start)
        if end < 0:
            self._at += 1
            return None
        if mark == '"':
            for inner, offset in _substitutions(text, start, end):
                self._now.blocks.append(Block(inner, self._line + text.count("\n", self._at, offset), body=False))
        inside = text[start:end]
        self._step(end + 1 - self._at)
        return inside if mark == "'" else re.sub(r"\\([\"$`\\])", r"\1", inside)

    def _expansion(self) -> str:
        """Return the expression that begins here as it is written, and remember the commands in it."""
        text, at = self._text, self._at
        for opening, closing in (("${{", "}}"), ("{{", "}}")):
            if text.startswith(opening, at):
                end = text.find(closing, at, at + _LONGEST_EXPRESSION)
                if end >= 0:
                    return self._take(end + 2)
        if text.startswith("${", at):
            end = _brace_end(text, at + 1)
            return self._take(end if end > 0 else at + 2)
        if text.startswith(("$(", "<(", ">("), at):
            end = _paren_end(text, at + 1)
            if not text.startswith("$((", at):
                self._now.blocks.append(Block(text[at + 2 : end - 1], self._line, body=False))
            return self._take(end)
        if text[at] == "`":
            end = text.find("`", at + 1)
            if end > 0:
                self._now.blocks.append(Block(text[at + 1 : end], self._line, body=False))
                return self._take(end + 1)
        return self._take(at + 1)

    def _take(self, end: int) -> str:
        taken = self._text[self._at : end]
        self._step(end - self._at)
        return taken


def _double_end(text: str, start: int) -> int:
    """Return the index of the double quote that ends what begins at ``start``, or -1."""
    at = start
    while at < len(text):
        if text[at] == '"':
            return at
        if text[at] == "\\":
            at += 2
        elif text.startswith("$(", at):
            at = _paren_end(text, at + 1)
        else:
            at += 1
    return -1


def _substitutions(text: str, start: int, end: int) -> Iterator[tuple[str, int]]:
    """Yield the insides of ``$(…)`` and backticks between these indexes, and where they begin."""
    at = start
    while at < end:
        if text.startswith("$(", at) and not text.startswith("$((", at):
            closing = min(_paren_end(text, at + 1), end)
            yield text[at + 2 : closing - 1], at
            at = closing
        elif text[at] == "`" and 0 < (closing := text.find("`", at + 1)) < end:
            yield text[at + 1 : closing], at
            at = closing + 1
        else:
            at += 2 if text[at] == "\\" else 1


def without_substitutions(text: str) -> str:
    """Return the text without its ``$(…)`` and backticks, which are commands of their own."""
    kept: list[str] = []
    at = 0
    while (start := text.find("$(", at)) >= 0:
        kept.append(text[at:start])
        at = _paren_end(text, start + 1)
    kept.append(text[at:])
    return re.sub(r"`[^`]*`", "", "".join(kept))


def _paren_end(text: str, at: int) -> int:
    """Return the index after the parenthesis that closes the one at ``at``, or the end of the text."""
    depth = 0
    while at < len(text):
        character = text[at]
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if depth == 0:
                return at + 1
        elif character == "\\":
            at += 1
        elif character in "'\"":
            end = text.find(character, at + 1)
            at = end if end > 0 else at
        at += 1
    return len(text)


def _brace_end(text: str, at: int) -> int:
    """Return the index after the brace that closes the one at ``at``, or 0 where none does before long."""
    depth = 0
    for index in range(at, min(len(text), at + _LONGEST_EXPRESSION)):
        if text[index] == "{":
            depth += 1
        elif text[index] == "}":
            depth -= 1
            if depth == 0:
                return index + 1
    return 0
