"""The checkers of other ecosystems: where they are, and how a test that needs one is skipped without it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.real.kube import find_program

REMEDY = "scripts/test_servers.sh all"


def tool(name: str) -> str:
    """Return the path of a program, or skip the test with the reason."""
    found = find_program(name)
    if found is None:
        pytest.skip(f"{name} is not installed here; {REMEDY}")
    return found


def run(*command: str, cwd: Path | None = None, expect: int = 0) -> str:
    """Run a program and return what it prints; ``expect`` is its exit code."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr
