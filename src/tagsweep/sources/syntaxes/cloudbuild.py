"""Google Cloud Build: the images that steps run in, what their arguments name, and what a build publishes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Final

from tagsweep.sources.syntaxes import pipeline, shell
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.template import Variables
from tagsweep.sources.syntaxes.yamlnodes import Pairs, Scalar

_NAME: Final = re.compile(
    r"(^|/)[^/]*cloud-?build[^/]*\.(ya?ml|json)$|(^|/)cloud-?build/.*\.(ya?ml|json)$", re.IGNORECASE
)
_BUILDER: Final = "/cloud-builders/"
_OPTION: Final = re.compile(r"--(destination|cache-repo|image|build-arg)[= ](.+)")
_SHELLS: Final = frozenset({"bash", "sh", "/bin/bash", "/bin/sh"})


def claims(file: File) -> bool:
    """Tell whether it is named as a build of Google Cloud's, or has steps in its builders."""
    if _NAME.search(file.path):
        return True
    return file.name.endswith((*pipeline.YAML_NAMES, ".json")) and _BUILDER in file.text and "steps" in file.text


def extract(file: File) -> Iterator[Finding]:
    """Yield what the steps use and what the build publishes. A substitution's value may be given anew."""
    lines = file.text.splitlines()
    for root in pipeline.mappings(file):
        variables = pipeline.table(pipeline.values_in(root.pairs("substitutions"), settled=False))
        for number, step in enumerate(root.items("steps"), start=1):
            if isinstance(step, Pairs):
                title = step.text("id")
                at = f"step {number if title is None else title.value}"
                yield from _step(step, lines, at, variables)
        published = (*root.items("images"), *root.items("artifacts", "images"))
        for image in published:
            note = "published by the build"
            yield from pipeline.image(image, at="images", note=note, variables=variables)
        yield from pipeline.shaped(root, variables=variables)


def _step(step: Pairs, lines: list[str], at: str, variables: Variables) -> Iterator[Finding]:
    yield from pipeline.image(step.get("name"), at=at, variables=variables)
    yield from pipeline.script(step.get("script"), lines, at=at, variables=variables)
    name, entrypoint = step.text("name"), step.text("entrypoint")
    program = entrypoint.value if entrypoint is not None else _program("" if name is None else name.value)
    arguments = tuple(pipeline.scalars(step.get("args")))
    if program in _SHELLS:
        for argument in arguments:
            if not argument.value.startswith("-"):
                yield from pipeline.script(argument, lines, at=at, variables=variables)
    elif program in {"docker", "gcloud", "kubectl", "helm", "crane", "skopeo"}:
        yield from _command(program, arguments, at, variables)
    for argument in arguments:
        option = _OPTION.match(argument.value)
        if option is not None and option[1] in {"destination", "cache-repo"}:
            note = "published by the build" if option[1] == "destination" else "build cache"
            yield from read_image(option[2], line=argument.line, at=at, note=note, variables=variables)


def _program(image: str) -> str:
    """Return the program that an image of Google's builders runs."""
    return re.split(r"[:@]", image.rpartition("/")[2])[0].removeprefix("cloud-sdk") or "gcloud"


def _command(program: str, arguments: tuple[Scalar, ...], at: str, variables: Variables) -> Iterator[Finding]:
    """Yield what a command names that is written as a list, with each argument on the line where it stands."""
    text, line = program, 0
    for argument in arguments:
        first = line or argument.line
        line = first
        gap = max(argument.line - (first + text.count("\n")), 0)
        text += " \\\n" * gap + " " + _quoted(argument)
    yield from shell.find(text, line=line, variables=variables, at=at)


def _quoted(node: Scalar) -> str:
    """Return an argument as one word in which variables still stand for something."""
    return node.value if re.fullmatch(r"[\w${}./:@=,+-]+", node.value) else shlex.quote(node.value)


SYNTAX: Final = Syntax(name="Google Cloud Build", claims=claims, extract=extract)
