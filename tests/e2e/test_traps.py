"""The traps of registries and the accidents of other tools, lived through by the whole program."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagsweep.testing.dialects import DISTRIBUTION_2_8, DISTRIBUTION_3, Dialect
from tagsweep.testing.fake import FakeRegistry, LoggedRequest
from tagsweep.testing.images import cosign_signature, cosign_tag, image, index, multi_platform
from tests.e2e.kit import GATEWAY, Place, both_sizes, codes, decisions, fill, gateway, policy, removed, size

REPOSITORY = "acme/app"
BROAD = 'rules:\n  - name: builds\n    match: {glob: "sha*"}\n    keep: []\n'
BOTH = [DISTRIBUTION_2_8, DISTRIBUTION_3]


@pytest.fixture(params=BOTH, ids=lambda dialect: str(dialect.name))
def registry(request: pytest.FixtureRequest) -> Iterator[FakeRegistry]:
    """Give an empty registry that cannot, and one that can, remove a single tag."""
    dialect: Dialect = request.param
    with FakeRegistry(dialect) as found:
        yield found


def prepare(place: Place, registry: FakeRegistry, rules: str = BROAD) -> None:
    """Write the policy for the small repository of these tests."""
    place.write(policy(f"{registry.host}/{REPOSITORY}", rules=rules))


@both_sizes
def test_trap_t6_everything_is_listed_before_the_first_deletion(place: Place) -> None:
    """T6, T20: between the first deletion and the last no page of a listing is asked for by a place in the list."""
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}"))
        place.make_plan()
        registry.clear_log()
        place.apply()
        assert not [request for request in registry.requests if "last=" in request.target or "page=" in request.target]


def test_trap_t8_a_child_that_something_kept_needs_survives(place: Place, registry: FakeRegistry) -> None:
    """T7, T8, hazards 1, 4 and 5: a platform shared with a kept index stays, also where a build's tag names it."""
    shared, alone = image("shared"), image("alone")
    registry.push(REPOSITORY, index([shared, image("other")]), "1.0.0")
    registry.push(REPOSITORY, index([shared, alone]), "sha-1111111")
    registry.push(REPOSITORY, shared, "sha-2222222")
    prepare(place, registry)
    place.make_plan()
    place.apply()
    left = registry.manifests(REPOSITORY)
    assert shared.top in left
    assert alone.top not in left
    assert "sha-1111111" not in registry.tags(REPOSITORY)
    assert ("sha-2222222" in registry.tags(REPOSITORY)) == (registry.dialect is DISTRIBUTION_2_8)
    place.run("verify")


def test_trap_t12_signatures_live_and_die_with_their_subject(place: Place, registry: FakeRegistry) -> None:
    """T12: the pattern sha* matches no signature; one goes with its build, the release's stays."""
    release, build = multi_platform("release"), multi_platform("build")
    registry.push(REPOSITORY, release, "1.0.0")
    registry.push(REPOSITORY, build, "sha-1111111")
    for signed in (release, build):
        registry.push(REPOSITORY, cosign_signature(signed.top), cosign_tag(signed.top))
    prepare(place, registry)
    planned = place.make_plan("--json")
    assert removed(planned) == {"sha-1111111", cosign_tag(build.top)}
    place.apply()
    assert set(registry.tags(REPOSITORY)) == {"1.0.0", cosign_tag(release.top)}


def test_trap_t13_a_time_that_means_nothing_is_unknown(place: Place, registry: FakeRegistry) -> None:
    """T13, hazard 15: created 1970 makes nothing old, and a clock that the registry lacks leaves tags undecided."""
    registry.push(REPOSITORY, image("epoch", created="1970-01-01T00:00:00Z"), "sha-1111111")
    registry.push(REPOSITORY, image("old", created="2020-01-01T00:00:00Z"), "sha-2222222")
    registry.push(REPOSITORY, image("release"), "1.0.0")
    prepare(place, registry, BROAD.replace("keep: []", "keep: [{within: 30d, of: created}]"))
    planned = place.make_plan("--json")
    assert removed(planned) == {"sha-2222222"}
    assert codes(decisions(planned)["sha-1111111"]) == {"time-unknown"}
    prepare(place, registry, BROAD.replace("keep: []", "keep: [{within: 30d, of: pushed}]"))
    assert removed(place.make_plan("--json")) == set()


def test_trap_t17_a_commit_in_a_tag_proves_nothing(place: Place, registry: FakeRegistry) -> None:
    """T17: no commit is looked up anywhere; without a rule that matches it, a sha tag stays like any other."""
    registry.push(REPOSITORY, image("merge commit"), "sha-" + "ab" * 20)
    registry.push(REPOSITORY, image("build"), "build-1")
    prepare(place, registry, BROAD.replace("sha*", "build-?*"))
    assert removed(place.make_plan("--json")) == {"build-1"}


@both_sizes
def test_trap_t19_what_undo_needs_is_read_before_the_first_deletion(place: Place) -> None:
    """T19, hazard 47: every manifest that goes is saved first, down to the attestations."""
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}"))
        place.make_plan()
        everything = registry.manifests(GATEWAY).keys()
        registry.clear_log()
        place.apply()
        log = [request for request in registry.requests if "/manifests/" in request.target]
        gone = everything - registry.manifests(GATEWAY).keys()
        first = next(at for at, one in enumerate(log) if one.method == "DELETE" and any(d in one.target for d in gone))
        saved = {one.target.rpartition("/")[2] for one in log[:first] if one.method == "GET"}
        assert len(gone & saved) == 4 * (size().builds - size().shared)


def test_a_tag_that_moved_after_the_plan_stays(place: Place, registry: FakeRegistry) -> None:
    """Hazard 38: a build that was pushed again is skipped with the reason, exit 3, and the rest goes."""
    registry.push(REPOSITORY, image("one"), "sha-1111111")
    registry.push(REPOSITORY, image("two"), "sha-2222222")
    registry.push(REPOSITORY, image("release"), "1.0.0")
    prepare(place, registry)
    place.make_plan()
    registry.push(REPOSITORY, image("new"), "sha-1111111")
    place.apply(expect=3)
    assert registry.tags(REPOSITORY) == {"1.0.0": image("release").top, "sha-1111111": image("new").top}


@both_sizes
def test_a_tag_that_moves_between_the_waves_stays(place: Place) -> None:
    """Hazard 38: the look directly before each call sees a tag that moved while the run was under way."""
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        tags = fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}"))
        victim = max(removed(place.make_plan("--json")), key=lambda tag: tags[tag])

        def move(request: LoggedRequest) -> None:
            if request.method == "DELETE" and any(digest in request.target for digest in tags.values()):
                registry.on_request = None
                registry.push(GATEWAY, image("new"), victim)

        registry.on_request = move
        place.apply(expect=3)
        assert registry.tags(GATEWAY)[victim] == image("new").top


def test_a_new_tag_on_what_was_to_go_keeps_it(place: Place, registry: FakeRegistry) -> None:
    """A tag that came after the plan onto a planned digest blocks the deletion of all that it needs."""
    build, other = multi_platform("build"), multi_platform("other")
    registry.push(REPOSITORY, build, "sha-1111111")
    registry.push(REPOSITORY, other, "sha-2222222")
    registry.push(REPOSITORY, image("release"), "1.0.0")
    prepare(place, registry)
    place.make_plan()
    registry.push(REPOSITORY, build, "prod")
    child = other.children[0]
    registry.push(REPOSITORY, index([image("release")]), "unrelated")
    place.apply(expect=3)
    assert registry.tags(REPOSITORY)["prod"] == build.top
    assert {one.digest for one in build.manifests} <= registry.manifests(REPOSITORY).keys()
    assert child.digest not in registry.manifests(REPOSITORY)


def test_a_moved_tag_whose_new_index_shares_a_planned_child_keeps_that_child(place: Place) -> None:
    """A build that was pushed again as an index around a platform of another build: that platform stays."""
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        shared = image("shared")
        registry.push(REPOSITORY, index([image("one")]), "sha-1111111")
        registry.push(REPOSITORY, index([shared, image("two")]), "sha-2222222")
        registry.push(REPOSITORY, image("release"), "1.0.0")
        prepare(place, registry)
        place.make_plan()
        registry.push(REPOSITORY, index([shared, image("three")]), "sha-1111111")
        place.apply(expect=3)
        assert shared.top in registry.manifests(REPOSITORY)


def test_an_orphan_signature_stays_and_stops_nothing(place: Place) -> None:
    """Hazard 11: a signature whose subject is gone is kept and told; builds go all the same."""
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        gone = image("gone")
        registry.push(REPOSITORY, cosign_signature(gone.top), cosign_tag(gone.top))
        registry.push(REPOSITORY, image("one"), "sha-1111111")
        registry.push(REPOSITORY, image("release"), "1.0.0")
        prepare(place, registry)
        assert removed(place.make_plan("--json")) == {"sha-1111111"}


def test_a_kept_tag_that_rolled_back_onto_a_planned_digest_keeps_it(place: Place, registry: FakeRegistry) -> None:
    """Hazard 19: prod moved back to an old build after the plan; the build's manifests stay whole."""
    build = multi_platform("build")
    registry.push(REPOSITORY, build, "sha-1111111")
    registry.push(REPOSITORY, multi_platform("today"), "prod")
    registry.push(REPOSITORY, image("release"), "1.0.0")
    prepare(place, registry)
    place.make_plan()
    registry.push(REPOSITORY, build, "prod")
    place.apply(expect=3)
    assert registry.tags(REPOSITORY)["prod"] == build.top
    assert {one.digest for one in build.manifests} <= registry.manifests(REPOSITORY).keys()


@both_sizes
def test_a_rate_limit_is_waited_for_and_the_sweep_finishes(place: Place) -> None:
    """Hazard 41: 429 with Retry-After in the middle of the deletions delays them, and all are done."""
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        tags = fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}"))
        place.make_plan()

        def limit(request: LoggedRequest) -> None:
            if request.method == "DELETE" and any(digest in request.target for digest in tags.values()):
                registry.on_request = None
                registry.fail_next(4, status=429, method="DELETE", headers={"Retry-After": "0"})

        registry.on_request = limit
        place.apply()
        assert len(registry.tags(GATEWAY)) == size().tags - size().builds + size().shared


def test_a_tag_with_nothing_under_it_does_not_stop_the_sweep(place: Place) -> None:
    """Hazard 44: a tag that the registry lists and denies is reported and stays; the others are decided as usual."""
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        broken = image("broken")
        registry.push(REPOSITORY, broken, "sha-0000000")
        registry.push(REPOSITORY, image("one"), "sha-1111111")
        registry.push(REPOSITORY, image("release"), "1.0.0")
        registry.corrupt(REPOSITORY, broken.top)
        prepare(place, registry)
        planned = place.make_plan("--json", expect=None)
        assert decisions(planned)["sha-0000000"]["verdict"] == "undecided"


@both_sizes
def test_two_applies_at_once_are_not_possible(place: Place) -> None:
    """Hazard 51: while one apply sweeps a repository, a second is refused with exit 6."""
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}"))
        place.make_plan()
        seen: list[int] = []

        def second(request: LoggedRequest) -> None:
            if request.method == "DELETE" and not seen:
                seen.append(-1)
                child = place.start_apply()
                child.communicate(timeout=60)
                seen[0] = child.returncode

        registry.on_request = second
        place.apply()
        assert seen == [6]
