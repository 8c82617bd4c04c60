"""The TensorZero sweep on Artifactory: folders of tags go, and its trash can brings them back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.images import image
from tagsweep.testing.vendors.artifactory import ARTIFACTORY, ArtifactoryApi
from tests.e2e.kit import GATEWAY, SHA, Place, fill, gateway, policy, removed, shared_with_release


@pytest.fixture
def artifactory(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FakeRegistry, ArtifactoryApi]]:
    """Yield an Artifactory whose local repository tensorzero holds the image gateway."""
    api = ArtifactoryApi()
    monkeypatch.setenv("TAGSWEEP_USERNAME", api.name)
    monkeypatch.setenv("TAGSWEEP_PASSWORD", api.token)
    with FakeRegistry(ARTIFACTORY, access=api.access, apis=[api]) as registry:
        fill(registry, gateway())
        yield registry, api


def artifactory_policy(host: str) -> str:
    """Return the policy of the sweep."""
    return policy(f"{host}/tensorzero/*", more=f'registries: {{"{host}": {{driver: artifactory}}}}\n')


def test_the_builds_go_and_the_trash_can_brings_them_back(
    place: Place, artifactory: tuple[FakeRegistry, ArtifactoryApi]
) -> None:
    """107 folders go, also the 35 on a release's digest; restore takes all of them out of the trash can."""
    registry, _ = artifactory
    tags = registry.tags(GATEWAY)
    builds = {tag for tag in tags if SHA.fullmatch(tag)}
    shared = shared_with_release(tags)
    place.write(artifactory_policy(registry.host))
    assert removed(place.make_plan("--json")) == builds
    place.apply()
    left = {tag: digest for tag, digest in tags.items() if tag not in builds}
    assert registry.tags(GATEWAY) == left
    place.run("verify")
    registry.clear_log()
    outcomes = place.run("restore", place.last_run()["id"], "--yes", "--json").document["outcomes"]
    assert registry.tags(GATEWAY) == tags
    assert {one["tag"] for one in outcomes if one["why"] == "by the registry's own undo"} == builds
    assert len(shared) == 35
    assert registry.count("PUT") == 0


def test_a_tag_whose_folder_holds_another_image_stays(
    place: Place, artifactory: tuple[FakeRegistry, ArtifactoryApi]
) -> None:
    """Deleting the folder of the tag would take the image below it along: it is kept, with that reason."""
    registry, _ = artifactory
    builds = {tag for tag in registry.tags(GATEWAY) if SHA.fullmatch(tag)}
    victim = min(builds)
    registry.push(f"{GATEWAY}/{victim}", image("nested"), "v1")
    place.write(artifactory_policy(registry.host))
    planned = place.make_plan("--json")
    assert removed(planned) == builds - {victim}
    assert "would go with it" in planned.out
    place.apply()
    assert set(registry.tags(f"{GATEWAY}/{victim}")) == {"v1"}


def test_without_an_administrator_the_saved_bytes_are_put_back(
    place: Place, artifactory: tuple[FakeRegistry, ArtifactoryApi]
) -> None:
    """Who may not use the trash can restores by pushing the manifests again."""
    registry, api = artifactory
    api.may_restore = False
    tags = registry.tags(GATEWAY)
    place.write(artifactory_policy(registry.host))
    place.make_plan()
    place.apply()
    place.run("restore", place.last_run()["id"], "--yes")
    assert registry.tags(GATEWAY) == tags
