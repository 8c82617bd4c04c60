"""CircleCI: the Docker executors of jobs and orbs, and the commands of their steps. A machine image is no container."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tagsweep.sources.syntaxes import pipeline
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.template import Value, Variables
from tagsweep.sources.syntaxes.yamlnodes import Node, Pairs, Scalar, walk

_PATH: Final = re.compile(r"(^|/)\.circleci/.*\.ya?ml$|(^|/)orb\.ya?ml$", re.IGNORECASE)
_PARAMETER: Final = re.compile(r"<<\s*([A-Za-z][\w.-]*)\s*>>")


def claims(file: File) -> bool:
    """Tell whether the file is of a CircleCI configuration or an orb's source."""
    return _PATH.search(file.path) is not None


def extract(file: File) -> Iterator[Finding]:
    """Yield the images of executors and what the commands use; a parameter's default may be given another value."""
    lines = file.text.splitlines()
    for document in pipeline.mappings(file):
        root = pipeline.rewritten(document, _PARAMETER)
        variables = pipeline.table(_parameters(root), prefixes=("parameters.", "pipeline.parameters.", "matrix."))
        for name, node in _parts(root):
            env = pipeline.chain(pipeline.table(pipeline.values_in(node.pairs("environment"))), variables)
            for entry in node.items("docker"):
                if isinstance(entry, Pairs):
                    yield from pipeline.image(entry.get("image"), at=name, variables=env)
                    yield from pipeline.image(entry.get("name_from"), at=name, variables=env)
            for step in node.items("steps"):
                yield from _step(step, lines, at=name, variables=env)
        yield from pipeline.shaped(root, variables=variables)


def _parts(root: Pairs) -> Iterator[tuple[str, Pairs]]:
    """Yield what has steps or an executor anywhere, with the key that it stands under."""
    if root.get("docker") is not None or root.get("steps") is not None:
        yield "orb", root
    for parent in walk(root):
        if isinstance(parent, Pairs):
            for name, node in parent.entries.items():
                if isinstance(node, Pairs) and (node.get("docker") is not None or node.get("steps") is not None):
                    yield name, node


def _parameters(root: Pairs) -> dict[str, Value]:
    """Return what parameters can be: their defaults, what they are called with, and for an enum all its values."""
    declared = pipeline.merged((found for node in walk(root) for found in _declared(node)), settled=False)
    given: dict[str, list[str]] = {}
    for node in walk(root):
        for name, value in _entries(node):
            if name in declared and isinstance(value, Scalar) and not value.is_null:
                given.setdefault(name, []).append(value.value)
            elif name == "parameters" and isinstance(value, Pairs):  # the rows of a workflow's matrix
                for each, texts in value.entries.items():
                    given.setdefault(each, []).extend(text.value for text in pipeline.scalars(texts))
    called = {name: Value(tuple(texts)) for name, texts in given.items() if texts}
    found = pipeline.merged((declared, called), settled=False)
    return {name: value for name, value in found.items() if value.texts}


def _entries(node: Node) -> tuple[tuple[str, Node], ...]:
    return tuple(node.entries.items()) if isinstance(node, Pairs) else ()


def _declared(node: Node) -> Iterator[dict[str, Value]]:
    """Yield the parameters that ``node`` declares, with all values of an enum or the default."""
    parameters = node.pairs("parameters") if isinstance(node, Pairs) else Pairs()
    for name, each in parameters.entries.items():
        if isinstance(each, Pairs) and each.get("type") is not None:
            options = tuple(option.value for option in pipeline.scalars(each.get("enum")))
            default = each.text("default")
            yield {name: Value(options or (() if default is None else (default.value,)))}


def _step(step: Node, lines: list[str], *, at: str, variables: Variables) -> Iterator[Finding]:
    if not isinstance(step, Pairs):
        return
    run = step.get("run")
    if isinstance(run, Pairs):
        own = pipeline.chain(pipeline.table(pipeline.values_in(run.pairs("environment"))), variables)
        yield from pipeline.script(run.get("command"), lines, at=at, variables=own)
    else:
        yield from pipeline.script(run, lines, at=at, variables=variables)
    for kind in ("when", "unless"):
        for inner in step.items(kind, "steps"):
            yield from _step(inner, lines, at=at, variables=variables)


SYNTAX: Final = Syntax(name="CircleCI", claims=claims, extract=extract, alone=claims)
