"""Gathering: what the many calls to one cloud bring together, and the gap that each failed one leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeVar

from tagsweep.http.pool import Pool
from tagsweep.model.errors import ConfigurationError, TagsweepError
from tagsweep.model.usage import Coverage, UsageReport
from tagsweep.sources.collecting import Collection, first_gaps
from tagsweep.sources.jsonapi import as_gap
from tagsweep.sources.syntaxes.findings import Finding

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_AT_ONCE: Final = 8
_MOST_FAILURES: Final = 20
"""After so many failures of the same call nothing more is asked: the rest would most likely fail too."""


class Gathering(Collection):
    """The growing answer of one source. Filled by one thread; :meth:`each` asks with several."""

    def __init__(self, source: str, *, unit: str) -> None:
        super().__init__(source)
        self._unit = unit

    def add(self, findings: Iterable[Finding], *, where: str, path: str, runs: bool = True) -> None:
        """Take in what one object of the cloud names. Where it ``runs`` something, that it names nothing is a gap."""
        self.examined += 1
        named = tuple(findings)
        if runs and not named:
            self.gap(f"{self.source}: {where} does not say which image it runs, as the cloud documents it")
        self.take(named, where=where, path=path)

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

    def answer(self, now: datetime) -> UsageReport:
        """Return the answer, in an order that does not depend on which call was answered first."""
        report = self.report(now, unit=self._unit)
        return replace(
            report,
            usages=tuple(sorted(report.usages, key=lambda usage: (usage.where, str(usage.reference), usage.note))),
            unresolved=tuple(sorted(report.unresolved, key=lambda entry: (entry.where, entry.text, entry.note))),
            coverage=Coverage(gaps=first_gaps(sorted(self.gaps()))),
            invalid=tuple(sorted(report.invalid)),
        )
