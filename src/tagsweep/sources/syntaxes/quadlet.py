"""systemd: Podman's quadlets (``.container``, ``.image`` and so on), and units that run a container by a command."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tagsweep.sources.syntaxes import shell
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.template import Value, Variables

_ENDINGS: Final = (".container", ".image", ".volume", ".build", ".pod", ".service", ".timer", ".path", ".socket")
_TEMPLATES: Final = (".j2", ".tmpl", ".template", ".in", ".erb")
_SECTION: Final = re.compile(r"(?m)^\s*\[(?:Unit|Service|Container|Image|Build|Volume|Pod|Install)\]")
_SPECIFIER: Final = re.compile(r"%([A-Za-z])")
_UNITS: Final = (".image", ".build")
_KEYS: Final = {
    "container": ("Image", "Rootfs"),
    "image": ("Image", "ImageTag"),
    "build": ("ImageTag",),
    "volume": ("Image",),
}
_MOUNTED: Final = re.compile(r"(?:^|,)type=image(?:,|$)")
_SOURCE: Final = re.compile(r"(?:^|,)(?:source|src)=([^,]+)")


@dataclass(frozen=True, slots=True)
class _Line:
    """One setting: ``section`` in lower case, all its continued lines in ``value``."""

    section: str
    key: str
    value: str
    line: int


def claims(file: File) -> bool:
    """Tell whether the file is a unit, by its ending or by being a drop-in of one."""
    name = file.name
    for template in _TEMPLATES:
        name = name.removesuffix(template)
    dropped = name.endswith(".conf") and file.directory.rpartition("/")[2].lower().endswith(".d")
    return (name.endswith(_ENDINGS) or dropped) and _SECTION.search(file.text) is not None


def extract(file: File) -> Iterator[Finding]:
    """Yield what the unit names."""
    lines = list(_lines(file.text))
    variables = _variables(lines)
    for line in lines:
        value = _SPECIFIER.sub(r"${specifier_\1}", line.value.replace("%%", "\x00")).replace("\x00", "%")
        if line.key in _KEYS.get(line.section, ()) and line.key != "Rootfs":
            if not value.endswith(_UNITS):
                yield from read_image(value, line=line.line, at=line.key, variables=variables)
        elif line.key.startswith("Exec"):
            yield from shell.find(value.lstrip("-@:+!"), line=line.line, variables=variables, at=line.key)
        elif line.key in {"Mount", "PodmanArgs", "GlobalArgs"}:
            source = _SOURCE.search(value) if _MOUNTED.search(value) else None
            if source is not None:
                yield from read_image(source[1], line=line.line, at=line.key, note="volume", variables=variables)


def _lines(text: str) -> Iterator[_Line]:
    section = ""
    content = text.removeprefix("\ufeff").splitlines()
    at = 0
    while at < len(content):
        line, first = content[at].strip(), at + 1
        at += 1
        if not line or line.startswith(("#", ";")):
            continue
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].lower()
            continue
        while line.endswith("\\") and at < len(content):
            following = content[at].strip()
            at += 1
            # A comment between continued lines is no part of them; its line stays, so that all others keep theirs.
            line = f"{line}\n" + (following if not following.startswith(("#", ";")) else "\\")
        key, equals, value = line.partition("=")
        if equals:
            yield _Line(section, key.strip(), value.strip(), first)


def _variables(lines: list[_Line]) -> Variables:
    """Return what ``Environment=`` sets; an environment's file may set it anew."""
    settled = not any(line.key == "EnvironmentFile" for line in lines)
    values: dict[str, Value] = {}
    for line in lines:
        if line.key == "Environment":
            for found in re.finditer(
                r"\"([A-Za-z_]\w*)=([^\"]*)\"|'([A-Za-z_]\w*)=([^']*)'|([A-Za-z_]\w*)=(\S*)", line.value
            ):
                name = found[1] or found[3] or found[5]
                value = found[2] or found[4] or found[6] or ""
                if "$" not in value:
                    values[name] = Value((value,), settled=settled)
    return values.get


SYNTAX: Final = Syntax(name="systemd", claims=claims, extract=extract)
