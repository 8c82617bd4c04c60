"""Quay's API over a fake registry, by its source and the Red Hat Quay API guide.

    quay = QuayApi(tokens=[QuayToken(secret="o", can_write=True)])
    with FakeRegistry(QUAY, apis=[quay]) as registry:
        ...  # QuayDriver at registry.host

Wrong requests are refused: unknown parameters, pages over 100, wrong methods, bodies without what they need, absent and
wrong tokens. From the source: a manifest that no tag reaches answers 404 by digest, and deleting a digest removes the
tags on it; a push by digest alone lives for a while.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import unquote

from tagsweep.model.reference import Digest
from tagsweep.testing.answers import error, manifest_unknown
from tagsweep.testing.dialects import Dialect
from tagsweep.testing.storage import Storage, StoredRepository
from tagsweep.testing.vendors.asking import Refused, json_answer, json_in, number_in, query_of, unknown_in
from tagsweep.testing.wire import Answer, WireRequest

QUAY: Final = Dialect(name="Quay")
_BASE: Final = "/api/v1"
_MOST_PER_PAGE: Final = 100
_PUSHED: Final = datetime(2026, 1, 1, tzinfo=UTC)
_TAG: Final = re.compile(r"/repository/(?P<repository>[^/]+/.+?)/tag/(?P<tag>[^/]+)(?P<restore>/restore)?")
_TAGS: Final = re.compile(r"/repository/(?P<repository>[^/]+/.+?)/tag/")
_REPOSITORY: Final = re.compile(r"/repository/(?P<repository>[^/]+/.+)")
_BY_DIGEST: Final = re.compile(r"/v2/(?P<repository>.+)/manifests/(?P<digest>[a-z0-9]+(?::|%3A)[0-9a-f]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuayToken:
    """An OAuth access token; ``can_write`` where its scopes and its user allow it."""

    secret: str
    can_write: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Life:
    """When a tag was put where it is, and when it goes by itself."""

    started: datetime = _PUSHED
    expires: datetime | None = None


class QuayApi:
    """Implements :class:`tagsweep.testing.fake.VendorApi` and ``RefinesRegistry``.

    ``window`` is how long the time machine keeps what was removed: as long as the fake registry collects nothing, and
    not at all where it is zero. ``state`` is NORMAL, READ_ONLY or MIRROR. ``tells_immutability`` is the newest Quay's.
    """

    def __init__(
        self,
        *,
        tokens: Sequence[QuayToken] = (),
        window: timedelta = timedelta(days=14),
        state: str = "NORMAL",
        tells_immutability: bool = True,
    ) -> None:
        self._tokens = {token.secret: token for token in tokens}
        self.window = window
        self._state = state
        self._tells_immutability = tells_immutability
        self._lives: dict[tuple[str, str], _Life] = {}
        self._immutable: set[tuple[str, str]] = set()
        self._temporary: set[tuple[str, Digest]] = set()
        self._removed: set[tuple[str, str, Digest]] = set()
        self._storage = Storage()

    # --- the back door --------------------------------------------------------------------------------------------
    def attach(self, storage: Storage, *, base: str) -> None:  # noqa: ARG002 - the API names no addresses
        """Take the registry's storage."""
        self._storage = storage

    def record(self, repository: str, tag: str, *, started: datetime, expires: datetime | None = None) -> None:
        """Set when a tag was put where it is, and when it goes by itself."""
        self._lives[repository, tag] = _Life(started=started, expires=expires)

    def make_immutable(self, repository: str, *tags: str) -> None:
        """Make these tags immutable."""
        self._immutable.update((repository, tag) for tag in tags)

    # --- answering ------------------------------------------------------------------------------------------------
    def answer(self, request: WireRequest) -> Answer | None:
        """Return the answer, or None where the registry API is meant."""
        path = request.target.partition("?")[0]
        if not path.startswith(f"{_BASE}/"):
            return None
        try:
            with self._storage.lock:
                return self._route(unquote(path.removeprefix(_BASE)), request)
        except Refused as refused:
            return refused.answer

    def refine(self, request: WireRequest) -> Answer | None:
        """Answer what is asked of a digest: what no tag reaches is not there, and a deletion removes its tags."""
        found = _BY_DIGEST.fullmatch(request.target)
        if found is None:
            return self._delete_by_tag(request)
        repository, digest = found["repository"], Digest(unquote(found["digest"]))
        with self._storage.lock:
            stored = self._storage.known(repository)
            if request.method == "PUT":
                self._temporary.add((repository, digest))
                return None
            if stored is None or digest not in stored.manifests:
                return None
            if request.method == "DELETE":
                return self._delete(repository, stored, digest)
            return None if self._alive(repository, stored, digest) else manifest_unknown()

    def _delete_by_tag(self, request: WireRequest) -> Answer | None:
        head, _, tag = request.target.rpartition("/")
        repository = head.removeprefix("/v2/").removesuffix("/manifests")
        with self._storage.lock:
            stored = self._storage.known(repository)
            if request.method != "DELETE" or stored is None or tag not in stored.tags:
                return None
            if (repository, tag) in self._immutable:
                return error(409, "TAG_IMMUTABLE", f"tag {tag} is immutable")
            self._remove(repository, stored, tag)
        return Answer(status=202)

    def _delete(self, repository: str, stored: StoredRepository, digest: Digest) -> Answer:
        tags = stored.tags_on(digest)
        if not tags:
            return manifest_unknown()
        for tag in tags:
            self._remove(repository, stored, tag)
        return Answer(status=202)

    def _remove(self, repository: str, stored: StoredRepository, tag: str) -> None:
        self._removed.add((repository, tag, stored.tags.pop(tag).digest))
        self._lives.pop((repository, tag), None)

    def _alive(self, repository: str, stored: StoredRepository, digest: Digest) -> bool:
        if stored.tags_on(digest) or (repository, digest) in self._temporary:
            return True
        return any(self._alive(repository, stored, parent) for parent in stored.parents(digest))

    def _route(self, path: str, request: WireRequest) -> Answer:
        if (found := _TAGS.fullmatch(path)) is not None:
            return self._tags(found["repository"], request)
        if (found := _TAG.fullmatch(path)) is not None:
            return self._tag(found["repository"], found["tag"], request, restore=found["restore"] is not None)
        if path == "/repository":
            return self._repositories(request)
        if (found := _REPOSITORY.fullmatch(path)) is not None:
            return self._described(found["repository"], request)
        raise _refused(404, "not_found", "Not Found")

    def _who(self, request: WireRequest) -> QuayToken:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        token = self._tokens.get(secret) if scheme == "Bearer" else None
        if token is None:
            raise _refused(401, "invalid_token", "Requires authentication")
        return token

    def _see(self, repository: str, request: WireRequest) -> tuple[StoredRepository, QuayToken]:
        who = self._who(request)
        stored = self._storage.known(repository)
        if stored is None:
            raise _refused(404, "not_found", "Not Found")
        return stored, who

    # --- reading --------------------------------------------------------------------------------------------------
    def _repositories(self, request: WireRequest) -> Answer:
        query = _query(request, "GET", "namespace", "public", "starred", "next_page", "last_modified", "popularity")
        self._who(request)
        if not query.keys() & {"namespace", "public", "starred"}:
            raise _refused(400, "invalid_request", "namespace, starred or public are required for this API call")
        wanted = query.get("namespace", "")
        known = [path for path, each in sorted(self._storage.repositories.items()) if each.known]
        names = [path for path in known if path.startswith(f"{wanted}/")]
        start = int(query.get("next_page", "0"))
        entries = [
            {"namespace": path.partition("/")[0], "name": path.partition("/")[2], "kind": "image"}
            for path in names[start : start + _MOST_PER_PAGE]
        ]
        more = {"next_page": str(start + _MOST_PER_PAGE)} if start + _MOST_PER_PAGE < len(names) else {}
        return json_answer(200, {"repositories": entries, **more})

    def _described(self, repository: str, request: WireRequest) -> Answer:
        _query(request, "GET", "includeTags", "includeStats")
        _, who = self._see(repository, request)
        namespace, _, name = repository.partition("/")
        document = {
            "namespace": namespace,
            "name": name,
            "kind": "image",
            "is_public": False,
            "can_write": who.can_write,
            "can_admin": False,
            "tag_expiration_s": int(self.window.total_seconds()),
            "state": self._state,
        }
        return json_answer(200, document)

    def _tags(self, repository: str, request: WireRequest) -> Answer:
        query = _query(request, "GET", "limit", "page", "onlyActiveTags", "specificTag", "filter_tag_name")
        stored, _ = self._see(repository, request)
        limit = number_in(query, "limit", 50, most=_MOST_PER_PAGE)
        page = number_in(query, "page", 1, most=10**9)
        if limit is None or page is None:
            raise _refused(400, "invalid_request", "limit and page are whole numbers, limit at most 100")
        entries = [self._entry(repository, tag, manifest.digest) for tag, manifest in stored.tags.items()]
        if query.get("onlyActiveTags") != "true":  # the history too
            entries += [
                {**self._entry(repository, tag, digest), "end_ts": 1, "expiration": "past"}
                for path, tag, digest in sorted(self._removed)
                if path == repository
            ]
        entries.reverse()  # the tag that was set last comes first
        shown = entries[(page - 1) * limit : page * limit]
        return json_answer(200, {"tags": shown, "page": page, "has_additional": page * limit < len(entries)})

    def _entry(self, repository: str, tag: str, digest: Digest) -> dict[str, Any]:
        life = self._lives.get((repository, tag), _Life())
        entry: dict[str, Any] = {
            "name": tag,
            "reversion": False,
            "start_ts": int(life.started.timestamp()),
            "manifest_digest": digest,
            "is_manifest_list": False,
            "size": None,
            "last_modified": format_datetime(life.started),
        }
        if life.expires is not None:
            entry |= {"end_ts": int(life.expires.timestamp()), "expiration": format_datetime(life.expires)}
        if self._tells_immutability:
            entry["immutable"] = (repository, tag) in self._immutable
        return entry

    # --- changing -------------------------------------------------------------------------------------------------
    def _tag(self, repository: str, tag: str, request: WireRequest, *, restore: bool) -> Answer:
        if request.method != ("POST" if restore else "DELETE"):
            raise _refused(405, "method_not_allowed", f"{request.method} is not allowed")
        stored, who = self._see(repository, request)
        if not who.can_write:
            raise _refused(403, "insufficient_scope", "Unauthorized")
        if self._state != "NORMAL":
            raise _refused(405, "invalid_request", f"repository is {self._state}")
        if restore:
            return self._restore(repository, tag, stored, json_in(request))
        _query(request, "DELETE", "skipRecoveryPeriod")
        if (repository, tag) in self._immutable:
            raise _refused(409, "tag_immutable", f"Tag {tag} is immutable")
        if tag not in stored.tags:
            raise _refused(404, "not_found", "Not Found")
        self._remove(repository, stored, tag)
        return Answer(status=204)

    def _restore(
        self, repository: str, tag: str, stored: StoredRepository, body: Mapping[str, object] | None
    ) -> Answer:
        digest = body.get("manifest_digest") if body is not None else None
        if body is None or not isinstance(digest, str):
            raise _refused(400, "invalid_request", "'manifest_digest' is a required property")
        manifest = stored.manifests.get(Digest(digest))
        if manifest is None or not self.window or (repository, tag, digest) not in self._removed:
            raise _refused(404, "not_found", "Could not restore tag: it is not in the history")
        stored.point(tag, manifest)
        return json_answer(200, {})


def _query(request: WireRequest, method: str, *known: str) -> dict[str, str]:
    if request.method != method:
        raise _refused(405, "method_not_allowed", f"{request.method} is not allowed")
    query = query_of(request)
    unknown = unknown_in(query, known)
    if unknown:
        raise _refused(400, "invalid_request", f"unknown parameter {unknown}")
    return query


def _refused(status: int, kind: str, message: str) -> Refused:
    document = {
        "status": status,
        "error_message": message,
        "title": kind,
        "error_type": kind,
        "detail": message,
        "type": f"/api/v1/error/{kind}",
    }
    return Refused(json_answer(status, document))
