"""Bitbucket Pipelines: images of the pipeline and its steps, service containers, pipes by image, and scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tagsweep.sources.syntaxes import pipeline
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.template import Value, nothing_known
from tagsweep.sources.syntaxes.yamlnodes import Items, Pairs, walk

_NAME: Final = re.compile(r"(^|/)(bitbucket-pipelines[^/]*|pipe)\.ya?ml$", re.IGNORECASE)


def claims(file: File) -> bool:
    """Tell whether it is a pipeline of Bitbucket's, or the description of a pipe."""
    return _NAME.search(file.path) is not None


def extract(file: File) -> Iterator[Finding]:
    """Yield what the pipeline, its steps and its services use. Variables of a custom pipeline may be given."""
    lines = file.text.splitlines()
    for root in pipeline.mappings(file):
        variables = pipeline.table(_variables(root))
        yield from pipeline.image(root.get("image"), at="pipeline", variables=variables, keys=("name",))
        for node in walk(root):
            if not isinstance(node, Pairs):
                continue
            step = node.get("step") if isinstance(node.get("step"), Pairs) else None
            own = node.pairs("step") if step is not None else node
            title = own.text("name")
            at = "step" if title is None else f"step {title.value}"
            if step is not None:
                yield from pipeline.image(own.get("image"), at=at, variables=variables, keys=("name",))
                for key in ("script", "after-script"):
                    for entry in own.items(key):
                        if isinstance(entry, Pairs):
                            yield from _pipe(entry, at)
                    yield from pipeline.script(own.get(key), lines, at=at, variables=variables)
            for name, service in node.pairs("services").entries.items():
                if isinstance(service, Pairs):
                    spot = f"service {name}"
                    yield from pipeline.image(service.get("image"), at=spot, variables=variables, keys=("name",))
        yield from pipeline.shaped(root, variables=variables, but=_pipes(root))


def _pipe(entry: Pairs, at: str) -> Iterator[Finding]:
    """Yield the image of ``pipe: docker://…``; any other pipe is a repository of Bitbucket's that names its own."""
    text = entry.text("pipe")
    if text is not None and text.value.startswith("docker://"):
        yield from pipeline.image(text, at=at, variables=nothing_known)


def _pipes(root: Pairs) -> frozenset[int]:
    return frozenset(id(pipe) for node in walk(root) if isinstance(node, Pairs) and (pipe := node.text("pipe")))


def _variables(root: Pairs) -> dict[str, Value]:
    found = []
    for node in walk(root):
        listed = node.get("variables") if isinstance(node, Pairs) else None
        for each in listed.entries if isinstance(listed, Items) else ():
            if isinstance(each, Pairs) and (name := each.text("name")) is not None:
                default = each.text("default")
                options = tuple(text.value for text in pipeline.scalars(each.get("allowed-values")))
                texts = (*(() if default is None else (default.value,)), *options)
                if texts:
                    found.append({name.value: Value(texts)})
    return pipeline.merged(found, settled=False)


SYNTAX: Final = Syntax(name="Bitbucket Pipelines", claims=claims, extract=extract, alone=claims)
