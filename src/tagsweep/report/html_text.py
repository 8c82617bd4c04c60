"""Text inside the HTML report: whatever others wrote is shown, never interpreted."""

from __future__ import annotations

from html import escape

from tagsweep.report.words import clean


def safe(text: str) -> str:
    """Return the text for an element or a quoted attribute: no markup, no control or direction characters."""
    return escape(clean(text))


def code(text: str) -> str:
    """Return the text as a code element."""
    return f"<code>{safe(text)}</code>"
