"""Every end-to-end test has a directory of its own, no credentials, and no state of the person who runs it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kit import PART, WHOLE, Place, Size, of_size


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return a user's empty directory, with the environment of a user who has set nothing."""
    for name in [name for name in os.environ if name.startswith("TAGSWEEP_") and name != "TAGSWEEP_TEST_SERVERS"]:
        monkeypatch.delenv(name)
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return Place(tmp_path)


@pytest.fixture(params=[pytest.param(PART, id="part"), pytest.param(WHOLE, id="whole", marks=pytest.mark.slow)])
def chosen_size(request: pytest.FixtureRequest) -> Iterator[Size]:
    """Say how much of TensorZero's gateway a test sees; by ``kit.both_sizes``, before anything is filled with it."""
    with of_size(request.param):
        yield request.param
