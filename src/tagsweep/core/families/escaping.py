"""Text as a regular expression that means just this text, and that a person can read."""

from __future__ import annotations

import re


def escaped(text: str) -> str:
    """Return the expression for exactly ``text``; a dash needs no backslash outside of brackets."""
    return re.escape(text).replace("\\-", "-")
