"""Reading the files of many revisions: each content once, each path and content once, however many refs have it.

A syntax may look at other files of the same revision. What it looked at is remembered, and its answer holds for every
revision in which all of that is the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tagsweep.ports import Progress
from tagsweep.sources.content import HEAD, Content, Left, Text, Why, content_of, cost_of
from tagsweep.sources.harvest import Harvest
from tagsweep.sources.repository.objects import Unreadable
from tagsweep.sources.repository.revisions import Revisions, indices
from tagsweep.sources.repository.trees import Store
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.recent import Recent
from tagsweep.sources.syntaxes.scan import Scan, scan

_HELD: Final = 64 * 1024 * 1024


class Contents:
    """Contents by id. The last ones used are held, up to ``held`` characters; ``reads`` counts those read from git."""

    def __init__(self, *, limit: int, held: int = _HELD) -> None:
        self._limit = limit
        self._held: Recent[str, Content] = Recent(held, cost_of)
        self.reads = 0

    def of(self, store: Store, identifier: str) -> Content:
        """Return what is in the file with this id."""
        return self._held.of(identifier, lambda: self._read(store, identifier))

    def _read(self, store: Store, identifier: str) -> Content:
        self.reads += 1
        found = store.objects.read(identifier, most=max(self._limit, HEAD))
        if isinstance(found, Unreadable):
            remedy = "fetch it (a partial clone lacks objects), clone the repository again, or name its url"
            return Left(Why.UNREADABLE, detail=f"{found.why}; {remedy}")
        return content_of(found.data, size=found.size, limit=self._limit)


class Neighbours:
    """The files of one revision, as the syntaxes see them. Remembers what was looked at."""

    def __init__(self, revisions: Revisions, contents: Contents, revision: int) -> None:
        self._revisions = revisions
        self._contents = contents
        self._revision = revision
        self._read: dict[str, str | None] = {}
        self._listed: dict[str, bytes] = {}
        self.troubles: dict[str, Left] = {}

    def read(self, path: str) -> str | None:
        """Return the text of a neighbour, or None where there is none."""
        self._read[path] = _file_id(self._revisions, path, self._revision)
        found = self._revisions.find(path, self._revision)
        if found is None or not found[1].is_file:
            return None
        content = self._contents.of(found[0], found[1].id)
        if isinstance(content, Text):
            return content.text
        if content.why is not Why.BINARY:
            self.troubles[path] = content
        return None

    def paths(self, directory: str) -> Sequence[str]:
        """Return the paths of the files in and below ``directory``, sorted."""
        self._listed[directory] = self._revisions.signature(directory, self._revision)
        return sorted(self._revisions.below(directory, self._revision))

    def alike(self, revisions: int) -> int:
        """Return those of ``revisions`` in which everything that was looked at is the same."""
        if not self._read and not self._listed:
            return revisions
        same = 1 << self._revision
        for index in indices(revisions & ~same):
            if all(_file_id(self._revisions, path, index) == known for path, known in self._read.items()) and all(
                self._revisions.signature(path, index) == known for path, known in self._listed.items()
            ):
                same |= 1 << index
        return same


def _file_id(revisions: Revisions, path: str, revision: int) -> str | None:
    found = revisions.find(path, revision)
    return found[1].id if found is not None and found[1].is_file else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanner:
    """Reads every file of ``revisions`` into ``harvest``. ``where`` begins each place: the source's short name."""

    revisions: Revisions
    contents: Contents
    harvest: Harvest
    where: str
    syntaxes: Sequence[Syntax] | None = None

    def run(self, progress: Progress) -> None:
        """Read all of them, in the order of paths, so that neighbours are read at about the same time."""
        files = self.revisions.files
        paths: dict[str, list[str]] = defaultdict(list)
        for path, identifier in sorted(files):
            paths[identifier].append(path)
        for identifier, same in paths.items():
            content = self.contents.of(files[same[0], identifier].store, identifier)
            for path in same:
                self._read(path, content, files[path, identifier].revisions)
            progress.advance(len(same))

    def _read(self, path: str, content: Content, bits: int) -> None:
        self.harvest.files += 1
        if isinstance(content, Left):
            self.harvest.leave(content, where=self._place(bits), path=path)
            return
        answers: dict[Scan, int] = {}
        while bits:
            neighbours = Neighbours(self.revisions, self.contents, next(indices(bits)))
            result = scan(File(path, content.text, neighbours), self.syntaxes)
            which = neighbours.alike(bits)
            answers[result] = answers.get(result, 0) | which
            bits &= ~which
            for neighbour, left in neighbours.troubles.items():
                self.harvest.leave(left, where=self._place(which), path=neighbour, needed=True)
        for result, which in answers.items():
            self.harvest.add(result, where=self._place(which), path=path)

    def _place(self, bits: int) -> str:
        return f"{self.where} {self.revisions.names(bits)}"
