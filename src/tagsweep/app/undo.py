"""Restoring a run of the past, from its snapshot, and writing down that it was done."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from tagsweep.app.record import record_restore
from tagsweep.app.restore import restore_run
from tagsweep.app.sweep import gone_tags, load_run
from tagsweep.app.taken_back import note_restored
from tagsweep.app.targets import parse_reference
from tagsweep.model.errors import StateError
from tagsweep.model.run import Outcome, OutcomeKind, RestoreKind, RestoreOutcome, RunRecord, RunStatus
from tagsweep.stores.journal import Journal, read_journal
from tagsweep.stores.snapshots import Snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tagsweep.app.session import Session
    from tagsweep.model.plan import Plan, RepositoryPlan
    from tagsweep.model.reference import Digest, Repository


def removed_by(run_id: str, *, session: Session) -> tuple[RunRecord, Plan, Mapping[Repository, Mapping[str, Digest]]]:
    """Return a run, its plan and the tags that it removed with the digests that they had, by repository."""
    run, plan = load_run(run_id, session=session)
    journal = read_journal(session.state.run_directory(run.id).journal)
    # A step that was begun and whose end nobody wrote down may have happened; what is still there is left as it is.
    begun = (
        Outcome(repository=repository, step=step, kind=OutcomeKind.GONE, at=run.started_at)
        for repository, step in journal.open
    )
    gone = gone_tags(plan, (*begun, *journal.outcomes.values()))
    return run, plan, {part.repository: _digests(part, gone[part.repository]) for part in plan.repositories}


def _digests(part: RepositoryPlan, gone: frozenset[str]) -> Mapping[str, Digest]:
    return {each.tag: each.digest for each in part.decisions if each.tag in gone and each.digest is not None}


def undo(run_id: str, references: Sequence[str], *, session: Session) -> tuple[RestoreOutcome, ...]:
    """Put back what the run removed, or of that only what ``references`` name; each tag ends in a typed outcome."""
    run, plan, removed = removed_by(run_id, session=session)
    only = tuple(parse_reference(text) for text in references)
    directory = session.state.run_directory(run.id)
    with ExitStack() as held:
        for part in plan.repositories:
            if part.steps:  # what apply holds while it works: nobody writes into the journal meanwhile
                held.enter_context(session.state.lock(str(part.repository)))
        # Opened before anything is put back: what is done can be written down, or is not begun.
        journal = held.enter_context(Journal.resume(directory.journal))
        snapshot = held.enter_context(Snapshot.open(directory.snapshot))
        outcomes = restore_run(snapshot, removed=removed, only=only, session=session)
        note_restored(journal, outcomes)
        if run.ended_at is not None:
            journal.end(run.ended_at)
    if any(outcome.kind is RestoreKind.RESTORED for outcome in outcomes):
        session.ledger.save_run(replace(run, status=RunStatus.RESTORED))
    try:
        record_restore(run, plan, outcomes, session=session)
    except StateError as error:  # a repair is not undone by a record that cannot be written
        session.progress.note(f"the restore could not be written down: {error} ({error.remedy})")
    return outcomes
