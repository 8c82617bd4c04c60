"""What the tests of evidence sources share: git without the settings of whoever runs the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.sources.gitkit import isolated


@pytest.fixture
def git_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let git read no settings but those in the directory that this returns."""
    home = tmp_path / "home"
    for key, value in isolated(home).items():
        if key.startswith(("GIT_", "HOME", "XDG_")):
            monkeypatch.setenv(key, value)
    return home
