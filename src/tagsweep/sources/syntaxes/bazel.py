"""Bazel: base images that a module or workspace pulls: ``oci.pull``, ``oci_pull``, ``container_pull``.

Shapes: rules_oci (image, digest, tag) and rules_docker (registry, repository, digest, tag).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.image import read_image

_NAMES: Final = re.compile(r"(?:.*\.)?module\.bazel|workspace(?:\.bazel|\.bzlmod)?|.*\.bzl|build(?:\.bazel)?")
_CALL: Final = re.compile(r"\b(?:oci\.pull|oci_pull|container_pull|docker_pull|container_image)\s*\(")
_ARGUMENT: Final = re.compile(r"""\b(image|registry|repository|tag|digest|base)\s*=\s*(?:"([^"\n]*)"|'([^'\n]*)')""")
_OPEN_ARGUMENT: Final = re.compile(r"\b(image|registry|repository|tag|digest)\s*=\s*(?![\"'\s])([^,\n)]+)")


def claims(file: File) -> bool:
    """Tell whether the file is one of Bazel's and pulls an image."""
    return _NAMES.fullmatch(file.name) is not None and _CALL.search(file.text) is not None


def extract(file: File) -> Iterator[Finding]:
    """Yield what each call pulls; an argument that is no literal is open."""
    text = file.text
    for call in _CALL.finditer(text):
        body = text[call.end() : _end(text, call.end())]
        parts = {name: double or single for name, double, single in _ARGUMENT.findall(body)}
        for name, expression in _OPEN_ARGUMENT.findall(body):
            parts.setdefault(name, f"{{{{ {expression.strip()} }}}}")
        name = "/".join(part for part in (parts.get("registry", ""), parts.get("repository", "")) if part)
        name = parts.get("image") or name
        if not name:
            continue
        tag = f":{parts['tag']}" if parts.get("tag") else ""
        digest = f"@{parts['digest']}" if parts.get("digest") else ""
        yield from read_image(f"{name}{tag}{digest}", line=text.count("\n", 0, call.start()) + 1, note="base image")


def _end(text: str, at: int) -> int:
    """Return the index of the bracket that closes the call whose arguments begin at ``at``."""
    depth = 1
    for found in re.finditer(r"[()]|\"[^\"\n]*\"|'[^'\n]*'", text[at : at + 20_000]):
        if found[0] == "(":
            depth += 1
        elif found[0] == ")":
            depth -= 1
            if depth == 0:
                return at + found.start()
    return min(len(text), at + 20_000)


SYNTAX: Final = Syntax(name="bazel", claims=claims, extract=extract)
