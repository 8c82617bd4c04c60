"""Buildkite: images of plugins and steps, and the commands of steps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tagsweep.sources.syntaxes import pipeline
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.template import Value, Variables
from tagsweep.sources.syntaxes.yamlnodes import Items, Node, Pairs, Scalar, walk

_PATH: Final = re.compile(r"(^|/)\.?buildkite/.*\.(ya?ml|json)$|(^|/)\.?buildkite(\.[^/]*)?\.ya?ml$", re.IGNORECASE)
_PLUGIN: Final = re.compile(r"^\s*-?\s*[\"']?(?:[\w.-]+/)?[\w-]+#v?[\w.-]+[\"']?:?\s*(?:~|null)?$", re.MULTILINE)
_STEPS: Final = re.compile(r"^[\"']?steps[\"']?:", re.MULTILINE)
_DEEPEST: Final = 10
# Keys of plugins that hold an image, and those of docker-compose whose entries are SERVICE:IMAGE.
_IMAGES: Final = frozenset(
    {"image", "images", "base-image", "image-ref", "container-image", "source-image", "target-image"}
)
_OF_SERVICE: Final = frozenset({"cache-from", "push"})


def claims(file: File) -> bool:
    """Tell whether it stands where Buildkite looks, or has steps with versioned plugins."""
    if _PATH.search(file.path):
        return True
    return (
        file.name.endswith(pipeline.YAML_NAMES)
        and "plugins:" in file.text
        and _STEPS.search(file.text) is not None
        and _PLUGIN.search(file.text) is not None
    )


def extract(file: File) -> Iterator[Finding]:
    """Yield what the steps of the file use, those in groups as well."""
    lines = file.text.splitlines()
    for root in pipeline.mappings(file):
        env = pipeline.values_in(root.pairs("env"))
        yield from pipeline.image(root.get("image"), at="pipeline", variables=pipeline.table(env))
        for number, step in enumerate(_steps(root, _DEEPEST), start=1):
            yield from _step(step, lines, number, env)
        yield from pipeline.shaped(root, variables=pipeline.table(env))


def _steps(parent: Pairs, depth: int) -> Iterator[Pairs]:
    """Yield the steps, those of groups in their place."""
    for step in parent.items("steps") if depth else ():
        if isinstance(step, Pairs):
            yield step
            yield from _steps(step, depth - 1)


def _step(step: Pairs, lines: list[str], number: int, env: dict[str, Value]) -> Iterator[Finding]:
    title = step.text("label") or step.text("name") or step.text("key")
    at = f"step {number if title is None else title.value}"
    own = {**env, **pipeline.values_in(step.pairs("env"))}
    variables = pipeline.chain(_matrix(step), pipeline.table(own))
    plugins = step.get("plugins")
    yield from pipeline.image(step.get("image"), at=at, variables=variables)
    for key in ("command", "commands", "script"):
        yield from pipeline.script(step.get(key), lines, at=at, variables=variables)
    for name, settings in _plugins(plugins):
        yield from _plugin(name, settings, at=f"{at}, plugin {name.partition('#')[0]}", variables=variables)


def _plugins(node: Node | None) -> Iterator[tuple[str, Pairs]]:
    """Yield name and settings of each plugin, written as a list or as a mapping."""
    for each in node.entries if isinstance(node, Items) else (node,):
        if isinstance(each, Pairs):
            for name, settings in each.entries.items():
                if isinstance(settings, Pairs):
                    yield name, settings


def _plugin(name: str, settings: Pairs, *, at: str, variables: Variables) -> Iterator[Finding]:
    if "kubernetes#" in name:
        for node in walk(settings):
            if isinstance(node, Pairs):
                yield from pipeline.image(node.text("image"), at=at, variables=variables)
        return
    compose = "docker-compose#" in name
    for key, node in settings.entries.items():
        for text in pipeline.scalars(node):
            if key in _IMAGES:
                yield from pipeline.image(text, at=at, variables=variables)
            elif key in _OF_SERVICE and compose:
                _, _, image = text.value.partition(":")
                if image:
                    note = "build cache" if key == "cache-from" else "published by the pipeline"
                    written = Scalar(image, text.line, text.plain)
                    yield from pipeline.image(written, at=at, note=note, variables=variables)
            elif key == "cache-from":
                yield from pipeline.image(text, at=at, note="build cache", variables=variables)


def _matrix(step: Pairs) -> Variables:
    """Return what ``{{matrix}}`` and ``{{matrix.name}}`` can be, with what adjustments add."""
    matrix = step.get("matrix")
    setup = matrix.get("setup") if isinstance(matrix, Pairs) else matrix
    found: list[dict[str, Value]] = [_row(setup)]
    if isinstance(matrix, Pairs):
        found += [_row(each.get("with")) for each in matrix.items("adjustments") if isinstance(each, Pairs)]
    return pipeline.table(pipeline.merged(found, settled=True))


def _row(node: Node | None) -> dict[str, Value]:
    if isinstance(node, Pairs):
        named = {name: tuple(text.value for text in pipeline.scalars(each)) for name, each in node.entries.items()}
        return {f"matrix.{name}": Value(texts) for name, texts in named.items() if texts}
    texts = tuple(text.value for text in pipeline.scalars(node))
    return {"matrix": Value(texts)} if texts else {}


SYNTAX: Final = Syntax(
    name="Buildkite", claims=claims, extract=extract, alone=lambda file: _PATH.search(file.path) is not None
)
