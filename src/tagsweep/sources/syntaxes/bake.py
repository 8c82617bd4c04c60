"""Bake files (HCL and JSON): tags, contexts and caches of the targets, and what their arguments make of Dockerfiles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tagsweep.sources.syntaxes import dockerfile, hcl, image_builds, jsontree
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.template import Value, Variables
from tagsweep.sources.syntaxes.yamlnodes import Items, Node, Pairs, Scalar

_NAMED: Final = re.compile(r"(?:.*[._-])?bake(?:[._-].*)?\.(?:hcl|json)")
_HCL_TARGET: Final = re.compile(r"(?m)^target\s+\"[^\"]+\"\s*\{")
_JSON_TARGET: Final = re.compile(r"\"target\"\s*:\s*\{")


def claims(file: File) -> bool:
    """Tell whether the file is named as bake files are and has targets."""
    if file.name.endswith(".hcl"):
        return _HCL_TARGET.search(file.text) is not None
    return _NAMED.fullmatch(file.name) is not None and _JSON_TARGET.search(file.text) is not None


def extract(file: File) -> Iterator[Finding]:
    """Yield what the targets name. Raises NotParsed where the file is neither HCL nor JSON."""
    tree = hcl.parse(file.text) if file.name.endswith(".hcl") else jsontree.parse(file.text)
    variables = {name: Value((default.value,), settled=False) for name, default in _defaults(tree)}
    for name, target in _entries(tree, "target"):
        yield from _target(file, name, target, variables)


def _target(file: File, name: str, target: Pairs, values: dict[str, Value]) -> Iterator[Finding]:
    at = f"target {name}"
    own = dict(values)
    for key, node in target.pairs("matrix").entries.items():
        own[key] = Value(tuple(text.value for text in hcl.texts(node)))
        for entry in node.entries if isinstance(node, Items) else ():
            for inner, value in entry.entries.items() if isinstance(entry, Pairs) else ():
                if isinstance(value, Scalar):
                    before = own.get(f"{key}.{inner}", Value(())).texts
                    own[f"{key}.{inner}"] = Value((*before, value.value))
    variables = _variables(own)
    yield from image_builds.tag_images(target.get("tags"), variables, at=at)
    yield from image_builds.context_images(target.get("contexts"), variables, at=at)
    for key in ("cache-from", "cache-to"):
        yield from image_builds.cache_images(target.get(key), variables, at=at)
    arguments = image_builds.arguments_of(target.get("args"))
    contexts = tuple(image_builds.arguments_of(target.get("contexts")))
    inline = target.text("dockerfile-inline")
    if inline is not None:
        given = {key: value.value for key, value in arguments.items()}
        yield from dockerfile.find(
            inline.value, line=inline.line, arguments=given, contexts=contexts, variables=variables, at=at
        )
        return
    context, path = target.text("context"), target.text("dockerfile")
    where = image_builds.dockerfile_path(context.value if context else None, path.value if path else None)
    yield from image_builds.arguments_used(file, where, arguments, variables, contexts=contexts, at=at)


def _entries(tree: Node, kind: str) -> Iterator[tuple[str, Pairs]]:
    """Yield name and body of each block of a kind, as HCL has them in a list and JSON in a mapping."""
    found = tree.get(kind) if isinstance(tree, Pairs) else None
    for entry in found.entries if isinstance(found, Items) else (found,):
        for name, body in entry.entries.items() if isinstance(entry, Pairs) else ():
            if isinstance(body, Pairs):
                yield name, body


def _defaults(tree: Node) -> Iterator[tuple[str, Scalar]]:
    for name, body in _entries(tree, "variable"):
        default = body.get("default")
        for text in hcl.texts(default):
            if text.value and text.value != "null":
                yield name, text


def _variables(values: dict[str, Value]) -> Variables:
    def look_up(name: str) -> Value | None:
        # A variable that is asked for by ``a ? b : c`` or a function is an expression, which stays open.
        return values.get(name)

    return look_up


SYNTAX: Final = Syntax(name="bake", claims=claims, extract=extract)
