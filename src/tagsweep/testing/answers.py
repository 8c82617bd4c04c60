"""Answers of a registry that several handlers give: OCI errors, and things that are served with their digest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from tagsweep.testing.dialects import Refusal
from tagsweep.testing.wire import Answer


def errors(status: int, found: Sequence[tuple[str, str]], headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer with an OCI error body; ``found`` are pairs of code and message."""
    body = {"errors": [{"code": code, "message": message} for code, message in found]}
    return Answer(
        status=status,
        headers={"Content-Type": "application/json", **(headers or {})},
        body=json.dumps(body).encode(),
    )


def error(status: int, code: str, message: str = "", *, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer with one OCI error."""
    return errors(status, [(code, message or code.lower().replace("_", " "))], headers)


def refusal(refused: Refusal) -> Answer:
    """Return the answer that a dialect's refusal is."""
    return error(refused.status, refused.code, refused.message)


def manifest_unknown() -> Answer:
    """Return the 404 of a manifest that is not there."""
    return error(404, "MANIFEST_UNKNOWN", "manifest unknown")


def as_json(
    document: object, *, media_type: str = "application/json", headers: Mapping[str, str] | None = None
) -> Answer:
    """Return a 200 with a JSON document."""
    body = json.dumps(document, separators=(",", ":")).encode() + b"\n"
    return Answer(status=200, headers={"Content-Type": media_type, **(headers or {})}, body=body)
