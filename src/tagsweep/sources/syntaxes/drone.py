"""Drone and Woodpecker: images of steps and services, what their plugins are set to, and their commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tagsweep.sources.syntaxes import pipeline
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.template import Value, Variables
from tagsweep.sources.syntaxes.yamlnodes import Items, Node, Pairs

_PATH: Final = re.compile(
    r"(^|/)\.?(drone|woodpecker)(\.[^/]*)?\.ya?ml$|(^|/)\.(woodpecker|drone)/.*\.ya?ml$", re.IGNORECASE
)
_KIND: Final = re.compile(r"kind(?<![^\n]kind):\s*[\"']?pipeline[\"']?\s*$", re.MULTILINE)
_LISTS: Final = ("steps", "services", "pipeline", "clone")


def claims(file: File) -> bool:
    """Tell whether it is named as a pipeline, or says that it is one of Drone's."""
    if not file.name.endswith(pipeline.YAML_NAMES):
        return False
    return _PATH.search(file.path) is not None or ("pipeline" in file.text and _KIND.search(file.text) is not None)


def extract(file: File) -> Iterator[Finding]:
    """Yield what the steps and services of each pipeline use."""
    lines = file.text.splitlines()
    for root in pipeline.mappings(file):
        variables = pipeline.chain(_matrix(root.get("matrix")), pipeline.table(_environment(root)))
        for key in _LISTS:
            for name, step in _entries(root.get(key)):
                kind = "service" if key == "services" else "step"
                yield from _step(step, lines, f"{kind} {name}", variables)
        yield from pipeline.shaped(root, variables=variables)


def _entries(node: Node | None) -> Iterator[tuple[str, Pairs]]:
    """Yield the steps with their names, written as a list or as a mapping."""
    if isinstance(node, Pairs):
        yield from ((name, step) for name, step in node.entries.items() if isinstance(step, Pairs))
    for number, step in enumerate(node.entries if isinstance(node, Items) else (), start=1):
        if isinstance(step, Pairs):
            name = step.text("name")
            yield (str(number) if name is None else name.value), step


def _environment(pairs: Pairs) -> dict[str, Value]:
    return pipeline.values_in(pairs.pairs("environment"))


def _matrix(node: Node | None) -> Variables:
    found: list[dict[str, Value]] = []
    if isinstance(node, Pairs):
        found.append({name: _texts(entry) for name, entry in node.entries.items() if any(pipeline.scalars(entry))})
        node = node.get("include")
    rows = node.entries if isinstance(node, Items) else ()
    found += [pipeline.values_in(row) for row in rows if isinstance(row, Pairs)]
    return pipeline.table(pipeline.merged(found, settled=True))


def _texts(node: Node) -> Value:
    return Value(tuple(text.value for text in pipeline.scalars(node)))


def _step(step: Pairs, lines: list[str], at: str, outer: Variables) -> Iterator[Finding]:
    variables = pipeline.chain(pipeline.table(_environment(step)), outer)
    yield from pipeline.image(step.get("image"), at=at, variables=variables)
    for key in ("commands", "command"):
        yield from pipeline.script(step.get(key), lines, at=at, variables=variables)
    settings = step.get("settings")
    yield from _settings(settings if isinstance(settings, Pairs) else step, at, variables)


def _settings(settings: Pairs, at: str, variables: Variables) -> Iterator[Finding]:
    """Yield what a plugin is set to: what it publishes, and what it takes as a cache."""
    for text in pipeline.scalars(settings.get("cache_from")):
        for line, word in pipeline.words(text, []):
            yield from read_image(word, line=line, at=at, note="build cache", variables=variables)
    tags = tuple(pipeline.scalars(settings.get("tags") or settings.get("tag")))
    registry = settings.text("registry")
    host = "" if registry is None else registry.value.removeprefix("https://").strip("/") + "/"
    for repo in pipeline.scalars(settings.get("repo")):
        for _, name in pipeline.words(repo, []):
            whole = name if not host or name.startswith(host) else f"{host}{name}"
            for text in tags if "://" not in name else ():
                for line, tag in pipeline.words(text, []):
                    note = "published by the pipeline"
                    yield from read_image(f"{whole}:{tag}", line=line, at=at, note=note, variables=variables)


SYNTAX: Final = Syntax(
    name="Drone or Woodpecker", claims=claims, extract=extract, alone=lambda file: _PATH.search(file.path) is not None
)
