"""Carrying out the steps of one repository: intent, precondition, call, outcome, in waves with a look before each."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, assert_never

from tagsweep.app.batch import ABSENT, LOST, Ended, delete_batch
from tagsweep.app.look import Look, look_again
from tagsweep.core.recheck import blocked
from tagsweep.core.resume import blocked_by, prerequisites, remaining
from tagsweep.http.pool import Pool
from tagsweep.model.errors import (
    AuthenticationFailed,
    DamageFound,
    PermissionDenied,
    RateLimited,
    RegistryError,
    ServerFailed,
    Unreachable,
)
from tagsweep.model.plan import DeleteManifest, RepositoryPlan, Step, Untag
from tagsweep.model.run import Outcome, OutcomeKind
from tagsweep.ports import DeletesMany, Recognises

if TYPE_CHECKING:
    from tagsweep.app.session import Session
    from tagsweep.app.snapshot import Saved
    from tagsweep.model.reference import Digest
    from tagsweep.ports import RegistryDriver
    from tagsweep.stores.journal import Journal

_TRIES: Final = 3
"""How often a deletion is asked for whose answer was lost and which a look shows was not done."""
_REFUSALS_IN_A_ROW: Final = 5
"""After so many 401 or 403 in a row nothing else will succeed, and each one costs quota."""


@dataclass(slots=True, kw_only=True)
class Executor:
    """Runs the steps of one repository. ``outcomes`` is filled as they end, and begins with those of earlier tries."""

    part: RepositoryPlan
    session: Session
    journal: Journal
    saved: Saved
    forbidden: Mapping[str, str]
    """Steps that must not run, by key, with the reason: newly in use, not saved, …"""
    concurrency: int
    intended: frozenset[str] = frozenset()
    """Steps that an interrupted try of this run was about to do: finding them done means that it did them."""
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    samples: list[tuple[int, float]] = field(default_factory=list)
    """For the forecast of the next run: how many tags were left, and seconds per step then."""
    _refused: int = 0
    _needs: Mapping[str, tuple[str, ...]] = field(init=False)

    def __post_init__(self) -> None:
        """Work out once which steps have to have gone before which."""
        self._needs = prerequisites(self.part.steps)

    @property
    def kinds(self) -> dict[str, OutcomeKind]:
        """How each step ended that has ended."""
        return {key: outcome.kind for key, outcome in self.outcomes.items()}

    def run(self, groups: tuple[tuple[Step, ...], ...]) -> None:
        """Carry out all groups in order; raises DamageFound at the first kept thing that stops resolving."""
        look = look_again(self.part, session=self.session)
        for group in groups:
            steps = remaining(group, self.kinds)
            if not steps:
                continue
            self._announce(steps)
            self._run_group(steps, look)
            look = look_again(self.part, session=self.session)
            self._stop_on_damage(look)

    def _announce(self, steps: Sequence[Step]) -> None:
        """Where the state lives in a registry: have there what undo needs and what this wave is about to do."""
        if self.session.state.elsewhere is not None:
            self.journal.intend_all(self.part.repository, (step.key for step in steps))
            self.session.checkpoint()

    def _run_group(self, steps: tuple[Step, ...], look: Look) -> None:
        manifests = {**self.saved.manifests, **look.manifests}
        # What a step depends on is in earlier groups, so one look at their ends serves the whole group.
        earlier = self.kinds
        stopped = {**blocked(self.part, look.tags, manifests), **self.forbidden}
        clock = self.session.clock
        started, count = clock.monotonic(), len(steps)

        def run(step: Step) -> tuple[Outcome, RegistryError | None]:
            return self._run_step(step, stopped, earlier)

        driver = self.session.driver(self.part.repository)
        untags = [step for step in steps if isinstance(step, Untag)]
        if isinstance(driver, DeletesMany) and untags:
            self._run_batches(untags, driver, stopped, earlier)
            steps = tuple(step for step in steps if not isinstance(step, Untag))
        ended = self.session.work(self.part.repository, "deleting", steps, run, threads=self.concurrency)
        with contextlib.closing(ended):  # an error here lets the steps in flight finish before it goes on
            for step, (outcome, error) in ended:
                self.outcomes[step.key] = outcome
                self._stop_on_refusals(outcome, error)
        self.samples.append((len(look.tags), (clock.monotonic() - started) / count))

    # --- many tags by one request ---------------------------------------------------------------------------------
    def _run_batches(
        self,
        steps: list[Untag],
        driver: DeletesMany,
        stopped: Mapping[str, str],
        earlier: Mapping[str, OutcomeKind],
    ) -> None:
        progress = self.session.progress
        progress.begin(f"{self.part.repository}: deleting", len(steps))
        whys = {step.key: stopped.get(step.key) or blocked_by(step, earlier, self._needs) for step in steps}
        for step in steps:
            if whys[step.key]:
                self._finish(step, (OutcomeKind.SKIPPED, whys[step.key], None))
        free = [step for step in steps if not whys[step.key]]
        for start in range(0, len(free), driver.largest_batch):
            batch = free[start : start + driver.largest_batch]
            ended = delete_batch(
                batch,
                driver=driver,
                path=self.part.repository.path,
                look=self._look_at,
                intend=lambda step: self.journal.intend(self.part.repository, step.key),
                ours=self.intended,
                wait=self.session.clock.sleep,
            )
            outcomes = [(self._finish(step, ended[step.key]), ended[step.key][2]) for step in batch]
            for outcome, error in outcomes:  # what is known of all is written down before one of them ends the run
                progress.advance()
                self._stop_on_refusals(outcome, error)

    def _look_at(self, steps: Sequence[Untag]) -> Mapping[str, Ended | None]:
        """Look at many tags at once; each is as it was a moment before its batch."""
        driver = self.session.driver(self.part.repository)

        def look(step: Untag) -> Ended | None:
            try:
                found = self._precondition(driver, step)
            except RegistryError as error:
                return OutcomeKind.FAILED, str(error), error
            return None if found is None else (*found, None)

        with Pool(self.concurrency) as pool:
            return {step.key: ended for step, ended in pool.map_unordered(look, steps)}

    def _finish(self, step: Step, ended: Ended) -> Outcome:
        kind, why, _ = ended
        outcome = Outcome(
            repository=self.part.repository, step=step.key, kind=kind, at=self.session.clock.now(), why=why
        )
        self.journal.finish(outcome)
        self.outcomes[step.key] = outcome
        return outcome

    # --- one step, in a worker thread -----------------------------------------------------------------------------
    def _run_step(
        self, step: Step, stopped: Mapping[str, str], earlier: Mapping[str, OutcomeKind]
    ) -> tuple[Outcome, RegistryError | None]:
        why = stopped.get(step.key) or blocked_by(step, earlier, self._needs)
        error: RegistryError | None = None
        if why:
            kind = OutcomeKind.SKIPPED
        else:
            self.journal.intend(self.part.repository, step.key)
            try:
                kind, why = self._perform(step)
            except RegistryError as failure:
                kind, why, error = OutcomeKind.FAILED, str(failure), failure
        outcome = Outcome(
            repository=self.part.repository, step=step.key, kind=kind, at=self.session.clock.now(), why=why
        )
        self.journal.finish(outcome)
        return outcome, error

    def _perform(self, step: Step) -> tuple[OutcomeKind, str]:
        driver = self.session.driver(self.part.repository)
        for attempt in range(1, _TRIES + 1):
            found = self._precondition(driver, step)
            if found is not None:
                ours = found[0] is OutcomeKind.GONE and (attempt > 1 or step.key in self.intended)
                return (OutcomeKind.DONE, LOST) if ours else found
            try:
                done = self._call(driver, step)
            except (Unreachable, ServerFailed):
                if attempt == _TRIES:
                    raise
                self.session.progress.note(f"{self.part.repository}: no certain answer to {step.key}, looking again")
                self.session.clock.sleep(attempt)
                continue
            if done:
                return OutcomeKind.DONE, ""
            ours = attempt > 1 or step.key in self.intended
            return (OutcomeKind.DONE, LOST) if ours else (OutcomeKind.GONE, ABSENT)
        raise AssertionError  # the loop returns or raises

    def _precondition(self, driver: RegistryDriver, step: Step) -> tuple[OutcomeKind, str] | None:
        """Return None if everything is as the step expects, else how the step ends without its call."""
        path = self.part.repository.path
        tags = (step.tag,) if isinstance(step, Untag) else step.tags
        digest = step.expects if isinstance(step, Untag) else step.digest
        absent = []
        for tag in tags:
            now = driver.resolve_tag(path, tag)
            if now is None:
                absent.append(tag)
            elif now != digest and not _left_behind(driver, path, tag, found=now, expected=digest):
                return OutcomeKind.SKIPPED, f"{tag} was moved to {now.short} after the plan was made"
        if not absent:
            return None
        if isinstance(step, Untag) or not driver.has_manifest(path, digest):
            return OutcomeKind.GONE, ABSENT
        return OutcomeKind.SKIPPED, f"{', '.join(absent)} is gone, but its manifest is still there: somebody is at work"

    def _call(self, driver: RegistryDriver, step: Step) -> bool:
        path = self.part.repository.path
        match step:
            case Untag():
                return driver.delete_tag(path, step.tag)
            case DeleteManifest():
                return driver.delete_manifest(path, step.digest)
            case _:
                assert_never(step)

    # --- when to stop ---------------------------------------------------------------------------------------------
    def _stop_on_refusals(self, outcome: Outcome, error: RegistryError | None) -> None:
        """Raise what refuses everything that is left, so that the run stays open and the same plan carries on."""
        if isinstance(error, RateLimited):  # it was waited for as long as tagsweep waits; the next one fares no better
            raise error
        refused = isinstance(error, PermissionDenied | AuthenticationFailed)
        self._refused = self._refused + 1 if refused else 0 if outcome.kind.absent else self._refused
        if refused and self._refused >= _REFUSALS_IN_A_ROW and error is not None:
            raise error

    def _stop_on_damage(self, look: Look) -> None:
        driver = self.session.driver(self.part.repository)
        for tag, digest in sorted(self.part.keeps.items()):
            if look.tags.get(tag) is None and not driver.has_manifest(self.part.repository.path, digest):
                raise DamageFound(
                    f"{self.part.repository}:{tag} was to stay on {digest.short} and no longer resolves",
                    remedy="the run was stopped; tagsweep restore puts back what it removed",
                )


def _left_behind(driver: RegistryDriver, path: str, tag: str, *, found: Digest, expected: Digest) -> bool:
    """Tell whether the tag is where an interrupted removal of it left it, so that the step is simply carried on."""
    return isinstance(driver, Recognises) and driver.leftover(path, tag, found=found, expected=expected)


def count_outcomes(outcomes: Mapping[str, Outcome]) -> Mapping[str, int]:
    """Return how many steps ended in each kind, by its value."""
    return Counter(outcome.kind.value for outcome in outcomes.values())
