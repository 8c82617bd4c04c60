"""Artifactory's API over a fake registry: AQL, folders, their deletion and the trash can.

    artifactory = ArtifactoryApi(name="sweeper", token="secret")
    with FakeRegistry(ARTIFACTORY, access=artifactory.access, apis=[artifactory]) as registry:
        ...  # ArtifactoryDriver at registry.host

In the registry's paths the first part is the key of the repository. A tag is the folder ``<image>/<tag>``; deleting a
folder takes whatever is below it, other images too.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any, Final
from urllib.parse import unquote

from tagsweep.model.manifest import DOCKER_LIST, OCI_INDEX, RawManifest
from tagsweep.testing.access import BasicAccess
from tagsweep.testing.dialects import Dialect, Refusal
from tagsweep.testing.storage import Storage
from tagsweep.testing.vendors.asking import basic_of, json_answer, query_of, unknown_in
from tagsweep.testing.wire import Answer, WireRequest

_UNSUPPORTED: Final = Refusal(status=405, code="UNSUPPORTED", message="The operation is unsupported.")
ARTIFACTORY: Final = Dialect(name="artifactory", tag_delete=_UNSUPPORTED, digest_delete=_UNSUPPORTED)
"""Whether the registry API itself deletes is not described; here it does not, so that a client has to use the other."""
_BASE: Final = "/artifactory"
_AQL: Final = re.compile(r"items\.find\((?P<wanted>\{.*\})\)\.include\((?P<fields>.*)\)", re.DOTALL)
_NEEDED: Final = frozenset({"repo", "path", "name"})
_FIELDS: Final = _NEEDED | {"created", "modified", "updated", "sha256", "stat.downloaded"}
_MODIFIED: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class ArtifactoryApi:
    """Implements :class:`tagsweep.testing.fake.VendorApi`. Everything may be changed while it serves.

    ``kinds`` are the types of repositories by their keys, ``local`` where nothing is said; ``may_restore`` whether the
    user is an administrator, who alone may take things out of the trash can.
    """

    name: str = "sweeper"
    token: str = "token-of-the-fake"  # noqa: S105 - the default of a throw-away registry in a test
    may_delete: bool = True
    may_restore: bool = True
    may_search: bool = True
    trims: bool = False
    kinds: dict[str, str] = field(default_factory=dict)
    trash: dict[str, tuple[str, str, RawManifest]] = field(default_factory=dict)
    """What was deleted, by the folder: repository, tag, manifest."""
    _times: dict[tuple[str, str], tuple[datetime, datetime, datetime | None]] = field(default_factory=dict)
    _storage: Storage = field(default_factory=Storage)

    @property
    def access(self) -> BasicAccess:
        """The access of the registry that belongs to it."""
        return BasicAccess(username=self.name, password=self.token)

    # --- the back door --------------------------------------------------------------------------------------------
    def attach(self, storage: Storage, *, base: str) -> None:  # noqa: ARG002 - no answer names the address
        """Take the registry's storage."""
        self._storage = storage

    def record(
        self,
        repository: str,
        tag: str,
        *,
        created: datetime,
        modified: datetime,
        downloaded: datetime | None = None,
    ) -> None:
        """Set what is told of a tag's manifest."""
        self._times[repository, tag] = created, modified, downloaded

    # --- answering ------------------------------------------------------------------------------------------------
    def answer(self, request: WireRequest) -> Answer | None:
        """Answer Artifactory's own API."""
        path = request.target.partition("?")[0]
        if not path.startswith(f"{_BASE}/"):
            return None
        if basic_of(request) != (self.name, self.token):
            return _failed(401, "Bad credentials")
        path = unquote(path.removeprefix(f"{_BASE}/"))
        with self._storage.lock:
            if request.method == "DELETE":
                return self._delete(path, request)
            return self._ask(path, request)

    def _ask(self, path: str, request: WireRequest) -> Answer:
        if path == "api/search/aql" and request.method == "POST":
            return self._search(request)
        if path.startswith("api/trash/restore/") and request.method == "POST":
            return self._restore(path.removeprefix("api/trash/restore/"), request)
        if path == "api/repositories" and request.method == "GET":
            keys = {name.partition("/")[0] for name in self._storage.repositories} | self.kinds.keys()
            listed = [{"key": key, "type": self.kinds.get(key, "local").upper()} for key in sorted(keys)]
            return json_answer(200, [{**one, "packageType": "Docker"} for one in listed])
        if path.startswith("api/storage/") and request.method == "GET":
            return self._folder(path.removeprefix("api/storage/"))
        found = re.fullmatch(r"api/docker/([^/]+)/v2/_catalog", path)
        if found is not None and request.method == "GET":
            names = [name for name in sorted(self._storage.repositories) if name.startswith(f"{found[1]}/")]
            return json_answer(200, {"repositories": [name.removeprefix(f"{found[1]}/") for name in names]})
        return _failed(404, "Not Found")

    def _search(self, request: WireRequest) -> Answer:
        if not self.may_search:
            return _failed(403, "This endpoint may only be invoked by authorized users")
        found = _AQL.fullmatch(request.body.decode())
        if request.headers.get("content-type") != "text/plain" or found is None:
            return _failed(400, "Failed to parse query")
        fields = set(json.loads(f"[{found['fields']}]"))
        wanted = json.loads(found["wanted"])
        if not fields >= _NEEDED or fields - _FIELDS or wanted.keys() != {"repo", "path", "$or"}:
            return _failed(400, "For permissions reasons AQL demands the following fields: repo, path and name.")
        names = {one["name"] for one in wanted["$or"]}
        results = [
            item
            for repository, stored in sorted(self._storage.repositories.items())
            for tag, manifest in sorted(stored.tags.items())
            for item in [self._item(repository, tag, manifest)]
            if item["repo"] == wanted["repo"] and fnmatchcase(item["path"], wanted["path"]["$match"])
            if item["name"] in names
        ]
        told: dict[str, Any] = {"start_pos": 0, "end_pos": len(results), "total": len(results)}
        if self.trims:
            results = results[:1]
            told = {
                **told,
                "end_pos": 1,
                "notification": "AQL query reached the search hard limit, results are trimmed.",
            }
        return json_answer(200, {"results": results, "range": told})

    def _item(self, repository: str, tag: str, manifest: RawManifest) -> dict[str, Any]:
        key, _, image = repository.partition("/")
        created, modified, downloaded = self._times.get((repository, tag), (_MODIFIED, _MODIFIED, None))
        item: dict[str, Any] = {
            "repo": key,
            "path": f"{image}/{tag}",
            "name": _file(manifest),
            "created": created.isoformat(),
            "modified": modified.isoformat(),
            "updated": modified.isoformat(),
            "sha256": manifest.digest.hex,
        }
        if downloaded is not None:
            item["stats"] = [{"downloaded": downloaded.isoformat()}]
        return item

    def _folder(self, path: str) -> Answer:
        repository, _, tag = path.rpartition("/")
        stored = self._storage.repositories.get(repository)
        below = {
            name.removeprefix(f"{path}/").partition("/")[0]
            for name in self._storage.repositories
            if name.startswith(f"{path}/")
        }
        if self._storage.known(path) is not None:
            below |= self._storage.repositories[path].tags.keys()
        children = [{"uri": f"/{name}", "folder": True} for name in sorted(below)]
        if stored is not None and tag in stored.tags:
            children.append({"uri": f"/{_file(stored.tags[tag])}", "folder": False})
        if not children:
            return _failed(404, "Unable to find item")
        return json_answer(200, {"repo": path.partition("/")[0], "path": f"/{path}", "children": children})

    def _delete(self, path: str, request: WireRequest) -> Answer:
        if query_of(request) or request.body:
            return _failed(400, "unknown parameter")
        if not self.may_delete:
            return _failed(403, f"Not enough permissions to delete/overwrite {path}")
        if self.kinds.get(path.partition("/")[0], "local") not in ("local", "federated"):
            return _failed(405, "deletion is only possible in a local repository")
        gone = False
        for repository, stored in self._storage.repositories.items():
            for tag in [tag for tag in stored.tags if f"{repository}/{tag}/".startswith(f"{path}/")]:
                gone = True
                manifest = stored.tags.pop(tag)
                self.trash[f"{repository}/{tag}"] = repository, tag, manifest
                if not stored.tags_on(manifest.digest):
                    stored.manifests.pop(manifest.digest, None)
        return Answer(status=204) if gone else _failed(404, "Could not locate artifact")

    def _restore(self, path: str, request: WireRequest) -> Answer:
        query = query_of(request)
        if unknown_in(query, {"to"}) or query.get("to") != path:
            return _failed(400, "unknown parameter, or another place")
        if not self.may_restore:
            return _failed(403, "This endpoint may only be invoked by administrators")
        if path not in self.trash:
            return _failed(404, "Could not find item in the trash can")
        repository, tag, manifest = self.trash.pop(path)
        stored = self._storage.repositories[repository]
        stored.add(manifest.digest, manifest, self._storage.parsed(manifest))
        stored.point(tag, manifest)
        return Answer(status=202, headers={"Content-Type": "text/plain"}, body=b"restored\n")


def _file(manifest: RawManifest) -> str:
    return "list.manifest.json" if manifest.media_type in (DOCKER_LIST, OCI_INDEX) else "manifest.json"


def _failed(status: int, message: str) -> Answer:
    return json_answer(status, {"errors": [{"status": status, "message": message}]})
