"""The files of many revisions at once: every tree is walked once, however many revisions have it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from posixpath import join
from typing import Final, NamedTuple

from tagsweep.sources.pathglobs import PathGlobs, shown
from tagsweep.sources.repository.objects import Unreadable
from tagsweep.sources.repository.submodules import Submodules
from tagsweep.sources.repository.trees import DIRECTORY, Entry, Store

_MOST_FILES: Final = 5_000_000
_DEEPEST_NESTING: Final = 10


@dataclass(frozen=True, slots=True)
class Revision:
    """One root tree, and the refs that are on it, as a person names them."""

    store: Store
    root: str
    refs: tuple[str, ...]


class Directory(NamedTuple):
    """A tree at its place. ``home`` is the path of the repository or submodule that it belongs to."""

    path: str
    home: str
    store: Store
    tree: str


@dataclass(slots=True)
class Spot:
    """A file at its path: in which revisions, as a set of bits, and where its content is read."""

    store: Store
    revisions: int = 0


@dataclass(slots=True)
class Revisions:
    """All files of all revisions. ``files`` has each path and content once; ``gaps`` say what cannot be read."""

    revisions: Sequence[Revision]
    globs: PathGlobs
    submodules: Submodules | None
    files: dict[tuple[str, str], Spot] = field(default_factory=dict)
    links: set[tuple[str, str]] = field(default_factory=set)
    ignored: set[str] = field(default_factory=set)
    gaps: list[str] = field(default_factory=list)
    broken: bool = False
    _homes: dict[tuple[str, int], tuple[Store, str]] = field(default_factory=dict)
    _nesting: dict[str, int] = field(default_factory=lambda: {"": 0})
    _signatures: dict[tuple[Store, str], bytes] = field(default_factory=dict)

    def walk(self) -> None:
        """Find the files, one level of directories after the other, so that what revisions share is met once."""
        level: dict[Directory, int] = defaultdict(int)
        for index, revision in enumerate(self.revisions):
            self._homes["", index] = (revision.store, revision.root)
            level[Directory("", "", revision.store, revision.root)] |= 1 << index
        while level:
            below: dict[Directory, int] = defaultdict(int)
            for directory, bits in level.items():
                for child, which in self._below(directory, bits):
                    below[child] |= which
                if len(self.files) > _MOST_FILES:
                    self.gaps.append(f"more than {_MOST_FILES:,} files: name what matters with include or refs")
                    return
            level = below

    def _below(self, directory: Directory, bits: int) -> Iterator[tuple[Directory, int]]:
        entries = directory.store.entries(directory.tree)
        if isinstance(entries, Unreadable):
            self.broken = True
            place = f"the directory {shown(directory.path)}" if directory.path else "the root directory"
            self.gaps.append(f"{place} on {self.names(bits)} is {entries.why}: run git fsck, fetch or clone it again")
            return
        for entry in entries:
            path = f"{directory.path}/{entry.name}" if directory.path else entry.name
            if entry.is_directory:
                if not self.globs.skips_below(path):
                    yield Directory(path, directory.home, directory.store, entry.id), bits
            elif not self.globs.takes(path) and not entry.is_submodule:
                continue
            elif entry.is_file:
                spot = self.files.get((path, entry.id))
                if spot is None:
                    spot = self.files[path, entry.id] = Spot(directory.store)
                spot.revisions |= bits
            elif entry.is_link:
                self.links.add((path, entry.id))
            elif entry.is_submodule and not self.globs.skips_below(path):
                yield from self._submodule(path, directory, entry, bits)

    def _submodule(self, path: str, directory: Directory, entry: Entry, bits: int) -> Iterator[tuple[Directory, int]]:
        """Yield the root of a submodule for every group of revisions that say the same about where it is."""
        if self.submodules is None:
            self.ignored.add(path)
            return
        groups: dict[tuple[Store, str], int] = defaultdict(int)
        for index in indices(bits):
            store, root = self._homes[directory.home, index]
            listed = store.names(root).get(".gitmodules")
            groups[store, "" if listed is None else listed.id] |= 1 << index
        nesting = self._nesting[path] = self._nesting[directory.home] + 1
        relative = path.removeprefix(f"{directory.home}/") if directory.home else path
        for (store, listed_in), which in groups.items():
            found = (
                Unreadable("nested too deep")
                if nesting > _DEEPEST_NESTING
                else self.submodules.open(store, listed_in, relative, entry.id)
            )
            if isinstance(found, Unreadable):
                self.gaps.append(
                    f"the submodule {shown(path)} on {self.names(which)} (commit {entry.id[:12]}) cannot be read: "
                    f"{found.why}; if nothing in it matters, exclude it or write submodules: ignore"
                )
                continue
            for index in indices(which):
                self._homes[path, index] = found
            yield Directory(path, path, *found), which

    def find(self, path: str, revision: int) -> tuple[Store, Entry] | None:
        """Return the entry at ``path`` in that revision and where it is stored, or None."""
        store, tree = self._homes["", revision]
        entry = Entry("", DIRECTORY, tree)
        walked = ""
        for name in path.split("/") if path else ():
            found = store.names(entry.id).get(name) if entry.is_directory else None
            if found is None:
                return None
            entry, walked = found, f"{walked}/{name}" if walked else name
            if entry.is_submodule:
                home = self._homes.get((walked, revision))
                if home is None:
                    return None
                store, entry = home[0], Entry(name, DIRECTORY, home[1])
        return store, entry

    def below(self, directory: str, revision: int) -> Iterator[str]:
        """Yield the paths of the files in and below ``directory``, in no order."""
        stack = [directory]
        while stack:
            path = stack.pop()
            found = self.find(path, revision)
            if found is None or not found[1].is_directory:
                continue
            for entry in found[0].names(found[1].id).values():
                child = join(path, entry.name)
                if entry.is_file:
                    yield child
                elif entry.is_directory or entry.is_submodule:
                    stack.append(child)

    def signature(self, directory: str, revision: int) -> bytes:
        """Return what is the same for two revisions if the names in and below ``directory`` are."""
        found = self.find(directory, revision)
        return b"" if found is None or not found[1].is_directory else self._sign(found[0], found[1].id)

    def _sign(self, store: Store, tree: str) -> bytes:
        known = self._signatures
        waiting = [tree]
        while waiting:  # no recursion: directories can be nested deeper than calls
            current = waiting[-1]
            entries = () if (store, current) in known else tuple(store.names(current).values())
            below = [entry.id for entry in entries if entry.is_directory and (store, entry.id) not in known]
            if below:
                waiting += below
                continue
            waiting.pop()
            if (store, current) in known:
                continue
            digest = blake2b(digest_size=16)
            for entry in entries:
                inner = known[store, entry.id] if entry.is_directory else entry.id if entry.is_submodule else ""
                digest.update(repr((entry.name, entry.is_file, inner)).encode("utf-8", "backslashreplace"))
            known[store, current] = digest.digest()
        return known[store, tree]

    def names(self, bits: int) -> str:
        """Return the refs that a set of revisions is on, the first two by name."""
        names = [name for index in indices(bits) for name in self.revisions[index].refs]
        return ", ".join(names) if len(names) <= 3 else f"{names[0]}, {names[1]} and {len(names) - 2:,} more"  # noqa: PLR2004 - one more is shorter than the words for it


def indices(bits: int) -> Iterator[int]:
    """Yield the indices of the bits that are set, the lowest first."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest
