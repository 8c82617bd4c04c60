"""The `oci` driver keeps the driver contract against real registries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagsweep.drivers.oci import OciDriver
from tagsweep.testing.driver_suite import DriverSuite
from tagsweep.testing.harness import Harness
from tests.real.harness import RealHarness

pytestmark = pytest.mark.real


class TestOciDriver(DriverSuite):
    """The suite, once for each server."""

    @pytest.fixture(params=["docker_registry", "distribution_3", "crane_registry"])
    def harness(self, request: pytest.FixtureRequest) -> Iterator[Harness]:
        """Yield a repository of its own on the server."""
        harness = RealHarness(request.getfixturevalue(request.param), OciDriver)
        yield harness
        harness.close()
