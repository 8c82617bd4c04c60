"""The trees of git repositories: each is read once, and held as git stores it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from stat import S_ISLNK, S_ISREG
from typing import Final

from tagsweep.sources.repository.objects import Object, Objects, Unreadable

DIRECTORY: Final = 0o40000
_SUBMODULE: Final = 0o160000
_MOST_BYTES: Final = 256 * 1024 * 1024
_ROOT: Final = re.compile(rb"tree ([0-9a-f]{40,64})\n")
_ENTRIES: Final = {length: re.compile(rb"([0-7]{5,6}) ([^\0]+)\0(.{%d})" % length, re.DOTALL) for length in (20, 32)}


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a tree. ``mode`` is git's: a file, an executable one, a link, a directory or a submodule."""

    name: str
    mode: int
    id: str

    @property
    def is_directory(self) -> bool:
        """Whether it is a tree."""
        return self.mode == DIRECTORY

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file, executable or not (old repositories have more modes than today's two)."""
        return S_ISREG(self.mode)

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link, whose content is a path and no text."""
        return S_ISLNK(self.mode)

    @property
    def is_submodule(self) -> bool:
        """Whether it is the commit of another repository."""
        return self.mode == _SUBMODULE


class Store:
    """The objects of one repository, with its trees. ``url`` is what relative addresses of submodules begin from, and
    ``local`` tells whether they may be paths of this machine; ``modules`` is where git keeps submodules, or empty.
    """

    def __init__(self, objects: Objects, *, url: str, local: bool, modules: str = "") -> None:
        self.objects = objects
        self.url = url
        self.local = local
        self.modules = modules
        self._trees: dict[str, bytes | Unreadable] = {}
        self._entries = lru_cache(maxsize=4096)(self._parse)
        self._named = lru_cache(maxsize=256)(self._index)

    def entries(self, tree: str) -> tuple[Entry, ...] | Unreadable:
        """Return what is in the tree with this id, in git's order."""
        return self._entries(tree)

    def names(self, tree: str) -> Mapping[str, Entry]:
        """Return what is in the tree by its names; nothing where it cannot be read."""
        return self._named(tree)

    def root(self, target: str) -> Entry | Unreadable:
        """Return the tree that a commit or tag is on; for a tag on a file, that file."""
        found = self.objects.read(f"{target}^{{}}", most=1024)
        if isinstance(found, Unreadable):
            return found
        if found.kind == "commit":
            named = _ROOT.match(found.data)
            return Unreadable("malformed") if named is None else Entry("", DIRECTORY, named[1].decode("ascii"))
        # The id of the tag serves as well as that of the object it is on: git follows it in the same way.
        return Entry("", DIRECTORY if found.kind == "tree" else 0o100644, f"{target}^{{}}")

    def _parse(self, tree: str) -> tuple[Entry, ...] | Unreadable:
        raw = self._trees.get(tree)
        if raw is None:
            found = self.objects.read(tree, most=_MOST_BYTES)
            raw = _raw(found)
            self._trees[tree] = raw
        if isinstance(raw, Unreadable):
            return raw
        pattern = _ENTRIES[32 if len(tree.removesuffix("^{}")) == 64 else 20]  # noqa: PLR2004 - SHA-256 in hexadecimal
        entries = []
        at = 0
        for match in pattern.finditer(raw):
            if match.start() != at:
                break
            at = match.end()
            name, identifier = match[2].decode("utf-8", "backslashreplace"), match[3].hex()
            entries.append(Entry(name, int(match[1], 8), identifier))
        return tuple(entries) if at == len(raw) else Unreadable("not in the form of a tree")

    def _index(self, tree: str) -> dict[str, Entry]:
        entries = self.entries(tree)
        return {} if isinstance(entries, Unreadable) else {entry.name: entry for entry in entries}


def _raw(found: Object | Unreadable) -> bytes | Unreadable:
    if isinstance(found, Unreadable):
        return found
    if found.kind != "tree" or found.size > len(found.data):
        return Unreadable("not a tree that can be read")
    return found.data
