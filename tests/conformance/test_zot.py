"""The `zot` driver keeps the driver contract, with its search extension on, off, old, and forbidden."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tagsweep.drivers.zot import ZotDriver
from tagsweep.testing.access import BasicAccess
from tagsweep.testing.dialects import ZOT
from tagsweep.testing.driver_suite import DriverSuite
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import FakeHarness, Harness
from tagsweep.testing.vendors.zot import OLD, ZotSearch

CASES: dict[str, dict[str, Any]] = {
    "search": {},
    "no search": {"on": False},
    "old search": {"fields": OLD},
    "forbidden search": {"login": ("somebody", "else")},
}


class TestZotDriver(DriverSuite):
    """The suite, once for each state of the extension."""

    @pytest.fixture(params=CASES)
    def harness(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
        """Yield a fake zot."""
        monkeypatch.setenv("TAGSWEEP_USERNAME", "user")
        monkeypatch.setenv("TAGSWEEP_PASSWORD", "secret")
        search = ZotSearch(**{"login": ("user", "secret"), **CASES[request.param]})
        with FakeRegistry(ZOT, access=BasicAccess(), apis=[search]) as registry:
            yield FakeHarness(registry, ZotDriver)
