"""The `ghcr` driver keeps the driver contract, alone and with tags removed by moving them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagsweep.drivers.ghcr import GhcrDriver
from tagsweep.drivers.moving import untag_by_moving
from tagsweep.model.errors import Conflict
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import RegistryDriver
from tagsweep.testing import images
from tagsweep.testing.driver_suite import DriverSuite
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import FakeHarness, Harness
from tagsweep.testing.vendors.ghcr import GHCR, GitHubPackages


class GhcrHarness(FakeHarness):
    """GitHub as a registry of an organization; the credentials are in the environment as in a workflow."""

    def __init__(self, registry: FakeRegistry, *, moving: bool = False) -> None:
        super().__init__(registry, GhcrDriver)
        self._moving = moving

    def connect(self) -> RegistryDriver:
        """Return a new driver, with tags removed by moving them where that is tested."""
        settings = RegistrySettings(host=self.registry.host)
        driver = GhcrDriver.connect(settings, clock=self.clock, progress=self.progress)
        return untag_by_moving(driver, clock=self.clock) if self._moving else driver


class TestGhcrDriver(DriverSuite):
    """The suite against the fake of GitHub's API, as a workflow reaches it."""

    @pytest.fixture(params=[False, True], ids=["plain", "moving"])
    def harness(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
        """Yield a fake registry with GitHub's API and one token for both."""
        api = GitHubPackages()
        with FakeRegistry(GHCR, access=api.access, apis=[api]) as registry:
            monkeypatch.setenv("GITHUB_API_URL", f"http://{registry.host}/api/v3")
            monkeypatch.setenv("GITHUB_TOKEN", api.token)
            for name in ("GH_TOKEN", "GITHUB_ACTOR", "TAGSWEEP_USERNAME", "TAGSWEEP_PASSWORD"):
                monkeypatch.delenv(name, raising=False)
            yield GhcrHarness(registry, moving=request.param)

    def test_an_emptied_repository_lists_no_tags(self, harness: Harness, driver: RegistryDriver) -> None:
        """GitHub lets nobody empty a package: the last tagged version is a Conflict, and its tag stays."""
        image = images.image("only")
        harness.seed(image, "v1")
        driver.probe(harness.repository)
        with pytest.raises(Conflict):
            driver.delete_manifest(harness.repository, image.top)
        assert dict(harness.tags()) == {"v1": image.top}

    def test_deleting_the_last_tag_leaves_the_manifest(self, harness: Harness, driver: RegistryDriver) -> None:
        """A manifest outlives its last tag, as long as another version of the package is tagged."""
        harness.seed(images.image("other"), "other")
        image = images.image("lonely")
        harness.seed(image, "v1")
        if not driver.probe(harness.repository).delete_tag.usable:
            pytest.skip("GitHub cannot remove one tag alone")
        assert driver.delete_tag(harness.repository, "v1") is True
        assert [tag.name for tag in driver.list_tags(harness.repository)] == ["other"]
        assert driver.has_manifest(harness.repository, image.top)

    def test_what_was_deleted_can_be_put_back(self, harness: Harness, driver: RegistryDriver) -> None:
        """The saved bytes, children first, give every tag its old digest again while another version is tagged."""
        harness.seed(images.image("other"), "other")
        image = images.multi_platform("restored")
        harness.seed(image, "v1", "latest")
        driver.probe(harness.repository)
        for manifest in reversed(image.manifests):
            assert driver.delete_manifest(harness.repository, manifest.digest)
        for manifest in image.manifests:
            assert driver.put_manifest(harness.repository, manifest.digest, manifest) == manifest.digest
        for tag in ("v1", "latest"):
            assert driver.put_manifest(harness.repository, tag, image.manifest) == image.top
        assert {tag: on for tag, on in harness.tags().items() if tag != "other"} == {
            "v1": image.top,
            "latest": image.top,
        }
