"""Any text: what has the full shape of an image reference, wherever it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tagsweep.sources.syntaxes.files import File
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.shape import shapes_in

# Every shape has this in it, and nine files in ten have it nowhere: looking for it first takes a tenth of the time.
_BEGINNING: Final = re.compile(r"/[a-z0-9][a-z0-9._-]*:[A-Za-z0-9_$]|@sha(?:256|512):")


def extract(file: File) -> Iterator[Finding]:
    """Yield everything in the text that has the shape of a reference with a tag or a digest."""
    yield from find(file.text)


def find(text: str, *, line: int = 1) -> Iterator[Finding]:
    """Yield what has the shape of an image in ``text``, whose first line is ``line``."""
    if _BEGINNING.search(text) is None:
        return
    for number, content in enumerate(text.splitlines(), start=line):
        for shape in shapes_in(content) if _BEGINNING.search(content) is not None else ():
            yield from read_image(shape, line=number, prose=True)
