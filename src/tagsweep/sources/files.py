"""The files of a plain directory: every text file below it is read by the syntaxes that claim it.

Symbolic links are not followed, ``.git`` is not looked into, and what cannot be read is a gap. A file is in memory only
while it is read.
"""

from __future__ import annotations

import os
import stat
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from posixpath import basename, dirname
from typing import Final, Self

from tagsweep.model.policy import SourceSettings
from tagsweep.model.usage import Coverage, UsageReport
from tagsweep.ports import Progress, SourceContext
from tagsweep.sources.charts.rendering import DESCRIPTION, ChartAt, Wish, is_installable, render
from tagsweep.sources.content import HEAD, Content, Left, Text, Why, content_of, cost_of
from tagsweep.sources.harvest import Harvest
from tagsweep.sources.options import Options
from tagsweep.sources.pathglobs import EVERYTHING, PathGlobs, shown
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.recent import Recent
from tagsweep.sources.syntaxes.scan import scan

LARGEST_MIB: Final = 8
_HELD: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesSource:
    """The directory at ``path``. ``limit`` is the size in bytes above which a file is not read."""

    name: str
    path: Path
    progress: Progress
    globs: PathGlobs = EVERYTHING
    hidden: bool = True
    limit: int = LARGEST_MIB * 1024 * 1024
    helm: Wish = Wish.OFF
    syntaxes: tuple[Syntax, ...] | None = None

    @classmethod
    def configure(cls, settings: SourceSettings, *, context: SourceContext) -> Self:
        """Return the source; ``path`` is relative to the policy."""
        options = Options(settings)
        source = cls(
            name=settings.name,
            path=Path(context.base) / options.required("path", example="deploy"),
            progress=context.progress,
            globs=PathGlobs.read(options),
            hidden=options.flag("hidden", default=True),
            limit=options.number("largest_mib", LARGEST_MIB, least=1, most=1024) * 1024 * 1024,
            helm=Wish.read(options),
        )
        options.done()
        return source

    def collect(self, now: datetime) -> UsageReport:
        """Return what the files name; a directory or file that cannot be read is a gap."""
        if not self.path.is_dir():
            why = "is not a directory" if os.path.lexists(self.path) else "does not exist"
            gap = f"{self.path} {why}; path must name the directory whose files are to be read"
            return UsageReport(source=self.name, taken_at=now, coverage=Coverage(gaps=(gap,)), unit="files")
        harvest = Harvest(self.name, self.syntaxes)
        tree = DirectoryTree(self.path, self.limit)
        short = self.name.rpartition("/")[2]
        paths = sorted(path for path in self._paths(harvest) if self.globs.takes(path))
        self.progress.begin(f"reading the files of {self.name}", len(paths))
        for path in paths:
            harvest.files += 1
            content = tree.content(path)
            if isinstance(content, Text):
                harvest.add(scan(File(path, content.text, tree), self.syntaxes), where=short, path=path)
            else:
                harvest.leave(content, where=short, path=path)
            self.progress.advance()
        if self.helm is not Wish.OFF:
            named = (dirname(path) for path in paths if basename(path) == DESCRIPTION)
            charts = [ChartAt(directory=each, tree=tree, where=short) for each in named if is_installable(each, tree)]
            render(charts, harvest, self.helm, takes=self.globs.takes, name=self.name, progress=self.progress)
        for path, left in tree.troubles():
            harvest.leave(left, where=short, path=path, needed=True)
        for glob in self.globs.idle(tuple(paths)):
            harvest.gap(f"no file in {self.path} is matched by include {glob!r}; correct it or take it out")
        return harvest.report(taken_at=now, within=f"in {shown(str(self.path))}")

    def _paths(self, harvest: Harvest) -> Iterator[str]:
        """Yield the regular files below the root; count what is left out, and tell what cannot be listed."""
        stack = [""]
        while stack:
            directory = stack.pop()
            try:
                with os.scandir(self.path / directory) as entries:
                    for entry in entries:
                        path = f"{directory}/{entry.name}" if directory else entry.name
                        if entry.is_symlink():
                            harvest.omit("links")
                        elif entry.name == ".git" or (not self.hidden and entry.name.startswith(".")):
                            harvest.omit("hidden" if entry.name != ".git" else "of git's own")
                        elif entry.is_dir(follow_symlinks=False):
                            if not self.globs.skips_below(path):
                                stack.append(path)
                        elif entry.is_file(follow_symlinks=False):
                            yield path
                        else:
                            harvest.omit("no regular files")
            except OSError as error:
                harvest.gap(
                    f"the directory {shown(str(self.path / directory))} cannot be read: {error.strerror}; "
                    "give the right to read it, or exclude it if nothing in it matters"
                )


class DirectoryTree:
    """The files below ``root`` as the neighbours of one another. Nothing outside is reached, over no link."""

    def __init__(self, root: Path, limit: int) -> None:
        self._root = root
        self._limit = limit
        self._all: list[str] | None = None
        self._held: Recent[str, Content] = Recent(_HELD, cost_of)
        self._troubles: dict[str, Left] = {}

    def read(self, path: str) -> str | None:
        """Return the text of a neighbour, or None where there is none."""
        if not path or path.startswith("/") or any(part in {"", ".", ".."} for part in path.split("/")):
            return None
        content = self._held.of(path, lambda: self.content(path))
        if isinstance(content, Left):
            if content.why in {Why.LFS, Why.LARGE}:
                self._troubles[path] = content
            return None
        return content.text

    def paths(self, directory: str) -> Sequence[str]:
        """Return the paths of the files in and below ``directory``, sorted."""
        if self._all is None:
            self._all = sorted(self._list())
        if not directory:
            return self._all
        prefix = f"{directory.rstrip('/')}/"
        # "0" is the character after "/": all that begins with the prefix sorts before it.
        return self._all[bisect_left(self._all, prefix) : bisect_left(self._all, f"{prefix[:-1]}0")]

    def troubles(self) -> Iterator[tuple[str, Left]]:
        """Yield the neighbours that a file named and whose text could not be had, though they are there."""
        yield from self._troubles.items()

    def content(self, path: str) -> Content:
        """Return what is in a file, or why nothing is. A link in any part of the path is not followed."""
        try:
            data, size = self._bytes(path, self._limit, head=HEAD)
        except OSError as error:
            return Left(Why.UNREADABLE, detail=f"{error.strerror}; give the right to read it, or exclude it")
        return content_of(data, size=size, limit=self._limit)

    def data(self, path: str, most: int) -> bytes | None:
        """Return the bytes of a regular file, or None where it cannot be read or has more than ``most``."""
        try:
            data, size = self._bytes(path, most, head=0)
        except OSError:
            return None
        return None if size > most else data

    def _bytes(self, path: str, most: int, *, head: int) -> tuple[bytes, int]:
        """Return what is in a file, only the ``head`` of one that has more than ``most`` bytes, and its size."""
        with open(self._open(path), "rb") as file:  # noqa: PTH123 - an open descriptor, not a path
            size = os.fstat(file.fileno()).st_size
            data = file.read(head if size > most else most + 1)
        return data, max(size, len(data))

    def _open(self, path: str) -> int:
        """Return a descriptor of a regular file, or raise OSError."""
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(self._root, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        *parents, name = path.split("/")
        try:
            for parent in parents:
                inner = os.open(parent, flags | os.O_DIRECTORY, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            file = os.open(name, flags, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise OSError(0, "not a regular file")
        return file

    def _list(self) -> Iterator[str]:
        stack = [""]
        while stack:
            directory = stack.pop()
            try:
                with os.scandir(self._root / directory) as entries:
                    for entry in entries:
                        path = f"{directory}/{entry.name}" if directory else entry.name
                        if entry.is_dir(follow_symlinks=False):
                            if entry.name != ".git":
                                stack.append(path)
                        elif entry.is_file(follow_symlinks=False):
                            yield path
            except OSError:
                continue  # collect has told it
