"""Docker Hub's API over a fake registry, by its documentation, and where that is silent as its own tools use it.

    hub = HubApi(logins=[HubLogin(name="team", secret="dckr_pat_1")])
    with FakeRegistry(DOCKER_HUB, apis=[hub]) as registry:
        ...  # HubDriver with the option api: http://<registry.host>

Wrong requests are refused: unknown parameters, pages over 100, wrong methods, absent or expired tokens. Documented:
the paths, fields, pages, tokens, rights and error bodies. From Docker's hub-tool and issues: the removal of a tag, the
digest at the top of a tag, and the limit on removals that no header foretells.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from tagsweep.http.clock import SystemClock
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.manifest import Manifest, RawManifest
from tagsweep.ports import Clock
from tagsweep.testing.answers import as_json
from tagsweep.testing.dialects import Dialect, NoReferrers, Refusal
from tagsweep.testing.faults import Faults, Moment, RateLimit, TimedLimit
from tagsweep.testing.storage import Storage, StoredRepository
from tagsweep.testing.wire import Answer, WireRequest

DOCKER_HUB: Final = Dialect(
    name="Docker Hub, as documented",
    referrers=NoReferrers.PLAIN_TEXT,
    tag_delete=Refusal(status=405, code="UNSUPPORTED", message="Only digest-based deletion is supported"),
    tagged_delete=Refusal(status=403, code="DENIED", message="manifest is tagged or referenced"),
)
DOCKER_HUB_CASCADING: Final = Dialect(
    name="Docker Hub, as seen",
    referrers=NoReferrers.PLAIN_TEXT,
    tag_delete=DOCKER_HUB.tag_delete,
    digest_delete_takes_children=True,
)

_MOST_PER_PAGE: Final = 100
_PER_PAGE: Final = 10
_TOKEN_LIFE: Final = timedelta(minutes=10)
_REPOSITORY: Final = re.compile(r"/v2/namespaces/(?P<namespace>[^/]+)/repositories/(?P<name>[^/]+)(?P<rest>/.*)?")
_NAMESPACE: Final = re.compile(r"/v2/namespaces/(?P<namespace>[^/]+)/repositories")
_OLD_TAGS: Final = re.compile(r"/v2/repositories/(?P<namespace>[^/]+)/(?P<name>[^/]+)/tags/(?:(?P<tag>[^/]+)/)?")
_FIELDS: Final = {
    TimeOrigin.PUSHED: "tag_last_pushed",
    TimeOrigin.UPDATED: "last_updated",
    TimeOrigin.PULLED: "tag_last_pulled",
}


class Right(IntEnum):
    """What an account, or a token, may do; a higher one includes the lower ones."""

    NOTHING = 0
    READ = 1
    WRITE = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class HubLogin:
    """A user with a password or personal access token, or an organization with its access token.

    ``right`` is the account's on every repository, ``scope`` what this secret may do of it. ``second_factor`` asks for
    a code that only a person has.
    """

    name: str
    secret: str
    right: Right = Right.ADMIN
    scope: Right = Right.ADMIN
    second_factor: bool = False


@dataclass(frozen=True, slots=True)
class _Session:
    login: HubLogin
    until: datetime


class _Refused(Exception):
    """An answer on its way out of the middle of another one."""

    def __init__(self, status: int, document: object, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.answer = _json(status, document, headers)


class HubApi:
    """Implements :class:`tagsweep.testing.fake.VendorApi`.

    ``private`` are repositories that only logged-in accounts see. ``tells_digests`` is off in the official description
    and on in the live API. ``has_token_call`` is off for what is older than ``/v2/auth/token``. ``limit`` bounds
    removals, without a word of it in the headers of answers before. ``rules_match_parts`` lets an immutable-tag rule
    match a part of a tag. ``clock`` is that of tokens.
    """

    def __init__(
        self,
        *,
        logins: Sequence[HubLogin] = (),
        private: Sequence[str] = (),
        tells_digests: bool = True,
        has_token_call: bool = True,
        status_field: str = "tag_status",
        limit: RateLimit | TimedLimit | None = None,
        rules_match_parts: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.logins = {login.name: login for login in logins}
        self.private = frozenset(private)
        self.tells_digests = tells_digests
        self.has_token_call = has_token_call
        self.status_field = status_field
        self.rules_match_parts = rules_match_parts
        self._limit = Faults(rate_limit=limit)
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._sessions: dict[str, _Session] = {}
        self._numbers = itertools.count(1)
        self._rules: dict[str, tuple[str, ...]] = {}
        self._times: dict[tuple[str, str], dict[TimeOrigin, datetime]] = {}
        self._lock = threading.Lock()
        self._storage = Storage()
        self._base = ""

    # --- the back door --------------------------------------------------------------------------------------------
    def attach(self, storage: Storage, *, base: str) -> None:
        """Take the registry's storage and the URL that next pages begin with."""
        self._storage, self._base = storage, base

    def record(self, repository: str, tag: str, times: Mapping[TimeOrigin, datetime]) -> None:
        """Set what the API tells of the times of a tag; one that is not set is null."""
        self._times[repository, tag] = dict(times)

    def make_immutable(self, repository: str, *rules: str) -> None:
        """Make the tags immutable that the rules match; no rules make them mutable again."""
        self._rules[repository] = rules

    def expire_tokens(self) -> None:
        """Make every token that was handed out worthless."""
        with self._lock:
            self._sessions.clear()

    # --- answering ------------------------------------------------------------------------------------------------
    def answer(self, request: WireRequest) -> Answer | None:
        """Return the answer, or None where the registry API is meant."""
        path, _, text = request.target.partition("?")
        try:
            return self._route(path, request, dict(parse_qsl(text, keep_blank_values=True)))
        except _Refused as refused:
            return refused.answer

    def _route(self, path: str, request: WireRequest, query: Mapping[str, str]) -> Answer | None:
        if path in ("/v2/auth/token", "/v2/users/login"):
            return self._log_in(path, request)
        if (found := _NAMESPACE.fullmatch(path)) is not None:
            return self._repositories(found["namespace"], request, query)
        if (found := _REPOSITORY.fullmatch(unquote(path))) is not None:
            return self._repository(f"{found['namespace']}/{found['name']}", found["rest"] or "", request, query)
        if (found := _OLD_TAGS.fullmatch(unquote(path))) is None:
            return None
        repository = f"{found['namespace']}/{found['name']}"
        if found["tag"] is not None:
            return self._remove(repository, found["tag"], request)
        return self._repository(repository, "/tags", request, query)

    # --- accounts -------------------------------------------------------------------------------------------------
    def _log_in(self, path: str, request: WireRequest) -> Answer:
        old = path == "/v2/users/login"
        if not old and not self.has_token_call:
            raise _Refused(404, {"message": "object not found", "errinfo": {}})
        _only(request, "POST")
        name_key, secret_key, token_key = (
            ("username", "password", "token") if old else ("identifier", "secret", "access_token")
        )
        given = _document(request, required=(name_key, secret_key))
        login = self.logins.get(given[name_key])
        if login is None or login.secret != given[secret_key]:
            raise _Refused(401, {"detail": "Incorrect authentication credentials"})
        if login.second_factor:
            told = {"detail": "Require secondary authentication on MFA enabled account"}
            raise _Refused(401, {**told, "login_2fa_token": "second"} if old else told)
        with self._lock:
            token = f"eyJhdWQiOiJodWIifQ.{next(self._numbers)}.unsigned"
            self._sessions[token] = _Session(login, self._clock.now() + _TOKEN_LIFE)
        return _json(200, {token_key: token})

    def _who(self, request: WireRequest) -> HubLogin | None:
        header = request.headers.get("authorization")
        if header is None:
            return None
        scheme, _, token = header.partition(" ")
        session = self._sessions.get(token)
        if scheme != "Bearer" or session is None or session.until <= self._clock.now():
            raise _Refused(401, {"detail": "unauthorized", "message": "unauthorized"})
        return session.login

    def _see(self, repository: str, request: WireRequest) -> tuple[StoredRepository, HubLogin | None]:
        """Return a repository that the request may see, and whose request it is."""
        who = self._who(request)
        stored = self._storage.known(repository)
        right = min(who.right, who.scope) if who is not None else Right.NOTHING
        if stored is None or (repository in self.private and right < Right.READ):
            raise _Refused(404, {"message": "object not found", "errinfo": {}})
        return stored, who

    # --- repositories ---------------------------------------------------------------------------------------------
    def _repositories(self, namespace: str, request: WireRequest, query: Mapping[str, str]) -> Answer:
        _only(request, "GET")
        _known(query, "page", "page_size", "name", "ordering")
        who = self._who(request)
        with self._storage.lock:
            paths = [
                path
                for path, stored in sorted(self._storage.repositories.items())
                if stored.known and path.startswith(f"{namespace}/") and (who is not None or path not in self.private)
            ]
        names = [path.partition("/")[2] for path in paths]
        entries = [{**self._identity(namespace, name), "repository_type": "image", "status": 1} for name in names]
        return self._paged(request, query, entries, lambda entry: entry)

    def _identity(self, namespace: str, name: str) -> dict[str, Any]:
        return {"name": name, "namespace": namespace, "is_private": f"{namespace}/{name}" in self.private}

    def _repository(self, repository: str, rest: str, request: WireRequest, query: Mapping[str, str]) -> Answer:
        with self._storage.lock:
            stored, who = self._see(repository, request)
            if rest == "":
                _only(request, "GET")
                _known(query)
                return _json(200, self._described(repository, who))
            if rest == "/tags":
                _only(request, "GET", "HEAD")
                _known(query, "page", "page_size", *(("ordering",) if "/v2/repositories/" in request.target else ()))
                # The newest tag comes first, so that a push moves all others.
                return self._paged(
                    request, query, list(reversed(stored.tags)), lambda tag: self._tag(repository, tag, stored)
                )
            if rest == "/immutabletags/verify":
                return self._verify(request, stored, who)
            tag = rest.removeprefix("/tags/")
            _only(request, "GET", "HEAD")
            if tag == rest or tag not in stored.tags:
                raise _Refused(404, {"message": "httperror 404: tag not found", "errinfo": {}})
            return _json(200, self._tag(repository, tag, stored))

    def _described(self, repository: str, who: HubLogin | None) -> dict[str, Any]:
        namespace, _, name = repository.partition("/")
        right = who.right if who is not None else Right.READ
        rules = self._rules.get(repository, ())
        return {
            **self._identity(namespace, name),
            "permissions": {"read": True, "write": right >= Right.WRITE, "admin": right >= Right.ADMIN},
            "immutable_tags_settings": {"enabled": bool(rules), "rules": list(rules)},
            "storage_size": None,
            "pull_count": 0,
        }

    def _verify(self, request: WireRequest, stored: StoredRepository, who: HubLogin | None) -> Answer:
        _only(request, "POST")
        if who is None or min(who.right, who.scope) < Right.ADMIN:
            raise _Refused(403, {"detail": "forbidden", "message": "forbidden"})
        regex = _document(request, required=("regex",))["regex"]
        return _json(200, {"tags": [tag for tag in stored.tags if self._rule_matches(regex, tag)]})

    def _rule_matches(self, rule: str, tag: str) -> bool:
        match = re.search if self.rules_match_parts else re.fullmatch
        return match(rule.replace("[[:digit:]]", "[0-9]"), tag) is not None

    # --- tags -----------------------------------------------------------------------------------------------------
    def _tag(self, repository: str, tag: str, stored: StoredRepository) -> dict[str, Any]:
        manifest = stored.tags[tag]
        images = self._images(manifest, stored)
        times = self._times.get((repository, tag), {})
        return {
            "id": abs(hash((repository, tag))) % 10**9,
            "images": images,
            "creator": 1,
            "last_updater": 1,
            "last_updater_username": repository.partition("/")[0],
            "name": tag,
            "repository": 1,
            "full_size": sum(image["size"] for image in images),
            "v2": True,
            self.status_field: "active",
            **{key: _text(times[origin]) if origin in times else None for origin, key in _FIELDS.items()},
            **({"digest": manifest.digest, "media_type": manifest.media_type} if self.tells_digests else {}),
        }

    def _images(self, manifest: RawManifest, stored: StoredRepository) -> list[dict[str, Any]]:
        parsed = self._storage.parsed(manifest)
        children = parsed.children if parsed is not None else ()
        found: list[dict[str, Any]] = []
        for child in children:
            below = stored.manifests.get(child.digest)
            kinds = ("unknown", "unknown") if child.is_attestation else ("amd64", "linux")
            found.append(self._image(child.digest, below, *kinds))
        return found or [self._image(manifest.digest, manifest, "amd64", "linux")]

    def _image(self, digest: str, manifest: RawManifest | None, architecture: str, system: str) -> dict[str, Any]:
        parsed = self._storage.parsed(manifest) if manifest is not None else None
        size = sum(blob.size or 0 for blob in parsed.blobs) if isinstance(parsed, Manifest) else 0
        return {"architecture": architecture, "os": system, "digest": digest, "size": size, "status": "active"}

    def _remove(self, repository: str, tag: str, request: WireRequest) -> Answer:
        _only(request, "DELETE")
        struck = self._limit.strike(request, Moment.BEFORE)
        if struck is not None:
            # The number of requests that are left stays as friendly as ever: this limit is another one.
            told = {"X-RateLimit-Limit": "180", "X-RateLimit-Remaining": "180", **struck.headers}
            told.pop("Content-Type", None)
            raise _Refused(429, {"detail": "Rate limit exceeded", "error": False}, told)
        with self._storage.lock:
            stored, who = self._see(repository, request)
            if who is None:
                raise _Refused(401, {"detail": "unauthorized", "message": "unauthorized"})
            if who.right < Right.ADMIN:
                raise _Refused(403, {"detail": "access to the resource is forbidden"})
            if who.scope < Right.ADMIN:
                raise _Refused(403, {"detail": "access to the resource is forbidden with personal access token"})
            if any(self._rule_matches(rule, tag) for rule in self._rules.get(repository, ())):
                raise _Refused(403, {"message": "tag is immutable", "errinfo": {}})
            if stored.tags.pop(tag, None) is None:
                raise _Refused(404, {"message": "httperror 404: tag not found", "errinfo": {}})
        return Answer(status=204)

    def _paged(
        self,
        request: WireRequest,
        query: Mapping[str, str],
        entries: Sequence[Any],
        show: Callable[[Any], dict[str, Any]],
    ) -> Answer:
        page, size = _number(query, "page", 1), _number(query, "page_size", _PER_PAGE)
        if size > _MOST_PER_PAGE:
            raise _Refused(400, {"fields": {"page_size": ["at most 100"]}, "text": "validation error"})
        start = (page - 1) * size
        if page > 1 and start >= len(entries):
            raise _Refused(404, {"message": "object not found", "errinfo": {}})
        address = f"{self._base}{request.target.partition('?')[0]}"
        following = f"{address}?page={page + 1}&page_size={size}" if start + size < len(entries) else None
        before = f"{address}?page={page - 1}&page_size={size}" if page > 1 else None
        results = [show(entry) for entry in entries[start : start + size]]
        return _json(200, {"count": len(entries), "next": following, "previous": before, "results": results})


# --- reading requests, writing answers ----------------------------------------------------------------------------
def _only(request: WireRequest, *methods: str) -> None:
    if request.method not in methods:
        raise _Refused(405, {"detail": f'Method "{request.method}" not allowed.'}, {"Allow": ", ".join(methods)})


def _known(query: Mapping[str, str], *names: str) -> None:
    unknown = sorted(query.keys() - set(names))
    if unknown:
        raise _Refused(400, {"fields": {unknown[0]: ["unknown parameter"]}, "text": "validation error"})


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise _Refused(400, {"fields": {name: ["not a positive number"]}, "text": "validation error"})
    return int(text)


def _document(request: WireRequest, *, required: Sequence[str]) -> dict[str, str]:
    """Return the JSON object in a request's body, which has exactly these keys, all of them texts."""
    try:
        found: Any = json.loads(request.body)
    except ValueError:
        found = None
    document = {key: value for key, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}
    typed = request.headers.get("content-type", "").partition(";")[0] == "application/json"
    if not typed or document != found or document.keys() != set(required):
        raise _Refused(400, {"fields": {required[0]: ["required"]}, "text": "validation error"})
    return document


def _json(status: int, document: object, headers: Mapping[str, str] | None = None) -> Answer:
    made = as_json(document, headers=headers)
    return Answer(status=status, headers=made.headers, body=made.body)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
