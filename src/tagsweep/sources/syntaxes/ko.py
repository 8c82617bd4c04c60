"""ko's configuration: the base images that Go programs are built on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tagsweep.sources.syntaxes import pipeline
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding

_NAME: Final = re.compile(r"(^|/)\.ko\.ya?ml$", re.IGNORECASE)


def claims(file: File) -> bool:
    """Tell whether it is ko's configuration."""
    return _NAME.search(file.path) is not None


def extract(file: File) -> Iterator[Finding]:
    """Yield the default base image and those of single programs."""
    for root in pipeline.mappings(file):
        yield from pipeline.image(root.get("defaultBaseImage"), at="default base image")
        for program, image in root.pairs("baseImageOverrides").entries.items():
            yield from pipeline.image(image, at=f"base image of {program}")
        yield from pipeline.shaped(root)


SYNTAX: Final = Syntax(name="ko", claims=claims, extract=extract, alone=claims)
