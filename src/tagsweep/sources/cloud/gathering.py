"""Gathering: what the many calls to one cloud bring together, and the gap that each failed one leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final, TypeVar

from tagsweep.http.pool import Pool
from tagsweep.model.errors import ConfigurationError, TagsweepError
from tagsweep.model.usage import Coverage, Unresolved, Usage, UsageReport
from tagsweep.sources.jsonapi import as_gap
from tagsweep.sources.syntaxes.findings import Finding, Place, evidence

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_AT_ONCE: Final = 8
_MOST_GAPS: Final = 50
_MOST_FAILURES: Final = 20
"""After so many failures of the same call nothing more is asked: the rest would most likely fail too."""


class Gathering:
    """The growing answer of one source. Filled by one thread; :meth:`each` asks with several."""

    def __init__(self, source: str, *, unit: str) -> None:
        self.source = source
        self.examined = 0
        self._unit = unit
        self._usages: dict[Usage, None] = {}
        self._unresolved: dict[Unresolved, None] = {}
        self._invalid: dict[str, None] = {}
        self._gaps: dict[str, None] = {}

    def add(self, findings: Iterable[Finding], *, where: str, path: str, runs: bool = True) -> None:
        """Take in what one object of the cloud names. Where it ``runs`` something, that it names nothing is a gap."""
        self.examined += 1
        named = tuple(findings)
        if runs and not named:
            self.gap(f"{self.source}: {where} does not say which image it runs, as the cloud documents it")
        told = evidence(named, Place(source=self.source, where=where, path=path))
        self._usages |= dict.fromkeys(told.usages)
        self._unresolved |= dict.fromkeys(told.unresolved)
        self._invalid |= dict.fromkeys(told.invalid)

    def gap(self, sentence: str) -> None:
        """Take note of something that could not be seen."""
        self._gaps[sentence] = None

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Make a gap of an error in the block. What the user configured wrongly is still raised."""
        try:
            yield
        except ConfigurationError:
            raise
        except TagsweepError as error:
            self.gap(as_gap(error))

    def each(self, ask: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[tuple[Item, Answer]]:
        """Yield each item with the answer of ``ask``, several being asked at once; an error is a gap."""

        def guarded(item: Item) -> Answer | TagsweepError:
            try:
                return ask(item)
            except ConfigurationError:
                raise
            except TagsweepError as error:
                return error

        failures = 0
        with Pool(_AT_ONCE) as pool:
            for item, answer in pool.map_unordered(guarded, items):
                if not isinstance(answer, TagsweepError):
                    yield item, answer
                    continue
                self.gap(as_gap(answer))
                failures += 1
                if failures >= _MOST_FAILURES:
                    return  # the gaps say enough

    def report(self, now: datetime) -> UsageReport:
        """Return the answer, in an order that does not depend on which call was answered first."""
        gaps = sorted(self._gaps)
        if len(gaps) > _MOST_GAPS:
            more = len(gaps) - _MOST_GAPS
            gaps = [*gaps[:_MOST_GAPS], f"{more:,} more of this kind, shown when these are settled"]
        return UsageReport(
            source=self.source,
            taken_at=now,
            usages=tuple(sorted(self._usages, key=lambda usage: (usage.where, str(usage.reference), usage.note))),
            unresolved=tuple(sorted(self._unresolved, key=lambda entry: (entry.where, entry.text, entry.note))),
            coverage=Coverage(gaps=tuple(gaps)),
            invalid=tuple(sorted(self._invalid)),
            examined=self.examined,
            unit=self._unit,
        )
