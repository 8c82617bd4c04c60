"""The `scaleway` driver keeps the driver contract, except where Scaleway does not remove a tag at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagsweep.drivers.scaleway import ScalewayDriver
from tagsweep.model.errors import Conflict
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import RegistryDriver
from tagsweep.testing import images
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import FakeHarness, Harness
from tagsweep.testing.vendors.scaleway import PREFIX, SCALEWAY, ScalewayApi
from tests.conformance.last_tag import LastTagSuite


class ScalewayHarness(FakeHarness):
    """A fake Scaleway, and the driver told where its API is."""

    def connect(self) -> RegistryDriver:
        """Return a new driver."""
        host = self.registry.host
        settings = RegistrySettings(host=host, options={"api": f"http://{host}{PREFIX}", "region": "fr-par"})
        return ScalewayDriver.connect(settings, clock=self.clock, progress=self.progress)


class TestScalewayDriver(LastTagSuite):
    """The suite, once for each kind of key."""

    @pytest.fixture(params=[True, False], ids=["every right", "reading"])
    def harness(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
        """Yield a fake Scaleway; the key is in the environment as for its own tools."""
        cloud = ScalewayApi(may_delete=request.param)
        monkeypatch.delenv("TAGSWEEP_USERNAME", raising=False)
        monkeypatch.delenv("TAGSWEEP_PASSWORD", raising=False)
        monkeypatch.setenv("SCW_SECRET_KEY", cloud.key)
        with FakeRegistry(SCALEWAY, access=cloud.access, apis=[cloud]) as registry:
            yield ScalewayHarness(registry, ScalewayDriver)

    def test_deleting_a_tag_takes_that_tag_alone(self, harness: Harness, driver: RegistryDriver) -> None:
        """A tag that is alone on its digest goes and no other; one that shares it is told as locked, and a Conflict."""
        harness.seed(images.image("shared"), "v1", "latest")
        harness.seed(images.image("lonely"), "sha-1")
        if not driver.probe(harness.repository).delete_tag.usable:
            pytest.skip("this key deletes nothing")
        before = dict(harness.tags())
        locked = {tag.name for tag in driver.list_tags(harness.repository) if tag.locked}
        assert locked == {"v1", "latest"}
        with pytest.raises(Conflict):
            driver.delete_tag(harness.repository, "v1")
        assert driver.delete_tag(harness.repository, "sha-1") is True
        del before["sha-1"]
        assert dict(harness.tags()) == before

    def test_deleting_an_absent_tag_is_false(self, harness: Harness, driver: RegistryDriver) -> None:
        """The second deletion of a tag, and that of one that never was, return False and take nothing."""
        harness.seed(images.image("one"), "v1")
        harness.seed(images.image("two"), "v2")
        if not driver.probe(harness.repository).delete_tag.usable:
            pytest.skip("this key deletes nothing")
        assert driver.delete_tag(harness.repository, "v1") is True
        assert driver.delete_tag(harness.repository, "v1") is False
        assert driver.delete_tag(harness.repository, "never") is False
        assert list(harness.tags()) == ["v2"]

    def test_a_moved_tag_takes_along_nothing_of_either_digest(self, harness: Harness, driver: RegistryDriver) -> None:
        """A tag that came to share a digest since it was listed is a Conflict, and everything stays."""
        planned, newer = images.image("planned"), images.image("newer")
        harness.seed(planned, "v1")
        harness.seed(newer, "latest")
        if not driver.probe(harness.repository).delete_tag.usable:
            pytest.skip("this key deletes nothing")
        assert driver.list_tags(harness.repository)
        harness.seed(newer, "v1")
        with pytest.raises(Conflict):
            driver.delete_tag(harness.repository, "v1")
        assert dict(harness.tags()) == {"v1": newer.top, "latest": newer.top}
