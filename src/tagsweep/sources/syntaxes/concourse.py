"""Concourse: ``image_resource`` of tasks, and the resources and resource types that are images."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tagsweep.sources.syntaxes import pipeline
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.template import Variables, nothing_known
from tagsweep.sources.syntaxes.yamlnodes import Pairs, Scalar, walk

_TYPES: Final = frozenset({"registry-image", "docker-image"})
_VARIABLE: Final = re.compile(r"\(\(\s*([\w.:/-]+)\s*\)\)")
_CLAIM: Final = re.compile(
    r"^[ \t]*(?:(?:-[ \t]*)?type:\s*[\"']?(?:registry-image|docker-image)\b|image_resource:)", re.MULTILINE
)
_WORDS: Final = ("registry-image", "docker-image", "image_resource:")


def claims(file: File) -> bool:
    """Tell whether it has a resource that is an image, or a task with one."""
    text = file.text
    if not file.name.endswith(pipeline.YAML_NAMES) or not any(word in text for word in _WORDS):
        return False
    return _CLAIM.search(text) is not None


def extract(file: File) -> Iterator[Finding]:
    """Yield each image resource, and what the scripts of tasks use."""
    lines = file.text.splitlines()
    for document in pipeline.mappings(file):
        root = pipeline.rewritten(document, _VARIABLE)
        for node in walk(root):
            if not isinstance(node, Pairs):
                continue
            kind = node.text("type")
            if kind is not None and kind.value in _TYPES:
                yield from _resource(node)
            run = node.pairs("run")
            path = run.text("path")
            if path is not None and path.value.rpartition("/")[2] in {"sh", "bash", "ash"}:
                yield from _script(run, lines, _values(node))
        yield from pipeline.shaped(root)


def _values(task: Pairs) -> Variables:
    """Return the defaults of a task's parameters; the pipeline may give others."""
    return pipeline.table(pipeline.values_in(task.pairs("params"), settled=False))


def _script(run: Pairs, lines: list[str], variables: Variables) -> Iterator[Finding]:
    for argument in run.items("args"):
        if isinstance(argument, Scalar) and not argument.value.startswith("-"):
            yield from pipeline.script(argument, lines, at="task", variables=variables)


def _resource(node: Pairs) -> Iterator[Finding]:
    """Yield the image of one resource; without a tag it is ``latest``, with a constraint any version."""
    source = node.pairs("source")
    repository = source.text("repository")
    if repository is None:
        return
    name = node.text("name")
    at = "image resource" if name is None else f"resource {name.value}"
    tag = source.text("tag") or source.text("initial_tag")
    digest = node.text("version", "digest")
    text = repository.value
    if tag is not None:
        text += f":{tag.value}"
    elif any(source.get(key) is not None for key in ("semver_constraint", "variant", "tag_regex", "regex")):
        text += ":${version}"
    if digest is not None:
        text += f"@{digest.value}"
    mirror = source.text("registry_mirror", "host")
    yield from read_image(text, line=repository.line, at=at, variables=nothing_known)
    if mirror is not None:
        yield from read_image(f"{mirror.value}/{text}", line=repository.line, at=f"{at}, mirror")


SYNTAX: Final = Syntax(name="Concourse", claims=claims, extract=extract)
