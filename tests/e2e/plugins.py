"""Example plugins as their users have them: installed by pip beside tagsweep, and tested by their own tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_NO_NETWORK = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index")
_NO_TRACES = ("-q", "-p", "no:cacheprovider", "-c", os.devnull)


def install(example: Path, target: Path) -> dict[str, str]:
    """Install a package into a directory of its own, and return an environment that has it."""
    command = [sys.executable, "-m", "pip", "install", *_NO_NETWORK, "-t", str(target), str(example)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {**os.environ, "PYTHONPATH": str(target), "PYTHONDONTWRITEBYTECODE": "1"}


def passes_its_tests(example: Path, environment: Mapping[str, str], folder: Path) -> None:
    """Run the package's own tests in ``folder``, against what is installed; each that ran must pass."""
    command = [sys.executable, "-m", "pytest", *_NO_TRACES, f"--rootdir={folder}", str(example / "tests")]
    done = subprocess.run(command, cwd=folder, env=dict(environment), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
