"""Where the helm program of the tests is."""

from __future__ import annotations

import shutil

from tests.real.kube import find_program

REMEDY = "scripts/test_servers.sh all (needs go)"
OBTAINABLE = shutil.which("go") is not None
"""Whether this machine could have it, so that its absence in CI is a mistake."""


def program() -> str | None:
    """Return the path of helm, or None."""
    return find_program("helm")


def missing() -> str:
    """Return the sentence that says that there is no helm, or an empty text."""
    return "" if program() is not None else f"helm: not installed here; {REMEDY}"
