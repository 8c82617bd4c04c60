"""How libcurl's error codes become errors of tagsweep: the one place, most specific first.

Codes: curl.se/libcurl/c/libcurl-errors.html; their numbers are part of libcurl's stable interface.
"""

from __future__ import annotations

from typing import Final

from tagsweep.http.redact import excerpt, redact_url
from tagsweep.model.errors import ConfigurationError, ProtocolViolation, TagsweepError, Unreachable

UNTRUSTED: Final = "TLS_UNTRUSTED"
"""The ``code`` of an Unreachable that no retry mends: a certificate or a TLS version that does not fit."""

TRUNCATED: Final = "TRUNCATED"
"""The ``code`` of an Unreachable where the answer began and ended before its announced length. Trying again seldom
helps: distribution does this for ever with a blob that it believes to have and whose file is gone.
"""

_PROXY_NAME, _NAME, _REFUSED, _TIMED_OUT = 5, 6, 7, 28
_BAD_URL = frozenset({1, 3, 4})
_UNTRUSTED = frozenset({51, 60, 83, 90, 91})
_TLS = frozenset({35, 53, 54, 59, 64, 66, 80, 98})
_OWN_FILES = frozenset({58, 77, 82})
_WRITE = 23
_PARTIAL = 18
_ABORTED = 42
_CUT = frozenset({18, 52, 55, 56, 65, 92, 95})
_PROXY = 97


def from_curl(code: int, detail: str, *, url: str, place: str) -> TagsweepError:
    """Return the error for libcurl's ``code``; ``detail`` is its sentence, ``place`` the registry's name."""
    where = redact_url(url).partition("?")[0]
    said = excerpt(detail, limit=200)
    if code in _OWN_FILES:
        return ConfigurationError(
            f"{place}: the certificate files for TLS cannot be used ({said})",
            remedy=f"check ca, client_certificate and client_key under registries: {place}:",
        )
    if code in _UNTRUSTED:
        return Unreachable(
            f"{place}: the server's certificate is not trusted ({said})",
            remedy=f"name the CA's PEM file under registries: {place}: ca:, or check the host name",
            code=UNTRUSTED,
        )
    if code in _TLS:
        return Unreachable(
            f"{place}: no TLS connection to {where} ({said})",
            remedy=f"a server without TLS needs registries: {place}: plain_http: true",
            code=UNTRUSTED,
        )
    if code in _BAD_URL:
        return ProtocolViolation(f"{place}: {where!r} is not a URL that can be asked ({said})")
    kind = TRUNCATED if code == _PARTIAL else ""
    return Unreachable(f"{place}: {_sentence(code, where)} ({said})", remedy=_remedy(code, place), code=kind)


def too_large(*, url: str, place: str, limit: int) -> ProtocolViolation:
    """Return the error for an answer of more than ``limit`` bytes."""
    return ProtocolViolation(f"{place}: the answer from {redact_url(url)} is larger than {limit} bytes")


def _sentence(code: int, where: str) -> str:
    if code == _NAME:
        return f"the name of {where} cannot be resolved"
    if code in (_PROXY_NAME, _PROXY):
        return f"the proxy to {where} does not answer"
    if code == _REFUSED:
        return f"no connection to {where}"
    if code == _TIMED_OUT:
        return f"no answer from {where} in time"
    if code in _CUT or code == _ABORTED:
        return f"the connection to {where} was lost before the answer was complete"
    return f"{where} cannot be reached"


def _remedy(code: int, place: str) -> str:
    if code in (_PROXY_NAME, _PROXY):
        return "check HTTPS_PROXY, ALL_PROXY and NO_PROXY"
    if code in (_NAME, _REFUSED):
        return f"check the name {place}, the network, and HTTPS_PROXY and NO_PROXY"
    return ""
