"""The `ocilayout` driver keeps the driver contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagsweep.drivers.ocilayout import OciLayoutDriver
from tagsweep.testing.driver_suite import DriverSuite
from tagsweep.testing.harness import Harness, LayoutHarness


class TestOciLayoutDriver(DriverSuite):
    """The suite against a directory."""

    @pytest.fixture
    def harness(self, tmp_path: Path) -> Harness:
        """Return an empty directory of layouts."""
        return LayoutHarness(tmp_path, OciLayoutDriver)
