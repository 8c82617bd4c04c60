"""Who may do what in a fake registry: nobody asked, basic credentials, or bearer tokens from its own token server.

A token server returns the intersection of what was asked and what is granted, without an error: that a token lacks
``delete`` shows only in the token, or in the 401 that the registry answers to the DELETE.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never
from urllib.parse import parse_qs

from tagsweep.testing.answers import error
from tagsweep.testing.routes import (
    BlobAt,
    Catalog,
    ManifestAt,
    Nowhere,
    Referrers,
    Root,
    Route,
    TagsList,
    Token,
    Upload,
)
from tagsweep.testing.wire import Answer, WireRequest

EVERY_ACTION: Final = frozenset({"pull", "push", "delete"})
READ_ONLY: Final = frozenset({"pull"})
_ACTIONS: Final = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAccess:
    """Everybody may do everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicAccess:
    """One user; ``granted`` are the actions that are allowed, everything else is 403 DENIED."""

    username: str = "user"
    password: str = "secret"  # noqa: S105 - the default of a throw-away registry in a test
    granted: frozenset[str] = EVERY_ACTION


@dataclass(frozen=True, slots=True, kw_only=True)
class BearerAccess:
    """Tokens of ``http://<registry>/token``. ``readable`` tokens are unsigned JWTs, others mean nothing to a client.

    ``identity_token`` is accepted in place of the password, as Docker's credential helpers hand it out. Where
    ``username`` is None the password counts alone, whoever presents it.
    """

    username: str | None = "user"
    password: str = "secret"  # noqa: S105 - the default of a throw-away registry in a test
    identity_token: str = "identity"  # noqa: S105 - the default of a throw-away registry
    granted: frozenset[str] = EVERY_ACTION
    anonymous: frozenset[str] = READ_ONLY
    service: str = "fake"
    readable: bool = True
    expires_in: int = 300


Access: TypeAlias = OpenAccess | BasicAccess | BearerAccess


class Gate:
    """Decides whether a request may pass, and hands out tokens."""

    def __init__(self, access: Access, *, base: str) -> None:
        self._access = access
        self._base = base
        self._tokens: dict[str, Mapping[tuple[str, str], frozenset[str]]] = {}

    def expire_tokens(self) -> None:
        """Make every token that was handed out worthless."""
        self._tokens.clear()

    def refuse(self, request: WireRequest, route: Route) -> Answer | None:
        """Return the answer that turns the request away, or None if it may pass."""
        match self._access:
            case OpenAccess():
                return None
            case BasicAccess() as basic:
                return _refuse_basic(basic, request)
            case BearerAccess() as bearer:
                return self._refuse_bearer(bearer, request, route)
            case _:
                assert_never(self._access)

    def token(self, request: WireRequest) -> Answer:
        """Answer a request for a token, by GET with basic credentials or by POST with an identity token."""
        access = self._access
        if not isinstance(access, BearerAccess):
            return error(404, "UNSUPPORTED")
        query = parse_qs(request.body.decode() if request.method == "POST" else request.target.partition("?")[2])
        granted = _granted(access, request, query)
        if granted is None:
            return error(401, "UNAUTHORIZED")
        allowed: dict[tuple[str, str], frozenset[str]] = {}
        for scope in " ".join(query.get("scope", [])).split():
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            asked = EVERY_ACTION if actions == "*" else frozenset(actions.split(","))
            allowed[kind, name] = asked & granted
        token = _encode_token(allowed, readable=access.readable)
        self._tokens[token] = allowed
        answer = {"token": token, "access_token": token, "expires_in": access.expires_in}
        return Answer(status=200, headers={"Content-Type": "application/json"}, body=json.dumps(answer).encode())

    def _refuse_bearer(self, access: BearerAccess, request: WireRequest, route: Route) -> Answer | None:
        kind, name, action = _needed(request, route)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        allowed = self._tokens.get(token) if scheme.lower() == "bearer" else None
        if allowed is not None and (not name or action in allowed.get((kind, name), frozenset())):
            return None
        challenge = f'Bearer realm="{self._base}/token",service="{access.service}"'
        if name:
            challenge += f',scope="{kind}:{name}:{"*" if kind == "registry" else action}"'
        if allowed is not None:
            challenge += ',error="insufficient_scope"'
        return error(401, "UNAUTHORIZED", "authentication required", headers={"WWW-Authenticate": challenge})


def _refuse_basic(access: BasicAccess, request: WireRequest) -> Answer | None:
    if _basic(request) != (access.username, access.password):
        return error(401, "UNAUTHORIZED", headers={"WWW-Authenticate": 'Basic realm="fake registry"'})
    action = _ACTIONS.get(request.method, "push")
    return None if action in access.granted else error(403, "DENIED", f"{action} is not allowed")


def _granted(access: BearerAccess, request: WireRequest, query: Mapping[str, list[str]]) -> frozenset[str] | None:
    if "authorization" in request.headers:
        username, password = _basic(request) or (None, None)
        known = password == access.password and access.username in {None, username}
        return access.granted if known else None
    if "refresh_token" in query:
        return access.granted if query["refresh_token"] == [access.identity_token] else None
    return access.anonymous


def _basic(request: WireRequest) -> tuple[str, str] | None:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        username, _, password = base64.b64decode(encoded).decode().partition(":")
    except ValueError:
        return None
    return username, password


def _needed(request: WireRequest, route: Route) -> tuple[str, str, str]:
    """Return the kind and name of the thing that the request is about, and the action; no name needs any token."""
    match route:
        case Root() | Token() | Nowhere():
            return "", "", ""
        case Catalog():
            return "registry", "catalog", "pull"
        case TagsList() | ManifestAt() | BlobAt() | Upload() | Referrers():
            return "repository", route.repository, _ACTIONS.get(request.method, "push")
        case _:
            assert_never(route)


def _encode_token(allowed: Mapping[tuple[str, str], frozenset[str]], *, readable: bool) -> str:
    if not readable:
        return secrets.token_urlsafe(24)
    access = [{"type": kind, "name": name, "actions": sorted(actions)} for (kind, name), actions in allowed.items()]
    claims = {"access": access, "jti": secrets.token_hex(8)}
    header = {"alg": "none", "typ": "JWT"}
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims))
    return ".".join((*parts, "unsigned"))
