"""The `pulp` driver keeps the driver contract against a real Pulp, as far as Pulp lets it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagsweep.drivers.detect import detect
from tagsweep.drivers.pulp import PulpDriver
from tagsweep.http.clock import SystemClock
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import Digest
from tagsweep.ports import RegistryDriver
from tagsweep.testing.driver_suite import DriverSuite
from tagsweep.testing.harness import Harness, Quiet
from tests.real.harness import RealHarness
from tests.real.pulp import AUTHORIZATION, PASSWORD, USER
from tests.real.servers import Server

pytestmark = [pytest.mark.real, pytest.mark.slow]


class PulpHarness(RealHarness):
    """A repository of its own on a Pulp, for which a driver really has to wait."""

    def connect(self) -> RegistryDriver:
        """Return a new driver, on the machine's clock: Pulp's workers know no other."""
        return PulpDriver.connect(RegistrySettings(host=self.server.host), clock=SystemClock(), progress=Quiet())

    def corrupt(self, digest: Digest) -> bool:
        """Spoil the file of a blob; a manifest is in the database and cannot be spoilt so."""
        assert self.server.root is not None
        place = self.server.root / "artifact" / digest.hex[:2] / digest.hex[2:]
        if not place.exists() or b'"schemaVersion"' in place.read_bytes():
            return False
        content = place.read_bytes()
        place.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        return True


@pytest.fixture
def pulp(pulp_registry: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[PulpHarness]:
    """Yield a repository of its own on the server, whose credentials the environment has."""
    monkeypatch.setenv("TAGSWEEP_USERNAME", USER)
    monkeypatch.setenv("TAGSWEEP_PASSWORD", PASSWORD)
    harness = PulpHarness(pulp_registry, PulpDriver, authorization=lambda _: AUTHORIZATION)
    yield harness
    harness.close()


class TestPulpDriver(DriverSuite):
    """The suite, with what Pulp does in another way than registries do."""

    @pytest.fixture
    def harness(self, pulp: PulpHarness) -> Harness:
        """Return the repository."""
        return pulp


def test_it_is_found_by_how_it_answers(pulp_registry: Server) -> None:
    """Nothing has to be configured: what Pulp sends with every answer tells it."""
    assert detect(RegistrySettings(host=pulp_registry.host)) == "pulp"
