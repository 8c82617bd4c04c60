"""Gitea's registry and package API over a fake registry, by Gitea's source.

    gitea = GiteaApi(name="team", token="secret")
    with FakeRegistry(GITEA, access=gitea.access, apis=[gitea]) as registry:
        ...  # GiteaDriver at registry.host

A tag is a version of the package ``image`` of its owner: the last one takes its manifest along, and the layers that no
other version uses leave the image. ``n`` cuts the list of tags, and no Link says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import unquote

from tagsweep.model.manifest import RawManifest
from tagsweep.model.reference import Digest
from tagsweep.testing.access import BasicAccess
from tagsweep.testing.dialects import Dialect, NoReferrers, Paging, Refusal
from tagsweep.testing.storage import Storage, StoredRepository
from tagsweep.testing.vendors.asking import basic_of, json_answer, number_in, query_of, unknown_in
from tagsweep.testing.wire import Answer, WireRequest

GITEA: Final = Dialect(
    name="gitea",
    paging=Paging.SILENT,
    catalog_page=100,
    referrers=NoReferrers.PLAIN_TEXT,
    malformed_digest=Refusal(status=404, code="MANIFEST_UNKNOWN"),
)
_PACKAGES: Final = re.compile(r"/api/v1/packages/(?P<owner>[^/]+)")
_MANIFEST: Final = re.compile(r"/v2/(?P<repository>.+)/manifests/(?P<reference>[^/]+)")
_MOST_PER_PAGE: Final = 50
_BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class GiteaApi:
    """Implements :class:`tagsweep.testing.fake.VendorApi` and ``RefinesRegistry``. Everything may be changed while it
    serves. ``may_read`` is whether the token has ``read:package``.
    """

    name: str = "team"
    token: str = "token-of-the-fake"  # noqa: S105 - the default of a throw-away registry in a test
    may_read: bool = True
    _created: dict[tuple[str, str], datetime] = field(default_factory=dict)
    _storage: Storage = field(default_factory=Storage)

    @property
    def access(self) -> BasicAccess:
        """The access of the registry that belongs to it."""
        return BasicAccess(username=self.name, password=self.token)

    # --- the back door --------------------------------------------------------------------------------------------
    def attach(self, storage: Storage, *, base: str) -> None:  # noqa: ARG002 - no answer names the address
        """Take the registry's storage."""
        self._storage = storage

    def record(self, repository: str, tag: str, *, pushed: datetime) -> None:
        """Set when a tag was pushed last."""
        self._created[repository, tag] = pushed

    # --- answering ------------------------------------------------------------------------------------------------
    def answer(self, request: WireRequest) -> Answer | None:
        """Answer the package API."""
        path = request.target.partition("?")[0]
        if not path.startswith("/api/v1/"):
            return None
        found = _PACKAGES.fullmatch(path)
        if found is None or request.method != "GET":
            return _failed(404, "not found")
        if basic_of(request) != (self.name, self.token):
            return _failed(401, "token is required")
        if not self.may_read:
            return _failed(403, "token does not have at least one of required scope(s): [read:package]")
        with self._storage.lock:
            return self._packages(unquote(found["owner"]), request)

    def _packages(self, owner: str, request: WireRequest) -> Answer:
        query = query_of(request)
        page = number_in(query, "page", 1, most=1_000_000)
        limit = number_in(query, "limit", _MOST_PER_PAGE, most=_MOST_PER_PAGE)
        if unknown_in(query, {"type", "q", "page", "limit"}) or page is None or limit is None:
            return _failed(422, "unknown parameter, or no number")
        versions = [
            self._version(owner, path.removeprefix(f"{owner}/"), version, number)
            for path, stored in sorted(self._storage.repositories.items())
            if path.startswith(f"{owner}/") and query.get("q", "") in path
            for number, version in enumerate((*sorted(stored.tags), *_by_digest(stored)))
        ]
        if query.get("type", "container") != "container":
            versions = []
        shown = versions[(page - 1) * limit : page * limit]
        return json_answer(200, shown, headers={"X-Total-Count": str(len(versions))})

    def _version(self, owner: str, image: str, version: str, number: int) -> dict[str, Any]:
        created = self._created.get((f"{owner}/{image}", version), _BEGINNING + timedelta(minutes=number))
        return {
            "id": number + 1,
            "owner": {"login": owner},
            "repository": None,
            "creator": {"login": owner},
            "type": "container",
            "name": image,
            "version": version,
            "created_at": created.isoformat().replace("+00:00", "Z"),
        }

    def refine(self, request: WireRequest) -> Answer | None:
        """Let the last version of a manifest take along what only it had."""
        found = _MANIFEST.fullmatch(request.target)
        if found is None or request.method != "DELETE":
            return None
        reference = unquote(found["reference"])
        with self._storage.lock:
            stored = self._storage.known(found["repository"])
            if stored is None:
                return None
            tags = [reference] if reference in stored.tags else stored.tags_on(Digest(reference))
            if not tags and reference not in stored.manifests:
                return None
            digest = stored.tags[reference].digest if reference in stored.tags else Digest(reference)
            for tag in tags:
                del stored.tags[tag]
            if not stored.tags_on(digest):
                self._drop(stored, digest)
        return Answer(status=202)

    def _drop(self, stored: StoredRepository, digest: Digest) -> None:
        """Forget a manifest, and the blobs that nothing else of the image uses."""
        unused = self._blobs(stored.manifests.pop(digest, None))
        for manifest in stored.manifests.values():
            if not unused:
                return
            unused -= self._blobs(manifest)
        stored.blobs -= unused

    def _blobs(self, manifest: RawManifest | None) -> set[Digest]:
        parsed = self._storage.parsed(manifest) if manifest is not None else None
        return {blob.digest for blob in parsed.blobs} if parsed is not None else set()


def _by_digest(stored: StoredRepository) -> list[str]:
    """Return the versions that have no tag: manifests that were pushed by their digest."""
    tagged = {manifest.digest for manifest in stored.tags.values()}
    return [str(digest) for digest in stored.manifests if digest not in tagged]


def _failed(status: int, message: str) -> Answer:
    return json_answer(status, {"message": message, "url": "https://gitea.com/api/swagger"})
