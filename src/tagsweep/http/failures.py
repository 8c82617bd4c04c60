"""How an HTTP answer becomes an error of tagsweep: the one place. OCI error codes first, then the status.

Codes: OCI distribution specification, "Error Codes"; others are what known registries send in the same form.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from tagsweep.http.redact import excerpt
from tagsweep.model.errors import (
    AuthenticationFailed,
    Conflict,
    NotFound,
    PermissionDenied,
    ProtocolViolation,
    RateLimited,
    RegistryError,
    ServerFailed,
    Unsupported,
)
from tagsweep.ports import Response

REFUSALS: Final = frozenset({"DENIED", "UNAUTHORIZED"})
"""Codes that tell of a missing right whatever the status: some registries hide what one may not see behind a 404."""
_CONFLICTS: Final = frozenset({"GOOGLE_MANIFEST_DANGLING_TAG", "GOOGLE_MANIFEST_DANGLING_PARENT_IMAGE"})
_BY_STATUS: Final[dict[int, type[RegistryError]]] = {
    401: AuthenticationFailed,
    403: PermissionDenied,
    404: NotFound,
    405: Unsupported,
    409: Conflict,
    412: Conflict,
    423: Conflict,
    429: RateLimited,
    501: Unsupported,
}
_REMEDIES: Final[dict[type[RegistryError], str]] = {
    AuthenticationFailed: "log in to the registry, or check the credentials",
    PermissionDenied: "use credentials that have this right",
    RateLimited: "run it again later, or with fewer requests at once (registries: concurrency:)",
    ServerFailed: "look at the registry's own log, then run it again",
}
_MAX_PARSED: Final = 64 * 1024
_BAD_REQUEST, _NOT_FOUND, _NOT_ALLOWED, _SERVER_ERROR = 400, 404, 405, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the body of an error says. ``structured`` tells whether it has the form that registries give theirs."""

    code: str = ""
    message: str = ""
    structured: bool = False


def read_error(body: bytes) -> Said:
    """Return the first error in ``body``, redacted and bounded; any body is understood somehow."""
    if not body:
        return Said()
    try:
        document: Any = json.loads(body[:_MAX_PARSED])
    except (ValueError, RecursionError):
        return Said(message=_plain(body))
    if not isinstance(document, dict):
        return Said(message=excerpt(body))
    errors = document.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        first = errors[0]
        return Said(
            code=excerpt(str(first.get("code") or ""), limit=64),
            message=excerpt(_words(first.get("message"), first.get("detail"))),
            structured=bool(first.get("code")),
        )
    for key in ("message", "detail", "details", "error"):
        if isinstance(document.get(key), str):
            return Said(message=excerpt(document[key]))
    return Said(message=excerpt(body))


def _words(message: Any, detail: Any) -> str:
    text = str(message or "")
    return f"{text} ({detail})" if isinstance(detail, str) and detail and detail != text else text


def _plain(body: bytes) -> str:
    # A page for people says nothing to a person in a terminal.
    return "a web page" if body.lstrip()[:1] == b"<" else excerpt(body)


def failure(response: Response, *, place: str, doing: str) -> RegistryError:
    """Return the error that says that ``doing`` (``delete tag v1 of team/app``) failed at ``place``, and why."""
    said = read_error(response.body)
    kind = _kind(response.status, said)
    words = " ".join(part for part in (said.code, said.message) if part)
    message = f"{place}: cannot {doing}: {response.status}" + (f" {words}" if words else "")
    return kind(message, remedy=_REMEDIES.get(kind, ""), status=response.status, code=said.code)


def _kind(status: int, said: Said) -> type[RegistryError]:
    if said.code in _CONFLICTS or (status == _NOT_ALLOWED and said.code == "DENIED"):
        return Conflict  # zot answers 405 DENIED for the child of an index
    if said.code == "UNSUPPORTED" and _BAD_REQUEST <= status < _SERVER_ERROR:
        return Unsupported
    if status == _NOT_FOUND and said.code in REFUSALS:
        return PermissionDenied
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= _SERVER_ERROR:
        return ServerFailed
    return ProtocolViolation if status < _BAD_REQUEST else RegistryError
