"""Writing and sending how an unattended run ended: metrics, the job's summary, the changelog, messages to people.

It needs no state: that the state cannot be read, or is not let in, is told the same way. Nothing here fails a run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tagsweep.app.notify import notify
from tagsweep.app.planfiles import write_text
from tagsweep.app.posting import from_environment, send
from tagsweep.app.record import beside, write_entry
from tagsweep.config.schedule import zone_of
from tagsweep.core.cron import parse_cron
from tagsweep.core.due import next_date
from tagsweep.model.errors import TagsweepError
from tagsweep.model.schedule import Attempt, AttemptResult
from tagsweep.report import changelog, messages
from tagsweep.report.attempt import AttemptReport, event
from tagsweep.report.metrics import TEXT_FORMAT, metrics, push_path
from tagsweep.stores import durable

if TYPE_CHECKING:
    from datetime import datetime

    from tagsweep.app.asked import Asked
    from tagsweep.model.policy import Policy
    from tagsweep.ports import Clock, Progress


def next_due(policy: Policy, now: datetime) -> datetime | None:
    """Return the first date after ``now``, or None if the policy has no schedule."""
    schedule = policy.schedule
    return None if schedule is None else next_date(now, parse_cron(schedule.cron), zone_of(schedule))


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What telling needs: the policy, which says whom and where, and what this call wants beyond it."""

    policy: Policy
    asked: Asked
    clock: Clock
    progress: Progress

    def write(self, report: AttemptReport, *, entry: bool = True) -> None:
        """Write metrics, summary and, with ``entry``, what the changelog is to have of an end without a sweep."""
        for write in (self._write_metrics, self._push_metrics, self._write_summary):
            self.note(partial(write, report))
        if entry:
            self.note(partial(self._write_entry, report))

    def send(self, report: AttemptReport) -> bool:
        """Tell people, and return whether all of those who were to hear of this end did not."""
        wanted = tuple(one for one in self.policy.record.notify if event(report.attempt.result) in one.when)
        troubles = notify(report, wanted, environ=self.asked.environ, clock=self.clock, progress=self.progress)
        return bool(wanted) and len(troubles) == len(wanted)

    def note(self, do: Callable[[], None]) -> None:
        """Do what must not hide how the run ended: an error in it is told, and no more."""
        try:
            do()
        except TagsweepError as error:
            self.progress.note(f"the run could not be written down: {error} ({error.remedy})")

    def _write_metrics(self, report: AttemptReport) -> None:
        name = self.policy.record.metrics
        if name is not None:
            durable.write_file(beside(self.policy.path, name), metrics(report).encode(), mode=0o644)

    def _push_metrics(self, report: AttemptReport) -> None:
        name = self.policy.record.metrics_url_env
        if name is not None:
            url = f"{from_environment(name, self.asked.environ).rstrip('/')}{push_path(report)}"
            body = metrics(report).encode()
            send("PUT", url, body, content_type=TEXT_FORMAT, clock=self.clock, public=True)

    def _write_summary(self, report: AttemptReport) -> None:
        if self.asked.summary is not None:
            write_text(self.asked.summary, messages.summary(report))

    def _write_entry(self, report: AttemptReport) -> None:
        """Write the changelog's entry where no sweep wrote one. Each policy has its own, also in one file."""
        name, attempt = self.policy.record.changelog, report.attempt
        if name is not None and report.sweep is None and not attempt.result.good:
            policy = hashlib.sha256(attempt.policy.encode()).hexdigest()[:8]
            entry_id = f"attempt-{policy}-{attempt.due or attempt.began_at:%Y%m%dT%H%M%SZ}"
            entry = changelog.failed_entry(attempt, entry_id=entry_id, removed=report.removed, unknown=report.unknown)
            write_entry(beside(self.policy.path, name), entry, run_id=entry_id)


def tell_without_state(error: TagsweepError, *, key: str, telling: Telling) -> None:
    """Tell that a run came to nothing, or to nothing that is remembered, because of ``error``.

    There is no state to look up whether people know already, so they are told each time. The changelog has no entry:
    it is written by what knows the dates.
    """
    now = telling.clock.now()
    attempt = Attempt(policy=key, due=None, began_at=now, ended_at=now, result=AttemptResult.FAILED, why=str(error))
    report = AttemptReport(
        attempt=attempt,
        exit_code=error.exit_code,
        remedy=error.remedy,
        next_date=next_due(telling.policy, now),
        link=telling.asked.link,
    )
    telling.write(report, entry=False)
    telling.send(report)
