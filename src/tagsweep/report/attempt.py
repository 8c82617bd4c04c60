"""How an unattended run ended, in words: a title and the facts that notifications and the terminal have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never

from tagsweep.model.plan import GuardRefusal, Plan
from tagsweep.model.policy import NotificationEvent
from tagsweep.model.run import SweepReport
from tagsweep.model.schedule import Attempt, AttemptResult
from tagsweep.report.results import SweepTotals, results_of, totals_of
from tagsweep.report.totals import space_words
from tagsweep.report.units import agree, count, duration, moment, plural

_MOST_REPOSITORIES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptReport:
    """An attempt with what it came to. ``removed`` is known also where an error ended the sweep."""

    attempt: Attempt
    exit_code: int
    removed: int = 0
    unknown: int = 0
    """Of how many more tags it is not known whether they were removed: the run was broken off at them."""
    plan: Plan | None = None
    sweep: SweepReport | None = None
    refusals: tuple[GuardRefusal, ...] = ()
    remedy: str = ""
    next_date: datetime | None = None
    last_success: datetime | None = None
    link: str = ""
    """Where people find more: the page of the CI job, for example."""

    @property
    def took(self) -> timedelta:
        """How long it took."""
        return (self.attempt.ended_at or self.attempt.began_at) - self.attempt.began_at

    @property
    def totals(self) -> SweepTotals | None:
        """The sums over all repositories, where there was a sweep."""
        return None if self.sweep is None else totals_of(results_of(self.sweep))


def event(result: AttemptResult) -> NotificationEvent:
    """Return what a policy calls such an end."""
    match result:
        case AttemptResult.SWEPT:
            return NotificationEvent.SWEPT
        case AttemptResult.NOTHING:
            return NotificationEvent.NOTHING
        case AttemptResult.PLANNED:
            return NotificationEvent.PLANNED
        case AttemptResult.BEGUN:
            return NotificationEvent.BEGUN
        case _:
            return NotificationEvent.FAILED


def title(report: AttemptReport) -> str:  # noqa: PLR0911 (one return for each end)
    """Return how it ended, in one line without a full stop."""
    planned = 0 if report.plan is None else report.plan.removals
    repositories = () if report.plan is None else [part for part in report.plan.repositories if part.removed_tags]
    tags, gone = plural(planned, "tag"), plural(report.removed, "tag")
    result = report.attempt.result
    match result:
        case AttemptResult.SWEPT:
            return f"{gone} removed from {plural(len(repositories), 'repository')}"
        case AttemptResult.NOTHING:
            return "Nothing to remove"
        case AttemptResult.PLANNED:
            return f"{tags} {agree(planned, 'is')} to be removed: the plan waits for approval"
        case AttemptResult.BEGUN:
            return "The schedule begins; nothing was removed"
        case AttemptResult.REFUSED:
            return "The sweep was refused; nothing was removed"
        case AttemptResult.PARTIAL:
            return f"{count(report.removed)} of {tags} removed; some steps failed"
        case AttemptResult.DAMAGED:
            return f"Damage was found after {gone} {agree(report.removed, 'was')} removed"
        case AttemptResult.FAILED | AttemptResult.OPEN:
            before = f"; {gone} {agree(report.removed, 'was')} removed before" if report.removed else ""
            return f"The sweep failed{before}"
        case _:
            assert_never(result)


def facts(report: AttemptReport, *, why: bool = True) -> tuple[str, ...]:
    """Return the lines below the title: why, what remedy, numbers for each repository, what comes next.

    Without ``why`` the first two are left out, for whoever says them elsewhere.
    """
    return tuple(_facts(report, why=why))


def _facts(report: AttemptReport, *, why: bool) -> Iterator[str]:
    attempt = report.attempt
    if why and attempt.why:
        yield attempt.why
    if why and report.remedy:
        yield report.remedy if attempt.result is AttemptResult.BEGUN else f"Remedy: {report.remedy}"
    for refusal in report.refusals[1:]:
        yield f"{refusal.guard}: {refusal.message}"
    yield from _numbers(report)
    if report.unknown:
        yield f"Of {plural(report.unknown, 'more tag')} it is not known: the run was broken off while removing them"
    due = "" if attempt.due is None else f", due {moment(attempt.due)}"
    yield f"Policy {attempt.policy}{due}; took {duration(report.took)}"
    if attempt.run_id is not None:
        yield f"Run {attempt.run_id}; to take it back: tagsweep restore {attempt.run_id} --yes"
    if attempt.due is not None and not attempt.result.uses_date:
        yield "The date stays due: the next run tries again"
    elif report.next_date is not None:
        yield f"Next date: {moment(report.next_date)}"


def _numbers(report: AttemptReport) -> Iterator[str]:
    if report.sweep is not None:
        results = results_of(report.sweep)
        for result in results[:_MOST_REPOSITORIES]:
            space = result.space if result.space and result.space.reclaimable else None
            frees = f"; frees {space_words(space)} once the registry collects" if space else ""
            tags = plural(len(result.plan.decisions), "tag")
            yield f"{result.plan.repository}: {count(len(result.removed))} of {tags} removed{frees}"
        if len(results) > _MOST_REPOSITORIES:
            yield f"and {plural(len(results) - _MOST_REPOSITORIES, 'repository')} more"
    elif report.plan is not None and _has_numbers(report):
        for part in report.plan.repositories[:_MOST_REPOSITORIES]:
            remove = len(part.removed_tags)
            yield f"{part.repository}: {count(remove)} of {plural(len(part.decisions), 'tag')} would go"


def _has_numbers(report: AttemptReport) -> bool:
    """Tell whether the plan of an attempt without a sweep is worth its numbers."""
    return report.attempt.result in (AttemptResult.PLANNED, AttemptResult.REFUSED)
