"""Looking again before a wave: what new and moved tags reach is not deleted."""

from __future__ import annotations

from dataclasses import replace

from tagsweep.core.planning import plan_repository
from tagsweep.core.recheck import blocked, vanished
from tagsweep.model.manifest import Unreadable
from tagsweep.model.plan import RepositoryPlan
from tagsweep.model.reference import Digest
from tests.properties.simulated_registry import BY_DIGEST, UNTAGS, SimulatedRegistry, decisions_of, digest_of


def planned() -> tuple[SimulatedRegistry, RepositoryPlan]:
    """Return a repository and a plan that removes two builds which share a child."""
    registry = SimulatedRegistry()
    own, common = registry.image("own"), registry.image("common")
    registry.index("first", (own, common), tags=("build-1",))
    registry.index("second", (common,), tags=("build-2",))
    registry.image("release", tags=("1.0",))
    registry.image("sbom", subject=common)
    inventory = registry.inventory()
    decisions = decisions_of(inventory, ["build-1", "build-2"])
    made = plan_repository(inventory, decisions, used=frozenset(), capabilities=BY_DIGEST, driver="simulated")
    assert len(made.steps) == 5
    return registry, made


def stopped(registry: SimulatedRegistry, made: RepositoryPlan) -> set[str]:
    return set(blocked(made, registry.tags, registry.manifests))


def key(name: str) -> str:
    return f"delete {digest_of(name)}"


def test_nothing_is_blocked_while_nothing_changed() -> None:
    """The tags that the plan saw block nothing, those that it removed on the way included."""
    registry, made = planned()
    assert stopped(registry, made) == set()
    del registry.tags["build-1"]
    assert stopped(registry, made) == set()


def test_a_new_tag_on_a_planned_digest_blocks_it_and_everything_below() -> None:
    """T1 and hazard 38: a release that was pushed onto a build's digest keeps it, its children and their referrers."""
    registry, made = planned()
    registry.tags["2.0"] = digest_of("first")
    assert stopped(registry, made) == {key("first"), key("own"), key("common"), key("sbom")}


def test_a_referrer_that_only_the_plan_knows_is_blocked_with_its_subject() -> None:
    """What comes after a blocked step is blocked, even if nothing that was read again leads there."""
    registry, made = planned()
    registry.tags["2.0"] = digest_of("second")
    del registry.manifests[digest_of("sbom")]
    assert stopped(registry, made) == {key("second"), key("common"), key("sbom")}


def test_a_moved_tag_blocks_what_it_now_reaches() -> None:
    """A kept tag that was moved to a new index with a planned child keeps that child."""
    registry, made = planned()
    registry.index("new", (digest_of("own"),), tags=("1.0",))
    assert stopped(registry, made) == {key("own")}


def test_a_removed_tag_that_was_moved_counts_as_new() -> None:
    """The tag is somebody's again; what it needs now stays."""
    registry, made = planned()
    registry.index("new", (digest_of("common"),), tags=("build-1",))
    assert stopped(registry, made) == {key("common"), key("sbom")}


def test_a_new_tag_whose_manifest_could_not_be_read_blocks_every_deletion() -> None:
    """Law 2: it may need anything."""
    registry, made = planned()
    new = digest_of("new")
    every = {step.key for step in made.steps}
    assert set(blocked(made, {"new": new}, registry.manifests)) == every
    unreadable: dict[Digest, Unreadable] = {new: Unreadable(digest=new, why="500")}
    assert set(blocked(made, {"new": new}, {**registry.manifests, **unreadable})) == every


def test_a_new_tag_on_a_kept_digest_blocks_nothing() -> None:
    """What that digest needs is kept already, even if it was not read again."""
    _, made = planned()
    assert blocked(made, {"new": digest_of("release")}, {}) == {}


def test_a_plan_without_deletions_of_manifests_has_nothing_to_block() -> None:
    """Untagging one tag never touches what another one needs."""
    registry, _ = planned()
    inventory = registry.inventory()
    decisions = decisions_of(inventory, ["build-1"])
    only_tags = replace(UNTAGS, delete_manifest=BY_DIGEST.delete_tag)
    made = plan_repository(inventory, decisions, used=frozenset(), capabilities=only_tags, driver="simulated")
    assert blocked(made, {"new": digest_of("new")}, {}) == {}


def test_kept_tags_that_vanished_are_named() -> None:
    """A tag that was to stay and is absent is told, whether it is listed as absent or not at all."""
    _, made = planned()
    assert vanished(made, {"1.0": digest_of("elsewhere")}) == ()
    assert vanished(made, {"1.0": None}) == vanished(made, {}) == ("1.0",)
