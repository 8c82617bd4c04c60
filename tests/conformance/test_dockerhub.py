"""The `dockerhub` driver keeps the driver contract, whatever of Docker Hub's API is as documented or as seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tagsweep.drivers.dockerhub import HubDriver
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import RegistryDriver
from tagsweep.testing.dialects import Dialect
from tagsweep.testing.driver_suite import DriverSuite
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import FakeHarness, Harness, InstantClock
from tagsweep.testing.vendors.dockerhub import DOCKER_HUB, DOCKER_HUB_CASCADING, HubApi, HubLogin, Right

ADMIN = HubLogin(name="team", secret="dckr_pat_admin")
CASES: dict[str, tuple[Dialect, HubLogin, dict[str, Any]]] = {
    "as seen": (DOCKER_HUB_CASCADING, ADMIN, {}),
    "as described": (DOCKER_HUB, ADMIN, {"tells_digests": False, "status_field": "status"}),
    "private": (DOCKER_HUB, ADMIN, {"private": ["team/app"]}),
    "old login": (DOCKER_HUB, ADMIN, {"has_token_call": False}),
    "may only write": (DOCKER_HUB, HubLogin(name="team", secret="dckr_pat_2", scope=Right.WRITE), {}),
    "organization token": (DOCKER_HUB, HubLogin(name="team", secret="dckr_oat_3", scope=Right.WRITE), {}),
}


class HubHarness(FakeHarness):
    """A fake Docker Hub, and the driver told where its API is. Implements Locks by a rule for immutable tags."""

    def __init__(self, registry: FakeRegistry, api: HubApi, options: dict[str, Any]) -> None:
        super().__init__(registry, HubDriver)
        self._api = api
        self._options = options

    def lock(self, tag: str) -> None:
        """Make the tag immutable."""
        self._api.make_immutable(self.repository, f"^{tag}$")

    def connect(self) -> RegistryDriver:
        """Return a new driver."""
        options = {"api": f"http://{self.registry.host}", **self._options}
        settings = RegistrySettings(host=self.registry.host, options=options)
        return HubDriver.connect(settings, clock=self.clock, progress=self.progress)


class TestHubDriver(DriverSuite):
    """The suite, once for each kind of account and each thing that the documentation leaves open."""

    @pytest.fixture(params=CASES)
    def harness(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
        """Yield a fake Docker Hub."""
        dialect, login, options = CASES[request.param]
        monkeypatch.setenv("TAGSWEEP_USERNAME", login.name)
        monkeypatch.setenv("TAGSWEEP_PASSWORD", login.secret)
        api = HubApi(logins=[login], clock=InstantClock(), **options)
        with FakeRegistry(dialect, apis=[api]) as registry:
            yield HubHarness(registry, api, {})


class TestHubDriverByDigest(DriverSuite):
    """The suite with manifests deleted by digest as well, where Docker Hub takes what is tagged."""

    @pytest.fixture
    def harness(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
        """Yield a fake Docker Hub that deletes a digest with its tags."""
        monkeypatch.setenv("TAGSWEEP_USERNAME", ADMIN.name)
        monkeypatch.setenv("TAGSWEEP_PASSWORD", ADMIN.secret)
        dialect = Dialect(name="Docker Hub, digests with their tags", tag_delete=DOCKER_HUB.tag_delete)
        api = HubApi(logins=[ADMIN], clock=InstantClock())
        with FakeRegistry(dialect, apis=[api]) as registry:
            yield HubHarness(registry, api, {"delete_manifests": True})
