"""Drivers keep the driver contract against real registries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagsweep.drivers.oci import OciDriver
from tagsweep.drivers.zot import ZotDriver
from tagsweep.ports import RegistryDriver
from tagsweep.testing import images
from tagsweep.testing.driver_suite import DriverSuite
from tagsweep.testing.harness import Harness
from tests.conformance.last_tag import LastTagSuite
from tests.real.harness import RealHarness
from tests.real.servers import Server

pytestmark = pytest.mark.real


class TestOciDriver(DriverSuite):
    """The suite, once for each server."""

    @pytest.fixture(
        params=["docker_registry", "distribution_3", pytest.param("crane_registry", marks=pytest.mark.slow)]
    )
    def harness(self, request: pytest.FixtureRequest) -> Iterator[Harness]:
        """Yield a repository of its own on the server."""
        harness = RealHarness(request.getfixturevalue(request.param), OciDriver)
        yield harness
        harness.close()


@pytest.mark.slow
class TestOciDriverOnOlareg(DriverSuite):
    """The suite against a real olareg, with what that does in another way."""

    @pytest.fixture
    def harness(self, olareg_registry: Server) -> Iterator[Harness]:
        """Yield a repository of its own on the server."""
        harness = RealHarness(olareg_registry, OciDriver)
        yield harness
        harness.close()

    def test_a_repository_that_does_not_exist_is_not_empty(self, harness: Harness, driver: RegistryDriver) -> None:
        """It is empty for olareg; nothing is removed from what has no tags, so the driver takes its word."""
        harness.seed(images.image("something"), "v1")
        assert driver.list_tags(f"{harness.repository}-nowhere") == ()

    def test_what_was_deleted_can_be_put_back(self, harness: Harness, driver: RegistryDriver) -> None:
        """An index takes along the children that nothing else names; all of it comes back."""
        image = images.multi_platform("restored")
        harness.seed(image, "v1", "latest")
        assert driver.probe(harness.repository).delete_manifest.usable
        assert driver.delete_manifest(harness.repository, image.top)
        assert not any(driver.has_manifest(harness.repository, child.digest) for child in image.children)
        for manifest in image.manifests:
            assert driver.put_manifest(harness.repository, manifest.digest, manifest) == manifest.digest
        for tag in ("v1", "latest"):
            assert driver.put_manifest(harness.repository, tag, image.manifest) == image.top
        assert dict(harness.tags()) == {"v1": image.top, "latest": image.top}


class TestZotDriver(LastTagSuite):
    """The suite for the `zot` driver against a real zot without its search extension."""

    @pytest.fixture
    def harness(self, zot_registry: Server) -> Iterator[Harness]:
        """Yield a repository of its own on the server."""
        harness = RealHarness(zot_registry, ZotDriver)
        yield harness
        harness.close()

    @pytest.mark.parametrize("shape", ["oci image", "oci index", "nested index"])
    def test_tag_and_digest_agree(self, harness: Harness, driver: RegistryDriver, shape: str) -> None:
        """As everywhere, for OCI images: this version of zot takes no others."""
        super().test_tag_and_digest_agree(harness, driver, shape)

    def test_referrers_are_told_or_not_known(self, harness: Harness, driver: RegistryDriver) -> None:
        """Every referrer is listed and no other; as its type this version of zot tells that of its config."""
        image, other = images.image("subject"), images.image("without referrers")
        proof = images.referrer(image.manifest)
        harness.seed(image, "v1")
        harness.seed(other, "v2")
        harness.seed(proof)
        assert driver.probe(harness.repository).referrers.usable
        found = driver.list_referrers(harness.repository, image.top)
        assert [entry.digest for entry in found or ()] == [proof.top]
        assert driver.list_referrers(harness.repository, other.top) == ()

    def test_the_planned_digest_goes_and_not_where_its_tag_went(self, harness: Harness, driver: RegistryDriver) -> None:
        """A digest goes by itself when its last tag is moved away; deleting it then takes nothing else along."""
        planned, newer = images.image("planned"), images.image("newer")
        harness.seed(planned, "v1")
        harness.seed(newer, "v2")
        harness.seed(newer, "v1")
        assert driver.probe(harness.repository).delete_manifest.usable
        assert driver.delete_manifest(harness.repository, planned.top) is False
        assert dict(harness.tags()) == {"v1": newer.top, "v2": newer.top}

    def test_an_index_whose_child_is_gone_is_not_found(self, harness: Harness, driver: RegistryDriver) -> None:
        """This version of zot stores an index before its children: the driver passes that on, nothing is hidden."""
        harness.seed(images.image("present"), "v1")
        index = images.index([images.image("lost child")])
        assert driver.put_manifest(harness.repository, "v2", index.manifest) == index.top
        assert not driver.has_manifest(harness.repository, index.children[0].digest)
