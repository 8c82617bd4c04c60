"""The `digitalocean` driver keeps the driver contract, with and without the right to delete."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagsweep.drivers.digitalocean import DigitalOceanDriver
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import RegistryDriver
from tagsweep.testing.driver_suite import DriverSuite
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import FakeHarness, Harness
from tagsweep.testing.vendors.digitalocean import DIGITALOCEAN, PREFIX, DigitalOceanApi


class DigitalOceanHarness(FakeHarness):
    """A fake DigitalOcean, and the driver told where its API is."""

    def connect(self) -> RegistryDriver:
        """Return a new driver."""
        host = self.registry.host
        settings = RegistrySettings(host=host, options={"api": f"http://{host}{PREFIX}"})
        return DigitalOceanDriver.connect(settings, clock=self.clock, progress=self.progress)


class TestDigitalOceanDriver(DriverSuite):
    """The suite, once for each kind of token."""

    @pytest.fixture(params=[True, False], ids=["every right", "reading"])
    def harness(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
        """Yield a fake DigitalOcean; the token is in the environment as for doctl."""
        cloud = DigitalOceanApi(may_delete=request.param)
        monkeypatch.delenv("TAGSWEEP_USERNAME", raising=False)
        monkeypatch.delenv("TAGSWEEP_PASSWORD", raising=False)
        monkeypatch.setenv("DIGITALOCEAN_ACCESS_TOKEN", cloud.token)
        with FakeRegistry(DIGITALOCEAN, access=cloud.access, apis=[cloud]) as registry:
            yield DigitalOceanHarness(registry, DigitalOceanDriver)
