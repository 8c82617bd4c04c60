"""What is still to do, what blocks a step, and the groups in which steps run."""

from __future__ import annotations

import pytest

from tagsweep.core.resume import blocked_by, prerequisites, remaining, waves
from tagsweep.model.plan import DeleteManifest, Role, Step, Untag
from tagsweep.model.policy import ApplySettings, Wave, WaveCount, WavePercent
from tagsweep.model.run import OutcomeKind
from tests.properties.simulated_registry import derived_names, digest_of

INDEX, CHILD, OTHER = digest_of("index"), digest_of("child"), digest_of("other")


def root(name: str, *tags: str) -> DeleteManifest:
    return DeleteManifest(digest=digest_of(name), role=Role.ROOT, tags=tags)


def child(name: str, *after: str, depth: int = 1) -> DeleteManifest:
    digests = tuple(digest_of(each) for each in after)
    return DeleteManifest(digest=digest_of(name), role=Role.CHILD, after=digests, depth=depth)


STEPS: tuple[Step, ...] = (Untag(tag="a", expects=INDEX), root("index"), child("child", "index"))


@pytest.mark.parametrize(
    ("kind", "left"), [(OutcomeKind.DONE, 2), (OutcomeKind.GONE, 2), (OutcomeKind.SKIPPED, 3), (OutcomeKind.FAILED, 3)]
)
def test_only_what_is_gone_is_not_done_again(kind: OutcomeKind, left: int) -> None:
    """A step that failed or was skipped is still to do; one whose object is gone is not."""
    assert len(remaining(STEPS, {"untag a": kind})) == left


@pytest.mark.parametrize("kind", [OutcomeKind.SKIPPED, OutcomeKind.FAILED, None])
def test_a_child_waits_for_its_index(kind: OutcomeKind | None) -> None:
    """Law 9: what comes after a step that did not remove its object does not run, and says why."""
    outcomes = {} if kind is None else {f"delete {INDEX}": kind}
    why = blocked_by(STEPS[2], outcomes)
    assert str(INDEX) in why
    assert ("has not ended" if kind is None else kind.value) in why
    assert blocked_by(STEPS[2], {f"delete {INDEX}": OutcomeKind.GONE}) == ""


def test_every_parent_has_to_be_gone() -> None:
    """Hazard 4: a shared child waits for all its indexes."""
    step = child("child", "index", "other")
    assert blocked_by(step, {f"delete {INDEX}": OutcomeKind.DONE, f"delete {OTHER}": OutcomeKind.FAILED}) != ""
    assert blocked_by(step, {f"delete {INDEX}": OutcomeKind.DONE, f"delete {OTHER}": OutcomeKind.DONE}) == ""


def test_a_manifest_waits_for_the_tags_that_were_to_be_removed_from_it() -> None:
    """Law 5: a tag whose own removal was refused (a protected tag) is not taken by the deletion of its digest."""
    needs = prerequisites(STEPS)
    assert blocked_by(STEPS[1], {"untag a": OutcomeKind.FAILED}, needs) == "'untag a' comes first and was failed"
    assert blocked_by(STEPS[1], {"untag a": OutcomeKind.DONE}, needs) == ""


def test_a_signature_waits_for_the_tags_that_lead_to_its_subject() -> None:
    """Law 9: a signature stays while what it signs, or an index that contains that, is still tagged."""
    signature = Untag(tag=derived_names(CHILD)[1], expects=OTHER)
    needs = prerequisites((*STEPS, signature))
    assert needs[signature.key] == ("untag a",)
    assert blocked_by(signature, {"untag a": OutcomeKind.SKIPPED}, needs) != ""
    assert blocked_by(signature, {"untag a": OutcomeKind.DONE}, needs) == ""


def untags(count: int) -> tuple[Step, ...]:
    return tuple(Untag(tag=f"t{number}", expects=INDEX) for number in range(count))


good_waves: list[tuple[int, tuple[Wave, ...], list[int]]] = [
    (20, (WaveCount(1), WavePercent(10.0), WavePercent(100.0)), [1, 1, 18]),
    (72, (WaveCount(1), WavePercent(10.0), WavePercent(100.0)), [1, 6, 65]),
    (1, (WaveCount(1), WavePercent(10.0), WavePercent(100.0)), [1]),
    (5, (), [5]),
    (5, (WaveCount(2),), [2, 3]),
    (5, (WavePercent(50.0),), [2, 3]),
    (5, (WavePercent(1.0),), [1, 4]),
    (5, (WaveCount(0),), [1, 4]),
    (5, (WaveCount(9),), [5]),
    (0, (WaveCount(1),), []),
]


@pytest.mark.parametrize(("count", "chosen", "sizes"), good_waves)
def test_waves_end_where_the_settings_say(count: int, chosen: tuple[Wave, ...], sizes: list[int]) -> None:
    """Counts and shares are of all tags; what is left after the last wave is one more."""
    assert [len(group) for group in waves(untags(count), ApplySettings(waves=chosen))] == sizes


def test_the_tags_of_one_digest_are_not_torn_apart() -> None:
    """A wave that cannot hold all tags of a digest ends before them, unless it is the first."""
    steps: tuple[Step, ...] = (root("one", "a"), root("many", "b", "c", "d"), root("last", "e"))
    groups = waves(steps, ApplySettings(waves=(WaveCount(2), WaveCount(4))))
    assert [[step.key for step in group] for group in groups] == [[steps[0].key], [steps[1].key], [steps[2].key]]
    first = waves(steps[1:], ApplySettings(waves=(WaveCount(1),)))
    assert [len(group) for group in first] == [1, 1]


def test_a_group_has_one_depth_and_what_has_no_tags_goes_with_the_last_of_it() -> None:
    """Children run only when everything above them has ended."""
    steps: tuple[Step, ...] = (
        root("one", "a"),
        root("two", "b"),
        child("child", "one"),
        child("other", "one"),
        child("grandchild", "child", depth=2),
    )
    groups = waves(steps, ApplySettings(waves=(WaveCount(1),)))
    assert [len(group) for group in groups] == [1, 1, 2, 1]


def test_signatures_are_untagged_in_a_group_after_ordinary_tags() -> None:
    """A signature's tag never goes beside the tag of what it signs."""
    signature = Untag(tag=derived_names(INDEX)[1], expects=OTHER)
    groups = waves((*untags(2), signature), ApplySettings(waves=()))
    assert [len(group) for group in groups] == [2, 1]
