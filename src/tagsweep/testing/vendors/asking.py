"""What fake vendor APIs have in common: refusing a wrong request, and answering with JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl

from tagsweep.testing.answers import as_json
from tagsweep.testing.wire import Answer, WireRequest


class Refused(Exception):
    """An answer on its way out of the middle of another one."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def json_answer(status: int, document: object, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer of any status with a JSON document."""
    made = as_json(document, headers=headers)
    return Answer(status=status, headers=made.headers, body=made.body)


def query_of(request: WireRequest) -> dict[str, str]:
    """Return the query of a request, the last value of each name."""
    return dict(parse_qsl(request.target.partition("?")[2], keep_blank_values=True))


def basic_of(request: WireRequest) -> tuple[str, str] | None:
    """Return the user's name and password of basic authentication, or None where there is none that can be read."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        username, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return None
    return username, password


def unknown_in(query: Mapping[str, str], known: Collection[str]) -> str:
    """Return a parameter that the API does not have, or nothing."""
    return next((name for name in sorted(query) if name not in known), "")


def number_in(query: Mapping[str, str], name: str, default: int, *, most: int) -> int | None:
    """Return a parameter that is a whole number from 1 to ``most``; None where it is none."""
    text = query.get(name, str(default))
    return int(text) if text.isascii() and text.isdigit() and 1 <= int(text) <= most else None


def json_in(request: WireRequest) -> dict[str, object] | None:
    """Return the JSON object in a request's body, or None where there is none or it is not called that."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        return None
    try:
        document = json.loads(request.body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
