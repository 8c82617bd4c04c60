"""A Helm chart among its files: its version, its values, and the charts within it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from posixpath import basename, dirname, join, normpath
from typing import Final

from tagsweep.sources.syntaxes.files import File, NotParsed, Tree
from tagsweep.sources.syntaxes.image_split import merge
from tagsweep.sources.syntaxes.yamlnodes import Pairs, documents

_FORMAT: Final = re.compile(r"printf\s+\"([^\"]*)\"\s+\(?\s*\$?\.Chart\.AppVersion")
_INLINE: Final = re.compile(r"default\s+\(?\s*\$?\.Chart\.Version\b")
_LEVELS: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """A chart's directory in a tree."""

    directory: str
    tree: Tree

    def read(self, *parts: str) -> str | None:
        """Return the text of one of its files."""
        return self.tree.read(join(self.directory, *parts))

    @property
    def description(self) -> Pairs:
        """``Chart.yaml``; empty where it cannot be read, which its own reading tells."""
        return _parsed(self.read("Chart.yaml") or "")

    @property
    def values(self) -> Pairs:
        """``values.yaml``; empty where there is none."""
        return _parsed(self.read("values.yaml") or self.read("values.yml") or "")

    def set_values(self) -> Pairs:
        """Return its values with what the chart that it is within sets of them."""
        outer, inside, name = f"/{self.directory}".rpartition("/charts/")
        parent = Chart(outer.lstrip("/"), self.tree)
        if not inside or "/" in name or parent.read("Chart.yaml") is None:
            return self.values
        keys = tuple(key for keys, chart in parent.subcharts() if chart.directory == self.directory for key in keys)
        return _overlaid(self.values, parent.values, keys) if keys else self.values

    def templates(self) -> Iterator[tuple[str, str]]:
        """Yield path and text of its templates."""
        for path in self.tree.paths(join(self.directory, "templates")):
            text = self.tree.read(path)
            if text is not None:
                yield path, text

    def versions(self) -> tuple[str, ...]:
        """Return the tags of images that have none of their own: ``appVersion``, and as its templates dress it."""
        return _versions(self.description, tuple(text for _, text in self.templates()))

    def subcharts(self) -> Iterator[tuple[tuple[str, ...], Chart]]:
        """Yield the charts that are there as files, each with the keys under which this chart's values set theirs."""
        aliases: dict[str, list[str]] = {}
        for name, alias, local in self.dependencies():
            aliases.setdefault(name, []).append(alias)
            if local:
                directory = normpath(join(self.directory, local))
                if not directory.startswith("../") and self.tree.read(join(directory, "Chart.yaml")) is not None:
                    yield (alias,), Chart(directory, self.tree)
        inside = join(self.directory, "charts") + "/"
        for path in self.tree.paths(inside.rstrip("/")):
            if path.startswith(inside) and path.count("/") == inside.count("/") + 1 and basename(path) == "Chart.yaml":
                chart = Chart(dirname(path), self.tree)
                name = basename(chart.directory)
                own = chart.description.text("name")
                names = {name} if own is None else {name, own.value}
                keys = {key for each in names for key in aliases.get(each, [each])}
                yield tuple(sorted(keys)), chart

    def dependencies(self) -> Iterator[tuple[str, str, str]]:
        """Yield name, key in the values and local path (or nothing) of each dependency."""
        for description in (self.description, _parsed(self.read("requirements.yaml") or "")):
            for each in description.items("dependencies"):
                if isinstance(each, Pairs) and (name := each.text("name")) is not None:
                    alias, repository = each.text("alias"), each.text("repository")
                    local = repository.value if repository is not None else ""
                    path = local.removeprefix("file://") if local.startswith("file://") else ""
                    yield name.value, (name if alias is None else alias).value, path


def chart_of(file: File) -> Chart | None:
    """Return the chart whose directory the file is in, or None. Looks up a few levels, as charts are not deep."""
    directory = file.directory
    for _ in range(_LEVELS):
        if file.tree.read(join(directory, "Chart.yaml")) is not None:
            return Chart(directory, file.tree)
        if not directory:
            break
        directory = dirname(directory)
    return None


# A chart asks for the same few for every one of its files.
@lru_cache(maxsize=64)
def _parsed(text: str) -> Pairs:
    """Return the first mapping of a text."""
    try:
        return next((each for each in documents(text) if isinstance(each, Pairs)), Pairs())
    except NotParsed:
        return Pairs()


@lru_cache(maxsize=16)
def _overlaid(values: Pairs, outer: Pairs, keys: tuple[str, ...]) -> Pairs:
    """Return the values with what those of the chart around it have under ``keys`` over them."""
    for key in keys:
        values = merge(values, outer.pairs(key))
    return values


@lru_cache(maxsize=16)
def _versions(description: Pairs, templates: tuple[str, ...]) -> tuple[str, ...]:
    app, own = description.text("appVersion"), description.text("version")
    found: list[str] = []
    if app is not None and app.value:
        found.append(app.value)
        for text in templates:
            found += [each.replace("%s", app.value) for each in _FORMAT.findall(text) if each.count("%s") == 1]
    if own is not None and any(_INLINE.search(text) for text in templates):
        found.append(own.value)
    return tuple(dict.fromkeys(each for each in found if re.fullmatch(r"[\w.-]+", each)))
