"""Asking the evidence again when a plan is applied: what came into use since the plan was made must stay."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tagsweep.app.assess import collect_usage
from tagsweep.app.look import read_closure
from tagsweep.core.graph import Graph
from tagsweep.core.protect import evidence_gaps, find_usage, used_digests
from tagsweep.model.errors import Refused
from tagsweep.model.inventory import Inventory, TagState
from tagsweep.model.plan import DeleteManifest, Plan, RepositoryPlan, Step, Untag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tagsweep.app.session import Session
    from tagsweep.app.snapshot import Saved
    from tagsweep.core.protect import UsageFacts
    from tagsweep.model.policy import UnresolvedRule
    from tagsweep.model.reference import Digest, Repository
    from tagsweep.model.usage import UsageReport


def ask_again(plan: Plan, *, session: Session) -> tuple[UsageReport, ...]:
    """Return what the plan's sources answer now; raise Refused if a required one does not answer completely."""
    reports = collect_usage(plan.sources, plan.asked, base=str(Path(plan.policy_path).parent), session=session)
    gaps = evidence_gaps(plan.asked, reports, now=session.clock.now())
    if gaps:
        told = "; ".join(f"{gap.source}: {gap.why}" if gap.source else gap.why for gap in gaps)
        raise Refused(
            f"evidence that the policy requires is not complete now: {told}",
            remedy="nothing was deleted; make the source answer and apply the same plan again",
        )
    return reports


def forbidden_steps(
    plan: Plan, reports: Sequence[UsageReport], saved: Mapping[Repository, Saved], *, session: Session
) -> dict[Repository, dict[str, str]]:
    """Return, by repository, the steps that must not run because of what is in use now, each with the reason."""
    readings = {source.name: source.unresolved for source in plan.sources}
    return {
        part.repository: _forbidden(part, reports, readings, saved[part.repository], session)
        for part in plan.repositories
        if part.repository in saved and reports
    }


def _forbidden(
    part: RepositoryPlan,
    reports: Sequence[UsageReport],
    readings: Mapping[str, Sequence[UnresolvedRule]],
    saved: Saved,
    session: Session,
) -> dict[str, str]:
    aliases = session.aliases()
    named = used_digests(reports, part.repository, aliases)
    inventory = Inventory(
        repository=part.repository,
        taken_at=session.clock.now(),
        tags=tuple(TagState(name=decision.tag, digest=decision.digest) for decision in part.decisions),
        # An untagged index in use protects its children, so it is read if it is not among what goes.
        manifests={**saved.manifests, **read_closure(part.repository, named - saved.manifests.keys(), session)},
    )
    graph = Graph.of(inventory)
    usage = find_usage(inventory, reports, graph, aliases=aliases, readings=readings)
    reached = graph.reach(usage.used)
    reasons = {step.key: _why(step, usage, reached) for step in part.steps}
    return {key: why for key, why in reasons.items() if why}


def _why(step: Step, usage: UsageFacts, reached: frozenset[Digest]) -> str:
    """Return why the step must not run, or an empty string."""
    tags = (step.tag,) if isinstance(step, Untag) else step.tags
    for tag in tags:
        if tag in usage.tags:
            first = usage.tags[tag][0]
            return f"{tag} came into use after the plan was made: {first.where} ({first.source})"
        if tag in usage.unresolved:
            open_reference = usage.unresolved[tag][0]
            return f"{open_reference.text} at {open_reference.where} could mean {tag}"
    if isinstance(step, DeleteManifest) and step.digest in reached:
        return "something that is in use now needs it"
    return ""
