"""Asking every evidence source of a policy what is in use, and remembering it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from tagsweep.app.plugins import source_factory
from tagsweep.model.errors import ConfigurationError, TagsweepError
from tagsweep.model.usage import Coverage, UsageReport
from tagsweep.ports import SourceContext

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta

    from tagsweep.app.session import Session
    from tagsweep.model.policy import Evidence, SourceSettings
    from tagsweep.ports import UsageSource


def collect_usage(
    sources: Iterable[SourceSettings], evidence: Evidence, *, base: str, session: Session, now: datetime | None = None
) -> tuple[UsageReport, ...]:
    """Return one report for each source, in the policy's order, with what it said before as far as that is to count.

    A source that fails is a report with a gap, so that what depends on it stays undecided with the error as the
    reason; a source that is configured wrongly raises ConfigurationError before any is asked. The ledger learns what
    was said, whether or not the policy wants it remembered: it may want that later.

    ``now`` is the one clock of a plan, from which the answers then are; without it each has the time of its asking.
    """
    asked = [(entry, configured(entry, base, session)) for entry in sources]
    reports = []
    for entry, source in asked:
        session.progress.begin(f"asking {entry.name} what is in use", None)
        at = session.clock.now() if now is None else now
        report = _ask(entry, source, at)
        session.ledger.remember_usages(report.source, report.usages, at)
        remember = evidence.remember if entry.remember is None else entry.remember
        reports.append(_with_remembered(report, remember, session))
    return tuple(reports)


def configured(entry: SourceSettings, base: str, session: Session) -> UsageSource:
    """Return the source that the policy describes, not yet asked; raise ConfigurationError for a wrong option."""
    cache = session.state.path / "sources" / quote(entry.name, safe="")
    context = SourceContext(base=base, clock=session.clock, progress=session.progress, cache=str(cache))
    return source_factory(entry.kind).configure(entry, context=context)


def _ask(entry: SourceSettings, source: UsageSource, now: datetime) -> UsageReport:
    try:
        return source.collect(now)
    except ConfigurationError:
        raise
    except TagsweepError as error:
        gap = f"{error}; {error.remedy}" if error.remedy else str(error)
        return UsageReport(source=entry.name, taken_at=now, coverage=Coverage(gaps=(gap,)))


def _with_remembered(report: UsageReport, remember: timedelta, session: Session) -> UsageReport:
    """Return the report with what earlier answers had within ``remember`` and this one has not."""
    if not remember:
        return report
    now_used = {(usage.reference.with_default_tag(), usage.where) for usage in report.usages}
    earlier = tuple(
        usage
        for usage in session.ledger.remembered_usages(report.source, since=report.taken_at - remember)
        if (usage.reference, usage.where) not in now_used
    )
    return replace(report, usages=report.usages + earlier)
