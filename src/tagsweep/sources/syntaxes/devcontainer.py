"""Development containers: the image or the build, the features (which registries keep too) and the commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tagsweep.sources.syntaxes import generic_yaml, image_builds, jsontree, shell
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.template import Value
from tagsweep.sources.syntaxes.yamlnodes import Items, Node, Pairs, Scalar

_NAMED: Final = re.compile(r"\.?devcontainer(?:-feature|-template|-lock)?\.json")
_LOCAL: Final = re.compile(r"(?:localEnv|containerEnv|env):([A-Za-z_][A-Za-z0-9_]*)(?::(.*))?", re.DOTALL)
_COMMANDS: Final = (
    "initializeCommand",
    "onCreateCommand",
    "updateContentCommand",
    "postCreateCommand",
    "postStartCommand",
    "postAttachCommand",
)


def claims(file: File) -> bool:
    """Tell whether the file describes a development container or one of its features."""
    return _NAMED.fullmatch(file.name) is not None


def extract(file: File) -> Iterator[Finding]:
    """Yield what the file names. Raises NotParsed where it is no JSON."""
    tree = jsontree.parse(file.text)
    if not isinstance(tree, Pairs):
        return
    image = tree.text("image")
    if image is not None:
        yield from read_image(image.value, line=image.line, at="image", variables=_variable)
    build = tree.pairs("build")
    name = build.text("dockerfile") or build.text("dockerFile") or tree.text("dockerFile")
    if name is not None:
        # The Dockerfile is named from here, whatever the context is.
        arguments = image_builds.arguments_of(build.get("args"))
        yield from image_builds.arguments_used(file, name.value, arguments, _variable, at="build")
    yield from image_builds.cache_images(build.get("cacheFrom"), _variable, at="build")
    for key in ("features", "dependsOn"):
        yield from _features(tree.get(key))
    yield from _features(tree.get("installsAfter"))
    for key in _COMMANDS:
        yield from _command(tree.get(key), key)
    rest = Pairs({key: node for key, node in tree.entries.items() if key in {"customizations", "containerEnv"}})
    yield from generic_yaml.find_in(rest)


def _features(node: Node | None) -> Iterator[Finding]:
    """Yield the features, which are artifacts of a registry unless they are a directory, an archive or an old name."""
    lines = node.key_lines if isinstance(node, Pairs) else {}
    if isinstance(node, Items):
        lines = {entry.value: entry.line for entry in node.entries if isinstance(entry, Scalar)}
    for name, line in lines.items():
        if "/" in name and not name.startswith((".", "/", "http://", "https://")):
            yield from read_image(name, line=line, at="features", note="feature")
        locked = node.text(name, "resolved") if isinstance(node, Pairs) else None
        if locked is not None:
            yield from read_image(locked.value, line=locked.line, at="features", note="feature")


def _command(node: Node | None, key: str) -> Iterator[Finding]:
    if isinstance(node, Scalar):
        yield from shell.find(node.value, line=node.line, at=key)
    elif isinstance(node, Items):
        words = " ".join(entry.value for entry in node.entries if isinstance(entry, Scalar))
        yield from shell.find(words, line=node.line, at=key)
    elif isinstance(node, Pairs):
        for entry in node.entries.values():
            yield from _command(entry, key)


def _variable(name: str) -> Value | None:
    """Return the default in ``${localEnv:NAME:default}``."""
    found = _LOCAL.fullmatch(name)
    return Value((found[2],), settled=False) if found is not None and found[2] else None


SYNTAX: Final = Syntax(name="devcontainer", claims=claims, extract=extract)
