"""Guards: reasons to refuse a whole plan before anything happens. Each names the limit, the facts and the way out.

Every comparison is explicit: None is no limit, and zero is one. A plan that removes nothing is refused by none of the
limits; a protection that protects nothing is refused all the same, because it is a misspelt one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Final, assert_never

from tagsweep.core.classify import Classifier
from tagsweep.core.derived import derived_from
from tagsweep.core.keeps.times import believable_time
from tagsweep.core.protect import evidence_gaps
from tagsweep.core.rules import applies, evaluate_protection, protection_label
from tagsweep.model.inventory import Inventory, TagState, TimeOrigin
from tagsweep.model.plan import GuardRefusal, RepositoryPlan, RuleCount
from tagsweep.model.policy import (
    Evidence,
    KeepAll,
    KeepClause,
    KeepEvery,
    KeepLabelled,
    KeepNamed,
    KeepNewest,
    KeepNewestVersions,
    KeepWithin,
    Policy,
    Protection,
    Rule,
)
from tagsweep.model.usage import UsageReport

_CLUSTER: Final = 10
"""Fewer equal times than this happen by themselves, when one build pushes several tags."""


def refusals(
    plan_parts: Sequence[RepositoryPlan],
    policy: Policy,
    rule_counts: Sequence[RuleCount],
    inventories: Sequence[Inventory],
) -> tuple[GuardRefusal, ...]:
    """Return every reason to refuse the plan that ``plan_parts`` make up; empty if it may be applied.

    ``rule_counts`` are those of the decisions; ``inventories`` are what was decided about.
    """
    return (
        *_too_many_removals(plan_parts, policy),
        *(refusal for part in plan_parts for refusal in _repository_limits(part, policy)),
        *_void_protections(policy, rule_counts, inventories),
        *_equal_times(plan_parts, policy, inventories),
    )


def missing_evidence(evidence: Evidence, reports: Sequence[UsageReport], *, now: datetime) -> tuple[GuardRefusal, ...]:
    """Return a refusal for each way in which required evidence does not suffice.

    Nothing would be removed anyway, because all that depends on it is undecided; whoever runs this unattended must
    not take that for a clean registry.
    """
    return tuple(
        GuardRefusal(
            guard="evidence",
            repository="",
            message=f"{gap.source}: {gap.why}" if gap.source else gap.why,
            remedy=f"make {gap.source or 'a source'} answer completely, then plan again",
        )
        for gap in evidence_gaps(evidence, reports, now=now)
    )


# --- limits on numbers --------------------------------------------------------------------------------------------
def _too_many_removals(parts: Sequence[RepositoryPlan], policy: Policy) -> Iterator[GuardRefusal]:
    limit = policy.limits.max_removals
    removed = sum(len(part.removed_tags) for part in parts)
    if limit is not None and removed > limit:
        yield GuardRefusal(
            guard="max_removals",
            repository="",
            message=f"the plan removes {_count(removed, 'tag')}, and the policy allows {limit}",
            remedy=f"narrow the rules, or raise limits: max_removals: to {removed} if all of them are meant",
        )


def _repository_limits(part: RepositoryPlan, policy: Policy) -> Iterator[GuardRefusal]:
    """Yield what one repository's part breaks; digest-derived tags are no tags of their own and do not count."""
    removed = sum(derived_from(tag) is None for tag in part.removed_tags)
    total = sum(derived_from(decision.tag) is None for decision in part.decisions)
    left = sum(derived_from(tag) is None for tag in part.keeps)
    percent = policy.limits.max_percent
    if percent is not None and removed * 100 > Fraction(str(percent)) * total:
        yield GuardRefusal(
            guard="max_percent",
            repository=str(part.repository),
            message=f"the plan removes {removed} of {_count(total, 'tag')} of {part.repository} "
            f"({removed * 100 / total:.1f} %), and the policy allows {percent:g} %",
            remedy="narrow the rules, or raise limits: max_percent: if all of them are meant",
        )
    least = policy.limits.keep_at_least
    if part.removed_tags and left < least:
        yield GuardRefusal(
            guard="keep_at_least",
            repository=str(part.repository),
            message=f"the plan leaves {_count(left, 'tag')} in {part.repository}, and the policy wants {least} or more",
            remedy="add a keep clause, or lower limits: keep_at_least: if so few are meant to be left",
        )


# --- protections that protect nothing -----------------------------------------------------------------------------
def _void_protections(
    policy: Policy, rule_counts: Sequence[RuleCount], inventories: Sequence[Inventory]
) -> Iterator[GuardRefusal]:
    matched: Counter[str] = Counter()
    for count in rule_counts:
        matched[count.rule] += count.matched
    names = Counter(protection_label(protection) for protection in policy.protect)
    classifier = Classifier(policy.naming)
    for protection in policy.protect:
        label = protection_label(protection)
        void = matched[label] == 0
        if not void and names[label] > 1:  # counted together with another one of the same reason
            void = not _protects_something(protection, classifier, inventories)
        if void and not protection.may_match_nothing:
            yield GuardRefusal(
                guard="protect",
                repository=", ".join(protection.repositories),
                message=f"the protection {protection.reason!r} matches no tag, so it protects nothing",
                remedy="correct its match, or write may_match_nothing: true if that is expected",
            )


def _protects_something(protection: Protection, classifier: Classifier, inventories: Sequence[Inventory]) -> bool:
    evaluations = (evaluate_protection(protection, inventory, classifier) for inventory in inventories)
    return any(evaluation is not None and evaluation.matched for evaluation in evaluations)


# --- times that were reset ----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    """How many of ``looked_at`` tags share one ``time``."""

    time: datetime
    tags: int
    looked_at: int


def _equal_times(
    parts: Sequence[RepositoryPlan], policy: Policy, inventories: Sequence[Inventory]
) -> Iterator[GuardRefusal]:
    """Yield a refusal for each rule that removes tags by a clock that a migration seems to have reset."""
    if policy.limits.accept_equal_times:
        return
    classifier = Classifier(policy.naming)
    removed = {part.repository: frozenset(part.removed_tags) for part in parts}
    for inventory in inventories:
        going = removed.get(inventory.repository, frozenset())
        for rule in policy.rules if going else ():
            tags = _matched(rule, inventory, classifier)
            if going.isdisjoint(tag.name for tag in tags):
                continue
            for origin in sorted({o for clause in rule.keep for o in _clocks(clause)}, key=lambda o: o.value):
                cluster = _largest_cluster(tags, origin)
                if cluster is not None:
                    yield _refuse_cluster(cluster, rule, origin, inventory)


def _refuse_cluster(cluster: _Cluster, rule: Rule, origin: TimeOrigin, inventory: Inventory) -> GuardRefusal:
    return GuardRefusal(
        guard="accept_equal_times",
        repository=str(inventory.repository),
        message=f"{cluster.tags} of {cluster.looked_at} tags of {inventory.repository} that rule {rule.name!r} "
        f"compares have the same {origin.value} time {cluster.time:%Y-%m-%d %H:%M:%S} UTC, as after a migration",
        remedy="let the rule use another clock (of:), or write limits: accept_equal_times: true if the times are right",
    )


def _matched(rule: Rule, inventory: Inventory, classifier: Classifier) -> list[TagState]:
    if not applies(rule.repositories, inventory.repository):
        return []
    return [
        tag
        for tag in inventory.tags
        if classifier.matches(rule.match, tag.name) and not classifier.matches(rule.exclude, tag.name)
    ]


def _clocks(clause: KeepClause) -> tuple[TimeOrigin, ...]:
    """Return the clock that a clause compares tags by, if any that can be reset.

    First-seen times are tagsweep's own: they begin together with the ledger, and only ever make tags look younger.
    """
    match clause:
        case KeepNewest() | KeepWithin() | KeepEvery():
            return () if clause.of is TimeOrigin.FIRST_SEEN else (clause.of,)
        case KeepNewestVersions() | KeepLabelled() | KeepNamed() | KeepAll():
            return ()
        case _:
            assert_never(clause)


def _largest_cluster(tags: Sequence[TagState], origin: TimeOrigin) -> _Cluster | None:
    """Return the cluster that is suspicious: ten tags or more, and more than half of those that have a time."""
    times = Counter(time for tag in tags if (time := believable_time(tag, origin)) is not None)
    if not times:
        return None
    time, count = max(times.items(), key=lambda item: (item[1], item[0]))
    looked_at = times.total()
    return _Cluster(time=time, tags=count, looked_at=looked_at) if count >= _CLUSTER and count * 2 > looked_at else None


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
