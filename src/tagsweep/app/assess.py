"""Asking every evidence source of a policy what is in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsweep.app.plugins import source_factory
from tagsweep.model.errors import ConfigurationError, TagsweepError
from tagsweep.model.usage import Coverage, UsageReport

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tagsweep.app.session import Session
    from tagsweep.model.policy import SourceSettings


def collect_usage(sources: Iterable[SourceSettings], *, base: str, session: Session) -> tuple[UsageReport, ...]:
    """Return one report for each source, in the policy's order.

    A source that fails is a report with a gap, so that what depends on it stays undecided with the error as the
    reason; a source that is configured wrongly raises ConfigurationError.
    """
    configured = [(entry.name, source_factory(entry.kind).configure(entry, base=base)) for entry in sources]
    reports = []
    for name, source in configured:
        session.progress.begin(f"asking {name} what is in use", None)
        now = session.clock.now()
        try:
            reports.append(source.collect(now))
        except ConfigurationError:
            raise
        except TagsweepError as error:
            reports.append(UsageReport(source=name, taken_at=now, coverage=Coverage(gaps=(str(error),))))
    return tuple(reports)
