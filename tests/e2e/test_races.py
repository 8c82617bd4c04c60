"""What other people do to the registry between plan and apply, and what belongs to an image beyond its manifest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagsweep.testing.dialects import DISTRIBUTION_2_8, DISTRIBUTION_3, OCI
from tagsweep.testing.fake import FakeRegistry, LoggedRequest
from tagsweep.testing.images import fallback_index, image, index, multi_platform, referrer
from tests.e2e.kit import Place, policy, removed

REPOSITORY = "acme/app"


@pytest.fixture(params=[DISTRIBUTION_2_8, DISTRIBUTION_3, OCI], ids=lambda dialect: str(dialect.name))
def registry(request: pytest.FixtureRequest, place: Place) -> Iterator[FakeRegistry]:
    """Give a registry with one release and two builds, and the policy under which the builds go."""
    with FakeRegistry(request.param) as found:
        found.push(REPOSITORY, multi_platform("release"), "2026.1.0", "latest")
        found.push(REPOSITORY, multi_platform("one"), "sha-1111111")
        found.push(REPOSITORY, multi_platform("two"), "sha-2222222")
        place.write(policy(f"{found.host}/{REPOSITORY}"))
        yield found


def is_own(request: LoggedRequest, *parts: str) -> bool:
    """Tell whether the request deletes one of these; what is tried for the sake of rights is absent."""
    return request.method == "DELETE" and any(request.target.endswith(part) for part in parts)


def test_what_somebody_else_deleted_is_gone_and_no_failure(place: Place, registry: FakeRegistry) -> None:
    """A build that vanished after the plan counts as gone; the run is done and the rest is deleted."""
    place.make_plan()
    registry.remove_tag(REPOSITORY, "sha-1111111")
    for manifest in multi_platform("one").manifests:
        registry.remove_manifest(REPOSITORY, manifest.digest)
    place.apply()
    assert set(registry.tags(REPOSITORY)) == {"2026.1.0", "latest"}
    assert place.last_run()["status"] == "done"
    assert set(place.outcomes().values()) == {"done", "gone"}


def test_a_404_to_the_deletion_itself_means_gone(place: Place, registry: FakeRegistry) -> None:
    """Hazard 44: what vanishes between the look and the call is gone, and the run is done."""
    place.make_plan()
    top = multi_platform("one").top

    def overtake(request: LoggedRequest) -> None:
        if is_own(request, top, "/sha-1111111"):
            registry.on_request = None
            registry.remove_tag(REPOSITORY, "sha-1111111")
            registry.remove_manifest(REPOSITORY, top)

    registry.on_request = overtake
    place.apply()
    assert set(registry.tags(REPOSITORY)) == {"2026.1.0", "latest"}
    assert "gone" in place.outcomes().values()


def test_a_kept_tag_that_vanishes_is_damage_that_is_told(place: Place, registry: FakeRegistry) -> None:
    """A release that somebody deletes with its manifest during the run ends in exit 7 with the tag's name."""
    place.make_plan()
    release = multi_platform("release")

    def destroy(request: LoggedRequest) -> None:
        if is_own(request, multi_platform("one").top, "/sha-1111111"):
            registry.on_request = None
            for tag in ("2026.1.0", "latest"):
                registry.remove_tag(REPOSITORY, tag)
            registry.remove_manifest(REPOSITORY, release.top)

    registry.on_request = destroy
    result = place.apply(expect=7)
    assert "2026.1.0" in result.err
    assert place.last_run()["status"] == "damaged"
    assert place.run("verify", "--json", expect=7).document["ok"] is False


def test_a_lost_layer_of_something_kept_is_found(place: Place, registry: FakeRegistry) -> None:
    """Verification asks for every config and layer: one that is missing ends in exit 7."""
    place.make_plan()
    place.apply()
    place.run("verify")
    registry.remove_blob(REPOSITORY, min(multi_platform("release").blobs))
    place.run("verify", expect=7)


def test_the_race_that_stays_open_is_seen_afterwards(place: Place) -> None:
    """A tag that moves between look and call stays where a digest is deleted, and verification tells that it moved."""
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        registry.push(REPOSITORY, image("release"), "2026.1.0")
        registry.push(REPOSITORY, image("one"), "sha-1111111")
        place.write(policy(f"{registry.host}/{REPOSITORY}"))
        place.make_plan()

        def move(request: LoggedRequest) -> None:
            if is_own(request, image("one").top):
                registry.on_request = None
                registry.push(REPOSITORY, image("pushed again"), "sha-1111111")

        registry.on_request = move
        swept = place.apply("--json", expect=None)
        assert registry.tags(REPOSITORY)["sha-1111111"] == image("pushed again").top
        moved = swept.document["verification"]["moved"]
        assert [finding["subject"] for finding in moved] == ["sha-1111111"]


def test_a_restore_leaves_alone_what_was_pushed_again(place: Place, registry: FakeRegistry) -> None:
    """A removed tag that CI pushed again on another digest stays there; the others come back; exit 3."""
    place.make_plan()
    place.apply()
    registry.push(REPOSITORY, image("pushed again"), "sha-1111111")
    restored = place.run("restore", place.last_run()["id"], "--yes", "--json", expect=3).document
    assert {one["tag"]: one["kind"] for one in restored["outcomes"]} == {
        "sha-1111111": "moved",
        "sha-2222222": "restored",
    }
    assert registry.tags(REPOSITORY)["sha-1111111"] == image("pushed again").top
    assert registry.tags(REPOSITORY)["sha-2222222"] == multi_platform("two").top


def test_one_tag_can_be_restored_alone(place: Place, registry: FakeRegistry) -> None:
    """Only the named tag comes back, whole; a tag that the run did not remove is refused with 2."""
    place.make_plan()
    place.apply()
    run = place.last_run()["id"]
    place.run("restore", run, f"{registry.host}/{REPOSITORY}:2026.1.0", "--yes", expect=2)
    place.run("restore", run, f"{registry.host}/{REPOSITORY}:sha-2222222", "--yes")
    assert set(registry.tags(REPOSITORY)) == {"2026.1.0", "latest", "sha-2222222"}
    assert {each.digest for each in multi_platform("two").manifests} <= registry.manifests(REPOSITORY).keys()


def test_referrers_go_with_their_subject_and_come_back_with_it(place: Place, registry: FakeRegistry) -> None:
    """An SBOM of a removed build's platform goes and is restored; a release's stays; by API or by fallback tag."""
    boms = {}
    for seed in ("release", "one"):
        subject = multi_platform(seed).children[0]
        boms[seed] = referrer(subject)
        registry.push(REPOSITORY, boms[seed])
        if registry.dialect is not OCI:
            registry.push(REPOSITORY, fallback_index([boms[seed]]), subject.digest.replace(":", "-"))
    before = (registry.tags(REPOSITORY), registry.manifests(REPOSITORY).keys())
    planned = place.make_plan("--json")
    assert {tag for tag in removed(planned) if tag.startswith("sha-")} == {"sha-1111111", "sha-2222222"}
    place.apply()
    left = registry.manifests(REPOSITORY)
    assert boms["release"].top in left
    assert boms["one"].top not in left
    place.run("restore", place.last_run()["id"], "--yes")
    assert (registry.tags(REPOSITORY), registry.manifests(REPOSITORY).keys()) == before


def test_an_index_of_indexes_goes_to_the_bottom_and_comes_back(place: Place, registry: FakeRegistry) -> None:
    """Hazard 13: nested indexes are followed at any depth, and what a release needs at the bottom stays."""
    shared = image("bottom of both")
    registry.push(REPOSITORY, index([index([index([shared, image("deep")])])]), "sha-3333333")
    registry.push(REPOSITORY, index([index([shared])]), "2026.1.1")
    before = (registry.tags(REPOSITORY), registry.manifests(REPOSITORY).keys())
    place.make_plan()
    place.apply()
    left = registry.manifests(REPOSITORY)
    assert shared.top in left
    assert image("deep").top not in left
    place.run("verify")
    place.run("restore", place.last_run()["id"], "--yes")
    assert (registry.tags(REPOSITORY), registry.manifests(REPOSITORY).keys()) == before


def test_docker_lists_are_swept_like_oci_indexes(place: Place, registry: FakeRegistry) -> None:
    """Docker's manifest lists go with their platforms and come back with the same digests."""
    listed = multi_platform("docker", docker=True, attestations=False)
    registry.push(REPOSITORY, listed, "sha-4444444")
    before = registry.tags(REPOSITORY)
    place.make_plan()
    place.apply()
    assert not {each.digest for each in listed.manifests} & registry.manifests(REPOSITORY).keys()
    place.run("restore", place.last_run()["id"], "--yes")
    assert registry.tags(REPOSITORY) == before
