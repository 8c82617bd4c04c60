"""Kustomize: the images that a kustomization replaces, in its patches too, and the values that it gives to charts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import join
from typing import Final

from tagsweep.sources.syntaxes import pipeline
from tagsweep.sources.syntaxes.files import File, NotParsed, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.helm_values import of_values, policy_note
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.yamlnodes import Items, Node, Pairs, Scalar, documents, walk

_NAMES: Final = ("kustomization.yaml", "kustomization.yml", "kustomization")
_SPELLED: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_KIND: Final = re.compile(r"kind(?<![^\n]kind):\s*[\"']?(Kustomization|Component)[\"']?[ \t]*(?:#.*)?$", re.MULTILINE)
_FLUX: Final = "kustomize.toolkit.fluxcd.io"
_IMAGE_LINE: Final = re.compile(r"^\s*(?:-\s+)?[\"']?image[\"']?:\s*[\"']?(?P<text>[^\s\"'#]+)", re.MULTILINE)
_IMAGE_POINTER: Final = re.compile(r"/image$|/(?:init|ephemeral)?[cC]ontainers/[^/]+/image")
_DEEPEST: Final = 8


def claims(file: File) -> bool:
    """Tell whether it is a kustomization, a component, or a Kustomization of Flux's."""
    return file.name in _NAMES or (file.name.endswith(pipeline.YAML_NAMES) and _KIND.search(file.text) is not None)


def extract(file: File) -> Iterator[Finding]:
    """Yield what the images become, and the images in patches and in the values of charts."""
    lines = file.text.splitlines()
    for document in pipeline.mappings(file):
        flux = document.text("apiVersion")
        of_flux = flux is not None and flux.value.startswith(_FLUX)
        root = document.pairs("spec") if of_flux else document
        for entry in root.items("images"):
            if isinstance(entry, Pairs):
                yield from _replaced(entry, file, root, lines, of_flux=of_flux)
        for key in ("patches", "patchesStrategicMerge", "patchesJson6902"):
            for patch in root.items(key):
                yield from _patch(patch.get("patch") if isinstance(patch, Pairs) else patch, lines)
        for chart in root.items("helmCharts"):
            if isinstance(chart, Pairs):
                yield from of_values(chart.pairs("valuesInline"), lines)
                yield from _chart(chart)
        yield from pipeline.shaped(root)


def _replaced(entry: Pairs, file: File, root: Pairs, lines: list[str], *, of_flux: bool) -> Iterator[Finding]:
    """Yield what one entry of ``images`` makes of an image."""
    old, new = entry.text("name"), entry.text("newName")
    tag, digest, suffix = entry.text("newTag"), entry.text("digest"), entry.text("tagSuffix")
    name = new or old
    if name is None:
        return
    line = (tag or digest or name).line
    note = policy_note(lines, line) or policy_note(lines, name.line)
    if tag is not None or digest is not None:
        text = name.value + (f":{tag.value}" if tag else "") + (f"@{digest.value}" if digest else "")
        yield from read_image(text, line=line, at="images", note=note)
        return
    found = () if old is None or of_flux else tuple(_tags_of(old.value, file, root))
    for ending in found or (":{{ tag of the resource }}",):
        more = "" if suffix is None else suffix.value
        yield from read_image(f"{name.value}{ending}{more}", line=line, at="images", note=note or "renamed")


def _tags_of(name: str, file: File, root: Pairs) -> Iterator[str]:
    """Yield the endings that images of this name have in the resources; none where a resource is not to be seen."""
    endings: dict[str, None] = {}
    texts, complete = _resources(file, root, _DEEPEST)
    for text in texts:
        for found in _IMAGE_LINE.finditer(text):
            written = found["text"]
            if written == name or (written.startswith(name) and written[len(name)] in ":@"):
                endings[written[len(name) :] or ":latest"] = None
    if complete:
        yield from endings


def _resources(file: File, root: Pairs, depth: int) -> tuple[list[str], bool]:
    """Return the texts of the resources, those of bases too, and whether these are all."""
    texts: list[str] = []
    complete = depth > 0
    for key in ("resources", "bases", "components"):
        for entry in pipeline.scalars(root.get(key)) if depth else ():
            text = file.read_beside(entry.value)
            if text is not None:
                texts.append(text)
                continue
            path = file.beside(entry.value)
            inner = next(
                (
                    (join(path, each), found)
                    for each in _SPELLED
                    if path and (found := file.tree.read(join(path, each)))
                ),
                None,
            )
            if inner is None:
                complete = False
                continue
            more, whole = _base(File(inner[0], inner[1], file.tree), depth - 1)
            texts += more
            complete = complete and whole
    return texts, complete


def _base(file: File, depth: int) -> tuple[list[str], bool]:
    try:
        roots = pipeline.mappings(file)
    except NotParsed:
        return [], False
    found = [_resources(file, root, depth) for root in roots]
    return [text for texts, _ in found for text in texts], all(whole for _, whole in found)


def _patch(node: Node | None, lines: list[str]) -> Iterator[Finding]:
    """Yield the images in a patch that is written in the kustomization, as a merge or as JSON operations."""
    if not isinstance(node, Scalar) or "image" not in node.value:
        return
    padded = "\n" * (pipeline.body_line(node, lines) - 1) + node.value
    try:
        roots = documents(padded)
    except NotParsed:
        return
    for root in roots:
        operations = root.entries if isinstance(root, Items) else ()
        for operation in operations:
            path = operation.text("path") if isinstance(operation, Pairs) else None
            if path is not None and isinstance(operation, Pairs) and _IMAGE_POINTER.search(path.value):
                yield from pipeline.image(operation.text("value"), at="patch")
        for each in walk(root):
            if isinstance(each, Pairs):
                yield from pipeline.image(each.text("image"), at="patch")


def _chart(chart: Pairs) -> Iterator[Finding]:
    repo, name, version = chart.text("repo"), chart.text("name"), chart.text("version")
    if repo is not None and name is not None and repo.value.startswith("oci://"):
        tag = version.value.replace("+", "_") if version is not None else "{{ any }}"
        yield from read_image(f"{repo.value.rstrip('/')}/{name.value}:{tag}", line=name.line, note="chart")


SYNTAX: Final = Syntax(name="Kustomize", claims=claims, extract=extract, alone=lambda file: file.name in _NAMES)
