"""A text file among its neighbours, and what every syntax is: who claims it, and what it finds in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from posixpath import dirname, join, normpath
from typing import Protocol

from tagsweep.model.errors import NotParsed as NotParsed  # noqa: PLC0414 (what every syntax raises, beside its type)
from tagsweep.sources.syntaxes.findings import Finding


class Tree(Protocol):
    """The files around one: a directory, or one revision of a git repository. Paths are relative, with slashes."""

    def read(self, path: str) -> str | None:
        """Return the text of a file, or None where there is no such text file."""
        ...

    def paths(self, directory: str) -> Sequence[str]:
        """Return the paths of the files in and below ``directory`` (empty: all), sorted."""
        ...


class NoTree:
    """A file that has no neighbours."""

    def read(self, path: str) -> str | None:  # noqa: ARG002 (the shape of Tree)
        """Return None: there is no other file."""
        return None

    def paths(self, directory: str) -> Sequence[str]:  # noqa: ARG002 (the shape of Tree)
        """Return nothing."""
        return ()


@dataclass(frozen=True, slots=True)
class File:
    """One text file. ``path`` is relative to the root of ``tree``."""

    path: str
    text: str
    tree: Tree = field(default_factory=NoTree)

    @property
    def name(self) -> str:
        """The last part of the path, in lower case."""
        return self.path.rpartition("/")[2].lower()

    @property
    def directory(self) -> str:
        """The path of the directory, empty for the root."""
        return dirname(self.path)

    def beside(self, relative: str) -> str | None:
        """Return the path that ``relative`` means from here, or None where it leads out of the tree."""
        path = normpath(join(self.directory, relative))
        return None if path.startswith(("../", "/")) or path in {"..", "."} else path

    def read_beside(self, relative: str) -> str | None:
        """Return the text of the file at ``relative`` from here, or None where there is none."""
        path = self.beside(relative)
        return None if path is None else self.tree.read(path)


@dataclass(frozen=True, slots=True)
class Syntax:
    """One way of naming images in files.

    ``claims`` tells, from path and text, whether the file is of this syntax, cheaply and rather too often than too
    seldom. ``extract`` yields the findings, raises nothing whatever the text is, and yields nothing only where there
    is nothing: what it cannot parse it raises NotParsed for, and the file is then read as plain text. Of a file that it
    claims and ``alone`` is true of, it knows more than any other: what is open to those, it has filled in.
    """

    name: str
    claims: Callable[[File], bool]
    extract: Callable[[File], Iterable[Finding]]
    alone: Callable[[File], bool] = lambda _: False
