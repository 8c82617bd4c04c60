"""Dockerfiles: base images, images that files are copied from, frontends; stages and ``scratch`` are none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from tagsweep.model.errors import InvalidReference
from tagsweep.model.reference import Reference
from tagsweep.sources.syntaxes import plain_text, shell
from tagsweep.sources.syntaxes.dockerfile_lines import Instruction, instructions, syntax_directive, words_of
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding, Found, NoReference, Open
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.template import Value, Variables, nothing_known, readings

_NAME: Final = re.compile(
    r"(?:dockerfile|containerfile)(?:[0-9]+|[._-].*)?|.*\.(?:dockerfile|containerfile)(?:\.(?:j2|tmpl|template|erb|in))?"
)
_OTHER: Final = re.compile(
    r".*\.(?:md|mdx|rst|txt|py|go|js|ts|rb|rs|java|sh|ya?ml|json|toml|html|snap|lock|dockerignore|ignore)"
)
_ARGUMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:=(.*))?", re.DOTALL | re.ASCII)
_PLATFORM: Final = frozenset(
    f"{side}{what}" for side in ("TARGET", "BUILD") for what in ("PLATFORM", "OS", "ARCH", "VARIANT")
)


def claims(file: File) -> bool:
    """Tell whether the file is named as a Dockerfile or Containerfile is."""
    return _NAME.fullmatch(file.name) is not None and _OTHER.fullmatch(file.name) is None


def extract(file: File) -> Iterator[Finding]:
    """Yield what the file names."""
    return find(file.text)


def find(
    text: str,
    *,
    line: int = 1,
    arguments: Mapping[str, str] | None = None,
    contexts: Sequence[str] = (),
    variables: Variables = nothing_known,
    at: str = "",
    note: str = "",
) -> Iterator[Finding]:
    """Yield what a Dockerfile names, whose first line is ``line``.

    ``arguments`` are what a build gives to its ARGs for certain, ``contexts`` are names of further build contexts,
    which stand for no image; ``variables`` fill in the arguments.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    build = _Build(dict(arguments or {}), {name.lower() for name in contexts}, variables, at, note)
    frontend = syntax_directive(text)
    if frontend is not None:
        yield from read_image(frontend[0], line=line + frontend[1] - 1, at=at, note="Dockerfile frontend")
    for instruction in instructions(text):
        for finding in build.read(instruction):
            yield replace(finding, line=finding.line + line - 1)


class _Build:
    """The stages and arguments so far."""

    def __init__(self, arguments: dict[str, str], contexts: set[str], variables: Variables, at: str, note: str) -> None:
        self._given = arguments
        self._outer = variables
        self._global: dict[str, Value] = {}
        self._here: dict[str, Value] | None = None
        self._stages = {"scratch", *contexts}
        self._at = at
        self._note = note

    def read(self, instruction: Instruction) -> Iterator[Finding]:
        match instruction.name:
            case "FROM":
                yield from self._base(instruction)
            case "ARG" | "ENV":
                yield from self._argument(instruction)
            case "COPY" | "ADD":
                yield from self._copy(instruction)
                yield from self._bodies(instruction)
            case "RUN":
                yield from self._run(instruction)
            case "ONBUILD":
                yield from self.read(instruction.behind())
            case "CMD" | "ENTRYPOINT" | "HEALTHCHECK" | "SHELL":
                if shell.mentions_tool(instruction.text):
                    yield from self._shell(instruction.text, instruction.line)
            case _:
                return

    def _base(self, instruction: Instruction) -> Iterator[Finding]:
        words = [word for word, _ in words_of(instruction) if not word.startswith("--")]
        self._here = dict(self._global)
        if not words:
            return
        line = next(line for word, line in words_of(instruction) if word == words[0])
        yield from self._image(words[0], line, self._look_up(self._global))
        if len(words) > 2 and words[1].lower() == "as":  # noqa: PLR2004 - FROM image AS stage
            self._stages.add(words[2].lower())

    def _argument(self, instruction: Instruction) -> Iterator[Finding]:
        values = self._global if self._here is None else self._here
        texts = [(word, line) for word, line in words_of(instruction)]
        if instruction.name == "ENV" and len(texts) > 1 and "=" not in texts[0][0]:
            texts = [(f"{texts[0][0]}={' '.join(word for word, _ in texts[1:])}", texts[0][1])]
        for word, line in texts:
            found = _ARGUMENT.fullmatch(word)
            if found is None or found[1] in _PLATFORM:
                continue
            name = found[1]
            default = None if found[2] is None else _unquoted(found[2])
            if instruction.name == "ENV":
                values[name] = Value((_without(name, default or ""),))
                if default and default.count("/"):
                    yield from plain_text.find(default, line=line)
            elif name in self._given:
                values[name] = Value((self._given[name],))
            elif default is not None:
                # Whoever builds may give another.
                values[name] = Value((_without(name, default),), settled=False)
            elif name in self._global:
                values[name] = self._global[name]

    def _copy(self, instruction: Instruction) -> Iterator[Finding]:
        for word, line in words_of(instruction):
            if not word.startswith("--"):
                return
            name, _, value = word.partition("=")
            if name.lower() == "--from":
                yield from self._other(value, line)

    def _run(self, instruction: Instruction) -> Iterator[Finding]:
        for word, line in words_of(instruction):
            if not word.startswith("--"):
                break
            name, _, value = word.partition("=")
            if name.lower() == "--mount":
                for part in value.split(","):
                    key, _, source = part.strip("\"'").partition("=")
                    if key.lower() == "from":
                        yield from self._other(source, line)
        if shell.mentions_tool(instruction.text):
            yield from self._shell(instruction.text, instruction.line)
        yield from self._bodies(instruction)

    def _bodies(self, instruction: Instruction) -> Iterator[Finding]:
        for body, line in instruction.heredocs:
            if shell.mentions_tool(body):
                yield from self._shell(body, line)
            else:
                yield from plain_text.find(body, line=line)

    def _shell(self, text: str, line: int) -> Iterator[Finding]:
        values = self._global if self._here is None else self._here
        found = shell.find(text, line=line, variables=self._look_up(values), at=self._at, note=self._note)
        return (finding for finding in found if not isinstance(finding, NoReference))

    def _other(self, text: str, line: int) -> Iterator[Finding]:
        """Yield what ``--from`` names, unless it is a stage by its name or number."""
        if not text.isdigit():
            yield from self._image(text, line, self._look_up(self._global if self._here is None else self._here))

    def _image(self, text: str, line: int, variables: Variables) -> Iterator[Finding]:
        text = _unquoted(text)
        if text.lower() in self._stages:
            return
        whole = readings(text, variables)
        literal = {"".join(piece for piece in each if isinstance(piece, str)) for each in whole if len(each) <= 1}
        stages = {each for each in literal if each.lower() in self._stages}
        stage_references = {_reference(each) for each in stages}
        note = self._note
        for finding in read_image(text, line=line, at=self._at, note=note, variables=variables):
            if isinstance(finding, Found) and finding.reference in stage_references:
                continue
            if isinstance(finding, NoReference) and stages:
                continue
            if isinstance(finding, Open) and stages:
                finding = replace(finding, note="a build stage by default")  # noqa: PLW2901 - the same finding, told better
            yield finding

    def _look_up(self, values: Mapping[str, Value]) -> Variables:
        now = dict(values)
        return lambda name: now.get(name) or self._outer(name)


def _reference(text: str) -> Reference | None:
    try:
        return Reference.parse(text).with_default_tag()
    except InvalidReference:
        return None


def _without(name: str, text: str) -> str:
    """Return a default without a use of its own name, which stands for what is not known here."""
    return re.sub(
        rf"\$({re.escape(name)}\b|\{{{re.escape(name)}\b)",
        lambda found: found[0].replace(name, f"_{name}_before"),
        text,
    )


def _unquoted(text: str) -> str:
    return text.replace('"', "").replace("'", "") if text[:1] in {'"', "'"} or text.endswith(('"', "'")) else text


SYNTAX: Final = Syntax(name="dockerfile", claims=claims, extract=extract)
