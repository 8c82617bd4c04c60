"""The laws of deciding, held against random repositories, policies and evidence: 1, 2, 3, 6, 10 and 14."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagsweep.core.classify import Classifier
from tagsweep.core.decide import decide
from tagsweep.core.derived import derived_from
from tagsweep.core.graph import Graph
from tagsweep.core.keeps.times import believable_time
from tagsweep.core.patterns import matches
from tagsweep.core.versions import parse_version
from tagsweep.model.decision import (
    Decision,
    FollowsSubject,
    InUse,
    ManifestUnknown,
    NotKept,
    SubjectRemoved,
    SubjectUnknown,
    UnresolvedReference,
    Verdict,
)
from tagsweep.model.inventory import Inventory
from tagsweep.model.manifest import Manifest, Unreadable
from tagsweep.model.policy import (
    KeepClause,
    KeepEvery,
    KeepNewest,
    KeepNewestVersions,
    KeepWithin,
    Names,
    Pattern,
    Policy,
    Protection,
    Regex,
    Rule,
    VersionPattern,
    VersionScheme,
)
from tagsweep.model.usage import Coverage, Unresolved, Usage, UsageReport
from tests.properties.deciding import (
    clauses,
    inventories,
    open_references,
    patterns,
    policies,
    reports,
    rules,
    usages,
)
from tests.unit.core.builders import NOW, inventory, policy, rule, tag

LAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
Reports = Sequence[UsageReport]
T = TypeVar("T")


def decide_each(found: Inventory, policy: Policy, answers: Reports) -> dict[str, Decision]:
    return {each.tag: each for each in decide(found, policy, answers, now=NOW).decisions}


def staying(found: Inventory, policy: Policy, answers: Reports) -> set[str]:
    each = decide_each(found, policy, answers)
    return {name for name, decision in each.items() if decision.verdict is not Verdict.REMOVE}


def matching(policy: Policy, name: str) -> list[Rule]:
    """The rules that match a tag, by the definition in the model."""
    classifier = Classifier(policy.naming)
    return [r for r in policy.rules if classifier.matches(r.match, name) and not classifier.matches(r.exclude, name)]


# --- Law 1: default keep, and order never matters -----------------------------------------------------------------
@LAW
@given(inventories(), policies(), reports())
def test_only_what_a_rule_matches_can_go(found: Inventory, policy: Policy, answers: Reports) -> None:
    """Law 1: an ordinary tag that goes is matched by a rule, and each of its reasons names one that does."""
    for name, decision in decide_each(found, policy, answers).items():
        if decision.verdict is Verdict.REMOVE and derived_from(name) is None:
            names = {each.name for each in matching(policy, name)}
            assert names
            assert {reason.rule for reason in decision.reasons if isinstance(reason, NotKept)} == names


@LAW
@given(inventories(), policies(), reports(), st.randoms(use_true_random=False))
def test_no_order_matters(found: Inventory, policy: Policy, answers: Reports, random: Random) -> None:
    """Law 1: shuffled rules, clauses, protections, evidence and tags give the same verdicts for the same reasons."""
    shuffled = replace(
        policy,
        rules=tuple(replace(r, keep=mixed(r.keep, random)) for r in mixed(policy.rules, random)),
        protect=mixed(policy.protect, random),
    )
    other = replace(found, tags=mixed(found.tags, random), manifests=dict(mixed(found.manifests.items(), random)))
    turned = [replace(each, usages=mixed(each.usages, random)) for each in mixed(answers, random)]
    one, two = decide_each(found, policy, answers), decide_each(other, shuffled, turned)
    assert {n: (d.verdict, set(d.reasons)) for n, d in one.items()} == {
        n: (d.verdict, set(d.reasons)) for n, d in two.items()
    }


@LAW
@given(inventories(readable=True), rules())
def test_an_empty_keep_removes_what_it_matches(found: Inventory, some: tuple[Rule, ...]) -> None:
    """Law 1: with everything known and nothing in use, rules without clauses remove every tag that they match."""
    bare = policy(*(replace(each, keep=()) for each in some))
    for name, decision in decide_each(found, bare, ()).items():
        if derived_from(name) is None and matching(bare, name):
            follows = any(isinstance(reason, FollowsSubject | SubjectUnknown) for reason in decision.reasons)
            assert decision.verdict is Verdict.REMOVE or follows


@LAW
@given(inventories(), policies(), reports())
def test_there_is_one_decision_with_reasons_for_each_tag(found: Inventory, policy: Policy, answers: Reports) -> None:
    """Every tag has one decision, in the inventory's order, with at least one reason and none of them twice."""
    made = decide(found, policy, answers, now=NOW).decisions
    assert [each.tag for each in made] == [each.name for each in found.tags]
    for each in made:
        assert each.reasons
        assert len(set(each.reasons)) == len(each.reasons)


# --- Law 2: unknown is keep ---------------------------------------------------------------------------------------
@LAW
@given(inventories(), policies(), reports())
def test_nothing_unknown_goes(found: Inventory, policy: Policy, answers: Reports) -> None:
    """Law 2: what goes has a digest, a manifest that was read, and every time that the rules that match it ask for."""
    states = {each.name: each for each in found.tags}
    for name, decision in decide_each(found, policy, answers).items():
        if decision.verdict is Verdict.REMOVE:
            assert decision.digest is not None
            assert isinstance(found.manifests.get(decision.digest), Manifest)
            for clause in (c for r in matching(policy, name) for c in r.keep):
                if isinstance(clause, KeepNewest | KeepWithin | KeepEvery):
                    assert believable_time(states[name], clause.of) is not None


@LAW
@given(inventories(), policies(), reports())
def test_without_required_evidence_nothing_goes(found: Inventory, policy: Policy, answers: Reports) -> None:
    """Law 2: a required source that is absent, stale or partial leaves nothing to remove."""
    if policy.evidence.waived:
        return
    good = [a for a in answers if a.coverage.complete and a.taken_at == NOW]
    if len(good) != len(answers) or not good:
        assert staying(found, policy, answers) == {each.name for each in found.tags}


# --- Law 3: in use wins -------------------------------------------------------------------------------------------
@LAW
@given(inventories(), policies(waived=True), reports())
def test_what_is_in_use_stays(found: Inventory, policy: Policy, answers: Reports) -> None:
    """Law 3: no tag goes that is named, is on a digest in use, or is above or below one in an index."""
    graph = Graph.of(found)
    named = {u.reference.tag for a in answers for u in a.usages}
    pinned = {u.reference.digest for a in answers for u in a.usages if u.reference.digest is not None}
    for name, decision in decide_each(found, policy, answers).items():
        if decision.verdict is Verdict.REMOVE:
            assert name not in named
            assert decision.digest not in pinned
            assert decision.digest is not None
            assert not pinned & graph.ancestors(decision.digest)
            assert all(decision.digest not in graph.ancestors(used) for used in pinned)


# --- Law 6: digest-derived tags -----------------------------------------------------------------------------------
@LAW
@given(inventories(), policies(), reports())
def test_derived_tags_follow_their_subject_and_no_pattern(found: Inventory, policy: Policy, answers: Reports) -> None:
    """Law 6: a derived tag's reasons speak of its subject, its use or its manifest, never of a rule or protection."""
    allowed = (FollowsSubject, SubjectRemoved, SubjectUnknown, InUse, ManifestUnknown, UnresolvedReference)
    for name, decision in decide_each(found, policy, answers).items():
        if derived_from(name) is not None:
            assert all(isinstance(reason, allowed) for reason in decision.reasons)


@LAW
@given(inventories(), policies(waived=True), reports())
def test_a_derived_tag_goes_only_with_its_subject(found: Inventory, policy: Policy, answers: Reports) -> None:
    """Laws 4 and 6: the subject of a derived tag that goes is reached by a removed tag and by nothing that stays."""
    made = decide(found, policy, answers, now=NOW)
    graph = Graph.of(found)
    stay = {d.digest for d in made.decisions if d.verdict is not Verdict.REMOVE and d.digest is not None}
    going = {
        d.digest
        for d in made.decisions
        if d.verdict is Verdict.REMOVE and d.digest is not None and derived_from(d.tag) is None
    }
    standing = graph.reach(stay | made.used)
    for decision in made.decisions:
        for reason in decision.reasons:
            if isinstance(reason, SubjectRemoved):
                assert reason.subject not in standing
                assert reason.subject in graph.below(going)


@LAW
@given(inventories(), policies(waived=True), reports())
def test_a_referrer_stays_while_its_subject_stays(found: Inventory, policy: Policy, answers: Reports) -> None:
    """Law 4: no tag goes whose manifest refers to something that a tag that stays, or a use, reaches."""
    made = decide(found, policy, answers, now=NOW)
    graph = Graph.of(found)
    stay = {d.digest for d in made.decisions if d.verdict is not Verdict.REMOVE and d.digest is not None}
    standing = graph.reach(stay | made.used)
    for decision in made.decisions:
        if decision.verdict is Verdict.REMOVE and decision.digest is not None:
            manifest = found.manifests[decision.digest]
            assert isinstance(manifest, Manifest)
            assert manifest.subject is None or manifest.subject.digest not in standing


# --- Law 10: monotone ---------------------------------------------------------------------------------------------
@LAW
@given(inventories(), policies(), reports(), clauses, st.integers(0, 2))
def test_another_clause_never_removes_more(
    found: Inventory, policy: Policy, answers: Reports, clause: KeepClause, at: int
) -> None:
    """Law 10: a clause more in any rule keeps everything that stayed."""
    more = replace(
        policy, rules=tuple(replace(r, keep=(*r.keep, clause)) if n == at else r for n, r in enumerate(policy.rules))
    )
    assert staying(found, policy, answers) <= staying(found, more, answers)


@LAW
@given(inventories(), policies(), reports())
def test_a_larger_keep_never_removes_more(found: Inventory, policy: Policy, answers: Reports) -> None:
    """Law 10: larger counts and ages keep everything that the smaller ones kept."""
    larger = replace(policy, rules=tuple(replace(r, keep=tuple(map(enlarged, r.keep))) for r in policy.rules))
    assert staying(found, policy, answers) <= staying(found, larger, answers)


@LAW
@given(inventories(), policies(), reports(), usages)
def test_more_use_never_removes_more(found: Inventory, policy: Policy, answers: Reports, usage: Usage) -> None:
    """Law 10: one more reference in use keeps everything that stayed."""
    more = [replace(each, usages=(*each.usages, usage)) for each in answers]
    assert staying(found, policy, answers) <= staying(found, policy, more)


@LAW
@given(inventories(), policies(), reports(), open_references)
def test_more_doubt_never_removes_more(
    found: Inventory, policy: Policy, answers: Reports, reference: Unresolved
) -> None:
    """Law 10: one more incomplete reference keeps everything that stayed."""
    more = [replace(each, unresolved=(*each.unresolved, reference)) for each in answers]
    assert staying(found, policy, answers) <= staying(found, policy, more)


@LAW
@given(inventories(), policies(), reports(), patterns, st.booleans())
def test_more_protection_never_removes_more(
    found: Inventory,
    policy: Policy,
    answers: Reports,
    pattern: Pattern,
    exclude: bool,  # noqa: FBT001  # drawn, not called
) -> None:
    """Law 10: one more protection, or one more exclude in every rule, keeps everything that stayed."""
    guard = Protection(match=(pattern,), reason="another")
    more = (
        replace(policy, rules=tuple(replace(r, exclude=(*r.exclude, pattern)) for r in policy.rules))
        if exclude
        else replace(policy, protect=(*policy.protect, guard))
    )
    assert staying(found, policy, answers) <= staying(found, more, answers)


LESS: tuple[Callable[[UsageReport], UsageReport], ...] = (
    lambda each: replace(each, coverage=Coverage(gaps=("something",))),
    lambda each: replace(each, taken_at=NOW - timedelta(days=1)),
    lambda each: replace(each, source="another name"),
)


@LAW
@given(inventories(), policies(), reports(), st.sampled_from(LESS))
def test_less_coverage_never_removes_more(
    found: Inventory, policy: Policy, answers: Reports, lessen: Callable[[UsageReport], UsageReport]
) -> None:
    """Law 10: evidence that becomes partial, stale or absent keeps everything that stayed."""
    assert staying(found, policy, answers) <= staying(found, policy, [lessen(each) for each in answers])


@LAW
@given(inventories(), policies(), reports(), st.data())
def test_less_knowledge_never_removes_more(
    found: Inventory, policy: Policy, answers: Reports, data: st.DataObject
) -> None:
    """Laws 2 and 10: forgetting times, labels or a digest, or failing to read a manifest, removes nothing more."""
    states = list(found.tags)
    at = data.draw(st.integers(0, len(states) - 1))
    manifests = dict(found.manifests)
    forget = data.draw(st.sampled_from(["times", "labels", "digest", "manifest", "unread"]))
    if forget == "times":
        states[at] = replace(states[at], times={})
    elif forget == "labels":
        states[at] = replace(states[at], labels=None)
    elif forget == "digest":
        states[at] = replace(states[at], digest=None)
    elif manifests:
        victim = data.draw(st.sampled_from(sorted(manifests)))
        manifests[victim] = Unreadable(digest=victim, why="it is not JSON")
        known = found.manifests[victim]
        if forget == "unread" and not (isinstance(known, Manifest) and known.subject is not None):
            # A subject can be known only by reading: a child that its index calls an image is taken to have none.
            del manifests[victim]
    less = replace(found, tags=tuple(states), manifests=manifests)
    assert staying(found, policy, answers) <= staying(less, policy, answers)


# --- the clauses' own orders --------------------------------------------------------------------------------------
ages = st.lists(st.integers(0, 9), min_size=1, max_size=8)


@LAW
@given(ages, st.integers(0, 9))
def test_newest_never_removes_a_younger_tag_than_it_keeps(days: list[int], count: int) -> None:
    """Hazards 16 and 23: at least N stay, nothing younger or equally old goes before something that stays."""
    found = inventory([tag(f"sha-{n}", pushed=age) for n, age in enumerate(days)])
    stay = staying(found, policy(rule(KeepNewest(count=count))), ())
    age = {f"sha-{n}": each for n, each in enumerate(days)}
    assert len(stay) >= min(count, len(days))
    kept_ages, gone_ages = [age[n] for n in stay], [age[n] for n in age.keys() - stay]
    assert not kept_ages or not gone_ages or max(kept_ages) < min(gone_ages)
    assert stay if count else not stay


@LAW
@given(st.lists(st.tuples(*[st.integers(0, 12)] * 3), min_size=2, max_size=6, unique=True))
def test_versions_are_ordered_as_their_numbers(numbers: list[tuple[int, int, int]]) -> None:
    """Versions compare as the numbers that they are made of, never as text."""
    pattern = VersionPattern(VersionScheme.SEMVER)
    read = {each: parse_version(pattern, ".".join(map(str, each))) for each in numbers}
    assert sorted(numbers) == sorted(numbers, key=lambda each: read[each] or ())


# --- Law 14: full match -------------------------------------------------------------------------------------------
texts = st.text(alphabet="ab.-", min_size=1, max_size=4)


@LAW
@given(st.lists(texts, min_size=1, max_size=4), texts)
def test_alternatives_match_exactly_what_they_list(listed: list[str], other: str) -> None:
    """Law 14: `a|b` means these two tags and no tag that begins or ends like them."""
    alternatives = Regex("|".join(map(re.escape, listed)))
    assert matches(alternatives, other) == matches(Names(frozenset(listed)), other)


def enlarged(clause: KeepClause) -> KeepClause:
    """The same clause with a larger count or age."""
    if isinstance(clause, KeepNewest | KeepEvery | KeepNewestVersions):
        return replace(clause, count=clause.count + 1)
    if isinstance(clause, KeepWithin):
        return replace(clause, age=clause.age + timedelta(days=1))
    return clause


def mixed(items: Iterable[T], random: Random) -> tuple[T, ...]:
    """The same items in another order."""
    shuffled = list(items)
    random.shuffle(shuffled)
    return tuple(shuffled)
