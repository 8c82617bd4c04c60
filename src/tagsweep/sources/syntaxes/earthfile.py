"""Earthfiles: base images, saved images and what ``WITH DOCKER`` pulls; targets (``+build``) are none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from typing import Final

from tagsweep.sources.syntaxes import shell
from tagsweep.sources.syntaxes.dockerfile_lines import Instruction, instructions, words_of
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding, Found, NoReference, Open
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.template import Value

_ARGUMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL | re.ASCII)


def claims(file: File) -> bool:
    """Tell whether the file is an Earthfile."""
    return file.name in {"earthfile", "build.earth"} or file.name.endswith(".earth")


def extract(file: File) -> Iterator[Finding]:
    """Yield what the targets build from, save and pull."""
    values: dict[str, Value] = {}
    for instruction in instructions(file.text):
        match instruction.name:
            case "ARG" | "LET" | "SET":
                _remember(instruction, values)
            case "FROM":
                yield from _base(instruction, values)
            case "SAVE":
                yield from _saved(instruction, values)
            case "WITH":
                yield from _pulled(instruction, values)
            case "RUN" | "IF" | "FOR":
                if shell.mentions_tool(instruction.text):
                    yield from shell.find(instruction.text, line=instruction.line, variables=values.get)
            case _:
                continue


def _remember(instruction: Instruction, values: dict[str, Value]) -> None:
    text = " ".join(word for word, _ in words_of(instruction) if not word.startswith("--"))
    found = _ARGUMENT.fullmatch(text)
    if found is None:
        return
    value = found[2].strip("\"'")
    if f"${found[1]}" in value or f"${{{found[1]}" in value:
        return
    before = values.get(found[1])
    texts = (*(before.texts if before is not None else ()), value)
    settled = instruction.name != "ARG" and (before is None or before.settled)
    values[found[1]] = Value(tuple(dict.fromkeys(texts)), settled=settled)


def _base(instruction: Instruction, values: dict[str, Value]) -> Iterator[Finding]:
    words = [(word, line) for word, line in words_of(instruction) if not word.startswith("--")]
    if not words or words[0][0] == "DOCKERFILE" or "+" in words[0][0] or words[0][0] == "scratch":
        return
    image = words[0][0].replace('"', "").replace("'", "")
    for finding in read_image(image, line=words[0][1], variables=values.get):
        # A variable may hold a target, which is no image.
        if isinstance(finding, Found) or not _names_target(finding):
            yield finding


def _names_target(finding: Finding) -> bool:
    if isinstance(finding, Open):
        return finding.repository is None and r"\+" in finding.repository_pattern
    return isinstance(finding, NoReference) and "+" in finding.text


def _uncommented(instruction: Instruction) -> Iterator[tuple[str, int]]:
    """Yield the words up to a comment behind them, which an Earthfile may have on every line."""
    return takewhile(lambda each: not each[0].startswith("#"), words_of(instruction))


def _saved(instruction: Instruction, values: dict[str, Value]) -> Iterator[Finding]:
    words = list(_uncommented(instruction))
    if not words or words[0][0].upper() != "IMAGE":
        return
    expecting = False
    for word, line in words[1:]:
        if expecting:
            expecting = False
            yield from read_image(word, line=line, note="build cache", variables=values.get)
        elif word.startswith("--"):
            name, equals, value = word.partition("=")
            expecting = name == "--cache-from" and not equals
            if name == "--cache-from" and value:
                yield from read_image(value, line=line, note="build cache", variables=values.get)
        else:
            yield from read_image(word, line=line, note="built here", variables=values.get)


def _pulled(instruction: Instruction, values: dict[str, Value]) -> Iterator[Finding]:
    """Yield ``--pull image``, and the name that ``--load name=+target`` gives to what a target builds."""
    previous = ""
    for word, line in _uncommented(instruction):
        name, equals, value = word.partition("=")
        if previous == "--pull":
            yield from read_image(word, line=line, variables=values.get)
        elif name == "--pull" and equals:
            yield from read_image(value, line=line, variables=values.get)
        previous = word


SYNTAX: Final = Syntax(name="earthfile", claims=claims, extract=extract)
