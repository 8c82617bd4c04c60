"""The TensorZero sweep where one tag of many is removed by moving it first: whole, killed in the middle, refused."""

from __future__ import annotations

import signal
import subprocess
from dataclasses import replace

import pytest

from tagsweep.model.reference import Digest
from tagsweep.testing.access import BasicAccess
from tagsweep.testing.dialects import DISTRIBUTION_2_8, Refusal
from tagsweep.testing.fake import FakeRegistry, LoggedRequest
from tagsweep.testing.storage_layout import StorageLayout
from tests.e2e.kit import (
    GATEWAY,
    SHA,
    Place,
    both_sizes,
    fill,
    gateway,
    own_server,
    policy,
    removed,
    shared_with_release,
    size,
)
from tests.real.servers import ServerKind


def moving(host: str) -> str:
    """Return the policy that lets tags be moved."""
    return policy(f"{host}/{GATEWAY}", more=f'registries: {{"{host}": {{untag_by_moving: true}}}}\n')


def builds(tags: dict[str, Digest]) -> set[str]:
    """Return the tags of builds."""
    return {tag for tag in tags if SHA.fullmatch(tag)}


def without_builds(tags: dict[str, Digest]) -> dict[str, Digest]:
    """Return what stays."""
    return {tag: digest for tag, digest in tags.items() if SHA.fullmatch(tag) is None}


def present(place: Place, host: str) -> dict[str, str]:
    """Return the tags that are there now with their digests."""
    document = place.run("inventory", f"{host}/{GATEWAY}", "--json").document
    return {tag["name"]: tag["digest"] for tag in document["repositories"][0]["tags"]}


@both_sizes
@pytest.mark.real
def test_distribution_2_8_removes_every_build_also_those_that_share_a_release(place: Place) -> None:
    """On Debian's registry all 107 builds go, the releases keep their digests and are whole, and all come back."""
    with own_server(ServerKind.DISTRIBUTION_2_8) as server:
        assert server.root is not None
        layout = StorageLayout(server.root)
        tags: dict[str, Digest] = {}
        for built in gateway().images():
            layout.write(GATEWAY, built.image, built.tags)
            tags.update(dict.fromkeys(built.tags, built.image.top))
        place.write(moving(server.host))
        assert "by moving the tag" in " ".join(place.run("doctor", "-c", str(place.policy)).out.split())
        assert removed(place.make_plan("--json")) == builds(tags)
        assert len(builds(tags)) == size().builds
        assert len(shared_with_release(tags)) == size().shared
        place.apply()
        assert present(place, server.host) == without_builds(tags)
        place.run("verify")
        place.run("restore", place.last_run()["id"], "--yes")
        assert present(place, server.host) == tags


@both_sizes
def test_only_tags_whose_digest_stays_are_moved(place: Place) -> None:
    """The 72 builds that share with nothing go with their digest; nothing is ever written to their tags."""
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        tags = fill(registry, gateway())
        place.write(moving(registry.host))
        place.make_plan()
        place.apply()
        pushed = {
            one.target.rpartition("/")[2] for one in registry.requests if one.method == "PUT" and one.status < 300
        }
        assert pushed == shared_with_release(tags)
        assert registry.tags(GATEWAY) == without_builds(tags)
        assert len(registry.manifests(GATEWAY)) == len(set(without_builds(tags).values())) * 5


@both_sizes
@pytest.mark.parametrize("which", ["first", "early", "last"])
def test_killed_between_moving_and_deleting_is_carried_on(place: Place, which: str) -> None:
    """Killed with -9 when a tag is on its throw-away manifest, the same command ends as if it had not been."""
    number = {"first": 1, "early": max(2, size().shared // 5), "last": size().shared}[which]
    child: list[subprocess.Popen[str]] = []
    pushed = 0
    armed = False

    def kill(request: LoggedRequest) -> None:
        nonlocal pushed, armed
        if armed and child:
            child[0].kill()
        if request.method == "PUT" and "/manifests/sha-" in request.target:
            pushed += 1
            armed = pushed >= number

    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        tags = fill(registry, gateway())
        place.write(moving(registry.host))
        place.make_plan()
        registry.on_request = kill
        child.append(place.start_apply())
        child[0].communicate(timeout=60)
        registry.on_request = None
        assert child[0].returncode == -signal.SIGKILL
        halfway = [tag for tag, digest in registry.tags(GATEWAY).items() if digest != tags[tag]]
        assert halfway
        place.apply()
        assert registry.tags(GATEWAY) == without_builds(tags)
        assert len(registry.manifests(GATEWAY)) == len(set(without_builds(tags).values())) * 5
        assert place.last_run()["removed_tags"] == size().builds
        place.run("restore", place.last_run()["id"], "--yes")
        assert registry.tags(GATEWAY) == tags


def test_where_the_throw_away_manifest_is_not_deleted_every_tag_is_put_back(place: Place) -> None:
    """A registry that turns out to delete no tagged manifest leaves every shared tag where it was (T11, hazard 8)."""
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        tags = fill(registry, gateway())
        place.write(moving(registry.host))
        place.make_plan()
        registry.dialect = replace(DISTRIBUTION_2_8, tagged_delete=Refusal(status=403, code="DENIED"))
        registry._writer._dialect = registry.dialect
        place.apply(expect=None)
        assert registry.tags(GATEWAY) == tags


def test_without_the_right_to_push_nothing_is_moved_and_the_plan_says_so(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials that may delete and not push are found out before the plan: shared tags stay, the others go."""
    access = BasicAccess(granted=frozenset({"pull", "delete"}))
    monkeypatch.setenv("TAGSWEEP_USERNAME", access.username)
    monkeypatch.setenv("TAGSWEEP_PASSWORD", access.password)
    with FakeRegistry(DISTRIBUTION_2_8, access=access) as registry:
        tags = fill(registry, gateway())
        place.write(moving(registry.host))
        assert removed(place.make_plan("--json")) == builds(tags) - shared_with_release(tags)
        assert "these credentials may not" in " ".join(place.run("doctor", "-c", str(place.policy)).out.split())
        assert registry.tags(GATEWAY) == tags
