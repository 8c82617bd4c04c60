"""The `gitea` driver keeps the driver contract against a real Gitea, as far as Gitea lets it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagsweep.drivers.gitea import GiteaDriver
from tagsweep.model.errors import NotFound
from tagsweep.ports import RegistryDriver
from tagsweep.testing import images
from tagsweep.testing.driver_suite import ODD_TAGS
from tagsweep.testing.harness import Harness
from tests.conformance.last_tag import LastTagSuite
from tests.real.gitea import AUTHORIZATION, PASSWORD, USER
from tests.real.harness import RealHarness
from tests.real.servers import Server

pytestmark = pytest.mark.real


@pytest.fixture
def harness(gitea_registry: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    """Yield a repository of its own on the server."""
    monkeypatch.setenv("TAGSWEEP_USERNAME", USER)
    monkeypatch.setenv("TAGSWEEP_PASSWORD", PASSWORD)
    harness = RealHarness(gitea_registry, GiteaDriver, authorization=lambda _: AUTHORIZATION)
    yield harness
    harness.close()


def test_an_image_goes_with_its_tags_and_no_other_does(harness: Harness) -> None:
    """What the run of the slow tests asks at length: the deletion of an image takes all its tags, and those alone."""
    going, staying = images.image("going"), images.image("staying")
    harness.seed(going, "v1", "also-v1")
    harness.seed(staying, "v2")
    driver = harness.connect()
    assert driver.probe(harness.repository).delete_manifest.usable
    assert driver.delete_manifest(harness.repository, going.top) is True
    assert dict(harness.tags()) == {"v2": staying.top}
    assert [tag.name for tag in driver.list_tags(harness.repository)] == ["v2"]
    driver.close()


@pytest.mark.slow
class TestGiteaDriver(LastTagSuite):
    """The suite, with what a real Gitea does in another way than registries do."""

    @pytest.fixture
    def harness(self, harness: Harness) -> Harness:
        """Return the repository, in the place of the suite's own fixture."""
        return harness

    def test_every_valid_tag_name_works(self, harness: Harness, driver: RegistryDriver) -> None:
        """Gitea lists names in lower case, and resolves them however they are written."""
        image = images.image("odd names")
        harness.seed(image, *ODD_TAGS)
        listed = sorted(tag.name for tag in driver.list_tags(harness.repository))
        assert listed == sorted(tag.lower() for tag in ODD_TAGS)
        assert {driver.resolve_tag(harness.repository, tag) for tag in (*ODD_TAGS, *listed)} == {image.top}

    @pytest.mark.parametrize("shape", ["oci image", "docker image", "oci index", "docker list"])
    def test_tag_and_digest_agree(self, harness: Harness, driver: RegistryDriver, shape: str) -> None:
        """As everywhere, but for an index in an index, which Gitea takes from nobody."""
        super().test_tag_and_digest_agree(harness, driver, shape)

    def test_the_planned_digest_goes_and_not_where_its_tag_went(self, harness: Harness, driver: RegistryDriver) -> None:
        """A digest goes by itself when its last tag is moved away; deleting it then takes nothing else along."""
        planned, newer = images.image("planned"), images.image("newer")
        harness.seed(planned, "v1")
        harness.seed(newer, "v2")
        harness.seed(newer, "v1")
        assert driver.probe(harness.repository).delete_manifest.usable
        assert driver.delete_manifest(harness.repository, planned.top) is False
        assert dict(harness.tags()) == {"v1": newer.top, "v2": newer.top}
        assert driver.has_manifest(harness.repository, newer.top)

    def test_what_was_deleted_can_be_put_back(self, harness: Harness, driver: RegistryDriver) -> None:
        """It cannot, because the layers went as well: that is NotFound, and the driver says so before."""
        image = images.image("lost for good")
        harness.seed(image, "v1")
        assert "has to be pushed again" in driver.probe(harness.repository).delete_manifest.why
        assert driver.delete_manifest(harness.repository, image.top)
        with pytest.raises(NotFound):
            driver.put_manifest(harness.repository, "v1", image.manifest)
