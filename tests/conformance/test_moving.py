"""A driver with tags removed by moving them keeps the driver contract, on fakes and on Debian's registry."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagsweep.drivers.moving import MovingDriver, untag_by_moving
from tagsweep.drivers.oci import OciDriver
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import Clock, Progress
from tagsweep.testing.dialects import DISTRIBUTION_2_8, DISTRIBUTION_3, without_deletion
from tagsweep.testing.driver_suite import DriverSuite
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import FakeHarness, Harness
from tests.real.harness import RealHarness

DIALECTS = (DISTRIBUTION_2_8, DISTRIBUTION_3, without_deletion(DISTRIBUTION_2_8))


class Moving:
    """The factory of the driver that is tested."""

    def connect(self, settings: RegistrySettings, *, clock: Clock, progress: Progress) -> MovingDriver:
        """Return an `oci` driver that removes tags by moving them."""
        return untag_by_moving(OciDriver.connect(settings, clock=clock, progress=progress), clock=clock)


class TestMovingDriver(DriverSuite):
    """The suite, once for each dialect."""

    @pytest.fixture(params=DIALECTS, ids=[dialect.name for dialect in DIALECTS])
    def harness(self, request: pytest.FixtureRequest) -> Iterator[Harness]:
        """Yield a fake registry of the dialect."""
        with FakeRegistry(request.param) as registry:
            yield FakeHarness(registry, Moving())


@pytest.mark.real
class TestMovingDriverOnDistribution28(DriverSuite):
    """The suite against a real registry that deletes by digest only."""

    @pytest.fixture
    def harness(self, request: pytest.FixtureRequest) -> Iterator[Harness]:
        """Yield a repository of its own on the server."""
        harness = RealHarness(request.getfixturevalue("docker_registry"), Moving())
        yield harness
        harness.close()
