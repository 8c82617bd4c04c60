"""Sums over a plan or a repository that more than one renderer shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import assert_never

from tagsweep.model.decision import Decision, SharesDigest, Verdict
from tagsweep.model.plan import DeleteManifest, Plan, RepositoryPlan, Role, RuleCount, Space, Step, Untag
from tagsweep.report.units import agree, count, plural, size

ALONE: str = "This registry deletes by digest only, and that takes every tag on the digest."
"""Said once where tags stay because they share a digest."""


def verdicts(decisions: Iterable[Decision]) -> Mapping[Verdict, int]:
    """Return how many tags have each verdict; every verdict is a key."""
    found = Counter(decision.verdict for decision in decisions)
    return {verdict: found[verdict] for verdict in Verdict}


def digests(repository: RepositoryPlan) -> int:
    """Return how many different digests the tags of the repository name."""
    return len({decision.digest for decision in repository.decisions if decision.digest is not None})


def shares_digests(repository: RepositoryPlan) -> bool:
    """Tell whether some tag stays only because the registry cannot remove one tag alone."""
    return any(isinstance(reason, SharesDigest) for decision in repository.decisions for reason in decision.reasons)


def space_of(spaces: Iterable[Space | None]) -> Space | None:
    """Return the sum over repositories, or None if none was measured; incomplete if one was not."""
    every = tuple(spaces)
    known = [space for space in every if space is not None]
    if not known:
        return None
    return Space(
        before=sum(space.before for space in known),
        reclaimable=sum(space.reclaimable for space in known),
        complete=len(known) == len(every) and all(space.complete for space in known),
    )


def space_words(space: Space) -> str:
    """Return what would be freed: ``12.9 GB of 41.2 GB``; an incomplete measurement is a lower bound."""
    least = "" if space.complete else "at least "
    return f"{least}{size(space.reclaimable)} of {size(space.before)}"


def forecast_of(plan: Plan) -> timedelta | None:
    """Return how long applying will take in all, or None if that is not known for a repository that has steps."""
    needed = [repository.forecast for repository in plan.repositories if repository.steps]
    known = [span for span in needed if span is not None]
    return sum(known, timedelta()) if known and len(known) == len(needed) else None


def step_words(steps: Iterable[Step]) -> str:
    """Return what the steps are: ``72 manifests with 72 tags, 288 children`` or ``107 tags alone``."""
    untags = roots = tags = children = referrers = 0
    for step in steps:
        match step:
            case Untag():
                untags += 1
            case DeleteManifest(role=Role.ROOT):
                roots += 1
                tags += len(step.tags)
            case DeleteManifest(role=Role.CHILD):
                children += 1
            case DeleteManifest(role=Role.REFERRER):
                referrers += 1
                tags += len(step.tags)
            case DeleteManifest():
                raise AssertionError(step.role)
            case _:
                assert_never(step)
    parts = [plural(untags, "tag") + " removed alone"] if untags else []
    parts += [plural(roots, "manifest") + " named by tags"] if roots else []
    parts += [f"{count(children)} only below those"] if children else []
    parts += [f"{count(referrers)} that {agree(referrers, 'refers')} to those"] if referrers else []
    return ", ".join(parts) or "nothing to do"


def manifests_in(plan: Plan) -> int:
    """Return how many manifests the plan deletes."""
    return sum(isinstance(step, DeleteManifest) for repository in plan.repositories for step in repository.steps)


def unmatched(rules: Iterable[RuleCount]) -> tuple[str, ...]:
    """Return the rules and protections that matched no tag in any repository: most likely they are misspelt."""
    matched: Counter[str] = Counter()
    for rule in rules:
        matched[rule.rule] += rule.matched
    return tuple(name for name, tags in matched.items() if tags == 0)
