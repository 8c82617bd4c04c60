"""What reading many files brings together: usages, open references, gaps, and a count of everything left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from tagsweep.model.usage import UsageReport
from tagsweep.sources.collecting import Collection, first_gaps
from tagsweep.sources.content import Left, Why
from tagsweep.sources.pathglobs import shown
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.scan import Scan, claimed

_REMEDIES: Final[Mapping[Why, str]] = {
    Why.BINARY: "it has bytes of no text: repair it, or exclude it if it does not matter",
    Why.LARGE: "it is larger than largest_mib says: raise that, or exclude it if it does not matter",
    Why.LFS: "only its Git LFS pointer is here: keep it in git itself, or exclude it if it does not matter",
}


class Harvest:
    """The growing answer of one source. ``where`` is a place for a person, without path and line."""

    def __init__(self, source: str, syntaxes: Sequence[Syntax] | None = None) -> None:
        self._syntaxes = syntaxes
        self.files = 0
        self.broken = False
        """Whether something could not be read that should be there."""
        self._left: Counter[str] = Counter()
        self._also = ""
        self._found = Collection(source)
        self._gaps: dict[str, set[str]] = {}
        self._first: dict[tuple[str, str], str] = {}

    def add(self, scan: Scan, *, where: str, path: str) -> None:
        """Take in what one file says. What a syntax could not read in it is a gap."""
        if not scan.findings and not scan.problems:
            return
        spot = _spot(where, path)
        self._found.take(scan.findings, where=spot, path=shown(path))
        for problem in scan.problems:
            self.gap(f"{spot} cannot be read as {problem}; correct it, or exclude it if it does not matter")

    def leave(self, left: Left, *, where: str, path: str, needed: bool = False) -> None:
        """Take note of a file that is not read: a gap if it is ``needed`` because another one names it, or if a syntax
        would have read it by its name, else a count.
        """
        if left.why is Why.UNREADABLE:
            self.broken = True
            # Every version of a file that a repository lacks would fill the page; the first one stands for them.
            sentence = f"{_spot(where, path)} cannot be read: {left.detail}"
            first = self._first.setdefault((path, left.detail), sentence)
            self._gaps.setdefault(first, set()).add(sentence)
        elif needed or claimed(File(path, left.head), self._syntaxes):
            self.gap(f"{_spot(where, path)} cannot be read: {_REMEDIES[left.why]}")
        else:
            self.omit(left.why.value)

    def omit(self, kind: str, count: int = 1) -> None:
        """Count what is left out on purpose."""
        self._left[kind] += count

    def also(self, phrase: str) -> None:
        """Say in the count what else was done with the files."""
        self._also = phrase

    def gap(self, sentence: str) -> None:
        """Take note of something that is missing, with its remedy."""
        self._gaps.setdefault(sentence, set())

    def report(self, *, taken_at: datetime, within: str = "") -> UsageReport:
        """Return the answer. ``within`` says in the count where the files are: ``on 3 branches``."""
        gaps = [
            f"{sentence} (and {len(versions) - 1:,} other versions of it)" if len(versions) > 1 else sentence
            for sentence, versions in self._gaps.items()
        ]
        unit = "file" if self.files == 1 else "files"
        left = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self._left.items()) if count)
        for gap in first_gaps(gaps):
            self._found.gap(gap)
        self._found.examined = self.files
        also = f"and {self._also}" if self._also else ""
        text = " ".join(part for part in (unit, within, also, f"({left} not read)" if left else "") if part)
        return self._found.report(taken_at, unit=text)


def _spot(where: str, path: str) -> str:
    return f"{where}:{shown(path)}" if where else shown(path)
