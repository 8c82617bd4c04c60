"""AWS CodeBuild: the commands of a buildspec, and the images of the builds of a batch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tagsweep.sources.syntaxes import pipeline
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.yamlnodes import Items, Pairs, Scalar, walk

_NAME: Final = re.compile(r"(^|/)[^/]*build-?spec[^/]*\.(ya?ml|json)$", re.IGNORECASE)
_CURATED: Final = "aws/codebuild/"


def claims(file: File) -> bool:
    """Tell whether it is named as a buildspec."""
    return _NAME.search(file.path) is not None


def extract(file: File) -> Iterator[Finding]:
    """Yield what the phases use. Each variable may be given another value when a build is started."""
    lines = file.text.splitlines()
    for root in pipeline.mappings(file):
        variables = pipeline.table(pipeline.values_in(root.pairs("env", "variables"), settled=False))
        yield from pipeline.shaped(root, variables=variables, but=_curated(root))
        for name, phase in root.pairs("phases").entries.items():
            for key in ("commands", "finally"):
                commands = phase.get(key) if isinstance(phase, Pairs) else None
                yield from pipeline.script(commands, lines, at=f"phase {name}", variables=variables)
        for node in walk(root.get("batch") or Items((), 0)):
            image = node.get("image") if isinstance(node, Pairs) else None
            for text in pipeline.scalars(image):
                if not text.value.startswith(_CURATED):  # images of the service itself, which are in no registry
                    yield from pipeline.image(text, at="batch", variables=variables)


def _curated(root: Pairs) -> frozenset[int]:
    return frozenset(id(node) for node in walk(root) if isinstance(node, Scalar) and node.value.startswith(_CURATED))


SYNTAX: Final = Syntax(name="AWS CodeBuild", claims=claims, extract=extract, alone=claims)
