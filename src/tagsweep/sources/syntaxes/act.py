"""act's configuration: the images that stand for GitHub's runners on a developer's machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.image import read_image

_PLATFORM: Final = re.compile(r"(?:^|\s)(?:-P|--platform)[=\s]\s*[^\s=]+=(\S+)")


def claims(file: File) -> bool:
    """Tell whether it is act's configuration."""
    return file.name in {".actrc", "actrc"}


def extract(file: File) -> Iterator[Finding]:
    """Yield the image of each platform; ``-self-hosted`` is the machine itself."""
    for number, line in enumerate(file.text.splitlines(), start=1):
        for image in _PLATFORM.findall(line) if not line.lstrip().startswith("#") else ():
            if image != "-self-hosted":
                yield from read_image(image, line=number, at="runner")


SYNTAX: Final = Syntax(name="act", claims=claims, extract=extract)
