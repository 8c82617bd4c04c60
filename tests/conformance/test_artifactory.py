"""The `artifactory` driver keeps the driver contract, for every kind of user."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tagsweep.drivers.artifactory import ArtifactoryDriver
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import FakeHarness, Harness
from tagsweep.testing.vendors.artifactory import ARTIFACTORY, ArtifactoryApi
from tests.conformance.last_tag import LastTagSuite

CASES: dict[str, dict[str, Any]] = {
    "every right": {},
    "reading": {"may_delete": False},
    "no search": {"may_search": False},
    "virtual repository": {"kinds": {"team": "virtual"}},
}


class TestArtifactoryDriver(LastTagSuite):
    """The suite, once for each kind of user; the first part of a path is the key of the repository."""

    @pytest.fixture(params=CASES)
    def harness(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
        """Yield a fake Artifactory."""
        artifactory = ArtifactoryApi(**CASES[request.param])
        monkeypatch.setenv("TAGSWEEP_USERNAME", artifactory.name)
        monkeypatch.setenv("TAGSWEEP_PASSWORD", artifactory.token)
        with FakeRegistry(ARTIFACTORY, access=artifactory.access, apis=[artifactory]) as registry:
            yield FakeHarness(registry, ArtifactoryDriver)
