"""``tagsweep init`` as a newcomer runs it: what it proposes, that the proposal works, and what it refuses to guess."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from tagsweep.testing.dialects import CRANE, DISTRIBUTION_2_8, Dialect
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.images import image
from tests.e2e.kit import GATEWAY, SHA, Place, fill, gateway, removed, shared_with_release
from tests.histories import repositories, state

KEEP_NOTHING = ("--keep-newest", "0", "--within", "0d", "--evidence", "none")


def init(place: Place, registry: FakeRegistry, repository: str, *options: str, expect: int = 0) -> dict[str, object]:
    """Run ``init --json`` for one repository and return its document."""
    target = f"{registry.host}/{repository}"
    return place.run("init", target, "-o", str(place.policy), "--json", *options, expect=expect).document


@pytest.mark.parametrize("dialect", [DISTRIBUTION_2_8, CRANE], ids=["by digest", "tags alone"])
def test_the_proposed_policy_removes_exactly_the_builds(place: Place, dialect: Dialect) -> None:
    """TensorZero's release, floating and ci build are found untold; preview and plan agree on what goes."""
    with FakeRegistry(dialect) as registry:
        tags = fill(registry, gateway())
        document = init(place, registry, GATEWAY, *KEEP_NOTHING)
        families = document["families"]
        assert isinstance(families, list)
        assert [family["class"] for family in families] == ["release", "floating", "ci-build"]
        assert families[1]["targets"] == {"latest": ["2026.4.1"]}
        builds = {tag for tag in tags if SHA.fullmatch(tag)}
        expected = builds if dialect is CRANE else builds - shared_with_release(tags)
        assert len(expected) == (107 if dialect is CRANE else 72)
        preview = document["preview"]
        assert isinstance(preview, list)
        assert set(preview[0]["remove"]) == expected
        assert removed(place.make_plan("--json")) == expected


def test_looking_costs_one_head_a_tag_and_reads_no_manifest(place: Place) -> None:
    """Digests are asked for by HEAD, once a tag; no manifest is fetched."""
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        tags = fill(registry, gateway())
        registry.clear_log()
        init(place, registry, GATEWAY, *KEEP_NOTHING)
        asked = [request.target for request in registry.requests if request.method == "HEAD"]
        assert sum(target.rpartition("/")[2] in tags for target in asked) == len(tags)
        read = [request.target for request in registry.requests if request.method == "GET" and request.status < 300]
        assert [target for target in read if "/manifests/" in target] == []


def test_without_evidence_the_policy_cannot_be_used_and_says_so(place: Place) -> None:
    """Nothing is guessed where nobody can be asked: the place is left open, and the parser points at it."""
    with FakeRegistry() as registry:
        fill(registry, gateway())
        result = place.run("init", f"{registry.host}/{GATEWAY}", "-o", str(place.policy))
        assert "--evidence" in result.err
        refused = place.make_plan(expect=2)
        line = place.policy.read_text().splitlines().index("evidence: choose") + 1
        assert f"tagsweep.yaml:{line}:" in refused.err


def test_where_no_age_is_known_it_says_why_nothing_goes_yet(place: Place) -> None:
    """With the usual clauses on a registry without times everything is young, and the page says what that means."""
    with FakeRegistry() as registry:
        fill(registry, gateway())
        result = place.run("init", f"{registry.host}/{GATEWAY}", "-o", str(place.policy), "--evidence", "none")
    assert "counts from the day" in " ".join(result.out.split())


def test_an_existing_policy_is_not_written_over(place: Place) -> None:
    """A file that is there stays as it is without --force, and no registry is asked."""
    place.write("mine")
    result = place.run("init", "127.0.0.1:1/acme/app", "-o", str(place.policy), expect=2)
    assert "--force" in result.err
    assert place.policy.read_text() == "mine"
    with FakeRegistry() as registry:
        fill(registry, gateway())
        place.run("init", f"{registry.host}/{GATEWAY}", "-o", str(place.policy), "--force", *KEEP_NOTHING)
    assert "ci-build" in place.policy.read_text()


def test_the_changelog_beside_the_policy_is_used(place: Place) -> None:
    """A CHANGELOG.md that is there becomes the record of sweeps; without one there is none."""
    with FakeRegistry() as registry:
        fill(registry, gateway())
        place.changelog.write_text("# Changelog\n")
        init(place, registry, GATEWAY, *KEEP_NOTHING)
    assert "record: {changelog: CHANGELOG.md}" in place.policy.read_text()


def test_an_age_without_unit_is_refused(place: Place) -> None:
    """--within needs its unit, like every duration of a policy."""
    result = place.run("init", "127.0.0.1:1/acme/app", "--within", "30", expect=2)
    assert "30d" in result.err


def test_a_repository_without_builds_gets_a_policy_that_removes_nothing(place: Place) -> None:
    """Where no family is certainly temporary there is no rule, and the policy is still a good one."""
    with FakeRegistry() as registry:
        registry.push("acme/app", image("one"), "1.0.0", "latest")
        init(place, registry, "acme/app", "--evidence", "none")
        assert removed(place.make_plan("--json")) == set()
    assert "rules: []" in place.policy.read_text()


def test_a_family_in_doubt_goes_only_by_a_persons_word(place: Place) -> None:
    """Nightlies of a day stay, with their rule as a comment; --also takes them on, and what was seen to move stays."""
    with FakeRegistry(CRANE) as registry:
        for content in ("old", "new"):
            registry.push("acme/app", image(content), "nightly-20260801")
            init(place, registry, "acme/app", "--force", *KEEP_NOTHING)
        registry.push("acme/app", image("release"), "1.0.0", "1.0.1", "1.1.0", "1.1.1")
        nightlies = {f"nightly-202608{day:02}" for day in range(2, 12)}
        for tag in nightlies:
            registry.push("acme/app", image(tag), tag)
        init(place, registry, "acme/app", "--force", *KEEP_NOTHING)
        assert "  # - name: old nightly tags" in place.policy.read_text()
        assert removed(place.make_plan("--json")) == set()
        init(place, registry, "acme/app", "--force", "--also", "nightly", *KEEP_NOTHING)
        assert removed(place.make_plan("--json")) == nightlies
        refused = place.run("init", f"{registry.host}/acme/app", "--force", "--also", "release", expect=2)
        assert "nightly" in refused.err


def test_an_age_that_is_none_is_told_with_what_stands_for_none(place: Place) -> None:
    """Exit 2, before any registry is asked."""
    assert "0d is no such clause" in place.run("init", "127.0.0.1:9/a", "--within", "none", expect=2).err


@pytest.mark.parametrize(
    "repository",
    [pytest.param(name, marks=[] if name == "library/alpine" else [pytest.mark.slow]) for name in repositories()],
)
def test_histories_lose_no_release_and_nothing_that_moves(place: Place, repository: str) -> None:
    """At several dates, with nothing kept by age, just the builds go that were put beside the releases.

    A tag that moves is one that was ever on two images, before the date or after it, whether or not anybody looked.
    """
    ever = state(repository, datetime(2100, 1, 1, tzinfo=UTC)).past
    builds = {f"sha-{number:040x}" for number in range(0xABC0, 0xABC5)}
    pushed: dict[str, int] = {}
    with FakeRegistry(CRANE) as registry:
        for build in builds:
            registry.push(repository, image(build), build)
        for year in (2017, 2022, 2026):
            now = state(repository, datetime(year, 10, 1, tzinfo=UTC))
            changed: dict[int, list[str]] = {}
            for tag, number in now.images.items():
                if pushed.get(tag) != number:
                    changed.setdefault(number, []).append(tag)
            for number, tags in changed.items():
                registry.push(repository, image(f"{repository} {number}"), *tags)
            pushed = dict(now.images)
            document = init(place, registry, repository, "--force", *KEEP_NOTHING)
            preview, families = document["preview"], document["families"]
            assert isinstance(preview, list)
            assert isinstance(families, list)
            goes = set(preview[0]["remove"])
            assert goes & ever.keys() == set()
            assert goes == builds
            assert_targets(families, now.images)


def assert_targets(families: list[dict[str, object]], images: Mapping[str, int]) -> None:
    """Assert that a floating tag's targets are all on its image."""
    for family in families:
        targets = family["targets"]
        assert isinstance(targets, dict)
        for tag, names in targets.items():
            assert {images[name] for name in names} == {images[tag]}
