"""Making a plan: discover, assess, decide, plan, guard. Nothing in a registry is changed.

Probing tells what the credentials may do before anything is decided, so that a missing right is known now and not
at the first deletion.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tagsweep import __version__
from tagsweep.app.assess import collect_usage
from tagsweep.app.discover import discover
from tagsweep.app.needs import needs_of
from tagsweep.app.targets import expand_targets
from tagsweep.core.answers import answers
from tagsweep.core.decide import DecisionSet, decide, recount
from tagsweep.core.forecast import forecast
from tagsweep.core.graph import Graph
from tagsweep.core.guards import missing_evidence, refusals
from tagsweep.core.planning import plan_repository
from tagsweep.core.protect import used_digests
from tagsweep.core.storage import space
from tagsweep.core.timeline import count_points, timeline
from tagsweep.model.decision import Verdict
from tagsweep.model.plan import DeleteManifest, GuardRefusal, Plan, RepositoryPlan, Space

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tagsweep.app.session import Session
    from tagsweep.model.inventory import Inventory
    from tagsweep.model.manifest import Descriptor
    from tagsweep.model.policy import Policy
    from tagsweep.model.reference import Digest, Repository
    from tagsweep.model.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan with what it was made from. ``refusals`` is not empty where a guard forbids to apply it."""

    plan: Plan
    inventories: tuple[Inventory, ...]
    refusals: tuple[GuardRefusal, ...]
    dangling: tuple[Usage, ...]
    """References in use that name a tag or digest which does not exist: a broken deployment, most likely."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One repository's share of a plan."""

    inventory: Inventory
    decided: DecisionSet
    plan: RepositoryPlan


def make_plan(policy: Policy, *, session: Session, sizes: bool, only: Repository | None = None) -> Planned:
    """Return the plan that ``policy`` makes now; with ``sizes`` also what it would free.

    ``only`` restricts it to one repository, which need not be among the targets.
    """
    with session.trace.span("plan", policy=policy.path) as tell:
        planned = _make_plan(policy, session=session, sizes=sizes, only=only)
        tell("plan", planned.plan.id)
        tell("removals", planned.plan.removals)
        tell("refused", bool(planned.refusals))
    return planned


def _make_plan(policy: Policy, *, session: Session, sizes: bool, only: Repository | None) -> Planned:
    planning = _Planning(policy=policy, session=session, sizes=sizes)
    now = planning.now
    repositories = (only,) if only is not None else expand_targets(policy.targets, session)
    parts = []
    for repository in repositories:
        with session.trace.span("plan repository", repository=str(repository)) as tell:
            parts.append(planning.plan_one(repository))
            tell("tags", len(parts[-1].plan.decisions))
            tell("removals", len(parts[-1].plan.removed_tags))
    rules = tuple(count for part in parts for count in recount(part.decided, part.plan.decisions))
    plan = Plan(
        id=f"plan-{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}",
        now=now,
        valid_until=now + policy.limits.plan_valid,
        tool=f"tagsweep {__version__}",
        policy_path=str(Path(policy.path).absolute()),
        policy_fingerprint=policy.fingerprint,
        repositories=tuple(part.plan for part in parts),
        evidence=answers(planning.reports, policy.sources, repositories, session.aliases(), dangling=_dangling(parts)),
        asked=policy.evidence,
        sources=policy.sources,
        rules=rules,
        apply=policy.apply,
        checks=policy.checks,
        record=policy.record,
        registries=policy.registries,
        state=policy.state,
    )
    inventories = tuple(part.inventory for part in parts)
    _remember_counts(parts, session)
    return Planned(
        plan=plan,
        inventories=inventories,
        refusals=(
            *missing_evidence(policy.evidence, planning.reports, now=now),
            *refusals(plan.repositories, policy, rules, inventories),
        ),
        dangling=_dangling(parts),
    )


class _Planning:
    """What all repositories of one plan share: the one clock, the evidence, and what has to be read."""

    def __init__(self, *, policy: Policy, session: Session, sizes: bool) -> None:
        self.policy = policy
        self.session = session
        self.now = session.clock.now()
        self.needs = needs_of(policy, sizes=sizes)
        base = str(Path(policy.path).parent)
        with session.trace.span("evidence", sources=len(policy.sources)):
            self.reports = collect_usage(policy.sources, policy.evidence, base=base, session=session, now=self.now)

    def plan_one(self, repository: Repository) -> _Part:
        """Return one repository's share."""
        session = self.session
        driver = session.driver(repository)
        capabilities = driver.probe(repository.path)
        pace = _Pace(session)
        inventory = discover(
            repository,
            needs=self.needs,
            session=session,
            now=self.now,
            roots=used_digests(self.reports, repository, session.aliases()),
        )
        seconds = pace.seconds_per_request()
        graph = Graph.of(inventory)
        decided = self._decide(inventory, graph)
        if capabilities.referrers.usable:
            inventory = _with_referrers(inventory, decided, graph, session)
            graph = Graph.of(inventory)
            decided = self._decide(inventory, graph)
        part = plan_repository(
            inventory,
            decided.decisions,
            used=decided.used,
            capabilities=capabilities,
            driver=driver.name,
            graph=graph,
        )
        part = replace(
            part,
            space=_space(part, inventory, graph) if self.needs.children else None,
            forecast=self._forecast(part, inventory, seconds),
        )
        return _Part(inventory=inventory, decided=decided, plan=part)

    def _decide(self, inventory: Inventory, graph: Graph) -> DecisionSet:
        aliases = self.session.aliases()
        return decide(inventory, self.policy, self.reports, now=self.now, graph=graph, aliases=aliases)

    def _forecast(self, part: RepositoryPlan, inventory: Inventory, seconds_per_request: float) -> timedelta:
        """Return how long applying will take: the deletions, and before and after them saving and verifying."""
        deletions = forecast(
            part.steps,
            tags=len(inventory.tags),
            capabilities=part.capabilities,
            seconds_per_request=seconds_per_request,
            concurrency=self.policy.apply.concurrency,
            measured=self.session.ledger.calibration(part.repository.registry),
            looks=len(self.policy.apply.waves) + 1,
        )
        deleted = [step for step in part.steps if isinstance(step, DeleteManifest)]
        to_save = sum(step.digest not in inventory.manifests for step in deleted)
        return deletions + timedelta(seconds=seconds_per_request * (to_save + len(deleted)))


class _Pace:
    """How fast a registry answers, measured while it is read."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._started = session.clock.monotonic()
        self._before = sum(session.requests().values())

    def seconds_per_request(self) -> float:
        """Return elapsed seconds by requests, many at once; a guess for loopback where none was sent."""
        sent = sum(self._session.requests().values()) - self._before
        return (self._session.clock.monotonic() - self._started) / sent if sent else 0.001


def _with_referrers(inventory: Inventory, decided: DecisionSet, graph: Graph, session: Session) -> Inventory:
    """Ask for the referrers of everything that may go, and for theirs: they go with their subjects."""
    repository = inventory.repository
    driver = session.driver(repository)
    going = {d.digest for d in decided.decisions if d.verdict is Verdict.REMOVE and d.digest is not None}
    level = set(graph.reach(going))
    referrers = dict(inventory.referrers)

    def ask(subject: Digest) -> tuple[Descriptor, ...] | None:
        return driver.list_referrers(repository.path, subject)

    while level:
        for subject, found in session.work(repository, "asking for referrers", sorted(level), ask):
            referrers[subject] = found if found is not None else ()
        level = {descriptor.digest for found in referrers.values() for descriptor in found} - referrers.keys()
    return replace(inventory, referrers=referrers)


def _space(part: RepositoryPlan, inventory: Inventory, graph: Graph) -> Space:
    removed = frozenset(step.digest for step in part.steps if isinstance(step, DeleteManifest))
    return space(inventory.manifests, kept=graph.reach(inventory.digests) - removed, removed=removed)


def _dangling(parts: Sequence[_Part]) -> tuple[Usage, ...]:
    return tuple(usage for part in parts for usage in part.decided.dangling)


def _remember_counts(parts: Sequence[_Part], session: Session) -> None:
    """Keep how many tags of each class there are now and were by their times, for the picture over time."""
    for part in parts:
        classes = {decision.tag: decision.naming_class for decision in part.decided.decisions}
        inventory = part.inventory
        session.ledger.record_counts(count_points(inventory.repository, classes, at=inventory.taken_at))
        session.ledger.record_counts(timeline(inventory, classes))
