"""DigitalOcean's registry API over a fake registry, by what DigitalOcean's own client library sends and reads.

    cloud = DigitalOceanApi(token="secret")
    with FakeRegistry(DIGITALOCEAN, access=cloud.access, apis=[cloud]) as registry:
        ...  # a driver with options: {api: http://<registry.host>/digitalocean}

In the registry's paths the first part is the registry, the rest the repository, whose slashes are written %2F.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote

from tagsweep.testing.access import BasicAccess
from tagsweep.testing.dialects import Dialect, Refusal
from tagsweep.testing.storage import Storage, StoredRepository
from tagsweep.testing.vendors.asking import json_answer, number_in, query_of, unknown_in
from tagsweep.testing.wire import Answer, WireRequest

_UNSUPPORTED: Final = Refusal(status=405, code="UNSUPPORTED", message="The operation is unsupported.")
DIGITALOCEAN: Final = Dialect(name="digitalocean", tag_delete=_UNSUPPORTED, digest_delete=_UNSUPPORTED)
"""Whether the registry API itself deletes is not described; here it does not, so that a client has to use the other."""
PREFIX: Final = "/digitalocean"
_REPOSITORIES: Final = re.compile(r"/v2/registries/(?P<registry>[^/]+)/repositoriesV2")
_TAGS: Final = re.compile(r"/v2/registries/(?P<registry>[^/]+)/repositories/(?P<name>[^/]+)/tags(?:/(?P<tag>[^/]+))?")
_MOST_TAGS, _MOST_REPOSITORIES = 200, 100
_UPDATED: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class DigitalOceanApi:
    """Implements :class:`tagsweep.testing.fake.VendorApi`. Everything may be changed while it serves.

    ``collecting`` is whether a garbage collection runs, during which nothing is deleted; ``may_delete`` whether the
    token has the scope for it.
    """

    token: str = "dop_v1_token_of_the_fake"  # noqa: S105 - the default of a throw-away registry in a test
    may_delete: bool = True
    collecting: bool = False
    counted_more: int = 0
    """By how much the totals are larger than the lists."""
    _updated: dict[tuple[str, str], datetime] = field(default_factory=dict)
    _storage: Storage = field(default_factory=Storage)
    _base: str = ""

    @property
    def access(self) -> BasicAccess:
        """The access of the registry that belongs to it: the token is user and password."""
        return BasicAccess(username=self.token, password=self.token)

    # --- the back door --------------------------------------------------------------------------------------------
    def attach(self, storage: Storage, *, base: str) -> None:
        """Take the registry's storage and address."""
        self._storage, self._base = storage, base

    def record(self, repository: str, tag: str, *, updated: datetime) -> None:
        """Set when a tag was updated."""
        self._updated[repository, tag] = updated

    # --- answering ------------------------------------------------------------------------------------------------
    def answer(self, request: WireRequest) -> Answer | None:  # noqa: PLR0911 - one return a path
        """Answer what is below the prefix."""
        path = request.target.partition("?")[0]
        if not path.startswith(f"{PREFIX}/"):
            return None
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return _failed(401, "unauthorized", "Unable to authenticate you")
        path = path.removeprefix(PREFIX)
        with self._storage.lock:
            if (found := _REPOSITORIES.fullmatch(path)) is not None and request.method == "GET":
                return self._repositories(unquote(found["registry"]), request)
            if (found := _TAGS.fullmatch(path)) is None:
                return _failed(404, "not_found", "The resource you were accessing could not be found.")
            repository = f"{unquote(found['registry'])}/{unquote(found['name'])}"
            stored = self._storage.known(repository)
            if stored is None:
                return _failed(404, "not_found", "failed to get repository: not found")
            if found["tag"] is None and request.method == "GET":
                return self._tags(repository, stored, request)
            if found["tag"] is not None and request.method == "DELETE":
                return self._delete(stored, unquote(found["tag"]), request)
        return _failed(405, "method_not_allowed", "The method is not allowed.")

    def _repositories(self, registry: str, request: WireRequest) -> Answer:
        query = query_of(request)
        size = number_in(query, "per_page", 20, most=_MOST_REPOSITORIES)
        start = number_in(query, "page_token", 1, most=1_000_000)
        if unknown_in(query, {"per_page", "page_token", "page"}) or size is None or start is None:
            return _failed(400, "bad_request", "unknown parameter, or no number")
        names = sorted(path for path, stored in self._storage.repositories.items() if stored.known)
        mine = [name.removeprefix(f"{registry}/") for name in names if name.startswith(f"{registry}/")]
        shown = [{"registry_name": registry, "name": name} for name in mine[start - 1 : start - 1 + size]]
        pages = {}
        if len(mine) >= start + size:
            where = f"{self._base}{PREFIX}/v2/registries/{registry}/repositoriesV2"
            pages = {"next": f"{where}?per_page={size}&page_token={start + size}"}
        return json_answer(
            200, {"repositories": shown, "links": {"pages": pages}, "meta": {"total": len(mine) + self.counted_more}}
        )

    def _tags(self, repository: str, stored: StoredRepository, request: WireRequest) -> Answer:
        query = query_of(request)
        page = number_in(query, "page", 1, most=1_000_000)
        size = number_in(query, "per_page", 20, most=_MOST_TAGS)
        if unknown_in(query, {"page", "per_page"}) or page is None or size is None:
            return _failed(400, "bad_request", "unknown parameter, or no number")
        names = sorted(stored.tags)
        shown = [self._tag(repository, stored, name) for name in names[(page - 1) * size : page * size]]
        total = len(names) + self.counted_more
        return json_answer(200, {"tags": shown, "links": {}, "meta": {"total": total}})

    def _tag(self, repository: str, stored: StoredRepository, name: str) -> dict[str, Any]:
        registry, _, rest = repository.partition("/")
        updated = self._updated.get((repository, name), _UPDATED)
        return {
            "registry_name": registry,
            "repository": rest,
            "tag": name,
            "manifest_digest": stored.tags[name].digest,
            "compressed_size_bytes": 1,
            "size_bytes": 1,
            "updated_at": updated.isoformat().replace("+00:00", "Z"),
        }

    def _delete(self, stored: StoredRepository, tag: str, request: WireRequest) -> Answer:
        if query_of(request) or request.body:
            return _failed(400, "bad_request", "unknown parameter")
        if not self.may_delete:
            return _failed(403, "forbidden", "You are not authorized to perform this operation")
        if self.collecting:
            return _failed(409, "conflict", "registry is in read-only mode while garbage collection is running")
        if stored.tags.pop(tag, None) is None:
            return _failed(404, "not_found", "tag not found")
        return Answer(status=204)


def _failed(status: int, identity: str, message: str) -> Answer:
    return json_answer(status, {"id": identity, "message": message, "request_id": "0"})
