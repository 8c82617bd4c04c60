"""Shell scripts and single command lines: what docker, kubectl, helm and their like are told to run, pull or build."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tagsweep.sources.syntaxes import generic_yaml, plain_text, scan
from tagsweep.sources.syntaxes.files import File, NotParsed, Syntax
from tagsweep.sources.syntaxes.findings import Finding, Found, NoReference, Open
from tagsweep.sources.syntaxes.helm_command import helm_images
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.shape import looks_like_image, shapes_in
from tagsweep.sources.syntaxes.shell_scope import Scope
from tagsweep.sources.syntaxes.shell_tools import TOOLS, read_call, tool_name
from tagsweep.sources.syntaxes.shell_words import Block, Command, Word, commands, expanded, without_substitutions
from tagsweep.sources.syntaxes.template import Hole, Variables, nothing_known, readings

_ENDINGS: Final = (".sh", ".bash", ".zsh", ".ksh", ".fish", ".bats", ".ps1", ".psm1", ".bat", ".cmd")
_SHEBANG: Final = re.compile(r"#!.*\b(?:ba|z|k|da|a|fi)?sh\b")
_TOOL_WORDS: Final = re.compile(
    rf"(?<![A-Za-z0-9_.-])(?:{'|'.join(re.escape(name) for name in sorted((*TOOLS, 'helm')))})(?![A-Za-z0-9_.:=-])",
    re.ASCII,
)
_IMAGE_OPTION: Final = re.compile(r"--?(?:docker-|container-|base-|builder-|run-)?image(?:-uri|-name)?", re.ASCII)
_MARKED: Final = ("docker://", "docker-image://", "docker-pullable://")
_PAIR: Final = re.compile(r"(?:--?[A-Za-z0-9_.-]+|[A-Za-z_][A-Za-z0-9_.]*)\+?=(.+)", re.DOTALL | re.ASCII)
_FROM: Final = re.compile(r"(?m)^FROM\s+\S", re.IGNORECASE)
_PRINTED: Final = re.compile(r"\$\((?:printf|echo)\s+(?:-\w+\s+)*([\"'])(?P<text>[^\"']*)\1[^|;&]*\)")
_ARGUMENTS: Final = re.compile(r"\$(?:[@*0-9]|\{[@*0-9]+\})")
_GIVEN: Final = "an argument of the script"
_DEEPEST: Final = 6
_SPEAKING: Final = frozenset({"echo", "printf", "log", "info", "warn", "error", "die", "Write-Host"})


def claims(file: File) -> bool:
    """Tell whether the file is a script, by its name or first line."""
    return file.name.endswith(_ENDINGS) or (file.text.startswith("#!") and _SHEBANG.match(file.text) is not None)


def extract(file: File) -> Iterator[Finding]:
    """Yield what the script names."""
    text = file.text
    if file.name.endswith((".ps1", ".psm1")):
        text = re.sub(r"`(?=\r?\n)", r"\\", text).replace("$env:", "$")
    elif file.name.endswith((".bat", ".cmd")):
        text = re.sub(r"\^(?=\r?\n)", r"\\", text)
    return find(text, line=1)


def mentions_tool(text: str) -> bool:
    """Tell whether a container tool is named in the text at all."""
    return _TOOL_WORDS.search(text) is not None


def find(
    text: str,
    *,
    line: int,
    variables: Variables = nothing_known,
    at: str = "",
    note: str = "",
    prose: bool = False,
) -> Iterator[Finding]:
    """Yield what the script ``text`` names. Its first line is ``line``; ``variables`` are what is known before it."""
    yield from dict.fromkeys(_Script(variables, at, note, prose=prose).read(text, line, _DEEPEST))


@dataclass(frozen=True, slots=True)
class _Script:
    """What is the same for a script and everything in it."""

    outer: Variables
    at: str
    note: str
    prose: bool

    def read(self, text: str, line: int, depth: int) -> Iterator[Finding]:
        found = commands(text, line=line)
        scope = Scope(found, self.outer)
        for index, command in enumerate(found):
            inside = replace(self, outer=scope.at(index))
            yield from inside.command(command, depth)

    def command(self, command: Command, depth: int) -> Iterator[Finding]:
        explained: set[int] = set()
        yield from self.calls(command.words, explained)
        yield from self.rest(command.words, explained, depth)
        for _, array in command.arrays:
            yield from self.rest(array, set(), depth)
        if depth > 0:
            for block in command.blocks:
                yield from self.block(block, depth - 1)

    def calls(self, words: Sequence[Word], explained: set[int]) -> Iterator[Finding]:
        """Yield what known tools are told to use, and put the words that this explains into ``explained``."""
        for start, word in enumerate(words):
            if start in explained:
                continue
            name = tool_name(word)
            if name == "helm":
                for text, spot in helm_images(words[start + 1 :]):
                    yield from self.image(text, spot)
            elif name in TOOLS and not word.quoted:
                call = read_call(words, start)
                if call is None:
                    continue
                explained |= call.explained
                for argument in call.images:
                    yield from self.image(argument.text, argument.word, note=argument.note)

    def image(self, text: str, word: Word, *, note: str = "") -> Iterator[Finding]:
        """Yield what stands where an image must stand."""
        for written in expanded(_printed(text.replace("\\\n", ""))):
            given = note or self.note or (_GIVEN if self.is_argument(written) else "")
            yield from read_image(
                written, line=word.line, at=self.at, note=given, variables=self.outer, prose=self.prose
            )

    def is_argument(self, text: str) -> bool:
        """Tell whether the text is nothing but what the caller of the script gives."""
        whole = readings(text, self.outer)
        pieces = [piece for reading in whole for piece in reading]
        return bool(pieces) and all(isinstance(piece, Hole) and _ARGUMENTS.fullmatch(piece.text) for piece in pieces)

    def rest(self, words: Sequence[Word], explained: set[int], depth: int) -> Iterator[Finding]:
        """Yield what can only be meant as an image among words that no known tool explains."""
        speaking = bool(words) and words[0].text in _SPEAKING
        for index, word in enumerate(words):
            if index in explained:
                continue
            option = words[index - 1].text if index else ""
            if word.text.startswith(_MARKED) or (_IMAGE_OPTION.fullmatch(option) and _could_be_image(word.text)):
                yield from _certain(self.image(word.text, word))
            elif any(mark in word.text for mark in " \t\n") and not _is_one(word.text):
                yield from self.phrase(Word(without_substitutions(word.text), word.line), depth, speaking=speaking)
            else:
                yield from self.shaped(word)

    def shaped(self, word: Word) -> Iterator[Finding]:
        """Yield the image that a word is, or that stands behind its ``name=``."""
        pair = _PAIR.fullmatch(word.text)
        for text in expanded(word.text if pair is None else pair[1].strip("\"'")):
            if looks_like_image(text):
                found = read_image(text, line=word.line, at=self.at, note=self.note, variables=self.outer, prose=True)
                yield from found
            elif pair is not None and _names_image(word.text) and _could_be_image(text):
                yield from _named(self.image(text, word))

    def phrase(self, word: Word, depth: int, *, speaking: bool) -> Iterator[Finding]:
        """Yield what a quoted text of several words names: a script for another shell, or a list."""
        if depth > 0 and mentions_tool(word.text):
            inside = replace(self, prose=self.prose or speaking)
            yield from inside.read(word.text, word.line, depth - 1)
            return
        for number, content in enumerate(word.text.split("\n"), start=word.line):
            for shape in shapes_in(content):
                yield from read_image(shape, line=number, at=self.at, note=self.note, variables=self.outer, prose=True)

    def block(self, block: Block, depth: int) -> Iterator[Finding]:
        """Yield what a heredoc's body or a command substitution names."""
        if not block.body:
            yield from self.read(block.text, block.line, depth)
            return
        if _FROM.search(block.text) is not None:
            inner = scan.scan(File("Dockerfile", block.text)).findings
            yield from (replace(finding, line=finding.line + block.line - 1, at=self.at) for finding in inner)
            return
        try:
            yield from generic_yaml.find(block.text, line=block.line, variables=self.outer, at=self.at)
        except NotParsed:
            if mentions_tool(block.text):
                yield from self.read(block.text, block.line, depth)
            else:
                yield from plain_text.find(block.text, line=block.line)


def _printed(text: str) -> str:
    """Return what ``$(printf FORMAT …)`` or ``$(echo TEXT)`` gives, its parts open; any other text as it is."""
    found = _PRINTED.fullmatch(text)
    return text if found is None else re.sub(r"%[sdu]", "${part}", found["text"]).strip()


def _is_one(text: str) -> bool:
    """Tell whether a text with spaces is one image all the same, as the spaces are within an expression."""
    pair = _PAIR.fullmatch(text)
    return looks_like_image(text if pair is None else pair[1], open_name=True)


def _names_image(pair: str) -> bool:
    name = pair.partition("=")[0].strip("-+").lower()
    return name.endswith(("image", "image_name", "image-name", "image_uri", "image-uri", "image_ref"))


_NO_IMAGE: Final = re.compile(
    r"(?i)https?://.*|.*\.(?:png|jpe?g|gif|svg|webp|ico|bmp|iso|img|qcow2|vmdk|raw|dmg|vhdx?|tar|gz|tgz)"
)


def _could_be_image(text: str) -> bool:
    """Tell whether a value behind an option or variable called image can be a container image."""
    return (
        bool(text)
        and not text.startswith(("/", "./", "../", "-"))
        and ("/" in text or ":" in text)
        and _NO_IMAGE.fullmatch(text) is None
    )


def _certain(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Leave out what is no image where none had to be named."""
    return (finding for finding in findings if not isinstance(finding, NoReference))


def _named(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Leave out what is open from its name on: where a variable is only set, its use tells that, not the setting."""
    return (
        finding
        for finding in findings
        if isinstance(finding, Found)
        or (isinstance(finding, Open) and finding.repository_pattern.replace(".*", "").strip("\\/"))
        or (isinstance(finding, Open) and finding.repository is not None)
    )


SYNTAX: Final = Syntax(name="shell", claims=claims, extract=extract)
