"""The whole of applying: carry out the plan, verify, work out what became free, write it all down."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tagsweep.app.apply import apply_plan, progressed, removed_tags
from tagsweep.app.lost_runs import recall_runs
from tagsweep.app.record import check_record, write_record
from tagsweep.app.verify import verify_run
from tagsweep.core.storage import space
from tagsweep.core.timeline import count_points
from tagsweep.model.errors import ConfigurationError, DamageFound, StateError
from tagsweep.model.plan import DeleteManifest, Plan, Untag
from tagsweep.model.run import CountPoint, OutcomeKind, RunRecord, RunStatus, SweepReport, VerifyReport
from tagsweep.stores.journal import read_journal
from tagsweep.stores.planfile import load_plan
from tagsweep.stores.snapshots import Snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tagsweep.app.session import Session
    from tagsweep.model.manifest import Manifest, Unreadable
    from tagsweep.model.plan import Space
    from tagsweep.model.reference import Digest, Repository
    from tagsweep.model.run import Outcome

_ELSEWHERE: Final = "a state that only a policy names has to be given here: --state or TAGSWEEP_STATE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """A finished sweep: its report, where that was written, and whether an interrupted run was taken up."""

    report: SweepReport
    written: tuple[Path, ...]
    resumed: bool


def sweep(plan: Plan, data: bytes, *, seal: str, session: Session) -> Swept:
    """Apply ``plan``, verify the result and record it. Damage is in the report, not raised.

    Errors that stop the run are raised as they are; the journal has what was done, and applying the same plan again
    goes on from there.
    """
    check_record(plan)
    recall_runs(session)
    try:
        with session.trace.span("apply", plan=plan.id) as tell:
            applied = apply_plan(plan, data, seal=seal, session=session)
            tell("run", applied.run.id)
            tell("removed", applied.run.removed_tags)
        run, outcomes, resumed = applied.run, applied.outcomes, applied.resumed
    except DamageFound as damage:
        session.progress.note(str(damage))
        run, outcomes, resumed = _stopped(plan, session)
    return _finish(plan, run, outcomes, resumed=resumed, session=session)


def verify_again(run_id: str | None, *, session: Session) -> Swept:
    """Verify a run of the past (None: the last one) and write its record anew."""
    run, plan = load_run(run_id, session=session)
    return _finish(plan, run, run_outcomes(run, session=session), resumed=False, session=session)


def load_run(run_id: str | None, *, session: Session) -> tuple[RunRecord, Plan]:
    """Return a run and the plan that it carried out; None means the last run."""
    recall_runs(session)
    ledger = session.ledger
    if run_id is None:
        runs = ledger.runs()
        if not runs:
            raise ConfigurationError("there is no run yet in this state directory", remedy=_ELSEWHERE)
        run: RunRecord | None = max(runs, key=lambda entry: entry.started_at)
    else:
        run = ledger.run(run_id)
    if run is None:
        raise ConfigurationError(
            f"there is no run {run_id} in this state directory", remedy=f"see tagsweep history; {_ELSEWHERE}"
        )
    path = session.state.run_directory(run.id).plan
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror or error}") from error
    return run, load_plan(data, name=str(path))


def run_outcomes(run: RunRecord, *, session: Session) -> tuple[Outcome, ...]:
    """Return how the steps of a run ended, from its journal."""
    return tuple(read_journal(session.state.run_directory(run.id).journal).outcomes.values())


def gone_tags(plan: Plan, outcomes: Sequence[Outcome]) -> dict[Repository, frozenset[str]]:
    """Return the tags that a run removed, by repository."""
    kinds = {(outcome.repository, outcome.step): outcome.kind for outcome in outcomes}
    return {part.repository: removed_tags(part, kinds) for part in plan.repositories}


def removed_and_open(run_id: str, *, session: Session) -> tuple[int, int]:
    """Return how many tags a run removed, and how many more it was about to remove when it was broken off."""
    run, plan = load_run(run_id, session=session)
    content = read_journal(session.state.run_directory(run.id).journal)
    removed = sum(map(len, gone_tags(plan, tuple(content.outcomes.values())).values()))
    steps = [step for part in plan.repositories for step in part.steps if (part.repository, step.key) in content.open]
    return removed, sum(1 if isinstance(step, Untag) else len(step.tags) for step in steps)


def _stopped(plan: Plan, session: Session) -> tuple[RunRecord, tuple[Outcome, ...], bool]:
    """Return what a run that was stopped by damage had done until then."""
    run_id = session.ledger.run_of_plan(plan.id)
    run, _ = load_run(run_id, session=session)
    return run, run_outcomes(run, session=session), False


def _finish(plan: Plan, run: RunRecord, outcomes: tuple[Outcome, ...], *, resumed: bool, session: Session) -> Swept:
    with session.trace.span("verify", run=run.id) as tell:
        verification, kept = verify_run(plan, outcomes, run_id=run.id, session=session)
        tell("damage", len(verification.damage))
        tell("leftovers", len(verification.leftovers))
    run = progressed(run, plan, outcomes)
    unfinished = run.status is RunStatus.RUNNING and len(outcomes) < sum(len(p.steps) for p in plan.repositories)
    if not (unfinished and verification.ok) and run.status is not RunStatus.RESTORED:
        ended = run.ended_at or session.clock.now()
        run = replace(run, status=_status(outcomes, verification), ended_at=ended)
    removed = _removed_manifests(plan, run, outcomes, session)
    report = SweepReport(
        run=run,
        plan=plan,
        outcomes=outcomes,
        verification=verification,
        space=_space(kept, removed),
        counts=_counts(plan, outcomes, run, session),
    )
    with session.trace.span("record", run=run.id):
        written = write_record(report, session=session)
    # Last of all: a run that was killed before its record was written is taken up again, and writes it.
    session.ledger.save_run(run)
    return Swept(report=report, written=written, resumed=resumed)


def _status(outcomes: Sequence[Outcome], verification: VerifyReport) -> RunStatus:
    if verification.damage:
        return RunStatus.DAMAGED
    clean = all(outcome.kind.absent for outcome in outcomes) and not verification.leftovers
    return RunStatus.DONE if clean else RunStatus.PARTIAL


def _removed_manifests(
    plan: Plan, run: RunRecord, outcomes: Sequence[Outcome], session: Session
) -> dict[Repository, dict[Digest, Manifest | Unreadable]]:
    """Return the manifests that the run really deleted, read from its snapshot."""
    kinds = {(outcome.repository, outcome.step): outcome.kind for outcome in outcomes}
    removed: dict[Repository, dict[Digest, Manifest | Unreadable]] = {}
    path = session.state.run_directory(run.id).snapshot
    with Snapshot.open(path) as snapshot:
        for part in plan.repositories:
            if not part.steps:
                continue
            raws = {raw.digest: raw for raw in snapshot.manifests(part.repository)}
            removed[part.repository] = {
                step.digest: raws[step.digest].parse()
                for step in part.steps
                if isinstance(step, DeleteManifest)
                and kinds.get((part.repository, step.key)) in (OutcomeKind.DONE, OutcomeKind.GONE)
                and step.digest in raws
            }
    return removed


def _space(
    kept: Mapping[Repository, Mapping[Digest, Manifest]],
    removed: Mapping[Repository, Mapping[Digest, Manifest | Unreadable]],
) -> dict[Repository, Space]:
    """Return the space of each repository before, and what its deleted manifests alone referenced."""
    return {
        repository: space(
            {**removed.get(repository, {}), **manifests},
            kept=frozenset(manifests),
            removed=frozenset(removed.get(repository, {})) - frozenset(manifests),
        )
        for repository, manifests in kept.items()
    }


def _counts(plan: Plan, outcomes: Sequence[Outcome], run: RunRecord, session: Session) -> tuple[CountPoint, ...]:
    """Return the series for the picture: what the ledger remembers, and the tags that are left now."""
    gone = gone_tags(plan, outcomes)
    at = run.ended_at or session.clock.now()
    points: list[CountPoint] = []
    for part in plan.repositories:
        classes = {decision.tag: decision.naming_class for decision in part.decisions}
        left = {tag: name for tag, name in classes.items() if tag not in gone[part.repository]}
        session.ledger.record_counts(count_points(part.repository, left, at=at, among=set(classes.values())))
        points.extend(session.ledger.counts(part.repository))
    return tuple(points)
