"""Helm values of a chart that is elsewhere: values files, and those within Flux, Argo CD, k3s and helmfile objects.

What the chart itself would say is open: a repository without a tag can have any, a tag without a repository can be of
any.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tagsweep.sources.syntaxes import pipeline
from tagsweep.sources.syntaxes.files import File, NotParsed, Syntax
from tagsweep.sources.syntaxes.findings import Finding, NoReference
from tagsweep.sources.syntaxes.helm_chart import chart_of
from tagsweep.sources.syntaxes.helm_template import image_lines
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.image_split import Split, splits, texts
from tagsweep.sources.syntaxes.kubernetes_kinds import without_schemas
from tagsweep.sources.syntaxes.line_starts import begins_line
from tagsweep.sources.syntaxes.yamlnodes import Items, Pairs, Scalar, documents, walk

VALUES_NAME: Final = re.compile(r"(.*[-_.])?values([-_.].*)?\.ya?ml", re.IGNORECASE)
_HOLDER: Final = re.compile(
    r"kind[\"']?:\s*[\"']?(?:HelmRelease|HelmChart|HelmChartConfig|Application|ApplicationSet|OCIRepository)\b"
)
_BEFORE_KIND: Final = re.compile(r"[ \t]*[\"']?")
_POLICY: Final = re.compile(r"#\s*\{\s*\"\$imagepolicy\"\s*:\s*\"([^\"]+)\"")


def claims(file: File) -> bool:
    """Tell whether it is a values file outside of a chart, or an object with values in it."""
    if not file.name.endswith(pipeline.YAML_NAMES):
        return False
    if _holds_values(file):
        return True
    values = VALUES_NAME.fullmatch(file.name) is not None or re.search(r"(^|/)(helm-)?values/", file.path) is not None
    return values and chart_of(file) is None


def _holds_values(file: File) -> bool:
    """Tell whether it is an object with values in it, or a helmfile."""
    text = file.text
    if "valuesInline:" in text or begins_line(_HOLDER, text, margin=_BEFORE_KIND):
        return True
    return (text.startswith("releases:") or "\nreleases:" in text) and "chart:" in text


def extract(file: File) -> Iterator[Finding]:
    """Yield the images that the values name, as far as they name them."""
    lines = file.text.splitlines()
    holder = _holds_values(file)
    for root in documents(without_schemas(file.text) if holder else file.text):
        if not isinstance(root, Pairs):
            continue
        if not holder:
            yield from of_values(root, lines)
            continue
        for node in walk(root):
            if isinstance(node, Pairs):
                yield from _held(node, lines)


def _held(node: Pairs, lines: list[str]) -> Iterator[Finding]:
    """Yield what one mapping of an object says about a chart: its values, its parameters, where the chart is."""
    for key in ("values", "valuesObject", "valuesInline"):
        written = node.get(key)
        if isinstance(written, Pairs):
            yield from of_values(written, lines)
        for each in written.entries if isinstance(written, Items) else ():
            if isinstance(each, Pairs):
                yield from of_values(each, lines)
    for key in ("values", "valuesContent"):
        text = node.text(key)
        if text is not None:
            yield from _of_text(text, lines)
    yield from _parameters(node)
    yield from _chart(node)


def _of_text(text: Scalar, lines: list[str]) -> Iterator[Finding]:
    """Yield the images in values that are written as one text; values that are templates are read by their lines."""
    first = pipeline.body_line(text, lines)
    padded = "\n" * (first - 1) + text.value
    try:
        inner = tuple(each for each in documents(padded) if isinstance(each, Pairs))
    except NotParsed:
        return
    for root in inner:
        yield from of_values(root, lines)


def _parameters(node: Pairs) -> Iterator[Finding]:
    """Yield what ``helm.parameters`` (Argo CD) set, put together by the names of the values."""
    entries: dict[str, Pairs] = {}
    for each in node.items("parameters"):
        name, value = (each.text("name"), each.text("value")) if isinstance(each, Pairs) else (None, None)
        if name is not None and value is not None:
            path, _, last = name.value.rpartition(".")
            entries.setdefault(path, Pairs()).entries[last] = value
    for path, values in entries.items():
        keys = path.split(".")
        root = values
        for key in reversed(keys if path else []):
            root = Pairs({key: root})
        yield from of_values(root, [])


def _chart(node: Pairs) -> Iterator[Finding]:
    """Yield a chart that is kept in a registry: Flux's OCIRepository, Argo CD's source without a scheme."""
    url = node.text("url")
    if url is not None and url.value.startswith("oci://"):
        ref = node.pairs("ref")
        tag, digest = ref.text("tag"), ref.text("digest")
        text = url.value + (f":{tag.value}" if tag else ":{{ any }}" if ref.get("semver") else "")
        text += f"@{digest.value}" if digest else ""
        yield from read_image(text, line=url.line, note="chart or bundle")
    repo, chart, version = node.text("repoURL"), node.text("chart"), node.text("targetRevision")
    if repo is not None and chart is not None and "://" not in repo.value.removeprefix("oci://"):
        tag_text = version.value.replace("+", "_") if version is not None else "{{ any }}"
        tag_text = tag_text if re.fullmatch(r"[\w.-]+", tag_text) and "x" not in tag_text else "{{ any }}"
        yield from read_image(f"{repo.value}/{chart.value}:{tag_text}", line=chart.line, note="chart")


def of_values(root: Pairs, lines: list[str]) -> Iterator[Finding]:
    """Yield the images in values whose chart is not known; a global registry may stand before each of them."""
    registries = global_registries(root)
    for split in splits(root):
        yield from of_split(split, lines, registries=registries)
    yield from pipeline.shaped(root)
    yield from embedded(root, lines)


def embedded(root: Pairs, lines: list[str]) -> Iterator[Finding]:
    """Yield the images of manifests that are written as text within values, line by line as they may be templates."""
    for node in walk(root):
        if isinstance(node, Scalar) and "\n" in node.value and "image" in node.value:
            first = pipeline.body_line(node, lines)
            for number, written in image_lines(node.value):
                for finding in read_image(written, line=first + number - 1, at="manifest within values"):
                    if not isinstance(finding, NoReference):
                        yield finding


def global_registries(root: Pairs) -> tuple[str, ...]:
    """Return what the values put before every repository."""
    paths = (("global", "imageRegistry"), ("global", "image", "registry"), ("global", "registry"), ("imageRegistry",))
    found = (root.text(*path) for path in paths)
    return tuple(dict.fromkeys(text.value for text in found if text is not None and text.value.strip()))


def of_split(
    split: Split,
    lines: list[str],
    *,
    versions: tuple[str, ...] = (),
    registries: tuple[str, ...] = (),
    own: bool = True,
) -> Iterator[Finding]:
    """Yield what one split image can be, on the line of its tag, or of its name where it has none.

    ``own`` is False where all parts come from another file: then their lines mean nothing here.
    """
    tag = split.tag if split.tag is not None and not split.tag.is_null else None
    spot = next((part for part in (tag if tag and tag.value else None, split.name, *split.parts) if part), None)
    if spot is None or not (split.has_name or split.has_version or split.registry):
        return
    of_all = split.path == ("global",) or split.path[-2:] == ("global", "image")
    if of_all and not split.has_name and not split.has_version:
        return  # a registry for all, which is put before each of them
    line = spot.line if own else 0
    note = policy_note(lines, line)
    for text in texts(split, versions=versions, registries=registries):
        for finding in read_image(text, line=line, at=split.at, note=note):
            if not isinstance(finding, NoReference):
                yield finding


def policy_note(lines: list[str], line: int) -> str:
    """Return what a comment of Flux's says about who writes this line, or nothing."""
    found = _POLICY.search(lines[line - 1]) if 0 < line <= len(lines) else None
    return f"set by image policy {found[1]}" if found is not None else ""


SYNTAX: Final = Syntax(name="Helm values", claims=claims, extract=extract)
