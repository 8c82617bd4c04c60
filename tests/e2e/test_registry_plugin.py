"""A registry driver from another package: installed, found by its entry point, tested by the shipped suite."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.plugins import install, passes_its_tests

EXAMPLE = Path(__file__).parents[2] / "examples" / "registry-plugin"
DRIVER = EXAMPLE / "src" / "tagsweep_shelf" / "__init__.py"
FIND = "from tagsweep.app.plugins import driver_factory; print(driver_factory('shelf').__module__)"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Install the example as a user does, once."""
    return install(EXAMPLE, tmp_path_factory.mktemp("site"))


def test_the_driver_is_found_by_its_entry_point_only_where_it_is_installed(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """A plan finds the driver of the other package by name, and refuses the name without the package."""
    command = [sys.executable, "-c", FIND]
    found = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert found.stdout.strip() == "tagsweep_shelf"
    without = {**environment, "PYTHONPATH": ""}
    missing = subprocess.run(command, cwd=tmp_path, env=without, capture_output=True, text=True, check=False)
    assert "there is no registry driver called 'shelf'" in missing.stderr


@pytest.mark.slow
def test_the_example_passes_the_suite_that_is_shipped(environment: dict[str, str], tmp_path: Path) -> None:
    """The plugin's own tests, a subclass of DriverSuite, pass against the installed package."""
    passes_its_tests(EXAMPLE, environment, tmp_path)


def test_a_driver_is_small() -> None:
    """What an author writes stays under 150 lines: everything that registries have in common is tagsweep's."""
    assert len(DRIVER.read_text(encoding="utf-8").splitlines()) < 150
