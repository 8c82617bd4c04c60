"""The `gar` driver keeps the driver contract; what is tagged is deleted only after its tags, as Google has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tagsweep.drivers.gar import GarDriver
from tagsweep.model.errors import Conflict
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import RegistryDriver
from tagsweep.testing import images
from tagsweep.testing.driver_suite import ABSENT, DriverSuite
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import FakeHarness, Harness
from tagsweep.testing.vendors.gar import GAR, GarFake

CASES: dict[str, dict[str, Any]] = {
    "pkg.dev": {},
    "as gcr.io lists": {"lists_everything": True},
    "no map": {"has_map": False},
    "service account key": {"username": "_json_key", "password": "{}"},
    "may not delete": {"granted": frozenset({"pull", "push"})},
}


class GarHarness(FakeHarness):
    """A fake Artifact Registry, and the driver told where its REST API is."""

    repository = "acme/images/team/app"

    def connect(self) -> RegistryDriver:
        """Return a new driver."""
        options = {"api": f"http://{self.registry.host}", "location": "us"}
        settings = RegistrySettings(host=self.registry.host, options=options)
        return GarDriver.connect(settings, clock=self.clock, progress=self.progress)


class TestGarDriver(DriverSuite):
    """The suite against the fake, for each kind of credentials and each thing that is not documented."""

    @pytest.fixture(params=CASES)
    def harness(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
        """Yield a fake Artifact Registry."""
        options = {"username": "oauth2accesstoken", "password": "ya29.fake", **CASES[request.param]}
        monkeypatch.setenv("TAGSWEEP_USERNAME", options["username"])
        monkeypatch.setenv("TAGSWEEP_PASSWORD", options["password"])
        with FakeRegistry(GAR, apis=[GarFake(**options)]) as registry:
            yield GarHarness(registry, GarDriver)

    def test_deleting_a_manifest_takes_all_its_tags_and_no_other(
        self, harness: Harness, driver: RegistryDriver
    ) -> None:
        """A manifest with a tag is refused as a Conflict and loses nothing; without tags it goes alone."""
        image, other = images.multi_platform("doomed"), images.multi_platform("spared")
        harness.seed(image, "v1", "latest")
        harness.seed(other, "v2")
        known = driver.probe(harness.repository)
        if not known.delete_manifest.usable:
            pytest.skip(known.delete_manifest.why)
        before = dict(harness.tags())
        with pytest.raises(Conflict, match="GOOGLE_MANIFEST_DANGLING_TAG"):
            driver.delete_manifest(harness.repository, image.top)
        assert dict(harness.tags()) == before
        with pytest.raises(Conflict, match="GOOGLE_MANIFEST_DANGLING_PARENT_IMAGE"):
            driver.delete_manifest(harness.repository, image.children[0].digest)
        for tag in ("v1", "latest"):
            assert driver.delete_tag(harness.repository, tag)
        assert driver.delete_manifest(harness.repository, image.top) is True
        assert dict(harness.tags()) == {"v2": other.top}
        assert all(driver.has_manifest(harness.repository, child.digest) for child in image.children)

    def test_deleting_an_absent_manifest_is_false(self, harness: Harness, driver: RegistryDriver) -> None:
        """The second deletion of a digest, and that of one that never was, return False."""
        image = images.image("twice")
        harness.seed(image)
        harness.seed(images.image("other"), "v2")
        known = driver.probe(harness.repository)
        if not known.delete_manifest.usable:
            pytest.skip(known.delete_manifest.why)
        assert driver.delete_manifest(harness.repository, image.top) is True
        assert driver.delete_manifest(harness.repository, image.top) is False
        assert driver.delete_manifest(harness.repository, ABSENT) is False

    def test_what_was_deleted_can_be_put_back(self, harness: Harness, driver: RegistryDriver) -> None:
        """Untagged, deleted and put again, children first, every tag has its old digest."""
        image = images.multi_platform("restored")
        harness.seed(image, "v1", "latest")
        known = driver.probe(harness.repository)
        if not known.delete_manifest.usable:
            pytest.skip(known.delete_manifest.why)
        for tag in ("v1", "latest"):
            assert driver.delete_tag(harness.repository, tag)
        for manifest in reversed(image.manifests):
            assert driver.delete_manifest(harness.repository, manifest.digest)
        for manifest in image.manifests:
            driver.put_manifest(harness.repository, manifest.digest, manifest)
        for tag in ("v1", "latest"):
            assert driver.put_manifest(harness.repository, tag, image.manifest) == image.top
        assert dict(harness.tags()) == {"v1": image.top, "latest": image.top}
