"""Watching what is in use: the sources are asked again and again, and the ledger remembers what they say.

What runs between two sweeps and is gone when the plan is made is known later by this alone. No registry is asked.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tagsweep.app.assess import collect_usage, configured
from tagsweep.http.redact import excerpt
from tagsweep.model.errors import ConfigurationError, TagsweepError
from tagsweep.report.watch import Round, Told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tagsweep.app.session import Session
    from tagsweep.model.policy import Policy, SourceSettings
    from tagsweep.model.usage import UsageReport


class Watch:
    """Rounds over some sources of a policy. What is wrong in the policy raises ConfigurationError here, at once."""

    def __init__(self, policy: Policy, sources: Sequence[SourceSettings], session: Session) -> None:
        if not sources:
            raise ConfigurationError(
                "there is nothing to watch: the policy has no sources", remedy="describe what is in use under sources:"
            )
        # What the ledger remembers is not compared, so it is not read either.
        self._sources = tuple(replace(entry, remember=timedelta(0)) for entry in sources)
        self._evidence = policy.evidence
        self._base = str(Path(policy.path).parent)
        self._session = session
        self._before: dict[str, frozenset[str]] = {}
        self._number = 0
        for entry in self._sources:
            configured(entry, self._base, session)

    def rounds(self, every: timedelta, wait: Callable[[float], bool]) -> Iterator[Round]:
        """Yield a round, wait, and so on, until ``wait`` says that it was told to end.

        Rounds begin at whole multiples of ``every`` after the first, so that slow ones make no drift; what a round
        that took longer has missed is left out. ``wait`` takes seconds and returns whether to end.
        """
        clock = self._session.clock
        step = every.total_seconds()
        due = clock.monotonic()
        while True:
            yield self.round()
            now = clock.monotonic()
            due += step * (int((now - due) // step) + 1)
            if wait(max(due - now, 0.0)):
                return

    def round(self) -> Round:
        """Ask every source once and remember what it says. An error of one is told, and the next is asked."""
        clock = self._session.clock
        self._number += 1
        at, began = clock.now(), clock.monotonic()
        told = tuple(self._ask(entry) for entry in self._sources)
        took = timedelta(seconds=clock.monotonic() - began)
        return Round(number=self._number, at=at, took=took, told=told)

    def _ask(self, entry: SourceSettings) -> Told:
        try:
            (report,) = collect_usage((entry,), self._evidence, base=self._base, session=self._session)
        except TagsweepError as error:
            return Told(source=entry.name, error=f"{error}; {error.remedy}" if error.remedy else str(error))
        except Exception as error:  # noqa: BLE001  # a watcher that ends for a mistake in one source remembers nothing
            return Told(source=entry.name, error=f"{type(error).__name__}: {excerpt(str(error))}")
        return self._compared(report)

    def _compared(self, report: UsageReport) -> Told:
        now = frozenset(f"{usage.reference} ({usage.where})" for usage in report.usages if usage.last_seen is None)
        before = self._before.get(report.source)
        complete = report.coverage.complete
        # With gaps, what is missing may only not have been seen; it is compared again in the next whole answer.
        self._before[report.source] = now if complete or before is None else now | before
        return Told(
            source=report.source,
            places=len(now),
            unresolved=len(report.unresolved),
            new=tuple(sorted(now - before)) if before is not None else (),
            gone=tuple(sorted(before - now)) if before is not None and complete else (),
            gaps=report.coverage.gaps,
        )
