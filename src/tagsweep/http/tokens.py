"""Bearer tokens: what a token server answers, what a token says it grants, and the cache. No I/O, no clock."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any, Final

from tagsweep.http.challenge import Scope
from tagsweep.model.errors import ProtocolViolation

_DEFAULT_LIFE: Final = 60.0
"""Seconds; the token specification's own default where ``expires_in`` is missing."""
_MARGIN: Final = 0.1
"""The share of its life that a token is not used any more, so that it does not expire on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A bearer token that is good until ``expires_at`` (monotonic seconds)."""

    text: str = field(repr=False)
    expires_at: float


def read_token(body: bytes, *, now: float, place: str) -> Token:
    """Return the token in a token server's answer, or raise ProtocolViolation; ``now`` in monotonic seconds."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProtocolViolation(f"{place}: the token server's answer is not JSON") from error
    if not isinstance(document, dict):
        raise ProtocolViolation(f"{place}: the token server's answer is not a JSON object")
    text = document.get("token") or document.get("access_token")
    if not isinstance(text, str) or not text.isascii() or not text.isprintable() or " " in text:
        raise ProtocolViolation(f"{place}: the token server's answer holds no usable token")
    life = document.get("expires_in")
    usable = isinstance(life, int | float) and not isinstance(life, bool) and life > 0
    seconds = min(float(life), 86_400.0) if usable and life is not None else _DEFAULT_LIFE
    return Token(text=text, expires_at=now + seconds * (1 - _MARGIN))


def granted_by(token: str) -> tuple[Scope, ...] | None:
    """Return what a JWT says it grants (its ``access`` claim), or None where that cannot be read.

    The signature is the registry's business: this is read to explain a refusal, never to trust somebody.
    """
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, claims and signature, by RFC 7519
        return None
    try:
        claims: Any = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        access = claims["access"]
        return tuple(
            Scope(kind=str(entry["type"]), name=str(entry["name"]), actions=frozenset(map(str, entry["actions"] or ())))
            for entry in access or ()
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
