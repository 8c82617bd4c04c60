"""Applying a plan: exactly its steps, each checked immediately before its call, each written down before and after.

The order of things: is the plan whole, fresh and unused → lease on the repositories → rights and evidence again →
everything needed to undo on disk → journal → waves of steps, with a look at the registry before each wave and at the
kept tags after it. Verification and the record are separate use cases; ``sweep`` strings them together.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tagsweep.app.execute import Executor, count_outcomes
from tagsweep.app.forbid import ask_again, forbidden_steps
from tagsweep.app.snapshot import Saved, ensure_snapshot
from tagsweep.app.targets import holds_the_state, home_of_state
from tagsweep.core.forecast import calibrate
from tagsweep.core.resume import waves
from tagsweep.model.capability import Capability
from tagsweep.model.errors import PlanError, Unsupported
from tagsweep.model.manifest import Manifest
from tagsweep.model.plan import DeleteManifest, Plan, RepositoryPlan, Untag
from tagsweep.model.run import Outcome, OutcomeKind, RunRecord, RunStatus
from tagsweep.stores import durable
from tagsweep.stores.journal import Journal, JournalContent, JournalHeader, read_journal
from tagsweep.stores.stateartifact import LEASE_TYPE, STATE_TYPE

if TYPE_CHECKING:
    from tagsweep.app.session import Session
    from tagsweep.model.reference import Repository
    from tagsweep.stores.state import RunDirectory

_CLOCK_SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """How far a plan was carried out. ``run`` is still RUNNING: verification and record end it."""

    run: RunRecord
    plan: Plan
    outcomes: tuple[Outcome, ...]
    resumed: bool


def apply_plan(plan: Plan, data: bytes, *, seal: str, session: Session) -> Applied:
    """Carry out ``plan``, whose file is ``data`` with ``seal``; resumes the run if one of this plan was interrupted.

    Raises PlanError (stale, changed or used), Refused (evidence), RegistryError (rights), StateError (disk) before
    anything is deleted, DamageFound if something kept stops resolving. What was done is in the journal in any case.
    """
    ledger = session.ledger
    with ExitStack() as leases:
        for part in plan.repositories:
            if part.repository == home_of_state(session):
                raise holds_the_state(part.repository)
            if part.steps:
                leases.enter_context(session.state.lock(str(part.repository)))
        run, resumed = _begin(plan, seal, session)
        _check_rights(plan, session)
        directory = session.state.run_directory(run.id)
        if not directory.exists:
            directory.create()
        reports = ask_again(plan, session=session)
        saved = ensure_snapshot(plan, path=directory.snapshot, session=session)
        _refuse_states(saved)
        forbidden = forbidden_steps(plan, reports, saved, session=session)
        durable.write_file(directory.plan, data)
        content, journal = _open_journal(directory, run, seal)
        ledger.claim_plan(plan.id, seal, run.id, session.clock.now(), record=run)
        outcomes: list[Outcome] = []
        try:
            with journal:
                for part in plan.repositories:
                    executor = Executor(
                        part=part,
                        session=session,
                        journal=journal,
                        saved=saved.get(part.repository, Saved()),
                        forbidden=forbidden.get(part.repository, {}),
                        concurrency=plan.apply.concurrency,
                        intended=frozenset(step for where, step in content.open if where == part.repository),
                        outcomes=_of(part.repository, content.outcomes),
                    )
                    with session.trace.span("apply repository", repository=str(part.repository)) as tell:
                        try:
                            executor.run(waves(part.steps, plan.apply))
                        finally:
                            outcomes.extend(executor.outcomes.values())
                            for kind, number in count_outcomes(executor.outcomes).items():
                                tell(f"steps.{kind}", number)
                    _learn(part, executor, session)
                journal.end(session.clock.now())
        finally:
            run = progressed(run, plan, outcomes)
            ledger.save_run(run)
    return Applied(run=run, plan=plan, outcomes=tuple(outcomes), resumed=resumed)


# --- before anything is deleted -----------------------------------------------------------------------------------
def _begin(plan: Plan, seal: str, session: Session) -> tuple[RunRecord, bool]:
    """Return the run to carry on with: a new one, or the interrupted one of this plan."""
    ledger = session.ledger
    known_seal = ledger.seal_of_plan(plan.id)
    if known_seal is not None and known_seal != seal:
        raise PlanError(
            f"{plan.id} is not the plan that was made under this name: its contents differ",
            remedy="make a new plan with tagsweep plan",
        )
    run_id = ledger.run_of_plan(plan.id)
    if run_id is not None:
        run = ledger.run(run_id)
        if run is not None and run.status is RunStatus.RUNNING:
            return run, True
        raise PlanError(
            f"{plan.id} was applied already, by run {run_id}; a plan is used once",
            remedy="make a new plan with tagsweep plan",
        )
    now = session.clock.now()
    if now > plan.valid_until:
        raise PlanError(
            f"{plan.id} is stale: it was valid until {plan.valid_until:%Y-%m-%d %H:%M} UTC",
            remedy="make a new plan with tagsweep plan; limits: plan_valid: says how long plans are good for",
        )
    if plan.now > now + _CLOCK_SKEW:
        raise PlanError(
            f"{plan.id} was made at {plan.now:%Y-%m-%d %H:%M} UTC, which is in this machine's future",
            remedy="set the clock of this machine or of the one that made the plan",
        )
    run = RunRecord(
        id=f"run-{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}",
        plan_id=plan.id,
        status=RunStatus.RUNNING,
        started_at=now,
        ended_at=None,
        repositories=tuple(str(part.repository) for part in plan.repositories if part.steps),
        planned_tags=plan.removals,
        removed_tags=0,
    )
    return run, False


def _refuse_states(saved: Mapping[Repository, Saved]) -> None:
    """Refuse a plan that removes a state of tagsweep, also one that this run knows nothing of."""
    for repository, one in saved.items():
        configs = (manifest.config for manifest in one.manifests.values() if isinstance(manifest, Manifest))
        if any(config is not None and config.media_type in (STATE_TYPE, LEASE_TYPE) for config in configs):
            raise holds_the_state(repository)


def _check_rights(plan: Plan, session: Session) -> None:
    for part in plan.repositories:
        if not part.steps:
            continue
        able = session.driver(part.repository).probe(part.repository.path)
        if any(isinstance(step, Untag) for step in part.steps):
            _require(able.delete_tag, part.repository, "remove a single tag")
        if any(isinstance(step, DeleteManifest) for step in part.steps):
            _require(able.delete_manifest, part.repository, "delete a manifest")


def _require(capability: Capability, repository: Repository, what: str) -> None:
    if not capability.usable:
        raise Unsupported(
            f"{repository}: these credentials cannot {what} now, though they could when the plan was made: "
            f"{capability.why or 'the registry does not say why'}",
            remedy="tagsweep doctor shows what the registry allows; nothing was deleted",
        )


def _open_journal(directory: RunDirectory, run: RunRecord, seal: str) -> tuple[JournalContent, Journal]:
    header = JournalHeader(run_id=run.id, plan_id=run.plan_id, seal=seal, started_at=run.started_at)
    if directory.journal.exists():
        content = read_journal(directory.journal)
        return content, Journal.resume(directory.journal)
    return JournalContent(header=header), Journal.create(directory.journal, header)


# --- after it -----------------------------------------------------------------------------------------------------
def _of(repository: Repository, outcomes: Mapping[tuple[Repository, str], Outcome]) -> dict[str, Outcome]:
    """Return the outcomes of one repository that need no second try: failed and skipped steps are tried again."""
    return {step: outcome for (where, step), outcome in outcomes.items() if where == repository and outcome.kind.absent}


def _learn(part: RepositoryPlan, executor: Executor, session: Session) -> None:
    """Remember what deletions cost here, for the forecast of the next plan."""
    if executor.samples:
        session.ledger.save_calibration(part.repository.registry, calibrate(executor.samples), session.clock.now())


def progressed(run: RunRecord, plan: Plan, outcomes: Sequence[Outcome]) -> RunRecord:
    """Return the run with the counts that these outcomes give."""
    kinds = {(outcome.repository, outcome.step): outcome.kind for outcome in outcomes}
    removed = sum(len(removed_tags(part, kinds)) for part in plan.repositories)
    by_step = {f"{outcome.repository} {outcome.step}": outcome for outcome in outcomes}
    return replace(run, removed_tags=removed, counts=count_outcomes(by_step))


def removed_tags(part: RepositoryPlan, kinds: Mapping[tuple[Repository, str], OutcomeKind]) -> frozenset[str]:
    """Return the tags of ``part`` that are gone, given how the steps ended."""
    gone: set[str] = set()
    for step in part.steps:
        kind = kinds.get((part.repository, step.key))
        if kind is not None and kind.absent:
            gone.update((step.tag,) if isinstance(step, Untag) else step.tags)
    return frozenset(gone)
