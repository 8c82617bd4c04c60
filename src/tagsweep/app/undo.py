"""Restoring a run of the past, from its snapshot, and writing down that it was done."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tagsweep.app.restore import restore_run
from tagsweep.app.sweep import gone_tags, load_run, run_outcomes
from tagsweep.app.targets import parse_reference
from tagsweep.model.run import RestoreKind, RestoreOutcome, RunRecord, RunStatus
from tagsweep.stores.snapshots import Snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tagsweep.app.session import Session
    from tagsweep.model.plan import Plan
    from tagsweep.model.reference import Repository


def removed_by(run_id: str, *, session: Session) -> tuple[RunRecord, Plan, Mapping[Repository, frozenset[str]]]:
    """Return a run, its plan and the tags that it removed, by repository."""
    run, plan = load_run(run_id, session=session)
    return run, plan, gone_tags(plan, run_outcomes(run, session=session))


def undo(run_id: str, references: Sequence[str], *, session: Session) -> tuple[RestoreOutcome, ...]:
    """Put back what the run removed, or of that only what ``references`` name; each tag ends in a typed outcome."""
    run, _, removed = removed_by(run_id, session=session)
    only = tuple(parse_reference(text) for text in references)
    with Snapshot.open(session.state.run_directory(run.id).snapshot) as snapshot:
        outcomes = restore_run(snapshot, removed=removed, only=only, session=session)
    if any(outcome.kind is RestoreKind.RESTORED for outcome in outcomes):
        session.ledger.save_run(replace(run, status=RunStatus.RESTORED))
    return outcomes
