"""The laws of planning, on random repositories and a simulated registry that executes the steps."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.core.derived import derived_from
from tagsweep.core.guards import refusals
from tagsweep.core.planning import plan_repository
from tagsweep.core.resume import blocked_by, prerequisites, remaining, waves
from tagsweep.model.capability import Capabilities
from tagsweep.model.decision import Verdict
from tagsweep.model.plan import DeleteManifest, RepositoryPlan, Untag
from tagsweep.model.policy import ApplySettings, Evidence, Limits, Policy, WaveCount, WavePercent
from tagsweep.model.run import OutcomeKind
from tests.properties.simulated_registry import (
    BY_DIGEST,
    MOVES,
    NOTHING,
    UNTAGS,
    UNTAGS_ONLY,
    Case,
    SimulatedRegistry,
    blinded,
    cases,
)

law = settings(deadline=None, derandomize=True)
abilities = st.sampled_from((BY_DIGEST, UNTAGS, BY_DIGEST, UNTAGS, MOVES, UNTAGS_ONLY, NOTHING))


def plan(case: Case, capabilities: Capabilities) -> RepositoryPlan:
    return plan_repository(
        case.inventory, case.decisions, used=case.used, capabilities=capabilities, driver="simulated"
    )


def executed(case: Case, made: RepositoryPlan) -> SimulatedRegistry:
    registry = case.registry.copy()
    for step in made.steps:
        registry.perform(step)
    return registry


def deleted(made: RepositoryPlan) -> set[str]:
    return {step.key for step in made.steps if isinstance(step, DeleteManifest)}


@law
@given(cases(), abilities)
def test_only_what_was_to_be_removed_is_removed(case: Case, capabilities: Capabilities) -> None:
    """Law 1: planning turns removals into stays and never the reverse; each turn has its reason."""
    for before, after in zip(case.decisions, plan(case, capabilities).decisions, strict=True):
        assert before.tag == after.tag
        assert after.reasons
        if before.verdict is not Verdict.REMOVE:
            assert after == before


@law
@given(cases(), abilities)
def test_executing_the_plan_removes_exactly_its_removed_tags(case: Case, capabilities: Capabilities) -> None:
    """Laws 5 and 7: every step finds what it expects, and afterwards exactly the planned tags are gone."""
    made = plan(case, capabilities)
    registry = executed(case, made)
    assert registry.tags == {t: d for t, d in case.registry.tags.items() if t not in made.removed_tags}


@law
@given(cases(), abilities)
def test_what_a_kept_tag_or_a_used_digest_needs_stays(case: Case, capabilities: Capabilities) -> None:
    """Laws 3 and 4: children at any depth, referrers and subjects of what stays survive, even if they were not read."""
    made = plan(case, capabilities)
    registry = executed(case, made)
    stays = {d for tag, d in case.registry.tags.items() if tag not in made.removed_tags} | case.used
    for digest in stays:
        assert case.registry.needs(digest) <= registry.manifests.keys()


@law
@given(cases(), abilities)
def test_a_derived_tag_goes_only_if_its_subject_does_not_stay(case: Case, capabilities: Capabilities) -> None:
    """Law 6: a digest-derived tag is never removed while anything that stays needs its subject."""
    made = plan(case, capabilities)
    registry = executed(case, made)
    stays = {d for tag, d in case.registry.tags.items() if tag not in made.removed_tags} | case.used
    needed = {each for digest in stays for each in case.registry.needs(digest)}
    for tag in made.removed_tags:
        derived = derived_from(tag)
        if derived is not None:
            subject = f"sha256:{tag[7:71]}"
            assert subject not in needed
            assert not capabilities.delete_manifest.usable or subject not in registry.manifests or made.notes


@law
@given(cases(), abilities)
def test_a_step_comes_after_everything_that_it_names(case: Case, capabilities: Capabilities) -> None:
    """Law 7: untagging comes first, depth exceeds that of everything before, and no step occurs twice."""
    steps = plan(case, capabilities).steps
    kinds = [isinstance(step, Untag) for step in steps]
    assert kinds == sorted(kinds, reverse=True)
    depth: dict[str, int] = {}
    for step in steps:
        assert step.key not in depth
        if isinstance(step, DeleteManifest):
            assert all(depth[f"delete {before}"] < step.depth for before in step.after)
        depth[step.key] = step.depth if isinstance(step, DeleteManifest) else -1


@law
@given(cases(), abilities)
def test_stopping_anywhere_leaves_every_tag_whole(case: Case, capabilities: Capabilities) -> None:
    """Law 9: after any prefix of the steps, each tag that is still there can be pulled with all its parts."""
    registry = case.registry.copy()
    for step in plan(case, capabilities).steps:
        registry.perform(step)
        for digest in registry.tags.values():
            assert case.registry.parts(digest) <= registry.manifests.keys()


@law
@given(cases(), abilities)
def test_a_referrer_never_goes_before_its_subject(case: Case, capabilities: Capabilities) -> None:
    """Law 9: whenever a referrer is gone, what it referred to is gone as well, unless the two are in a circle."""
    registry = case.registry.copy()
    for step in plan(case, capabilities).steps:
        registry.perform(step)
        for digest, manifest in case.registry.manifests.items():
            subject = manifest.subject.digest if manifest.subject is not None else None
            if subject is None or digest in case.registry.comes_before(subject):
                continue
            if digest not in registry.manifests:
                assert subject not in registry.manifests


@law
@given(cases(), abilities, st.data())
def test_a_prefix_and_its_resumption_end_where_the_whole_run_ends(
    case: Case, capabilities: Capabilities, data: st.DataObject
) -> None:
    """Law 9: interrupted after any step, with or without that step's outcome, resuming gives the same end state."""
    made = plan(case, capabilities)
    whole = executed(case, made)
    done = data.draw(st.integers(0, len(made.steps)))
    registry = case.registry.copy()
    for step in made.steps[:done]:
        registry.perform(step)
    outcomes = {step.key: OutcomeKind.DONE for step in made.steps[:done]}
    rest = remaining(made.steps, outcomes)
    assert rest == made.steps[done:]
    needs = prerequisites(made.steps)
    for step in rest:
        assert blocked_by(step, outcomes, needs) == ""
        registry.perform(step)
        outcomes[step.key] = OutcomeKind.GONE
    assert registry == whole


@law
@given(cases(), st.sampled_from((UNTAGS, BY_DIGEST, MOVES)), st.data())
def test_a_failed_step_takes_nothing_with_it(case: Case, capabilities: Capabilities, data: st.DataObject) -> None:
    """Laws 4 and 5: whichever step fails, what is still tagged stays whole, and no tag goes by another step's doing."""
    made = plan(case, capabilities)
    failing = data.draw(st.sets(st.sampled_from([step.key for step in made.steps])) if made.steps else st.just(set()))
    registry = case.registry.copy()
    outcomes: dict[str, OutcomeKind] = {}
    needs = prerequisites(made.steps)
    for step in made.steps:
        if step.key in failing:
            outcomes[step.key] = OutcomeKind.FAILED
        elif blocked_by(step, outcomes, needs):
            outcomes[step.key] = OutcomeKind.SKIPPED
        else:
            registry.perform(step)
            outcomes[step.key] = OutcomeKind.DONE
    for digest in registry.tags.values():
        assert case.registry.parts(digest) <= registry.manifests.keys()


@law
@given(
    cases(),
    abilities,
    st.lists(st.one_of(st.integers(1, 5).map(WaveCount), st.floats(1, 100).map(WavePercent)), max_size=3),
)
def test_waves_hold_all_steps_once_and_never_one_beside_what_it_follows(
    case: Case, capabilities: Capabilities, chosen: list[WaveCount | WavePercent]
) -> None:
    """Law 9: groups are all steps in an order that keeps every ``after``; within a group any order will do."""
    steps = plan(case, capabilities).steps
    groups = waves(steps, ApplySettings(waves=tuple(chosen)))
    assert all(groups)
    assert sorted(step.key for group in groups for step in group) == sorted(step.key for step in steps)
    needs = prerequisites(steps)
    outcomes: dict[str, OutcomeKind] = {}
    registry = case.registry.copy()
    for group in groups:
        for step in reversed(group):
            assert blocked_by(step, outcomes, needs) == ""
            registry.perform(step)
        outcomes.update((step.key, OutcomeKind.DONE) for step in group)


@law
@given(cases(), abilities, st.data())
def test_more_in_use_or_more_kept_never_removes_more(
    case: Case, capabilities: Capabilities, data: st.DataObject
) -> None:
    """Law 10: one more digest in use, or one more tag that stays, removes no further tag and deletes no manifest."""
    before = plan(case, capabilities)
    more_used = replace(case, used=case.used | {data.draw(st.sampled_from(sorted(case.registry.manifests)))})
    kept = data.draw(st.sampled_from(case.decisions)).tag
    more_kept = replace(
        case,
        decisions=tuple(replace(d, verdict=Verdict.KEEP) if d.tag == kept else d for d in case.decisions),
    )
    for changed in (more_used, more_kept):
        after = plan(changed, capabilities)
        assert set(after.removed_tags) <= set(before.removed_tags)
        assert deleted(after) <= deleted(before)


@law
@given(cases(blind=False), abilities, st.data())
def test_knowing_less_never_removes_more(case: Case, capabilities: Capabilities, data: st.DataObject) -> None:
    """Laws 2 and 10: with one manifest unreadable or unread, or one tag unresolved, nothing more goes."""
    before = plan(case, capabilities)
    inventory = data.draw(blinded(case.inventory, spare=case.used))
    digests = {tag.name: tag.digest for tag in inventory.tags}
    less = replace(
        case,
        inventory=inventory,
        decisions=tuple(replace(d, digest=digests[d.tag]) for d in case.decisions),
    )
    after = plan(less, capabilities)
    assert set(after.removed_tags) <= set(before.removed_tags)
    assert deleted(after) <= deleted(before)


@law
@given(cases(), abilities, st.integers(0, 6), st.floats(0, 100), st.integers(0, 6))
def test_the_guards_refuse_exactly_beyond_their_limits(
    case: Case, capabilities: Capabilities, most: int, percent: float, least: int
) -> None:
    """Law 11: each limit refuses from the first tag beyond it, zero is a limit, and none refuses an empty plan."""
    made = plan(case, capabilities)
    limits = Limits(max_removals=most, max_percent=percent, keep_at_least=least)
    policy = Policy(targets=(), rules=(), evidence=Evidence(waived=True), limits=limits)
    guards = {refusal.guard for refusal in refusals((made,), policy, (), (case.inventory,))}
    ordinary = [d for d in made.decisions if derived_from(d.tag) is None]
    going = sum(d.verdict is Verdict.REMOVE for d in ordinary)
    left = sum(d.verdict is not Verdict.REMOVE and d.digest is not None for d in ordinary)
    expected = set()
    if len(made.removed_tags) > most:
        expected.add("max_removals")
    if going * 100 > percent * len(ordinary):
        expected.add("max_percent")
    if made.removed_tags and left < least:
        expected.add("keep_at_least")
    assert guards == expected
