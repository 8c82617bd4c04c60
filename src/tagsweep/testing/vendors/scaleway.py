"""Scaleway's registry API over a fake registry, by what Scaleway's own client library sends and reads.

    cloud = ScalewayApi(key="secret")
    with FakeRegistry(SCALEWAY, access=cloud.access, apis=[cloud]) as registry:
        ...  # a driver with options: {api: http://<registry.host>/scaleway, region: fr-par}

In the registry's paths the first part is the namespace, the rest the image. ``force`` is refused, because a client that
sends it is wrong: nobody says what it does to the other tags of a digest.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from tagsweep.testing.access import BasicAccess
from tagsweep.testing.dialects import Dialect, Refusal
from tagsweep.testing.storage import Storage
from tagsweep.testing.vendors.asking import json_answer, number_in, query_of, unknown_in
from tagsweep.testing.wire import Answer, WireRequest

_UNSUPPORTED: Final = Refusal(status=405, code="UNSUPPORTED", message="The operation is unsupported.")
SCALEWAY: Final = Dialect(name="scaleway", tag_delete=_UNSUPPORTED, digest_delete=_UNSUPPORTED)
"""Whether the registry API itself deletes is not described; here it does not, so that a client has to use the other."""
PREFIX: Final = "/scaleway"
_ROUTE: Final = re.compile(
    rf"{PREFIX}/registry/v1/regions/fr-par/(?P<kind>namespaces|images|tags)(?:/(?P<id>[0-9a-f-]{{36}})(?P<tags>/tags)?)?"
)
_MOST_PER_PAGE: Final = 100
_UPDATED: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class ScalewayApi:
    """Implements :class:`tagsweep.testing.fake.VendorApi`. Everything may be changed while it serves."""

    key: str = "11111111-2222-3333-4444-555555555555"
    may_delete: bool = True
    status: dict[str, str] = field(default_factory=dict)
    """What the API tells as the status of tags by their names; ``ready`` where nothing is said."""
    _updated: dict[tuple[str, str], datetime] = field(default_factory=dict)
    _storage: Storage = field(default_factory=Storage)

    @property
    def access(self) -> BasicAccess:
        """The access of the registry that belongs to it: the key is the password of ``nologin``."""
        return BasicAccess(username="nologin", password=self.key)

    # --- the back door --------------------------------------------------------------------------------------------
    def attach(self, storage: Storage, *, base: str) -> None:  # noqa: ARG002 - no answer names the address
        """Take the registry's storage."""
        self._storage = storage

    def record(self, repository: str, tag: str, *, updated: datetime) -> None:
        """Set when a tag was updated."""
        self._updated[repository, tag] = updated

    # --- answering ------------------------------------------------------------------------------------------------
    def answer(self, request: WireRequest) -> Answer | None:
        """Answer what is below the prefix."""
        path = request.target.partition("?")[0]
        if not path.startswith(f"{PREFIX}/"):
            return None
        if request.headers.get("x-auth-token") != self.key:
            return _failed(401, "authentication is denied", "denied_authentication")
        found = _ROUTE.fullmatch(path)
        if found is None:
            return _failed(404, "resource is not found", "not_found")
        with self._storage.lock:
            if found["kind"] == "tags" and found["id"] is not None and request.method == "DELETE":
                return self._delete(found["id"], request)
            if request.method != "GET":
                return _failed(405, "method not allowed", "method_not_allowed")
            return self._list(found, request)

    def _list(self, found: re.Match[str], request: WireRequest) -> Answer:
        query = query_of(request)
        if found["tags"] is not None and found["kind"] == "images":
            repository = next((path for path in self._paths() if _id("image", path) == found["id"]), None)
            if repository is None:
                return _failed(404, "resource is not found", "not_found")
            return self._page("tags", self._tags(repository), query, known={"name", "order_by"})
        if found["kind"] == "namespaces" and found["id"] is None:
            names = sorted({path.partition("/")[0] for path in self._paths()})
            spaces = [{"id": _id("namespace", name), "name": name, "region": "fr-par"} for name in names]
            return self._page("namespaces", spaces, query, known={"name", "order_by", "project_id", "organization_id"})
        if found["kind"] == "images" and found["id"] is None:
            images = [self._image(path) for path in self._paths()]
            wanted = query.pop("namespace_id", None)
            mine = [image for image in images if wanted in (None, image["namespace_id"])]
            return self._page("images", mine, query, known={"name", "order_by", "project_id", "organization_id"})
        return _failed(404, "resource is not found", "not_found")

    def _page(self, what: str, entries: Sequence[dict[str, Any]], query: dict[str, str], *, known: set[str]) -> Answer:
        page = number_in(query, "page", 1, most=1_000_000)
        size = number_in(query, "page_size", 20, most=_MOST_PER_PAGE)
        if unknown_in(query, {*known, "page", "page_size"}) or page is None or size is None:
            return _failed(400, "invalid argument(s)", "invalid_arguments")
        shown = [entry for entry in entries if query.get("name") in (None, entry["name"])]
        return json_answer(200, {what: shown[(page - 1) * size : page * size], "total_count": len(shown)})

    def _paths(self) -> list[str]:
        return sorted(path for path, stored in self._storage.repositories.items() if stored.known)

    def _image(self, path: str) -> dict[str, Any]:
        namespace, _, name = path.partition("/")
        return {"id": _id("image", path), "name": name, "namespace_id": _id("namespace", namespace), "status": "ready"}

    def _tags(self, repository: str) -> list[dict[str, Any]]:
        return [self._tag(repository, name) for name in self._storage.repositories[repository].tags]

    def _tag(self, repository: str, name: str) -> dict[str, Any]:
        updated = self._updated.get((repository, name), _UPDATED).isoformat().replace("+00:00", "Z")
        return {
            "id": _id("tag", f"{repository}:{name}"),
            "name": name,
            "image_id": _id("image", repository),
            "status": self.status.get(name, "ready"),
            "digest": self._storage.repositories[repository].tags[name].digest,
            "created_at": updated,
            "updated_at": updated,
        }

    def _delete(self, identity: str, request: WireRequest) -> Answer:
        if query_of(request) or request.body not in (b"", b"{}"):  # the client library sends an empty object
            return _failed(400, "invalid argument(s)", "invalid_arguments")
        if not self.may_delete:
            return _failed(403, "insufficient permissions", "permissions_denied")
        for repository in self._paths():
            stored = self._storage.repositories[repository]
            for name in stored.tags:
                if _id("tag", f"{repository}:{name}") != identity:
                    continue
                described = {**self._tag(repository, name), "status": "deleting"}
                digest = stored.tags[name].digest
                if stored.tags_on(digest) != [name]:
                    return _failed(400, "tag shares its digest with other tags", "invalid_arguments")
                del stored.tags[name]
                del stored.manifests[digest]
                return json_answer(200, described)
        return _failed(404, "resource is not found", "not_found")


def _id(kind: str, name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{kind}/{name}"))


def _failed(status: int, message: str, kind: str) -> Answer:
    return json_answer(status, {"message": message, "type": kind})
