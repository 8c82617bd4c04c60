"""The charts of many revisions: each content of a chart is rendered once, however many revisions have it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from posixpath import basename, dirname

from tagsweep.sources.charts.rendering import DESCRIPTION, ChartAt, is_installable
from tagsweep.sources.charts.unpack import local_charts
from tagsweep.sources.repository.objects import Unreadable
from tagsweep.sources.repository.revisions import Revisions, indices
from tagsweep.sources.repository.scanning import Contents, Neighbours


@dataclass(frozen=True, slots=True)
class RevisionFiles:
    """The files of one revision, as texts and as the bytes that git has."""

    revisions: Revisions
    revision: int
    texts: Neighbours

    def read(self, path: str) -> str | None:
        """Return the text of a file, or None where there is none."""
        return self.texts.read(path)

    def paths(self, directory: str) -> Sequence[str]:
        """Return the paths of the files in and below ``directory``, sorted."""
        return self.texts.paths(directory)

    def data(self, path: str, most: int) -> bytes | None:
        """Return the bytes of a regular file, or None where it cannot be read or has more than ``most``."""
        found = self.revisions.find(path, self.revision)
        if found is None or not found[1].is_file:
            return None
        read = found[0].objects.read(found[1].id, most=most)
        return None if isinstance(read, Unreadable) or read.size > most else read.data


def charts_in(revisions: Revisions, contents: Contents, where: str) -> list[ChartAt]:
    """Return each chart to render, with the revisions that have it in the same form as its place."""
    directories: dict[str, int] = defaultdict(int)
    for (path, _), spot in revisions.files.items():
        if basename(path) == DESCRIPTION:
            directories[dirname(path)] |= spot.revisions
    charts = []
    for directory, bits in sorted(directories.items()):
        same: dict[tuple[str, ...], int] = defaultdict(int)
        trees: dict[tuple[str, ...], RevisionFiles] = {}
        for index in indices(bits):
            tree = RevisionFiles(revisions, index, Neighbours(revisions, contents, index))
            if is_installable(directory, tree):
                key = _contents(revisions, directory, tree)
                trees.setdefault(key, tree)
                same[key] |= 1 << index
        charts += [
            ChartAt(directory=directory, tree=trees[key], where=f"{where} {revisions.names(which)}")
            for key, which in same.items()
        ]
    return charts


def _contents(revisions: Revisions, directory: str, tree: RevisionFiles) -> tuple[str, ...]:
    """Return what is the same for two revisions in which the chart and its local dependencies are."""
    found = (revisions.find(each, tree.revision) for each in (directory, *local_charts(directory, tree)))
    return tuple("" if each is None else each[1].id for each in found)
