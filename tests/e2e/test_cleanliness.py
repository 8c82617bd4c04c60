"""``tagsweep inventory`` as a report on a registry: how clean it is by the naming policy, and how that changed."""

from __future__ import annotations

from tagsweep.testing.dialects import CRANE
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.images import image
from tests.e2e.kit import NAMING, Place, policy


def test_the_inventory_says_what_changed_and_what_breaks_the_naming(place: Place) -> None:
    """The second look counts what is new, gone and moved since the first, and names an immutable tag that moved."""
    with FakeRegistry(CRANE) as registry:
        text = policy(f"{registry.host}/acme/app")
        place.write(text.replace(NAMING, NAMING.replace('{7,40}"', '{7,40}", immutable: true')))
        options = ("inventory", "-c", str(place.policy))
        registry.push("acme/app", image("one"), "sha-abc1234", "2026.4.1", "latest")
        first = place.run(*options).out
        assert "clean" in first
        assert "since" not in first
        registry.push("acme/app", image("two"), "sha-abc1234", "latest", "oops")
        registry.remove_tag("acme/app", "2026.4.1")
        second = place.run(*options).out
        assert "1 new, 1 gone, 2 moved" in second
        assert "1 tag of no class (0 then): oops" in second
        assert "1 tag of an immutable class moved: sha-abc1234" in second
        assert "none is left" in second
        (found,) = place.run(*options, "--json").document["repositories"]
    assert (found["unnamed"], found["immutable_moved"]) == (["oops"], ["sha-abc1234"])
    assert (found["since"]["new"], found["since"]["gone"], found["since"]["moved"]) == (0, 0, 0)


def test_without_a_policy_only_the_change_is_said(place: Place) -> None:
    """Where no class is known nothing is called clean or not; what came and went is still told."""
    with FakeRegistry(CRANE) as registry:
        target = f"{registry.host}/acme/app"
        registry.push("acme/app", image("one"), "a")
        place.run("inventory", target)
        registry.push("acme/app", image("one"), "b")
        out = place.run("inventory", target).out
    assert "1 new, 0 gone, 0 moved" in out
    assert "clean" not in out
    assert "naming" not in out
