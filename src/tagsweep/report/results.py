"""What a sweep did to each repository: the plan and the journal's outcomes put side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import assert_never

from tagsweep.model.decision import Decision, Verdict
from tagsweep.model.plan import DeleteManifest, RepositoryPlan, Space, Step, Untag
from tagsweep.model.reference import Repository
from tagsweep.model.run import Outcome, OutcomeKind, SweepReport, VerifyReport
from tagsweep.report.totals import space_of
from tagsweep.report.units import agree, plural

NOT_DONE = "it was not tried before the run ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Steps that ended the same way for the same reason; ``steps`` are their keys."""

    repository: Repository
    kind: OutcomeKind | None
    """None: the run ended before they were tried."""
    why: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryResult:
    """One repository of a sweep. ``removed`` and ``left`` together are the tags that the plan would remove."""

    plan: RepositoryPlan
    removed: tuple[Decision, ...]
    left: tuple[Decision, ...]
    """Planned, and still there or not known to be gone."""
    stayed: tuple[Decision, ...]
    """Kept or undecided by the plan."""
    manifests: int
    """Manifests known to be gone: roots, children and referrers together."""
    troubles: tuple[Trouble, ...]
    space: Space | None

    @property
    def complete(self) -> bool:
        """Whether everything planned here is gone."""
        return not self.troubles


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepTotals:
    """The sums over all repositories of a sweep."""

    tags: int
    """Tags that there were before."""
    planned: int
    removed: int
    undecided: int
    manifests: int
    troubles: int
    """Steps that failed, were skipped or not tried."""
    space: Space | None

    @property
    def stayed(self) -> int:
        """Tags that are there afterwards, as far as the plan knew them."""
        return self.tags - self.removed


def totals_of(results: Iterable[RepositoryResult]) -> SweepTotals:
    """Return the sums over the repositories."""
    every = tuple(results)
    return SweepTotals(
        tags=sum(len(result.plan.decisions) for result in every),
        planned=sum(len(result.removed) + len(result.left) for result in every),
        removed=sum(len(result.removed) for result in every),
        undecided=sum(d.verdict is Verdict.UNDECIDED for result in every for d in result.stayed),
        manifests=sum(result.manifests for result in every),
        troubles=sum(len(trouble.steps) for result in every for trouble in result.troubles),
        space=space_of(result.space for result in every),
    )


def results_of(report: SweepReport) -> tuple[RepositoryResult, ...]:
    """Return what happened to each repository of the plan, in the plan's order."""
    by_repository: dict[Repository, dict[str, Outcome]] = {}
    for outcome in report.outcomes:
        by_repository.setdefault(outcome.repository, {})[outcome.step] = outcome  # the last outcome of a step counts
    return tuple(
        _result(plan, by_repository.get(plan.repository, {}), report.space.get(plan.repository, plan.space))
        for plan in report.plan.repositories
    )


def _result(plan: RepositoryPlan, outcomes: Mapping[str, Outcome], space: Space | None) -> RepositoryResult:
    gone = [step for step in plan.steps if step.key in outcomes and outcomes[step.key].kind.absent]
    absent = {tag for step in gone for tag in tags_of(step)}
    planned = [decision for decision in plan.decisions if decision.verdict is Verdict.REMOVE]
    untried = tuple(step.key for step in plan.steps if step.key not in outcomes)
    left_out = (Trouble(repository=plan.repository, kind=None, why=NOT_DONE, steps=untried),) if untried else ()
    return RepositoryResult(
        plan=plan,
        removed=tuple(decision for decision in planned if decision.tag in absent),
        left=tuple(decision for decision in planned if decision.tag not in absent),
        stayed=tuple(decision for decision in plan.decisions if decision.verdict is not Verdict.REMOVE),
        manifests=sum(isinstance(step, DeleteManifest) for step in gone),
        troubles=(*troubles_in(outcomes.values()), *left_out),
        space=space,
    )


def tags_of(step: Step) -> tuple[str, ...]:
    """Return the tags that go with a step."""
    match step:
        case Untag(tag=tag):
            return (tag,)
        case DeleteManifest(tags=tags):
            return tags
        case _:
            assert_never(step)


def troubles_in(outcomes: Iterable[Outcome]) -> tuple[Trouble, ...]:
    """Return the steps that failed or were skipped, summed up by repository and reason; failures first."""
    found: dict[tuple[Repository, OutcomeKind, str], list[str]] = {}
    for outcome in outcomes:
        if not outcome.kind.absent:
            found.setdefault((outcome.repository, outcome.kind, outcome.why), []).append(outcome.step)
    ordered = sorted(found.items(), key=lambda item: item[0][1] is not OutcomeKind.FAILED)
    return tuple(
        Trouble(repository=repository, kind=kind, why=why, steps=tuple(steps))
        for (repository, kind, why), steps in ordered
    )


def put_back(report: VerifyReport) -> str:
    """Return what is to be said of removed tags that a restore put back: ``72 removed tags were put back by …``."""
    number = len(report.restored)
    return (
        f"{plural(number, 'removed tag')} {agree(number, 'was')} put back by a restore of this run: "
        f"{agree(number, 'it')} {agree(number, 'is')} there again with {agree(number, 'its')} old "
        f"{agree(number, 'digest')}, and {agree(number, 'was')} looked at like what was kept"
    )
