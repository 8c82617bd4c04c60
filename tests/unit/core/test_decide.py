"""Deciding: rules, exceptions, evidence and doubt come together in one verdict with every reason."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tagsweep.core.decide import decide
from tagsweep.core.rules import explain_rules, protection_label
from tagsweep.model.decision import (
    EvidenceMissing,
    InUse,
    KeptByClause,
    ManifestUnknown,
    NoRuleMatches,
    NotKept,
    Protected,
    TimeUnknown,
    Verdict,
)
from tagsweep.model.errors import PolicyError
from tagsweep.model.inventory import TagState, TimeOrigin
from tagsweep.model.policy import (
    Evidence,
    Glob,
    InClass,
    KeepAll,
    KeepNamed,
    KeepNewest,
    KeepWithin,
    Names,
    NamingClass,
    Protection,
    Regex,
)
from tagsweep.model.usage import Unresolved
from tests.unit.core.builders import (
    NOW,
    SOURCE,
    decided,
    decisions,
    digest,
    index,
    inventory,
    policy,
    report,
    rule,
    tag,
    unreadable,
    verdicts,
)

BUILD_NAMES = {"sha-1", "sha-2", "sha-3", "sha-4"}
BUILDS = inventory([tag("v1", pushed=50), *(tag(f"sha-{age}", pushed=age) for age in (1, 2, 3, 4))])


# --- rules --------------------------------------------------------------------------------------------------------
def test_what_no_rule_matches_stays() -> None:
    """Law 1: without a rule that matches, a tag stays, and that is the reason."""
    found = decisions(BUILDS, policy(rule()))
    assert found["v1"].verdict is Verdict.KEEP
    assert found["v1"].reasons == (NoRuleMatches(),)


def test_a_policy_without_rules_removes_nothing() -> None:
    """An empty policy keeps everything."""
    assert set(verdicts(BUILDS, policy()).values()) == {"keep"}


def test_an_empty_keep_removes_what_the_rule_matches() -> None:
    """`keep: []` keeps nothing of the rule's tags; the reason names the rule."""
    found = decisions(BUILDS, policy(rule()))
    removed = {name for name, each in found.items() if each.verdict is Verdict.REMOVE}
    assert removed == BUILD_NAMES
    assert found["sha-1"].reasons == (NotKept(rule="builds"),)


def test_clauses_are_alternatives() -> None:
    """Any clause keeps; every clause that keeps is told, and none of those that do not."""
    named = KeepNamed(match=(Names(frozenset({"sha-4"})),))
    keeping = rule(KeepNewest(count=1), KeepWithin(age=timedelta(days=2)), named)
    found = decisions(BUILDS, policy(keeping))
    assert [type(reason) for reason in found["sha-1"].reasons] == [KeptByClause, KeptByClause]
    assert {name: each.verdict.value for name, each in found.items()} == {
        "v1": "keep",
        "sha-1": "keep",
        "sha-2": "keep",
        "sha-3": "remove",
        "sha-4": "keep",
    }


def test_one_clause_that_keeps_outweighs_one_that_does_not_know() -> None:
    """A tag that a clause keeps is kept, although another clause could not say; both are told."""
    found = inventory([tag("sha-1")])
    keeping = rule(KeepNewest(count=1), KeepNamed(match=(Glob("sha-?"),)))
    decision = decisions(found, policy(keeping))["sha-1"]
    assert decision.verdict is Verdict.KEEP
    assert [type(reason) for reason in decision.reasons] == [KeptByClause, TimeUnknown]


def test_every_matching_rule_must_let_a_tag_go() -> None:
    """Hazard 30: of two rules that match a tag, one that keeps it suffices, in either order."""
    lets_go = rule(name="all builds")
    keeps = rule(KeepNewest(count=1), name="new builds", match="sha-*")
    one = decisions(BUILDS, policy(lets_go, keeps))
    assert one == decisions(BUILDS, policy(keeps, lets_go))
    assert one["sha-1"].verdict is Verdict.KEEP
    assert one["sha-2"].reasons == (NotKept(rule="all builds"), NotKept(rule="new builds"))


def test_exclude_takes_tags_out_of_a_rule() -> None:
    """Hazard 25: what exclude matches is not the rule's: neither removed nor counted by its clauses."""
    found = verdicts(BUILDS, policy(rule(KeepNewest(count=1), exclude=(Names(frozenset({"sha-1"})),))))
    assert found == {"v1": "keep", "sha-1": "keep", "sha-2": "keep", "sha-3": "remove", "sha-4": "remove"}


def test_a_rule_holds_only_in_its_repositories() -> None:
    """Globs over full names say where a rule holds; elsewhere it neither removes nor is counted."""
    elsewhere = policy(rule(repositories=("docker.io/acme/other*", "ghcr.io/**")))
    assert set(verdicts(BUILDS, elsewhere).values()) == {"keep"}
    assert decided(BUILDS, elsewhere).rules == ()
    here = policy(rule(repositories=("docker.io/acme/*",)))
    assert verdicts(BUILDS, here)["sha-1"] == "remove"


@pytest.mark.parametrize(
    ("pattern", "removed"),
    [
        (Regex("sha-1|sha-2"), {"sha-1", "sha-2"}),
        (Regex("sha"), set()),
        (Regex("^v*"), set()),
        (Glob("SHA-*"), set()),
    ],
)
def test_rules_match_in_full(pattern: Glob | Regex, removed: set[str]) -> None:
    """Law 14, hazard 24: a pattern that matches only a part of a tag removes nothing."""
    found = verdicts(BUILDS, policy(rule(match=pattern)))
    assert {name for name, verdict in found.items() if verdict == "remove"} == removed


def test_classes_are_matched_by_rules() -> None:
    """A rule may name a class; the decision carries the class of every tag."""
    naming = (NamingClass(name="build", patterns=(Glob("sha-*"),)),)
    found = decisions(BUILDS, policy(rule(match=(InClass("build"),)), naming=naming))
    assert {name: each.naming_class for name, each in found.items() if each.verdict is Verdict.REMOVE} == dict.fromkeys(
        ("sha-1", "sha-2", "sha-3", "sha-4"), "build"
    )
    assert found["v1"].naming_class == ""


def test_an_undefined_class_stops_deciding() -> None:
    """A rule or protection on a class that is not defined is an error, never an empty match."""
    with pytest.raises(PolicyError):
        decided(BUILDS, policy(rule(match=(InClass("build"),))))
    with pytest.raises(PolicyError):
        decided(BUILDS, policy(rule(), protect=(Protection(match=(InClass("release"),), reason="releases"),)))


# --- protections and use ------------------------------------------------------------------------------------------
def test_protections_win_over_rules() -> None:
    """Hazard 28: what `protect` names stays whatever rules say, with the person's reason."""
    guarded = policy(rule(), protect=(Protection(match=(Glob("sha-[12]"),), reason="demo for a customer"),))
    found = decisions(BUILDS, guarded)
    assert found["sha-1"].reasons == (Protected(reason="demo for a customer"),)
    assert found["sha-3"].verdict is Verdict.REMOVE


def test_use_wins_over_rules() -> None:
    """Law 3: what is in use stays, by tag and by digest."""
    found = decisions(BUILDS, policy(rule()), report("acme/app:sha-1", f"acme/app@{digest('sha-2')}"))
    assert [type(reason) for reason in found["sha-1"].reasons] == [InUse]
    assert [type(reason) for reason in found["sha-2"].reasons] == [InUse]
    assert found["sha-3"].verdict is Verdict.REMOVE


def test_use_is_told_also_where_no_rule_matches() -> None:
    """Every reason is collected: a release in use says so, beside that no rule matches it."""
    found = decisions(BUILDS, policy(rule()), report("acme/app:v1"))
    assert [type(reason) for reason in found["v1"].reasons] == [InUse, NoRuleMatches]


def test_used_digests_and_dangling_references_are_handed_on() -> None:
    """Planning gets all digests in use, and the reader every reference whose tag is gone."""
    found = decided(BUILDS, policy(rule()), report("acme/app:sha-1", "acme/app:sha-9"))
    assert found.used == {digest("sha-1")}
    assert [str(each.reference) for each in found.dangling] == ["docker.io/acme/app:sha-9"]


# --- doubt --------------------------------------------------------------------------------------------------------
def test_required_evidence_that_is_missing_removes_nothing() -> None:
    """Law 2: without the evidence that the policy requires, what a rule would remove is undecided."""
    needing = policy(rule(KeepNewest(count=1)), evidence=Evidence(require=(SOURCE,)))
    found = decisions(BUILDS, needing)
    assert found["sha-1"].verdict is Verdict.KEEP
    assert found["sha-2"].verdict is Verdict.UNDECIDED
    assert [type(reason) for reason in found["sha-2"].reasons] == [EvidenceMissing]
    assert decisions(BUILDS, needing, report())["sha-2"].verdict is Verdict.REMOVE


def test_an_incomplete_reference_makes_what_it_could_mean_undecided() -> None:
    """A reference that could mean a tag keeps it undecided; tags that no rule matches are left in peace."""
    open_reference = Unresolved(text="acme/app:sha-${N}", source=SOURCE, where="a.yml:3", tag_pattern="(sha-1|v1)")
    found = decisions(BUILDS, policy(rule()), report(unresolved=(open_reference,)))
    assert found["sha-1"].verdict is Verdict.UNDECIDED
    assert found["sha-2"].verdict is Verdict.REMOVE
    assert found["v1"].reasons == (NoRuleMatches(),)


def test_a_tag_that_does_not_resolve_is_undecided() -> None:
    """A tag without a digest stays, with the registry's words."""
    found = inventory([TagState(name="sha-1", digest=None, problem="HTTP 500"), TagState(name="sha-2", digest=None)])
    got = decisions(found, policy(rule()))
    assert got["sha-1"].reasons == (ManifestUnknown(why="HTTP 500"),)
    assert got["sha-2"].verdict is Verdict.UNDECIDED


def test_unreadable_and_unread_manifests_are_undecided() -> None:
    """Law 2, hazard 2: what a manifest reaches is unknown if it, or an index below it, was not understood or read."""
    found = inventory(
        [tag("sha-bad"), tag("sha-unread"), tag("sha-gone"), tag("sha-deep"), tag("sha-nested"), tag("sha-good")],
        [
            unreadable("sha-bad", "it has Docker's old schema 1"),
            index("sha-deep", "inner", nested=True),
            unreadable("inner"),
            index("sha-nested", "never-read", nested=True),
            index("sha-good", "platform-not-read"),
        ],
        plain=False,
        missing=[digest("sha-gone")],
    )
    got = decisions(found, policy(rule()))
    assert got["sha-bad"].reasons == (ManifestUnknown(why="it has Docker's old schema 1"),)
    assert {name for name, each in got.items() if each.verdict is Verdict.UNDECIDED} == {
        "sha-bad",
        "sha-unread",
        "sha-gone",
        "sha-deep",
        "sha-nested",
    }
    assert got["sha-good"].verdict is Verdict.REMOVE


def test_a_time_that_is_not_known_leaves_a_tag_undecided() -> None:
    """T13, T17: the rule's own clock decides; a tag without that time is not old because its name looks old."""
    found = inventory([tag("sha-1"), tag("sha-2", pushed=400)])
    got = decisions(found, policy(rule(KeepWithin(age=timedelta(days=30)))))
    assert got["sha-1"].reasons == (TimeUnknown(rule="builds", origin=TimeOrigin.PUSHED),)
    assert got["sha-2"].verdict is Verdict.REMOVE


# --- counts and explanations --------------------------------------------------------------------------------------
def test_every_rule_and_protection_is_counted() -> None:
    """Law 14: what each matched, how much of it stays, and samples; a guard that guards nothing shows zero."""
    guards = (
        Protection(match=(Names(frozenset({"sha-1"})),), reason="demo"),
        Protection(match=(Glob("release-*"),), reason="releases"),
    )
    counts = decided(BUILDS, policy(rule(KeepNewest(count=2)), rule(name="none", match="x*"), protect=guards)).rules
    assert [(each.rule, each.matched, each.kept) for each in counts] == [
        ("builds", 4, 2),
        ("none", 0, 0),
        (protection_label(guards[0]), 1, 1),
        (protection_label(guards[1]), 0, 0),
    ]
    assert counts[0].samples == ("sha-1", "sha-2", "sha-3", "sha-4")
    assert counts[0].repository == "docker.io/acme/app"


def test_decisions_are_in_the_order_of_the_inventory() -> None:
    """There is one decision for each tag, in the registry's order."""
    assert [each.tag for each in decided(BUILDS, policy(rule())).decisions] == [each.name for each in BUILDS.tags]


def test_deciding_takes_its_clock_as_an_argument() -> None:
    """Law 13: the same values at another now give another answer, and nothing else has a clock."""
    keeping = policy(rule(KeepWithin(age=timedelta(days=2))))
    later = decide(BUILDS, keeping, (), now=NOW + timedelta(days=10))
    assert {each.tag for each in later.decisions if each.verdict is Verdict.REMOVE} == {
        f"sha-{n}" for n in (1, 2, 3, 4)
    }


def test_explaining_shows_every_rule() -> None:
    """Each rule says whether it matches, why not, and what its clauses say."""
    rules = (
        rule(KeepNewest(count=1)),
        rule(KeepAll(), name="kept", match="sha-1"),
        rule(name="excluded", exclude=(Glob("sha-?"),)),
        rule(name="other", match="v*"),
        rule(name="elsewhere", repositories=("ghcr.io/**",)),
        rule(name="bare"),
    )
    told = explain_rules(BUILDS, policy(*rules), "sha-1", NOW)
    assert [(each.rule, each.matched, each.says) for each in told] == [
        ("builds", True, "keeps it: rank 1 of 4"),
        ("kept", True, "keeps it"),
        ("excluded", False, "its exclude matches"),
        ("other", False, ""),
        ("elsewhere", False, "it is not for this repository"),
        ("bare", True, "no clause keeps it"),
    ]
