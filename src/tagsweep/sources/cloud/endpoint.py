"""The option ``endpoint`` of a cloud: where its management API answers, if not where it does for everybody."""

from __future__ import annotations

from urllib.parse import urlsplit

from tagsweep.http.hosts import url_is_loopback
from tagsweep.sources.options import Options


def read_endpoint(options: Options, default: str) -> str:
    """Return scheme and authority, without a slash at the end; https, or http to this machine."""
    written = (options.text("endpoint", default) or default).rstrip("/")
    try:
        parts = urlsplit(written)
        fits = bool(parts.hostname) and parts.path == parts.query == parts.fragment == "" and "@" not in parts.netloc
    except ValueError:
        fits = False
        parts = urlsplit("")
    if fits and (parts.scheme == "https" or (parts.scheme == "http" and url_is_loopback(written))):
        return written
    raise options.error("endpoint", "is not scheme and host of an https URL", remedy=f"endpoint: {default}")
