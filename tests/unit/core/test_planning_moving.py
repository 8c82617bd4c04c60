"""Where untagging writes to a tag first, it is planned only for tags whose digest has to stay."""

from __future__ import annotations

from tagsweep.core.planning import plan_repository
from tagsweep.model.plan import DeleteManifest, RepositoryPlan, Untag
from tests.properties.simulated_registry import MOVES, UNTAGS, SimulatedRegistry, decisions_of


def plan(registry: SimulatedRegistry, removed: list[str]) -> RepositoryPlan:
    """Return the plan that removes these tags where tags are moved to be removed."""
    seen = registry.inventory()
    decisions = decisions_of(seen, removed)
    return plan_repository(seen, decisions, used=frozenset(), capabilities=MOVES, driver="simulated")


def test_a_tag_on_a_digest_that_stays_is_moved_and_all_others_go_with_theirs() -> None:
    """Of two builds the one on the digest of a release is untagged; the other one's digest is deleted with its tag."""
    registry = SimulatedRegistry()
    release = registry.image("release", tags=("2025.8.1", "sha-1"))
    build = registry.image("build", tags=("sha-2", "sha-3"))
    made = plan(registry, ["sha-1", "sha-2", "sha-3"])
    assert made.steps[0] == Untag(tag="sha-1", expects=release)
    (rest,) = made.steps[1:]
    assert isinstance(rest, DeleteManifest)
    assert (rest.digest, sorted(rest.tags)) == (build, ["sha-2", "sha-3"])
    assert set(made.removed_tags) == {"sha-1", "sha-2", "sha-3"}


def test_a_tag_on_a_child_of_something_that_stays_is_moved() -> None:
    """The digest is needed by an index that stays, so that only its tag goes."""
    registry = SimulatedRegistry()
    child = registry.image("child", tags=("sha-amd64",))
    registry.index("release", (child,), tags=("v1",))
    assert plan(registry, ["sha-amd64"]).steps == (Untag(tag="sha-amd64", expects=child),)


def test_a_registry_that_untags_by_itself_is_planned_as_before() -> None:
    """Where removing one tag writes nothing, every tag is removed alone, and digests go without tags."""
    registry = SimulatedRegistry()
    build = registry.image("build", tags=("sha-2",))
    seen = registry.inventory()
    decisions = decisions_of(seen, ["sha-2"])
    made = plan_repository(seen, decisions, used=frozenset(), capabilities=UNTAGS, driver="simulated")
    assert made.steps[0] == Untag(tag="sha-2", expects=build)
    assert [step.tags for step in made.steps[1:] if isinstance(step, DeleteManifest)] == [()]
