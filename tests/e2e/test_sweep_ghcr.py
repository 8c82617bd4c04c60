"""The TensorZero sweep on GitHub's registry: what versions, shared digests and GitHub's own undo mean there happens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tagsweep.model.reference import Digest
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.vendors.ghcr import GHCR, GitHubPackages
from tests.e2e.kit import (
    GATEWAY,
    SHA,
    Place,
    both_sizes,
    codes,
    decisions,
    fill,
    gateway,
    policy,
    removed,
    shared_with_release,
)
from tests.e2e.sweeps import Sweep


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHub:
    """A fake GitHub that holds tensorzero/gateway, and what its tags are on."""

    api: GitHubPackages
    registry: FakeRegistry
    tags: dict[str, Digest]

    @property
    def builds(self) -> set[str]:
        """The tags of builds."""
        return {tag for tag in self.tags if SHA.fullmatch(tag)}

    def policy(self, *, moving: bool = False) -> str:
        """Return the policy, with tags removed by moving them where that is tested."""
        host = self.registry.host
        option = ", untag_by_moving: true" if moving else ""
        return policy(f"{host}/{GATEWAY}", more=f'registries: {{"{host}": {{driver: ghcr{option}}}}}\n')


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    """Yield GitHub as a workflow sees it."""
    api = GitHubPackages(owners={"tensorzero": "Organization"})
    with FakeRegistry(GHCR, access=api.access, apis=[api]) as registry:
        monkeypatch.setenv("GITHUB_API_URL", f"http://{registry.host}/api/v3")
        monkeypatch.setenv("GITHUB_TOKEN", api.token)
        for name in ("GH_TOKEN", "GITHUB_ACTOR"):
            monkeypatch.delenv(name, raising=False)
        yield GitHub(api=api, registry=registry, tags=fill(registry, gateway()))


def gets_of_manifests(registry: FakeRegistry) -> int:
    """Return how many manifests were fetched so far: GitHub counts each as a download."""
    return sum(
        1 for one in registry.requests if one.method == "GET" and "/manifests/" in one.target and one.status == 200
    )


@both_sizes
def test_versions_go_as_a_whole_and_shared_digests_stay(place: Place, github: GitHub) -> None:
    """Without the option the 35 builds on the digest of a release stay, 72 go, and GitHub itself brings them back."""
    registry = github.registry
    sweep = Sweep(place, registry, github.policy())
    planned = sweep.plan(going=sweep.builds - sweep.shared)
    assert all(codes(decisions(planned)[tag]) == {"shares-digest"} for tag in sweep.shared)
    sweep.apply()
    assert registry.count("DELETE", "/v2/") == 0
    restored = sweep.restore()
    whys = {outcome["why"] for outcome in restored.document["outcomes"]}
    assert whys == {"by the registry's own undo"}, restored.err
    assert registry.count("POST", "/restore") == len(sweep.going) * 5  # each with its four children
    assert registry.count("PUT") == 0


@both_sizes
def test_all_builds_go_where_the_policy_lets_tags_be_moved(place: Place, github: GitHub) -> None:
    """With the option all 107 go, only the 35 shared ones by moving, and every release keeps its digest."""
    registry = github.registry
    sweep = Sweep(place, registry, github.policy(moving=True))
    sweep.plan()
    sweep.apply()
    moved = {one.target.rpartition("/")[2] for one in registry.requests if one.method == "PUT" and one.status == 201}
    assert moved == sweep.shared
    kept = set(sweep.left.values())
    assert set(registry.manifests(GATEWAY)) >= kept
    assert len(registry.manifests(GATEWAY)) == len(kept) * 5  # no throw-away manifest is left
    sweep.restore()


def test_looking_at_a_package_fetches_each_manifest_once_for_ever(place: Place, github: GitHub) -> None:
    """A second plan fetches no manifest, because GitHub counts each fetch as a download (hazard 50)."""
    place.write(github.policy())
    place.make_plan()
    github.registry.clear_log()
    place.make_plan()
    assert gets_of_manifests(github.registry) == 0
    assert github.registry.count("HEAD", "/manifests/sha-") == 0


def test_what_github_refuses_for_good_fails_alone(place: Place, github: GitHub) -> None:
    """A public version with over 5,000 downloads stays and is told with the remedy; the rest goes on (hazard 45)."""
    popular = min(github.builds - shared_with_release(github.tags))
    github.api.downloads[github.tags[popular]] = 5_001
    place.write(github.policy())
    place.make_plan()
    place.apply(expect=3)
    assert popular in github.registry.tags(GATEWAY)
    assert place.last_run()["removed_tags"] == 71
    assert sum("5,000 downloads" in why for why in place.why().values()) == 1


def test_a_token_that_cannot_delete_is_told_before_the_plan(place: Place, github: GitHub) -> None:
    """Without delete:packages nothing is planned to go, and doctor names the scope that is missing."""
    github.api.scopes = "read:packages, write:packages"
    place.write(github.policy())
    assert removed(place.make_plan("--json")) == set()
    told = " ".join(place.run("doctor", "-c", str(place.policy)).out.split())
    assert "lacks the scope delete:packages" in told
