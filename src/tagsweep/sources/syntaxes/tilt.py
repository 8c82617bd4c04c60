"""Tiltfiles: the images that Tilt builds for development, and those that its resources and commands name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tagsweep.sources.syntaxes import shell
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding, NoReference
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.shape import looks_like_image, shapes_in

_STRING: Final = r"(?P<prefix>[frbFRB]{0,2})(?P<mark>\"\"\"|'''|\"|')(?P<text>.*?)(?<!\\)(?P=mark)"
_TOKEN: Final = re.compile(rf"(?P<comment>#[^\n]*)|{_STRING}", re.DOTALL)
_BUILT: Final = re.compile(
    r"(?:docker_build|custom_build|docker_build_with_restart|custom_build_with_restart|dockerfile_build|podman_build|"
    r"pack|ko_build|bazel_build|nix_build|depot_build|kaniko_build|docker_build_sub)\s*\(\s*(?:ref\s*=\s*)?$"
)
_NAMED: Final = re.compile(r"\b(?:image|container_image|base_image|builder|ref|from_image)\s*=\s*$")
_KINDS: Final = re.compile(r"\b(?:image_selectors?|image_deps|images)\s*=\s*\[[^\]]*$")


def claims(file: File) -> bool:
    """Tell whether the file is a Tiltfile."""
    return file.name in {"tiltfile", "tiltfile.star"} or file.name.endswith((".tiltfile", ".tilt"))


def extract(file: File) -> Iterator[Finding]:
    """Yield what the texts of the program name."""
    text = file.text
    for found in _TOKEN.finditer(text):
        if found["comment"] is not None:
            continue
        line = text.count("\n", 0, found.start()) + 1
        before = text[max(0, found.start() - 200) : found.start()]
        yield from _string(_template(found["text"], found["prefix"]), before, line)


def _string(text: str, before: str, line: int) -> Iterator[Finding]:
    if _BUILT.search(before):
        # Tilt pushes what it builds under a tag of its own.
        complete = ":" in text.rpartition("/")[2] or "@" in text
        tagged = text if complete else f"{text}:tilt-${{build}}"
        yield from read_image(tagged, line=line, note="built by Tilt")
    elif _NAMED.search(before) or _KINDS.search(before):
        found = read_image(text, line=line)
        yield from (finding for finding in found if not isinstance(finding, NoReference))
    elif looks_like_image(text):
        yield from read_image(text, line=line, prose=True)
    elif shell.mentions_tool(text) and " " in text:
        yield from shell.find(text, line=line)
    else:
        for number, content in enumerate(text.split("\n"), start=line):
            for shape in shapes_in(content):
                yield from read_image(shape, line=number, prose=True)


def _template(text: str, prefix: str) -> str:
    """Return a Python text with its parts that are filled in written as variables."""
    if "f" in prefix.lower():
        text = re.sub(r"\{([^{}]*)\}", r"${\1}", text)
    else:
        text = re.sub(r"\{[A-Za-z0-9_]*\}", "${part}", text)
    return re.sub(r"%(?:\([A-Za-z_]+\))?[sd]", "${part}", text)


SYNTAX: Final = Syntax(name="tilt", claims=claims, extract=extract)
