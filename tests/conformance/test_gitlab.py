"""The `gitlab` driver keeps the driver contract, for every kind of token, and by the registry API alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tagsweep.drivers.gitlab import GitLabDriver
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import RegistryDriver
from tagsweep.testing.access import READ_ONLY, BearerAccess
from tagsweep.testing.driver_suite import DriverSuite
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import FakeHarness, Harness
from tagsweep.testing.vendors.gitlab import GITLAB, AbsentTag, GitLabApi, GitLabToken

SECRET = "glpat-secret-of-a-user"
KINDS = {
    "maintainer of GitLab.com": (40, AbsentTag.FORBIDDEN),
    "maintainer of an older GitLab": (40, AbsentTag.NOT_FOUND),
    "developer without the metadata database": (30, AbsentTag.DONE),
    "reporter": (20, AbsentTag.FORBIDDEN),
    "registry API alone": (40, AbsentTag.FORBIDDEN),
}
"""Roles, and what their GitLab answers of an absent tag."""


class GitLabHarness(FakeHarness):
    """A fake GitLab, and the driver with the options that a policy would give it."""

    def __init__(self, registry: FakeRegistry, options: dict[str, Any]) -> None:
        super().__init__(registry, GitLabDriver)
        self._options = options

    def connect(self) -> RegistryDriver:
        """Return a new driver."""
        settings = RegistrySettings(host=self.registry.host, options=self._options)
        return GitLabDriver.connect(settings, clock=self.clock, progress=self.progress)


class LockableGitLab(GitLabHarness):
    """Implements Locks, for whoever may read the rules that protect tags."""

    def __init__(self, registry: FakeRegistry, options: dict[str, Any], api: GitLabApi) -> None:
        super().__init__(registry, options)
        self._api = api

    def lock(self, tag: str) -> None:
        """Protect the tag, so that only owners may remove it."""
        self._api.protect("team/app", f"^{tag}$", least="owner")


class TestGitLabDriver(DriverSuite):
    """The suite, once for each role, and without a token for the API."""

    @pytest.fixture(params=KINDS)
    def harness(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
        """Yield a fake GitLab, whose registry takes the token as a password."""
        level, absent = KINDS[request.param]
        monkeypatch.setenv("TAGSWEEP_USERNAME", "token")
        monkeypatch.setenv("TAGSWEEP_PASSWORD", SECRET)
        monkeypatch.setenv("SWEEP_TOKEN", SECRET)
        granted = READ_ONLY | {"push"} | (frozenset() if level < 30 else {"delete"})
        access = BearerAccess(username="token", password=SECRET, granted=granted)
        api = GitLabApi(tokens=[GitLabToken(secret=SECRET, level=level)], projects=["team/app"], absent=absent)
        with FakeRegistry(GITLAB, access=access, apis=[api]) as registry:
            named = {"api": f"http://{registry.host}/api/v4", "token_env": "SWEEP_TOKEN"}
            if "maintainer" in request.param:
                yield LockableGitLab(registry, named, api)
            else:
                yield GitLabHarness(registry, {} if "alone" in request.param else named)
