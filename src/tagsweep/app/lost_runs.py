"""Runs that the ledger does not know, made anew from their own files: the journal and the plan say all that counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tagsweep.app.apply import progressed
from tagsweep.app.taken_back import restored_tags
from tagsweep.model.errors import PlanError, StateError
from tagsweep.model.run import RunRecord, RunStatus
from tagsweep.stores.journal import read_journal
from tagsweep.stores.planfile import load_plan, seal_of

if TYPE_CHECKING:
    from tagsweep.app.session import Session


def recall_runs(session: Session) -> None:
    """Note in the ledger every run whose files are here and which it does not know, with the plan that it used up.

    A ledger that was lost, or restored from an old backup, so takes no run with it: it can be resumed, verified and
    taken back, and its plan is not used again. What is damaged is told and left out.
    """
    known = {run.id for run in session.ledger.runs()}
    for run_id in session.state.run_ids():
        directory = session.state.run_directory(run_id)
        if run_id in known or not (directory.journal.is_file() and directory.plan.is_file()):
            continue
        try:
            found = _read(run_id, session)
            if found is None:
                continue
            record, seal = found
            session.ledger.claim_plan(record.plan_id, seal, run_id, session.clock.now(), record=record)
        except (PlanError, StateError) as error:
            session.progress.note(f"{run_id} is not in the ledger, and its files do not tell it: {error}")
            continue
        session.progress.note(f"{run_id} was not in the ledger; it is again, from its journal and plan")


def _read(run_id: str, session: Session) -> tuple[RunRecord, str] | None:
    """Return the run and the seal of its plan, or None for one that was stopped before it did anything."""
    directory = session.state.run_directory(run_id)
    content = read_journal(directory.journal)
    if not content.outcomes and not content.open and content.ended is None:
        return None
    try:
        data = directory.plan.read_bytes()
    except OSError as error:
        raise StateError(f"{directory.plan} cannot be read: {error.strerror or error}") from error
    plan, header = load_plan(data, name=str(directory.plan)), content.header
    if (header.run_id, header.plan_id, header.seal) != (run_id, plan.id, seal_of(data)):
        raise StateError(f"{directory.journal} is of another run, or of another plan")
    outcomes = tuple(content.outcomes.values())
    record = RunRecord(
        id=run_id,
        plan_id=plan.id,
        status=RunStatus.RUNNING,
        started_at=header.started_at,
        ended_at=content.ended,
        repositories=tuple(str(part.repository) for part in plan.repositories if part.steps),
        planned_tags=plan.removals,
        removed_tags=0,
    )
    if restored_tags(run_id, session=session):
        record = replace(record, status=RunStatus.RESTORED)
    elif content.ended is not None:
        whole = all(outcome.kind.absent for outcome in outcomes)
        record = replace(record, status=RunStatus.DONE if whole else RunStatus.PARTIAL)
    return progressed(record, plan, outcomes), header.seal
