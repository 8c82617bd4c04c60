"""What can be told from a URL without asking anybody: its origin, and whether it stays on this machine."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of ``url``, the port filled in; two URLs of one origin compare equal.

    A URL that cannot be read has the origin ``("", "", None)``, which no real URL has.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ("", "", None)
    scheme = parts.scheme.lower()
    return (scheme, (parts.hostname or "").lower(), port if port is not None else _DEFAULT_PORTS.get(scheme))


@lru_cache(maxsize=256)
def is_loopback(authority: str) -> bool:
    """Tell whether ``authority`` (a host, with or without a port) never leaves this machine.

    True for ``localhost`` and names below it, 127.0.0.0/8 and ::1. No name is resolved: one that happens to point to
    127.0.0.1 today may point elsewhere tomorrow. Private networks are not loopback.
    """
    try:
        host = urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=256)
def url_is_loopback(base: str) -> bool:
    """Tell whether the URL that begins with ``base`` (scheme and authority) stays on this machine."""
    try:
        return is_loopback(urlsplit(base).netloc.rpartition("@")[2])
    except ValueError:
        return False
