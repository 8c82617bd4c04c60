"""Explaining one tag: the decision that a plan made now would take, and everything around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsweep.app.make_plan import make_plan
from tagsweep.app.targets import parse_reference
from tagsweep.core.graph import Graph
from tagsweep.core.rules import explain_rules
from tagsweep.model.errors import ConfigurationError
from tagsweep.model.explanation import Explanation
from tagsweep.model.plan import DeleteManifest, Untag
from tagsweep.model.reference import Reference
from tagsweep.report.units import plural

if TYPE_CHECKING:
    from tagsweep.app.session import Session
    from tagsweep.model.inventory import TagState
    from tagsweep.model.plan import Step
    from tagsweep.model.policy import Policy
    from tagsweep.model.reference import Digest


def explain(text: str, policy: Policy, *, session: Session) -> tuple[Explanation, ...]:
    """Return one explanation for the tag that ``text`` names, or one for each tag on the digest that it names.

    Where ``text`` has a tag and a digest, the tag must be on that digest. Raises ConfigurationError if there is none.
    """
    reference = parse_reference(text).with_default_tag()
    planned = make_plan(policy, session=session, sizes=False, only=reference.repository)
    inventory, part = planned.inventories[0], planned.plan.repositories[0]
    graph = Graph.of(inventory)
    decisions = {decision.tag: decision for decision in part.decisions}
    times = part.capabilities.times.union(*(tag.times for tag in inventory.tags))
    return tuple(
        Explanation(
            reference=Reference(reference.repository, tag.name, reference.digest),
            now=planned.plan.now,
            tag=tag,
            decision=decisions[tag.name],
            manifest=inventory.manifests.get(tag.digest) if tag.digest is not None else None,
            siblings=tuple(name for name in graph.tags_on(tag.digest) if name != tag.name) if tag.digest else (),
            parents=_parents(graph, tag.digest),
            referrers=inventory.referrers.get(tag.digest, ()) if tag.digest is not None else (),
            rules=explain_rules(inventory, policy, tag.name, planned.plan.now),
            steps=tuple(step for step in part.steps if _concerns(step, tag)),
            times=times,
        )
        for tag in _named(reference, inventory.tags)
    )


def _named(reference: Reference, tags: tuple[TagState, ...]) -> list[TagState]:
    if reference.tag is not None:
        found = [tag for tag in tags if tag.name == reference.tag]
    else:
        found = [tag for tag in tags if tag.digest == reference.digest]
    remedy = f"tagsweep inventory {reference.repository} --tags lists them"
    if not found and reference.tag is not None:
        have = f"among its {plural(len(tags), 'tag')}" if tags else "and no other tag either"
        raise ConfigurationError(f"{reference.repository} has no tag {reference.tag!r} {have}", remedy=remedy)
    if not found:
        raise ConfigurationError(f"no tag of {reference.repository} is on {reference.digest}", remedy=remedy)
    if reference.digest is not None and found[0].digest != reference.digest:
        now = f"on {found[0].digest.short} now" if found[0].digest is not None else "not resolved now"
        raise ConfigurationError(
            f"{reference.repository}:{found[0].name} is {now}, not on {reference.digest.short}",
            remedy="name the tag alone, or the digest alone",
        )
    return found


def _parents(graph: Graph, digest: Digest | None) -> tuple[tuple[Digest, tuple[str, ...]], ...]:
    if digest is None:
        return ()
    return tuple((above, graph.tags_on(above)) for above in sorted(graph.ancestors(digest)))


def _concerns(step: Step, tag: TagState) -> bool:
    match step:
        case Untag():
            return step.tag == tag.name
        case DeleteManifest():
            return tag.name in step.tags or step.digest == tag.digest
