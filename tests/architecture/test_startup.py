"""What the command line loads before it does anything: the cause of what bench/startup.py measures in milliseconds."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {
    "pycurl",
    "rich",
    "yaml",
    "sqlite3",
    "concurrent.futures",
    "asyncio",
    "importlib.metadata",
    "packaging.version",
}

HELP = """
import sys
from tagsweep.cli.main import main
sys.argv = ["tagsweep", *sys.argv[1:]]
code = None
try:
    code = main()
except SystemExit as stop:
    code = stop.code
sys.stderr.write("LOADED " + " ".join(sorted(sys.modules)))
sys.exit(code)
"""


def loaded_by(*arguments: str) -> tuple[str, set[str]]:
    """Run the command line in a fresh interpreter; return what it printed and which modules it had loaded."""
    command = [sys.executable, "-c", HELP, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, set(done.stderr.rpartition("LOADED ")[2].split())


def test_help_loads_nothing_heavy() -> None:
    """``tagsweep --help`` imports neither libcurl, rich, YAML nor SQLite."""
    printed, modules = loaded_by("--help")
    assert "Usage:" in printed
    assert modules & HEAVY == set()


def test_version_loads_nothing_heavy() -> None:
    """``tagsweep --version`` answers without loading what only the work needs."""
    printed, modules = loaded_by("--version")
    assert printed.strip()
    assert modules & HEAVY == set()
