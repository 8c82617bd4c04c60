"""The `gitea` driver keeps the driver contract, with and without the right to the package API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagsweep.drivers.gitea import GiteaDriver
from tagsweep.model.errors import NotFound
from tagsweep.ports import RegistryDriver
from tagsweep.testing import images
from tagsweep.testing.access import READ_ONLY, BasicAccess
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import FakeHarness, Harness
from tagsweep.testing.vendors.gitea import GITEA, GiteaApi
from tests.conformance.last_tag import LastTagSuite


class TestGiteaDriver(LastTagSuite):
    """The suite, once for each kind of token."""

    @pytest.fixture(params=["every right", "no packages", "reading"])
    def harness(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
        """Yield a fake Gitea."""
        gitea = GiteaApi(may_read=request.param != "no packages")
        monkeypatch.setenv("TAGSWEEP_USERNAME", gitea.name)
        monkeypatch.setenv("TAGSWEEP_PASSWORD", gitea.token)
        granted = READ_ONLY | {"push"} if request.param == "reading" else gitea.access.granted
        access = BasicAccess(username=gitea.name, password=gitea.token, granted=frozenset(granted))
        with FakeRegistry(GITEA, access=access, apis=[gitea]) as registry:
            yield FakeHarness(registry, GiteaDriver)

    def test_what_was_deleted_can_be_put_back(self, harness: Harness, driver: RegistryDriver) -> None:
        """Only what others of the image keep the layers of: the rest is NotFound, which the driver says before."""
        image = images.multi_platform("restored")
        harness.seed(image, "v1")
        known = driver.probe(harness.repository)
        if not known.delete_manifest.usable:
            pytest.skip("this token deletes nothing")
        assert "has to be pushed again" in known.delete_manifest.why
        assert driver.delete_manifest(harness.repository, image.top)
        assert driver.put_manifest(harness.repository, "v1", image.manifest) == image.top
        assert driver.delete_manifest(harness.repository, image.children[0].digest)
        with pytest.raises(NotFound):
            driver.put_manifest(harness.repository, image.children[0].digest, image.children[0])
