"""How many examples a law is held against: a law that names no number of its own has the number of the run."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("default run", max_examples=25)
settings.register_profile("every test", max_examples=100)


def pytest_configure(config: pytest.Config) -> None:
    """Let the run without the slow tests try a quarter of the examples, before the laws are read."""
    settings.load_profile("default run" if "not slow" in config.getoption("markexpr") else "every test")
