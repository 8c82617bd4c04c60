"""Kubernetes manifests in files: YAML of many documents or JSON, lists, and what ConfigMaps and patches hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from tagsweep.sources.syntaxes.files import File, NotParsed, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.kubernetes_kinds import without_schemas
from tagsweep.sources.syntaxes.line_starts import begins_line
from tagsweep.sources.syntaxes.podspec import Reading, Written, images_in
from tagsweep.sources.syntaxes.yamlnodes import Items, Node, Scalar, documents

_ENDINGS: Final = (".yaml", ".yml", ".json")
# At the margin, or in a list at the margin: what is further in, as in a chart's values, is read with what it is in.
# Each begins with the key, which is found far faster than the beginnings of all lines.
_KEYS: Final = tuple(re.compile(rf"""{key}["']?[ \t]*:""") for key in ("apiVersion", "kind"))
_AT_MARGIN: Final = re.compile(r"""["']?""")
_IN_LIST: Final = re.compile(r"""(?:-[ \t]+|  )["']?""")
_LIST: Final = re.compile(r"""^-[ \t]+["']?(?:apiVersion|kind)["']?[ \t]*:""", re.MULTILINE)
_FLOW: Final = re.compile(r"""\s*(?:---\s*)?[{\[]""")
_FLOW_KEYS: Final = (re.compile(r"""apiVersion["']?\s*:"""), re.compile(r"""kind["']?\s*:"""))
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})


def claims(file: File) -> bool:
    """Tell whether an object's version and kind are there; templates of a Helm chart are the chart's to read."""
    if not file.name.endswith(_ENDINGS):
        return False
    if _FLOW.match(file.text) is not None:
        claimed = _has(_FLOW_KEYS, file.text)
    else:
        claimed = _has_keys(file.text, _AT_MARGIN) or (
            _LIST.search(file.text) is not None and _has_keys(file.text, _IN_LIST)
        )
    return claimed and not _is_chart_template(file)


def _has(keys: tuple[re.Pattern[str], ...], text: str) -> bool:
    return all(key.search(text) is not None for key in keys)


def _has_keys(text: str, margin: re.Pattern[str]) -> bool:
    """Tell whether version and kind of an object stand on lines that begin with ``margin``."""
    return all(begins_line(key, text, margin=margin) for key in _KEYS)


def extract(file: File) -> Iterator[Finding]:
    """Yield the images of every object in the file; documents that are none are read in the same way.

    Raises NotParsed where the text is no YAML, as with templates that are filled in before.
    """
    lines = file.text.splitlines()
    yield from images_in(values_in(without_schemas(file.text), lines), Reading(named=True, embedded=_embedded))


def values_in(text: str, lines: list[str] | None = None) -> list[Any]:
    """Return the documents of ``text`` as JSON would give them, every scalar a text as it is written with its line."""
    converter = _Converter(lines if lines is not None else text.splitlines())
    return [converter.value(node) for node in documents(str(text))]


def objects_in(text: str) -> list[Any] | None:
    """Return the documents of a text inside an object, or None where it is neither YAML nor JSON with a structure."""
    try:
        values = values_in(text)
    except NotParsed:
        return None
    return values if values and any(isinstance(each, dict | list) for each in values) else None


def _embedded(text: str) -> list[Any] | None:
    """Return the documents of a text within a file, with their lines in that file."""
    values = objects_in(text)
    first = text.line if isinstance(text, Written) else 0
    return [_moved(each, first) for each in values] if values is not None and first else values


def _moved(value: Any, first: int) -> Any:
    if isinstance(value, Written):
        return Written.at(value, value.line + first - 1)
    if isinstance(value, dict):
        return {key: _moved(child, first) for key, child in value.items()}
    if isinstance(value, list):
        return [_moved(child, first) for child in value]
    return value


def _is_chart_template(file: File) -> bool:
    parts = file.path.split("/")
    charts = ["/".join((*parts[:index], "Chart.yaml")) for index, part in enumerate(parts) if part == "templates"]
    return any(file.tree.read(chart) is not None for chart in charts)


class _Converter:
    """From nodes to plain values. What is shared by aliases stays shared."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._done: dict[int, Any] = {}

    def value(self, node: Node) -> Any:
        if id(node) in self._done:
            return self._done[id(node)]
        result: Any
        if isinstance(node, Scalar):
            result = self._scalar(node)
        elif isinstance(node, Items):
            result = [self.value(entry) for entry in node.entries]
        else:
            result = {key: self.value(child) for key, child in node.entries.items()}
        self._done[id(node)] = result
        return result

    def _scalar(self, node: Scalar) -> Any:
        if node.is_null:
            return None
        if node.plain and node.value in _TRUE:
            return True
        if node.plain and node.value in _FALSE:
            return False
        return Written.at(node.value, node.line + self._block(node))

    def _block(self, node: Scalar) -> int:
        """Return 1 where the text of a block begins on the line behind its mark."""
        if node.plain or not 0 < node.line <= len(self._lines):
            return 0
        head = self._lines[node.line - 1].partition(" #")[0].rstrip()
        return 1 if re.search(r"(?:^|[\s:-])[|>][0-9+-]{0,2}$", head) else 0


SYNTAX: Final = Syntax("kubernetes", claims, extract)
