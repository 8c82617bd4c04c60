"""The TensorZero sweep on Artifactory: folders of tags go, and its trash can brings them back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.images import image
from tagsweep.testing.vendors.artifactory import ARTIFACTORY, ArtifactoryApi
from tests.e2e.kit import GATEWAY, Place, both_sizes, fill, gateway
from tests.e2e.sweeps import Sweep, log_in, vendor_policy


@pytest.fixture
def artifactory(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FakeRegistry, ArtifactoryApi]]:
    """Yield an Artifactory whose local repository tensorzero holds the image gateway."""
    api = ArtifactoryApi()
    log_in(monkeypatch, api.name, api.token)
    with FakeRegistry(ARTIFACTORY, access=api.access, apis=[api]) as registry:
        fill(registry, gateway())
        yield registry, api


def artifactory_policy(host: str) -> str:
    """Return the policy of the sweep."""
    return vendor_policy(host, "artifactory", target="tensorzero/*")


@both_sizes
def test_the_builds_go_and_the_trash_can_brings_them_back(
    place: Place, artifactory: tuple[FakeRegistry, ArtifactoryApi]
) -> None:
    """107 folders go, also the 35 on a release's digest; restore takes all of them out of the trash can."""
    registry, _ = artifactory
    sweep = Sweep(place, registry, artifactory_policy(registry.host))
    sweep.plan()
    sweep.apply()
    outcomes = sweep.restore().document["outcomes"]
    assert {one["tag"] for one in outcomes if one["why"] == "by the registry's own undo"} == sweep.builds
    assert registry.count("PUT") == 0


@both_sizes
def test_a_tag_whose_folder_holds_another_image_stays(
    place: Place, artifactory: tuple[FakeRegistry, ArtifactoryApi]
) -> None:
    """Deleting the folder of the tag would take the image below it along: it is kept, with that reason."""
    registry, _ = artifactory
    victim = min(tag for tag in registry.tags(GATEWAY) if tag.startswith("sha-"))
    registry.push(f"{GATEWAY}/{victim}", image("nested"), "v1")
    sweep = Sweep(place, registry, artifactory_policy(registry.host))
    assert "would go with it" in sweep.plan(sweep.builds - {victim}).out
    sweep.apply()
    assert set(registry.tags(f"{GATEWAY}/{victim}")) == {"v1"}


@both_sizes
def test_without_an_administrator_the_saved_bytes_are_put_back(
    place: Place, artifactory: tuple[FakeRegistry, ArtifactoryApi]
) -> None:
    """Who may not use the trash can restores by pushing the manifests again."""
    registry, api = artifactory
    api.may_restore = False
    sweep = Sweep(place, registry, artifactory_policy(registry.host))
    sweep.plan()
    sweep.apply()
    sweep.restore()
    assert registry.count("PUT") >= len(sweep.builds)
