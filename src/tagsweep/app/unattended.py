"""Running a policy with nobody there: is it due, plan, guards, apply, verify, record, and tell how it ended.

The first call of a schedule notes that it holds from now on and sweeps for no date that is past. The ledger has each
attempt with the date that it was for. A date is used by an attempt that came to an end of its own (swept, nothing to
remove, planned for approval, partial, damaged). One that was refused or failed leaves its date due,
so that the next call tries again; a run that was broken off is taken up first, as long as its plan is good. A process
that died after its run had ended leaves a date that is used: the next call notes that, and does not sweep again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tagsweep.app.asked import Asked
from tagsweep.app.make_plan import make_plan
from tagsweep.app.planfiles import read_plan, write_plan
from tagsweep.app.policy_key import policy_key
from tagsweep.app.record import check_record
from tagsweep.app.sweep import Swept, load_run, removed_and_open, sweep, verify_again
from tagsweep.app.telling import Telling, next_due
from tagsweep.config.schedule import zone_of
from tagsweep.core.cron import parse_cron, plain
from tagsweep.core.due import due, since_known
from tagsweep.model.errors import DamageFound, PlanError, Refused, StateError, StepsFailed, TagsweepError
from tagsweep.model.run import RunStatus
from tagsweep.model.schedule import Attempt, AttemptResult
from tagsweep.report.attempt import AttemptReport
from tagsweep.stores.journal import read_journal
from tagsweep.stores.planfile import dump_plan, seal_of

if TYPE_CHECKING:
    from tagsweep.app.session import Session
    from tagsweep.model.plan import GuardRefusal, Plan
    from tagsweep.model.policy import Policy
    from tagsweep.model.run import RunRecord

_EXIT_CODES: Final = {
    AttemptResult.REFUSED: Refused.exit_code,
    AttemptResult.PARTIAL: StepsFailed.exit_code,
    AttemptResult.DAMAGED: DamageFound.exit_code,
}
_OF_STATUS: Final = {
    RunStatus.DONE: AttemptResult.SWEPT,
    RunStatus.PARTIAL: AttemptResult.PARTIAL,
    RunStatus.DAMAGED: AttemptResult.DAMAGED,
    RunStatus.RESTORED: AttemptResult.SWEPT,  # whoever took it back does not want it done again for the same date
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """One attempt with all that came of it. ``error`` is what ended it, where something did."""

    report: AttemptReport
    swept: Swept | None = None
    error: TagsweepError | None = None


@dataclass(slots=True, kw_only=True)
class _Work:
    """An attempt under way."""

    attempt: Attempt
    plan: Plan | None = None
    swept: Swept | None = None
    refusals: tuple[GuardRefusal, ...] = ()
    error: TagsweepError | None = None
    remedy: str = ""
    """What may be done where there is no error."""


def run_unattended(policy: Policy, asked: Asked, *, session: Session) -> tuple[Finished, ...]:
    """Run the policy if it is due, and return what was done: nothing, one attempt, or two where one was taken up first.

    Errors are in what is returned, recorded and told. Raises Busy where another process runs this policy now, and
    StateError where the state itself cannot be used: both are for the caller to tell.
    """
    key = policy_key(policy.path, policy.targets, state=session.state, ledger=session.ledger)
    with session.state.lock(f"policy {key}", now=session.clock.now()):
        done = tuple(_Runner(policy, key, asked, session).attempts())
        with contextlib.suppress(StateError):  # the end of the session tries again, and says what failed
            session.checkpoint()  # while nobody else may ask what is due
        return done


class _Runner:
    def __init__(self, policy: Policy, key: str, asked: Asked, session: Session) -> None:
        self.policy = policy
        self.key = key
        self.asked = asked
        self.session = session
        self.ledger = session.ledger
        schedule = policy.schedule
        self.schedule = "" if schedule is None else f"{plain(schedule.cron)} {schedule.time_zone}"
        self.telling = Telling(policy=policy, asked=asked, clock=session.clock, progress=session.progress)

    def attempts(self) -> Iterator[Finished]:
        """Do what is to be done, one attempt after the other."""
        asked = self.asked
        broken_off = None if asked.plan_only or asked.plan is not None else self._broken_off()
        self._note_death(taken_up=None if broken_off is None else broken_off.plan_id)
        if asked.plan is not None:
            yield self._attempt(None, lambda work: self._carry_out(work, *read_plan(asked.plan or Path())))
            return
        if broken_off is not None:
            finished = self._attempt(broken_off.due, lambda work: self._take_up(work, broken_off))
            yield finished
            if not finished.report.attempt.result.uses_date:
                return
        date, known = self._due()
        always = self.policy.schedule is None or asked.force
        if date is not None or (always and broken_off is None):
            yield self._attempt(date, self._sweep)
        elif not known:
            yield self._attempt(None, self._begin)

    def _note_death(self, *, taken_up: str | None) -> None:
        """Write down and tell that the process of the last attempt ended before it did, unless its run goes on now.

        A run that had ended by then has used the date all the same: it was only not noted any more.
        """
        attempts = self.ledger.attempts(self.key)
        if not attempts or attempts[-1].result is not AttemptResult.OPEN:
            return
        last = attempts[-1]
        run_id = None if last.plan_id is None else self.ledger.run_of_plan(last.plan_id)
        run = None if run_id is None else self.ledger.run(run_id)
        if run is not None and run.status in _OF_STATUS:
            self._note_end(last, run, attempts[:-1])
            return
        died = replace(last, result=AttemptResult.FAILED, why="its process ended before it did", run_id=run_id)
        if taken_up is None and not self._carries_on(last):
            self.session.progress.note("the last attempt did not come to its end: its process ended before it did")
            error = StateError(died.why, remedy="was it killed, or did the machine stop?")
            self._tell(_Work(attempt=died, error=error), attempts[:-1])
        self.ledger.save_attempt(died)  # last, so that a process that ends here as well leaves it to the next one

    def _note_end(self, last: Attempt, run: RunRecord, earlier: tuple[Attempt, ...]) -> None:
        """Write down and tell how the run of the last attempt had ended; its changelog entry is written already."""
        result = _OF_STATUS[run.status]
        why = "its process ended after the run did, before it could tell"
        ended = max(run.ended_at or last.began_at, last.began_at)
        attempt = replace(last, result=result, why=why, run_id=run.id, ended_at=ended)
        work = _Work(attempt=attempt)
        try:
            work.plan = load_run(run.id, session=self.session)[1]
        except TagsweepError as error:  # the end is known without it
            self.session.progress.note(f"what {run.id} had to do is not known: {error}")
        self.session.progress.note(f"{run.id} had ended, and its process before it could tell: its date is not due")
        self._tell(work, earlier, recorded=True)
        self.ledger.save_attempt(attempt)

    def _carries_on(self, last: Attempt) -> bool:
        """Tell whether the plan that is to be carried out is the one of the last attempt."""
        if self.asked.plan is None or last.plan_id is None:
            return False
        try:
            return read_plan(self.asked.plan)[0].id == last.plan_id
        except TagsweepError:  # the attempt will say so
            return False

    def _due(self) -> tuple[datetime | None, bool]:
        """Return the date that is due, and whether the schedule was known before, so that its dates count."""
        schedule = self.policy.schedule
        if schedule is None:
            return None, True
        now, attempts = self.session.clock.now(), self.ledger.attempts(self.key)
        since, known = since_known(now, (one.asked_at for one in attempts if one.schedule == self.schedule))
        done = [one.due for one in attempts if one.due is not None and one.result.uses_date]
        # A plan removes nothing: whoever approves it sees for which date it is.
        bound = None if self.asked.plan_only else since
        return due(now, done, parse_cron(schedule.cron), zone_of(schedule), since=bound), known

    def _broken_off(self) -> Attempt | None:
        """Return the last attempt if its run was begun and not ended, and can go on.

        It can while its plan is good, and where all its steps have ended, so that only its record is missing.
        """
        attempts = self.ledger.attempts(self.key)
        last = attempts[-1] if attempts else None
        if last is None or last.plan_id is None or last.result.uses_date:
            return None
        run_id = self.ledger.run_of_plan(last.plan_id)
        run = None if run_id is None else self.ledger.run(run_id)
        if run is None or run.status is not RunStatus.RUNNING:
            return None
        try:
            _, plan = load_run(run.id, session=self.session)
            good = self._is_good(plan) or self._did_all(run.id)
        except TagsweepError as error:
            if self.session.state.elsewhere is not None and not isinstance(error, PlanError):
                raise  # the registry that holds the run may be away for a moment: the next call finds it again
            self.session.progress.note(f"{run.id} was broken off and cannot be taken up: {error} ({error.remedy})")
            return None
        return replace(last, run_id=run.id) if good else None

    def _is_good(self, plan: Plan) -> bool:
        return self.session.clock.now() <= plan.valid_until

    def _did_all(self, run_id: str) -> bool:
        return read_journal(self.session.state.run_directory(run_id).journal).ended is not None

    # --- one attempt ---
    def _attempt(self, date: datetime | None, do: Callable[[_Work], AttemptResult]) -> Finished:
        earlier = self.ledger.attempts(self.key)
        began = shown = self.session.clock.now()
        if earlier:  # the ledger tells attempts apart by when they began, also where the clock was set back
            began = max(began, earlier[-1].began_at + timedelta(microseconds=1))
        attempt = Attempt(
            policy=self.key,
            due=date,
            began_at=began,
            clock=None if began == shown else shown,
            schedule=self.schedule,
            targets=self.policy.targets,
        )
        work = _Work(attempt=attempt)
        self.ledger.save_attempt(work.attempt)
        with self.session.trace.span(
            "tagsweep run", policy=self.key, due="" if date is None else date.isoformat()
        ) as tell:
            try:
                result = do(work)
            except TagsweepError as error:
                work.error = error
                result = AttemptResult.REFUSED if isinstance(error, Refused) else AttemptResult.FAILED
            tell("result", result.value)
        why = str(work.error) if work.error is not None else work.attempt.why
        ended = max(self.session.clock.now(), began)
        run_id = None if work.plan is None else self.ledger.run_of_plan(work.plan.id)
        work.attempt = replace(work.attempt, result=result, why=why, ended_at=ended, run_id=run_id)
        try:
            self.ledger.save_attempt(work.attempt)
        except StateError as error:  # the next call notes it by the run; whoever waits for a message gets it now
            work.error = work.error or error
            work.attempt = replace(work.attempt, why=why or f"this end could not be noted: {error}")
        return self._tell(work, earlier)

    def _begin(self, work: _Work) -> AttemptResult:
        """Note the schedule. Whoever installs one, or lost what was known of it, does not ask for the last date."""
        work.attempt = replace(work.attempt, why="no earlier call of this schedule is known here: it holds from now on")
        work.remedy = "To sweep now: tagsweep run --force. If it ran here before, its state was lost"
        return AttemptResult.BEGUN

    def _sweep(self, work: _Work) -> AttemptResult:
        planned = make_plan(self.policy, session=self.session, sizes=False)
        plan, output = planned.plan, self.asked.output
        work.refusals = planned.refusals
        self._plan_is(work, plan)
        if planned.refusals:
            first = planned.refusals[0]
            raise Refused(f"refused by {first.guard}: {first.message}", remedy=first.remedy)
        if not plan.removals:
            return AttemptResult.NOTHING
        if output is not None:
            write_plan(plan, output, session=self.session)
        if self.asked.plan_only:
            check_record(plan)
            return AttemptResult.PLANNED
        data = dump_plan(plan)
        return self._apply(work, plan, data, seal_of(data))

    def _carry_out(self, work: _Work, plan: Plan, data: bytes, seal: str) -> AttemptResult:
        if plan.policy_fingerprint != self.policy.fingerprint:
            raise PlanError(
                f"{self.policy.path} was changed since {plan.id} was made",
                remedy="make a new plan; or tagsweep apply, which goes by the plan alone",
            )
        run_id = self.ledger.run_of_plan(plan.id)
        run = None if run_id is None else self.ledger.run(run_id)
        if run is not None and run.status in _OF_STATUS:  # before it counts as this attempt's: that run is told already
            raise PlanError(f"the plan {plan.id} was used by the run {run.id}", remedy="make a new plan")
        self._plan_is(work, plan)
        return self._apply(work, plan, data, seal) if plan.removals else AttemptResult.NOTHING

    def _take_up(self, work: _Work, broken_off: Attempt) -> AttemptResult:
        assert broken_off.run_id is not None  # noqa: S101 (see _broken_off)
        plan, data, seal = read_plan(self.session.state.run_directory(broken_off.run_id).plan)
        self.session.progress.note(f"{broken_off.run_id} was broken off and is taken up")
        self._plan_is(work, plan)
        if self._is_good(plan):
            return self._apply(work, plan, data, seal)
        work.swept = verify_again(broken_off.run_id, session=self.session)  # deletes nothing: see _broken_off
        return self._end_of(work.swept)

    def _plan_is(self, work: _Work, plan: Plan) -> None:
        """Note the plan before it is carried out: whoever comes after a crash finds its run by it."""
        work.plan = plan
        work.attempt = replace(work.attempt, plan_id=plan.id)
        self.ledger.save_attempt(work.attempt)

    def _apply(self, work: _Work, plan: Plan, data: bytes, seal: str) -> AttemptResult:
        work.swept = sweep(plan, data, seal=seal, session=self.session)
        return self._end_of(work.swept)

    def _end_of(self, swept: Swept) -> AttemptResult:
        result = _OF_STATUS.get(swept.report.run.status)
        if result is None:
            raise StateError(
                f"{swept.report.run.id} did not come to its end", remedy="the next tagsweep run takes it up"
            )
        return result

    # --- telling ---
    def _tell(self, work: _Work, earlier: tuple[Attempt, ...], *, recorded: bool = False) -> Finished:
        """Write and send how an attempt ended. ``recorded`` says that its sweep wrote its changelog entry before."""
        attempt, swept = work.attempt, work.swept
        code = work.error.exit_code if work.error is not None else _EXIT_CODES.get(attempt.result, 0)
        removed, unknown = self._removed(attempt)
        report = AttemptReport(
            attempt=attempt,
            exit_code=code,
            removed=removed,
            unknown=unknown,
            plan=work.plan,
            sweep=None if swept is None else swept.report,
            refusals=work.refusals,
            remedy=work.remedy if work.error is None else work.error.remedy,
            next_date=next_due(self.policy, attempt.ended_at or attempt.began_at),
            last_success=max(
                (one.ended_at for one in (*earlier, attempt) if one.result.success and one.ended_at is not None),
                default=None,
            ),
            link=self.asked.link,
        )
        self.telling.write(report, entry=not recorded)
        last = earlier[-1] if earlier else None
        news = last is None or last.untold or attempt.result.uses_date or not _is_same(last, attempt)
        if news and self.telling.send(report):
            self.telling.note(lambda: self.ledger.save_attempt(replace(attempt, untold=True)))
        return Finished(report=report, swept=swept, error=work.error)

    def _removed(self, attempt: Attempt) -> tuple[int, int]:
        """Return how many tags the attempt's run removed, and of how many that is not known.

        By its journal: the ledger does not know it of a run that was broken off.
        """
        if attempt.run_id is None or not self.session.state.run_directory(attempt.run_id).journal.exists():
            return 0, 0
        try:
            return removed_and_open(attempt.run_id, session=self.session)
        except TagsweepError as error:
            self.session.progress.note(f"how many tags {attempt.run_id} removed is not known: {error}")
            known = self.ledger.run(attempt.run_id)
            return (0, 0) if known is None else (known.removed_tags, known.planned_tags - known.removed_tags)


def _is_same(one: Attempt, other: Attempt) -> bool:
    """Tell whether an attempt ended as the one before it, for the same date: people know already."""
    return (one.due, one.result, one.why) == (other.due, other.result, other.why)
