"""What a build section of Compose, Bake or devcontainer means for the Dockerfile that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from posixpath import join
from typing import Final

from tagsweep.sources.syntaxes import dockerfile
from tagsweep.sources.syntaxes.files import File
from tagsweep.sources.syntaxes.findings import Finding, Found, NoReference
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.image_keys import could_name_image, may_be_image_key
from tagsweep.sources.syntaxes.shape import looks_like_image
from tagsweep.sources.syntaxes.shell_tools import cache_reference
from tagsweep.sources.syntaxes.template import Variables
from tagsweep.sources.syntaxes.yamlnodes import Items, Node, Pairs, Scalar

_CONTEXT_IMAGE: Final = "docker-image://"


def arguments_of(node: Node | None) -> dict[str, Scalar]:
    """Return the build arguments of a mapping or of a list of ``NAME=value``; empty ones are left out."""
    if isinstance(node, Pairs):
        return {key: value for key, value in node.entries.items() if isinstance(value, Scalar) and not value.is_null}
    found: dict[str, Scalar] = {}
    for entry in node.entries if isinstance(node, Items) else ():
        if isinstance(entry, Scalar) and "=" in entry.value:
            name, _, value = entry.value.partition("=")
            found[name] = replace(entry, value=value, plain=False)
    return found


def arguments_used(
    file: File,
    path: str,
    arguments: Mapping[str, Scalar],
    variables: Variables,
    *,
    contexts: Sequence[str] = (),
    at: str = "",
) -> Iterator[Finding]:
    """Yield what these arguments make of the Dockerfile at ``path`` (from the file), beyond what it says on its own.

    An argument that looks like an image is one also where the Dockerfile cannot be read.
    """
    if not arguments:
        return
    text = file.read_beside(path)
    line = min(argument.line for argument in arguments.values())
    if text is not None:
        alone = {_what(finding) for finding in dockerfile.find(text, contexts=contexts)}
        given = {name: argument.value for name, argument in arguments.items()}
        built = dockerfile.find(
            text, arguments=given, contexts=contexts, variables=variables, at=at, note="build argument"
        )
        for finding in built:
            if _what(finding) not in alone and not isinstance(finding, NoReference):
                yield replace(finding, line=_argument_line(text, finding.line, arguments, line))
    for name, argument in arguments.items():
        image = looks_like_image(argument.value) or (
            text is None and may_be_image_key(name) and could_name_image(argument.value, bare=False)
        )
        if image:
            yield from read_image(
                argument.value, line=argument.line, at=at, note="build argument", variables=variables, prose=True
            )


def _argument_line(text: str, line: int, arguments: Mapping[str, Scalar], default: int) -> int:
    """Return the line of the argument that stands on this line of the Dockerfile."""
    lines = text.splitlines()
    content = lines[line - 1] if 0 < line <= len(lines) else ""
    return next((argument.line for name, argument in arguments.items() if name in content), default)


def _what(finding: Finding) -> object:
    return (
        finding.reference
        if isinstance(finding, Found)
        else replace(finding, line=0, at="", note="")
        if not isinstance(finding, NoReference)
        else finding.text
    )


def dockerfile_path(context: str | None, name: str | None) -> str:
    """Return the path of a build's Dockerfile from the file that describes the build."""
    return join(context or ".", name or "Dockerfile")


def cache_images(node: Node | None, variables: Variables, *, at: str = "") -> Iterator[Finding]:
    """Yield the registry caches of ``cache_from`` and ``cache_to``: texts, or mappings with ``type`` and ``ref``."""
    for entry in node.entries if isinstance(node, Items) else (node,):
        if isinstance(entry, Scalar) and not entry.is_null:
            for text in cache_reference(entry.value):
                yield from read_image(text, line=entry.line, at=at, note="build cache", variables=variables)
        elif isinstance(entry, Pairs):
            kind, reference = entry.text("type"), entry.text("ref")
            if reference is not None and (kind is None or kind.value == "registry"):
                yield from read_image(
                    reference.value, line=reference.line, at=at, note="build cache", variables=variables
                )


def context_images(node: Node | None, variables: Variables, *, at: str = "") -> Iterator[Finding]:
    """Yield the further build contexts that are images (``docker-image://…``)."""
    for argument in arguments_of(node).values():
        if argument.value.startswith(_CONTEXT_IMAGE):
            yield from read_image(argument.value, line=argument.line, at=at, note="build context", variables=variables)


def tag_images(node: Node | None, variables: Variables, *, at: str = "", note: str = "built here") -> Iterator[Finding]:
    """Yield the names that a build gives to its result."""
    for entry in node.entries if isinstance(node, Items) else (node,):
        if isinstance(entry, Scalar) and not entry.is_null:
            yield from read_image(entry.value, line=entry.line, at=at, note=note, variables=variables)
