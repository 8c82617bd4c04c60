"""A Dockerfile as instructions: continued lines joined, comments left out, heredocs beside, each part with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_DIRECTIVE: Final = re.compile(r"#\s*([A-Za-z]+)\s*=\s*(.+?)\s*")
_KEYWORD: Final = re.compile(r"\s*([A-Za-z]+)(?:\s+|$)")
_HEREDOC: Final = re.compile(r"(?<!<)<<(-?)([\"']?)([A-Za-z_][A-Za-z0-9_.]*)\2")
_WORD: Final = re.compile(
    r"(?:\$\{\{.*?\}\}|\{\{.*?\}\}|<%.*?%>|\$\([^()\n]*\)|\$\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|\"(?:[^\"\\]|\\.)*\"|'[^']*'|\S)+",
    re.DOTALL,
)
_WITH_HEREDOCS: Final = frozenset({"RUN", "COPY", "ADD"})


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction in upper case; ``text`` is all behind it, its line breaks kept, its first line being ``line``."""

    name: str
    text: str
    line: int
    heredocs: tuple[tuple[str, int], ...] = ()

    def behind(self) -> Instruction:
        """Return the instruction that stands behind this one (ONBUILD)."""
        found = _KEYWORD.match(self.text)
        if found is None:
            return Instruction("", "", self.line)
        skipped = self.text[: found.end()].count("\n")
        return Instruction(found[1].upper(), self.text[found.end() :], self.line + skipped, self.heredocs)


def syntax_directive(text: str) -> tuple[str, int] | None:
    """Return the frontend's image that the first comments name, and its line."""
    return next(((value, line) for name, value, line in _directives(text) if name == "syntax"), None)


def _directives(text: str) -> Iterator[tuple[str, str, int]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if number == 1 and line.startswith("#!"):
            continue
        found = _DIRECTIVE.fullmatch(line.strip())
        if found is None:
            return
        yield found[1].lower(), found[2], number


def words_of(instruction: Instruction) -> Iterator[tuple[str, int]]:
    """Yield the words and their lines. An expression in braces and a quoted text are not cut."""
    line, counted = instruction.line, 0
    for found in _WORD.finditer(instruction.text):
        line += instruction.text.count("\n", counted, found.start())
        counted = found.start()
        if found[0] != "\\":
            yield found[0], line


def instructions(text: str) -> Iterator[Instruction]:
    """Yield the instructions. Any line that begins with a word is one; what the word is, is for the reader to know."""
    escape = next((value for name, value, _ in _directives(text) if name == "escape"), "\\")
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        keyword = _KEYWORD.match(lines[at])
        if keyword is None:
            at += 1
            continue
        first = at
        parts = []
        while at < len(lines):
            content = lines[at]
            at += 1
            comment = content.lstrip().startswith("#")
            if at - 1 > first and (comment or not content.strip()):
                parts.append("")  # a comment or empty line within a continued instruction is skipped
                continue
            stripped = content.rstrip()
            continued = stripped.endswith(escape)
            # The backslash stays for the shell that reads RUN; the words leave it out.
            parts.append(stripped[: -len(escape)] + "\\" if continued else content)
            if not continued:
                break
        parts[0] = parts[0][keyword.end() :]
        name = keyword[1].upper()
        joined = "\n".join(part or "\\" for part in parts)
        heredocs: list[tuple[str, int]] = []
        if name in _WITH_HEREDOCS or name == "ONBUILD":
            for found in _HEREDOC.finditer(joined):
                body, line, at = _body(lines, at, found[3], indented=bool(found[1]))
                heredocs.append((body, line))
            if heredocs:
                joined = _HEREDOC.sub("", joined)
        yield Instruction(name, joined, first + 1, tuple(heredocs))


def _body(lines: list[str], at: int, name: str, *, indented: bool) -> tuple[str, int, int]:
    """Return a heredoc's text, its first line and the index behind its end."""
    first = at
    while at < len(lines):
        content = lines[at].lstrip("\t") if indented else lines[at]
        if content.rstrip() == name:
            return "\n".join(lines[first:at]), first + 1, at + 1
        at += 1
    return "\n".join(lines[first:]), first + 1, at
