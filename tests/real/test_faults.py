"""What the suite breaks in a fake's answers, broken in those of real registries: a proxy stands before them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagsweep.drivers.oci import OciDriver
from tagsweep.ports import RegistryDriver
from tagsweep.testing import images
from tagsweep.testing.fault_suite import FaultSuite
from tagsweep.testing.harness import Harness, Interposes
from tagsweep.testing.interposing import line_before
from tests.real.interposed import InterposedHarness

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
]  # the default run has these tests on fakes that answer in the same way


class TestFaultsBeforeDistribution(FaultSuite):
    """The suite of faults, once for each server."""

    @pytest.fixture(params=["docker_registry", "distribution_3"])
    def harness(self, request: pytest.FixtureRequest) -> Iterator[Harness]:
        """Yield a repository of its own on the server, behind a proxy."""
        harness = InterposedHarness(request.getfixturevalue(request.param), OciDriver)
        yield harness
        harness.close()

    @pytest.fixture
    def driver(self, harness: Harness) -> Iterator[RegistryDriver]:
        """Yield a new driver and give its connections back at the end."""
        driver = harness.connect()
        yield driver
        driver.close()

    def test_the_proxy_is_asked_and_the_registry_answers(self, harness: Harness, driver: RegistryDriver) -> None:
        """Every request of the driver passes the line, and what comes back is what the registry holds."""
        assert isinstance(harness, Interposes)
        image = images.image("behind the proxy")
        harness.seed(image, "v1")
        with line_before(harness) as (_, line):
            assert [tag.name for tag in driver.list_tags(harness.repository)] == ["v1"]
            assert driver.fetch_manifest(harness.repository, "v1") == image.manifest
            assert line.number >= 2
