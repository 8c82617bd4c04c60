"""Writing a chart, as it is committed, into a directory of our own, where helm can read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from posixpath import basename, join, normpath
from typing import Final, Protocol

from tagsweep.model.errors import TagsweepError
from tagsweep.sources.syntaxes.files import Tree
from tagsweep.sources.syntaxes.helm_chart import Chart

_MOST_FILES: Final = 10_000
_MOST_BYTES: Final = 128 * 1024 * 1024
_DEEPEST: Final = 5
_NOT_NEEDED: Final = "values.schema.json"  # it may name other schemas by address, which helm would fetch


class Tracked(Tree, Protocol):
    """The files around a chart as texts, and also as the bytes that they are."""

    def data(self, path: str, most: int) -> bytes | None:
        """Return the bytes of a regular file, or None where it cannot be read or has more than ``most``."""
        ...


def local_charts(directory: str, tree: Tree, depth: int = _DEEPEST) -> Iterator[str]:
    """Yield the directories of the same tree that the chart and those after it name as dependencies (``file://…``)."""
    for _, _, local in Chart(directory, tree).dependencies():
        found = normpath(join(directory, local)) if local else ".."
        inside = not found.startswith(("../", "/")) and found not in {"..", "."}
        if inside and depth and tree.read(join(found, "Chart.yaml")) is not None:
            yield found
            yield from local_charts(found, tree, depth - 1)


def unpack(
    tree: Tracked, directory: str, target: Path, *, most_files: int = _MOST_FILES, most_bytes: int = _MOST_BYTES
) -> None:
    """Write the chart at ``directory`` to ``target``, its local dependencies into ``charts``, or raise TagsweepError.

    Only regular files are written, and each of them below ``target``: helm would follow a link to wherever it leads.
    """
    try:
        _Unpacking(tree, most_files, most_bytes).chart(directory, target, _DEEPEST)
    except OSError as error:
        raise TagsweepError(f"it cannot be copied to a temporary directory: {error.strerror}") from error


class _Unpacking:
    def __init__(self, tree: Tracked, most_files: int, most_bytes: int) -> None:
        self._tree = tree
        self._files = most_files
        self._bytes = most_bytes

    def chart(self, directory: str, target: Path, depth: int) -> None:
        self._write(self._tree.paths(directory), directory, target)
        for dependency in dict.fromkeys(local_charts(directory, self._tree, depth=1)) if depth else ():
            inside = target / "charts" / basename(dependency)
            if not inside.exists():
                self.chart(dependency, inside, depth - 1)

    def _write(self, paths: Sequence[str], directory: str, target: Path) -> None:
        prefix = f"{directory}/" if directory else ""
        for path in paths:
            relative = path.removeprefix(prefix)
            parts = relative.split("/")
            if parts[-1] == _NOT_NEEDED:
                continue
            if any(part in {"", ".", ".."} or "\0" in part for part in parts):
                raise TagsweepError("a file in it has a name that leads elsewhere")
            data = self._tree.data(path, self._bytes)
            self._files -= 1
            if data is None or self._files < 0:
                raise TagsweepError("a file in it cannot be read, or it is larger than a chart is")
            self._bytes -= len(data)
            place = target.joinpath(*parts)
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as file:
                file.write(data)
