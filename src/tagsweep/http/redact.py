"""What keeps secrets out of messages: tokens, passwords and signed URLs never pass through here unchanged."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit, urlunsplit

HIDDEN: Final = "REDACTED"
_MAX_EXCERPT: Final = 300
_HARMLESS_PARAMETERS: Final = frozenset(
    {"n", "last", "page", "page_size", "per_page", "limit", "service", "scope", "artifactType"}
)
_AUTHORIZATION: Final = re.compile(
    r"\b(Bearer|Basic|JWT|Negotiate|AWS4-HMAC-SHA256)\s+[A-Za-z0-9+/=._~:,-]{6,}", re.IGNORECASE
)
_JWT: Final = re.compile(r"\beyJ[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){0,2}")
_URL: Final = re.compile(r"\bhttps?://[^\s\"'<>\\]+", re.IGNORECASE)
_ASSIGNMENT: Final = re.compile(
    r"(?P<key>\"?\b[\w-]*(?:password|passwd|secret|token|signature|credential|api[_-]?key)\b\"?)"
    r"(?P<mid>\s*[=:]\s*)(?P<value>\"[^\"]*\"|[^\s,;&\"}]+)",
    re.IGNORECASE,
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def redact_url(url: str) -> str:
    """Return ``url`` without user and password, and with the value of every parameter hidden that is not harmless.

    The list is of what may be shown, not of what must be hidden: storage back ends sign their URLs in many ways.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    authority = parts.netloc.rpartition("@")[2]
    query = "&".join(_redact_parameter(pair) for pair in parts.query.split("&")) if parts.query else ""
    return urlunsplit((parts.scheme, authority, parts.path, query, ""))


def _redact_parameter(pair: str) -> str:
    key, equals, _ = pair.partition("=")
    return pair if not equals or key in _HARMLESS_PARAMETERS else f"{key}={HIDDEN}"


def excerpt(text: str | bytes, *, limit: int = _MAX_EXCERPT) -> str:
    """Return the beginning of ``text`` on one line, without secrets and control characters, fit for a message."""
    if isinstance(text, bytes):
        text = text[: 4 * limit].decode("utf-8", "replace")
    text = _CONTROL.sub(" ", text[: 4 * limit])
    text = _URL.sub(lambda match: redact_url(match[0]), text)
    text = _AUTHORIZATION.sub(rf"\1 {HIDDEN}", text)
    text = _ASSIGNMENT.sub(rf"\g<key>\g<mid>{HIDDEN}", text)
    text = _JWT.sub(HIDDEN, text).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"
