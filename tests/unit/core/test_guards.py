"""Guards refuse a whole plan, exactly beyond their limits, and say what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tagsweep.core.guards import missing_evidence, refusals
from tagsweep.core.planning import plan_repository
from tagsweep.core.rules import protection_label
from tagsweep.model.inventory import Inventory, TimeOrigin
from tagsweep.model.plan import GuardRefusal, RepositoryPlan, RuleCount
from tagsweep.model.policy import (
    Evidence,
    Glob,
    KeepClause,
    KeepEvery,
    KeepNamed,
    KeepNewest,
    KeepWithin,
    Limits,
    Period,
    Policy,
    Protection,
    Rule,
)
from tagsweep.model.usage import Coverage, UsageReport
from tests.properties.simulated_registry import UNTAGS, SimulatedRegistry, decisions_of, derived_names, digest_of

MIGRATED = datetime(2026, 1, 1, tzinfo=UTC)


def repository(tags: int, removed: int, *, signed: int = 0) -> tuple[Inventory, RepositoryPlan]:
    """Return ``tags`` builds of which the first ``removed`` go, with signatures of the last ``signed`` ones."""
    registry = SimulatedRegistry()
    for number in range(tags):
        registry.image(f"image {number}", tags=(f"sha-{number}",))
    for number in range(tags - signed, tags):
        registry.image(f"signature {number}", tags=(derived_names(digest_of(f"image {number}"))[1],))
    inventory = registry.inventory()
    decisions = decisions_of(inventory, [f"sha-{number}" for number in range(removed)])
    made = plan_repository(inventory, decisions, used=frozenset(), capabilities=UNTAGS, driver="simulated")
    return inventory, made


def policy(*, rules: Iterable[Rule] = (), protect: Iterable[Protection] = (), **limits: object) -> Policy:
    return Policy(
        targets=(),
        rules=tuple(rules),
        protect=tuple(protect),
        evidence=Evidence(waived=True),
        limits=Limits(**{"keep_at_least": 0, **limits}),  # type: ignore[arg-type]  # each test sets a few
    )


def guards(found: Iterable[GuardRefusal]) -> list[str]:
    return [refusal.guard for refusal in found]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, []),
        ({"max_removals": 4}, []),
        ({"max_removals": 3}, ["max_removals"]),
        ({"max_removals": 0}, ["max_removals"]),
        ({"max_percent": 40.0}, []),
        ({"max_percent": 39.9}, ["max_percent"]),
        ({"max_percent": 0.0}, ["max_percent"]),
        ({"keep_at_least": 6}, []),
        ({"keep_at_least": 7}, ["keep_at_least"]),
        ({"max_removals": 1, "max_percent": 1.0, "keep_at_least": 9}, ["max_removals", "max_percent", "keep_at_least"]),
    ],
)
def test_limits_are_exact_and_zero_is_one(limits: dict[str, object], expected: list[str]) -> None:
    """Law 11: four of ten tags go; a limit refuses from the first tag beyond it, and None is no limit."""
    inventory, made = repository(10, 4)
    found = refusals((made,), policy(**limits), (), (inventory,))  # type: ignore[arg-type]  # only limits are given
    assert guards(found) == expected
    assert all(refusal.message and refusal.remedy for refusal in found)


def test_a_third_is_a_third() -> None:
    """Percentages are compared as fractions: one of three tags is more than 33.3 %, and not more than 33.4 %."""
    inventory, made = repository(3, 1)
    assert guards(refusals((made,), policy(max_percent=33.3), (), (inventory,))) == ["max_percent"]
    assert refusals((made,), policy(max_percent=33.4), (), (inventory,)) == ()


def test_an_empty_plan_is_refused_by_no_limit() -> None:
    """A repository that is not touched may have as few tags as it likes."""
    inventory, made = repository(2, 0)
    assert refusals((made,), policy(max_removals=0, max_percent=0.0, keep_at_least=5), (), (inventory,)) == ()


def test_signatures_are_no_tags_that_are_left() -> None:
    """A floor is not met by the signatures of the one tag that stays, nor a share hidden behind them."""
    inventory, made = repository(10, 9, signed=1)
    assert guards(refusals((made,), policy(keep_at_least=2), (), (inventory,))) == ["keep_at_least"]
    assert guards(refusals((made,), policy(max_percent=85.0), (), (inventory,))) == ["max_percent"]


def test_removals_are_counted_over_all_repositories_and_shares_in_each() -> None:
    """The ceiling is for the plan; the share is each repository's own."""
    parts = [repository(10, 4), repository(10, 2)]
    found = refusals(
        [made for _, made in parts], policy(max_removals=5, max_percent=30.0), (), [each for each, _ in parts]
    )
    assert guards(found) == ["max_removals", "max_percent"]


# --- protections --------------------------------------------------------------------------------------------------
def count(protection: Protection, matched: int) -> RuleCount:
    return RuleCount(rule=protection_label(protection), repository="r", matched=matched, kept=matched)


def test_a_protection_that_matches_nothing_refuses() -> None:
    """Hazard 27: a guard that guards nothing is a misspelt guard, unless that is expected in words."""
    inventory, made = repository(2, 0)
    releases = Protection(match=(Glob("v*"),), reason="releases")
    found = refusals((made,), policy(protect=[releases]), (count(releases, 0),), (inventory,))
    assert guards(found) == ["protect"]
    assert "releases" in found[0].message
    assert guards(refusals((made,), policy(protect=[releases]), (), (inventory,))) == ["protect"]
    expected = replace(releases, may_match_nothing=True)
    assert refusals((made,), policy(protect=[expected]), (count(releases, 0),), (inventory,)) == ()


def test_a_protection_may_match_in_any_repository() -> None:
    """One repository in which it matches is enough."""
    inventory, made = repository(2, 0)
    builds = Protection(match=(Glob("sha-*"),), reason="builds")
    counts = (count(builds, 0), count(builds, 2))
    assert refusals((made,), policy(protect=[builds]), counts, (inventory,)) == ()


def test_two_protections_with_one_reason_are_told_apart() -> None:
    """The count of one does not hide that the other matches nothing."""
    inventory, made = repository(2, 0)
    good = Protection(match=(Glob("sha-*"),), reason="ours")
    void = Protection(match=(Glob("v*"),), reason="ours")
    counts = (count(good, 2), count(void, 0))
    assert guards(refusals((made,), policy(protect=[good, void]), counts, (inventory,))) == ["protect"]


# --- equal times --------------------------------------------------------------------------------------------------
def timed(inventory: Inventory, equal: int, origin: TimeOrigin = TimeOrigin.PUSHED) -> Inventory:
    """Return the inventory with the first ``equal`` tags at one time and all others an hour apart."""
    times = [MIGRATED if n < equal else MIGRATED + timedelta(hours=n) for n in range(len(inventory.tags))]
    tags = tuple(replace(tag, times={origin: time}) for tag, time in zip(inventory.tags, times, strict=True))
    return replace(inventory, tags=tags)


def rule(*keep: KeepClause, pattern: str = "sha-*") -> Rule:
    return Rule(name="builds", match=(Glob(pattern),), keep=keep)


@pytest.mark.parametrize(
    "clause",
    [
        KeepNewest(count=3),
        KeepWithin(age=timedelta(days=30)),
        KeepEvery(period=Period.MONTH, count=3),
    ],
)
@pytest.mark.parametrize(
    ("tags", "equal", "refused"), [(12, 10, True), (12, 9, False), (20, 10, False), (20, 11, True), (10, 10, True)]
)
def test_many_equal_times_refuse(clause: KeepClause, tags: int, equal: int, *, refused: bool) -> None:
    """Hazard 17: ten tags or more, and more than half of those compared, with one time look like a migration."""
    inventory, made = repository(tags, 2)
    inventory = timed(inventory, equal)
    found = refusals((made,), policy(rules=[rule(clause)]), (), (inventory,))
    assert guards(found) == (["accept_equal_times"] if refused else [])
    accepted = policy(rules=[rule(clause)], accept_equal_times=True)
    assert refusals((made,), accepted, (), (inventory,)) == ()


@pytest.mark.parametrize(
    "keeping",
    [
        rule(KeepNamed(match=(Glob("sha-1"),))),
        rule(KeepNewest(count=3, of=TimeOrigin.UPDATED)),
        rule(KeepNewest(count=3), pattern="v*"),
        replace(rule(KeepNewest(count=3)), repositories=("elsewhere/*",)),
        replace(rule(KeepNewest(count=3)), exclude=(Glob("sha-*"),)),
    ],
)
def test_equal_times_that_no_removing_rule_compares_are_harmless(keeping: Rule) -> None:
    """The guard looks only at clocks that a rule with removals uses."""
    inventory, made = repository(12, 2)
    assert refusals((made,), policy(rules=[keeping]), (), (timed(inventory, 12),)) == ()


def test_equal_first_seen_times_are_no_migration() -> None:
    """All tags are first seen together when the ledger begins, and that only makes them look younger."""
    inventory, made = repository(12, 2)
    keeping = rule(KeepNewest(count=3, of=TimeOrigin.FIRST_SEEN))
    found = refusals((made,), policy(rules=[keeping]), (), (timed(inventory, 12, TimeOrigin.FIRST_SEEN),))
    assert found == ()


def test_equal_times_do_not_matter_where_nothing_is_removed() -> None:
    """An empty plan is not refused."""
    inventory, made = repository(12, 0)
    assert refusals((made,), policy(rules=[rule(KeepNewest(count=3))]), (), (timed(inventory, 12),)) == ()


# --- evidence -----------------------------------------------------------------------------------------------------
def test_evidence_that_does_not_suffice_refuses_the_plan_with_its_remedy() -> None:
    """Each gap of a required source is a refusal of its own; a source that nobody requires refuses nothing."""
    now = datetime(2026, 11, 24, tzinfo=UTC)
    partial = Coverage(gaps=("pods is forbidden", "secrets is forbidden"))
    reports = [
        UsageReport(source="kubernetes/prod", taken_at=now, coverage=partial),
        UsageReport(source="git/deploy", taken_at=now, coverage=partial),
        UsageReport(source="list/hold", taken_at=now - timedelta(days=1)),
    ]
    required = Evidence(require=("kubernetes/prod", "list/hold"))
    found = missing_evidence(required, reports, now=now)
    assert [each.message.partition(":")[0] for each in found] == ["kubernetes/prod", "kubernetes/prod", "list/hold"]
    assert {each.guard for each in found} == {"evidence"}
    assert all("answer completely" in each.remedy for each in found)
    assert missing_evidence(Evidence(waived=True), reports, now=now) == ()
    assert missing_evidence(Evidence(require=("git/other",)), reports, now=now)[0].message.startswith("git/other")
