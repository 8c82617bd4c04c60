"""``explain`` and ``inventory`` on a registry: the tag that was asked for is the one that is told of."""

from __future__ import annotations

from tagsweep.testing.dialects import DISTRIBUTION_2_8, DISTRIBUTION_3
from tagsweep.testing.fake import FakeRegistry
from tests.e2e.kit import GATEWAY, Place, both_sizes, fill, gateway, policy, shared_with_release

BY_PUSH = """\
rules:
  - name: ci builds
    match: {class: ci-build}
    keep: [{newest: 1, of: pushed}]
"""


def test_a_digest_with_several_tags_gives_an_explanation_for_each(place: Place) -> None:
    """Each page names its tag, though the digest was asked for."""
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        tags = fill(registry, gateway())
        build = min(shared_with_release(tags))
        place.write(policy(f"{registry.host}/{GATEWAY}"))
        name = f"{registry.host}/{GATEWAY}"
        out = place.run("explain", f"{name}@{tags[build]}", "-c", str(place.policy)).out
        others = [tag for tag, digest in tags.items() if digest == tags[build]]
        assert len(others) > 1
        assert all(f"{name}:{tag}@{tags[build]}\n" in out for tag in others)


def test_a_tag_that_is_not_on_the_digest_named_with_it_is_refused(place: Place) -> None:
    """An answer about another manifest than the one in the reference would be wrong (exit 2)."""
    with FakeRegistry(DISTRIBUTION_3) as registry:
        tags = fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}"))
        one, other = sorted({digest: tag for tag, digest in tags.items()}.values())[:2]
        name = f"{registry.host}/{GATEWAY}:{one}"
        place.run("explain", f"{name}@{tags[one]}", "-c", str(place.policy))
        refused = place.run("explain", f"{name}@{tags[other]}", "-c", str(place.policy), expect=2)
        assert f"not on {tags[other].short}" in refused.err


def test_explain_says_that_the_registry_reports_no_push_times(place: Place) -> None:
    """The advice tells a registry without push times from a tag whose time is missing."""
    with FakeRegistry(DISTRIBUTION_3) as registry:
        tags = fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}", rules=BY_PUSH))
        build = next(tag for tag in sorted(tags) if tag.startswith("sha-"))
        out = place.run("explain", f"{registry.host}/{GATEWAY}:{build}", "-c", str(place.policy)).out
        assert "this registry reports no push times" in " ".join(out.split())


@both_sizes
def test_looking_without_a_policy_leaves_the_history_of_the_classes_alone(place: Place) -> None:
    """An inventory that knows no classes records no counts: the picture over time would count every tag twice."""
    with FakeRegistry(DISTRIBUTION_3) as registry:
        fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}"))
        place.run("inventory", f"{registry.host}/{GATEWAY}")
        place.make_plan()
        document = place.apply("--json").document
        assert {point["naming_class"] for point in document["counts"]} == {"ci-build", "floating", "release"}
