"""The `acr` driver keeps the driver contract, page by page and for each kind of credentials."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tagsweep.drivers.acr import AcrDriver
from tagsweep.testing.driver_suite import DriverSuite
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import Harness
from tagsweep.testing.vendors.acr import ACR, AcrFake, Lock
from tests.conformance.lockable import LockableHarness

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "small pages": {"page": 3},
    "may only read": {"granted": frozenset({"pull", "push", "metadata_read"})},
}


class TestAcrDriver(DriverSuite):
    """The suite against the fake, with the password of a repository-scoped token."""

    @pytest.fixture(params=CASES)
    def harness(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
        """Yield a fake Azure Container Registry."""
        acr = AcrFake(**CASES[request.param])
        monkeypatch.setenv("TAGSWEEP_USERNAME", acr.username)
        monkeypatch.setenv("TAGSWEEP_PASSWORD", acr.password)
        with FakeRegistry(ACR, apis=[acr]) as registry:
            yield LockableHarness(
                registry, AcrDriver, lambda path, tag: acr.lock(path, tag, Lock(delete_enabled=False))
            )
