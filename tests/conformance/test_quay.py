"""The `quay` driver keeps the driver contract, with an OAuth token and without one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tagsweep.drivers.quay import OAUTH_USER, QuayDriver
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import RegistryDriver
from tagsweep.testing.access import READ_ONLY, BearerAccess
from tagsweep.testing.driver_suite import DriverSuite
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import FakeHarness, Harness
from tagsweep.testing.vendors.quay import QUAY, QuayApi, QuayToken

TOKEN = "oauth-token-of-a-user"
OPTIONS = {"token_env": "SWEEP_QUAY_TOKEN"}


class QuayHarness(FakeHarness):
    """A fake Quay, and the driver with the options that a policy would give it."""

    def __init__(self, registry: FakeRegistry, options: dict[str, Any]) -> None:
        super().__init__(registry, QuayDriver)
        self._options = options

    def connect(self) -> RegistryDriver:
        """Return a new driver."""
        settings = RegistrySettings(host=self.registry.host, options=self._options)
        return QuayDriver.connect(settings, clock=self.clock, progress=self.progress)


class LockableQuay(QuayHarness):
    """Implements Locks: with an OAuth token the driver is told which tags are immutable."""

    def __init__(self, registry: FakeRegistry, options: dict[str, Any], quay: QuayApi) -> None:
        super().__init__(registry, options)
        self._quay = quay

    def lock(self, tag: str) -> None:
        """Make the tag immutable."""
        self._quay.make_immutable(self.repository, tag)


class TestQuayDriver(DriverSuite):
    """The suite with a token that may write, with one that may not, and by the registry API alone as a robot."""

    @pytest.fixture(params=["writing token", "reading token", "robot"])
    def harness(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
        """Yield a fake Quay, whose registry API takes the token as a password."""
        monkeypatch.setenv("SWEEP_QUAY_TOKEN", TOKEN)
        robot = request.param == "robot"
        username, password = ("team+robot", "secret-of-the-robot") if robot else (OAUTH_USER, TOKEN)
        if robot:
            monkeypatch.setenv("TAGSWEEP_USERNAME", username)
            monkeypatch.setenv("TAGSWEEP_PASSWORD", password)
        # Quay's registry API deletes with the right to push.
        writes = request.param != "reading token"
        access = BearerAccess(username=username, password=password, anonymous=READ_ONLY)
        quay = QuayApi(tokens=[QuayToken(secret=TOKEN, can_write=writes)])
        with FakeRegistry(QUAY, access=access, apis=[quay]) as registry:
            yield QuayHarness(registry, {}) if robot else LockableQuay(registry, OPTIONS, quay)
