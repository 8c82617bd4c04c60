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
from tests.real.harness import RealHarness
from tests.real.servers import Server

pytestmark = pytest.mark.real


class TestOciDriver(DriverSuite):
    """The suite, once for each server."""

    @pytest.fixture(params=["docker_registry", "distribution_3", "crane_registry"])
    def harness(self, request: pytest.FixtureRequest) -> Iterator[Harness]:
        """Yield a repository of its own on the server."""
        harness = RealHarness(request.getfixturevalue(request.param), OciDriver)
        yield harness
        harness.close()


class TestZotDriver(DriverSuite):
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

    def test_an_index_whose_child_is_gone_is_not_found(self, harness: Harness, driver: RegistryDriver) -> None:
        """This version of zot stores an index before its children: the driver passes that on, nothing is hidden."""
        harness.seed(images.image("present"), "v1")
        index = images.index([images.image("lost child")])
        assert driver.put_manifest(harness.repository, "v2", index.manifest) == index.top
        assert not driver.has_manifest(harness.repository, index.children[0].digest)
