"""The `nexus` driver keeps the driver contract, for every kind of user."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tagsweep.drivers.nexus import NexusDriver
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import FakeHarness, Harness
from tagsweep.testing.vendors.nexus import NEXUS, NexusApi
from tests.conformance.last_tag import LastTagSuite

CASES: dict[str, dict[str, Any]] = {
    "every right": {},
    "reading": {"may_delete": False},
    "nothing but the registry": {"may_delete": False, "may_search": False},
}


class TestNexusDriver(LastTagSuite):
    """The suite, once for each kind of user; the first part of a path is the hosted repository."""

    @pytest.fixture(params=CASES)
    def harness(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
        """Yield a fake Nexus."""
        nexus = NexusApi(**CASES[request.param])
        monkeypatch.setenv("TAGSWEEP_USERNAME", nexus.name)
        monkeypatch.setenv("TAGSWEEP_PASSWORD", nexus.password)
        with FakeRegistry(NEXUS, access=nexus.access, apis=[nexus]) as registry:
            yield FakeHarness(registry, NexusDriver)
