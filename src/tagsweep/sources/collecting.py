"""What one source brings together: the things that it names, each once, and the gaps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from tagsweep.model.usage import Coverage, Unresolved, Usage, UsageReport
from tagsweep.sources.syntaxes.findings import Finding, Place, evidence

_MOST_GAPS: Final = 50


def first_gaps(gaps: Sequence[str]) -> tuple[str, ...]:
    """Return the first gaps, and how many more there are: hundreds of them would fill the page."""
    if len(gaps) <= _MOST_GAPS:
        return tuple(gaps)
    return (*gaps[:_MOST_GAPS], f"{len(gaps) - _MOST_GAPS:,} more of this kind, shown when these are settled")


class Collection:
    """The growing answer of one source. ``examined`` is for the source to count."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.examined = 0
        self._usages: dict[Usage, None] = {}
        self._unresolved: dict[Unresolved, None] = {}
        self._invalid: dict[str, None] = {}
        self._gaps: dict[str, None] = {}

    def take(self, findings: Iterable[Finding], *, where: str, path: str) -> None:
        """Take in what was found at one place."""
        told = evidence(findings, Place(source=self.source, where=where, path=path))
        self._usages |= dict.fromkeys(told.usages)
        self._unresolved |= dict.fromkeys(told.unresolved)
        self._invalid |= dict.fromkeys(told.invalid)

    def gap(self, sentence: str) -> None:
        """Take note of something that could not be seen, with its remedy."""
        self._gaps[sentence] = None

    def gaps(self) -> tuple[str, ...]:
        """Return what could not be seen, as the report says it."""
        return tuple(self._gaps)

    def report(self, now: datetime, *, unit: str) -> UsageReport:
        """Return all of it, in the order in which it came."""
        return UsageReport(
            source=self.source,
            taken_at=now,
            usages=tuple(self._usages),
            unresolved=tuple(self._unresolved),
            coverage=Coverage(gaps=self.gaps()),
            invalid=tuple(self._invalid),
            examined=self.examined,
            unit=unit,
        )
