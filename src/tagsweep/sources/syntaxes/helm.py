"""Helm charts: values with the chart's version and its subcharts, templates, snapshots of tests, dependencies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from posixpath import basename, join
from typing import Final

from tagsweep.sources.syntaxes import pipeline
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding, Found, NoReference
from tagsweep.sources.syntaxes.helm_chart import Chart, chart_of
from tagsweep.sources.syntaxes.helm_template import of_template
from tagsweep.sources.syntaxes.helm_values import VALUES_NAME, embedded, global_registries, of_split
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.image_split import Split, merge, splits
from tagsweep.sources.syntaxes.yamlnodes import Pairs, Scalar, documents, walk

_DESCRIPTIONS: Final = frozenset({"chart.yaml", "chart.lock", "requirements.yaml", "requirements.lock"})
_TEMPLATE: Final = re.compile(r"(.*/|^)templates/.*\.(?:ya?ml|tpl|txt|json)$")
_TEST: Final = re.compile(r"(^|/)tests/.*_test\.ya?ml$")
_VALUES_DIRECTORY: Final = re.compile(r"(^|/)(values|ci|env|envs|environments)/[^/]+\.ya?ml$")
_SNAPSHOT: Final = re.compile(r"^\s*(?:-\s+)?\"?image\"?:\s*(\S+)\s*$")
_IMAGE_PATH: Final = re.compile(r"(^|[.\]])image\"?\]?$")


def claims(file: File) -> bool:
    """Tell whether it is a file of a chart that can name an image."""
    if file.name in _DESCRIPTIONS:
        return True
    if file.name.endswith(".snap"):
        return "/__snapshot__/" in f"/{file.path}"
    return _chart_of_template(file) is not None or is_values(file) or _is_test(file)


def is_template(file: File) -> bool:
    """Tell whether it is a template of a chart, which is no YAML before it is filled in."""
    return _chart_of_template(file) is not None


def _chart_of_template(file: File) -> Chart | None:
    found = _TEMPLATE.match(file.path)
    if found is None:
        return None
    chart = Chart(found[1].rstrip("/"), file.tree)
    return chart if chart.read("Chart.yaml") is not None else None


def is_values(file: File) -> bool:
    """Tell whether it has the name of a values file and is in a chart."""
    named = VALUES_NAME.fullmatch(file.name) is not None or _VALUES_DIRECTORY.search(file.path) is not None
    return named and chart_of(file) is not None


def _is_test(file: File) -> bool:
    return _TEST.search(file.path) is not None and chart_of(file) is not None and "asserts:" in file.text


def extract(file: File) -> Iterator[Finding]:
    """Yield what the file adds to what the chart names."""
    template = _chart_of_template(file)
    if file.name in _DESCRIPTIONS:
        yield from _description(file)
    elif file.name.endswith(".snap"):
        yield from _snapshot(file)
    elif template is not None:
        yield from _template(file, template)
    elif _is_test(file):
        yield from _test(file)
    else:
        chart = chart_of(file)
        if chart is not None:
            yield from _values(file, chart)


def _values(file: File, chart: Chart) -> Iterator[Finding]:
    """Yield the images of a values file of the chart, over its own values and those of the charts within it."""
    lines = file.text.splitlines()
    base = file.path in {join(chart.directory, "values.yaml"), join(chart.directory, "values.yml")}
    for root in pipeline.mappings(file):
        mine = frozenset(id(node) for node in walk(root) if isinstance(node, Scalar))
        registries = global_registries(root)
        inner: set[str] = set()
        for keys, subchart in chart.subcharts():
            for key in keys:
                inner.add(key)
                over = root.pairs(key)
                for split in splits(merge(subchart.values, over)):
                    yield from _written_here(
                        split, mine, key, lines, versions=subchart.versions(), registries=registries
                    )
        whole = root if base else merge(chart.values, root)
        outer = {alias for _, alias, _ in chart.dependencies()} - inner
        own = Pairs({key: node for key, node in whole.entries.items() if key not in inner}, whole.line)
        for split in splits(own):
            elsewhere = bool(split.path) and split.path[0] in outer
            if not split.has_name and not elsewhere:
                continue  # a tag alone is the templates' to put together with a name
            # What the chart's own values do not have may be of another chart: its version would be a guess.
            known = base or chart.values.get(*split.path) is not None
            versions = chart.versions() if known and not elsewhere else ()
            yield from _written_here(split, mine, "", lines, versions=versions, registries=registries)
        yield from pipeline.shaped(root)
        yield from embedded(root, lines)


def _written_here(
    split: Split,
    mine: frozenset[int],
    key: str,
    lines: list[str],
    *,
    versions: tuple[str, ...],
    registries: tuple[str, ...],
) -> Iterator[Finding]:
    """Yield a split image if a part of it is of this file, on the line of a part that is."""
    parts = [part for part in split.parts if id(part) in mine]
    if not parts:
        return
    path = (key, *split.path) if key else split.path
    whole = Split(path, split.registry, split.name, split.tag, split.digest)
    for finding in of_split(whole, lines, versions=versions, registries=registries):
        shown = {part.line for part in parts}
        if isinstance(finding, NoReference) or finding.line in shown:
            yield finding
        else:
            yield _at(finding, parts[0].line)


def _at(finding: Finding, line: int) -> Finding:
    """Return the finding on another line: a part of it is of another file, where its line would mislead."""
    values = {name: getattr(finding, name) for name in finding.__slots__}
    return type(finding)(**{**values, "line": line})


def _template(file: File, chart: Chart) -> Iterator[Finding]:
    values = chart.set_values()
    versions = chart.versions()
    covered, named = _in_values(values, versions)
    yield from of_template(
        file.text, values=values, versions=versions, chart=chart.description, covered=covered, has_splits=named
    )


@lru_cache(maxsize=16)
def _in_values(values: Pairs, versions: tuple[str, ...]) -> tuple[frozenset[object], bool]:
    """Return the references that the values name, and whether they name an image at all: the same for each template."""
    found = [split for split in splits(values) if split.has_name]
    registries = global_registries(values)
    covered = frozenset(
        finding.reference
        for split in found
        for finding in of_split(split, [], versions=versions, registries=registries)
        if isinstance(finding, Found)
    )
    return covered, bool(found)


def _snapshot(file: File) -> Iterator[Finding]:
    """Yield the images in what a test of the chart rendered."""
    for number, line in enumerate(file.text.splitlines(), start=1):
        found = _SNAPSHOT.match(line)
        if found is not None:
            yield from read_image(found[1], line=number, at="snapshot")


def _test(file: File) -> Iterator[Finding]:
    """Yield the images that a unit test expects literally; the patterns that it matches are no references."""
    for root in pipeline.mappings(file):
        for node in walk(root):
            expected = node.pairs("equal") if isinstance(node, Pairs) else Pairs()
            path, value = expected.text("path"), expected.text("value")
            if path is not None and value is not None and _IMAGE_PATH.search(path.value):
                yield from read_image(value.value, line=value.line, at="unit test", note="expected by a test")


def _description(file: File) -> Iterator[Finding]:
    """Yield the charts in registries that a chart depends on, and the images that it lists for Artifact Hub."""
    for root in pipeline.mappings(file):
        locked = file.name.endswith(".lock")
        for each in root.items("dependencies"):
            if isinstance(each, Pairs):
                yield from _dependency(each, locked=locked)
        listed = root.text("annotations", "artifacthub.io/images")
        if listed is not None:
            yield from _listed(listed, file.text.splitlines())
    charts = join(file.directory, "charts")
    if file.name == "chart.yaml":
        for path in file.tree.paths(charts):
            if path.endswith(".tgz"):
                why = "it is a packaged chart, which only helm reads; unpack it beside the package to have it read"
                yield NoReference(text=f"charts/{basename(path)}", why=why)


def _dependency(node: Pairs, *, locked: bool) -> Iterator[Finding]:
    repository, name, version = node.text("repository"), node.text("name"), node.text("version")
    if repository is None or name is None or not repository.value.startswith("oci://"):
        return
    exact = version is not None and re.fullmatch(r"v?\d+\.\d+\.\d+[\w.+-]*", version.value) is not None
    tag = version.value.replace("+", "_") if version is not None and (exact or locked) else "{{ any that fits }}"
    text = f"{repository.value.rstrip('/')}/{name.value}:{tag}"
    yield from read_image(text, line=(version or name).line, at=f"dependency {name.value}", note="chart")


def _listed(text: Scalar, lines: list[str]) -> Iterator[Finding]:
    padded = "\n" * (pipeline.body_line(text, lines) - 1) + text.value
    for root in documents(padded):
        for node in walk(root):
            if isinstance(node, Pairs):
                yield from pipeline.image(node.text("image"), at="images of the chart")


SYNTAX: Final = Syntax(name="Helm chart", claims=claims, extract=extract, alone=claims)
