"""Google Artifact Registry over a fake registry: its tag list with the ``manifest`` map, and its REST API.

    gar = GarFake()
    with FakeRegistry(GAR, apis=[gar]) as registry:
        ...  # GarDriver with the options api: http://<registry.host>, location: us

Images are PROJECT/REPOSITORY/IMAGE. Both APIs want authorization; wrong requests are refused: unknown parameters, pages
over 1,000, tokens of nobody. By the API's description (google-cloud-artifact-registry): paths, pages, fields, and that
immutable tags cannot be deleted. By reports: the map, and what is refused while it is tagged or listed by an index.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote

from tagsweep.model.reference import Digest
from tagsweep.testing.access import BearerAccess, Gate
from tagsweep.testing.answers import as_json, error
from tagsweep.testing.dialects import Dialect, Refusal
from tagsweep.testing.routes import ManifestAt, Nowhere, Route, TagsList, Token, parse_target
from tagsweep.testing.storage import Storage, StoredRepository
from tagsweep.testing.wire import Answer, WireRequest

GAR: Final = Dialect(
    name="Google Artifact Registry",
    tagged_delete=Refusal(
        status=400, code="GOOGLE_MANIFEST_DANGLING_TAG", message="Manifest is still referenced by tag"
    ),
    child_delete=Refusal(
        status=400, code="GOOGLE_MANIFEST_DANGLING_PARENT_IMAGE", message="Manifest is still referenced by a parent"
    ),
)
_LARGEST_PAGE: Final = 1000
_FIRST_UPLOAD: Final = datetime(2025, 1, 1, tzinfo=UTC)
_BUILT: Final = datetime(2024, 12, 31, tzinfo=UTC)
_REST: Final = re.compile(
    r"/v1/projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)/repositories"
    r"(?:/(?P<repository>[^/]+)(?:/(?P<kind>packages|dockerImages)(?:/(?P<name>[^/]+)(?P<tags>/tags(?:/[^/]+)?)?)?)?)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GarRepository:
    """The settings of one repository (``PROJECT/REPOSITORY``) of the format DOCKER."""

    immutable_tags: bool = False
    mode: str = "STANDARD_REPOSITORY"
    cleanup_policies: bool = False


class _Refused(Exception):
    """An error on its way out of the middle of another answer."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.answer = _failure(status, reason, message)


class GarFake:
    """Implements :class:`tagsweep.testing.fake.VendorApi`.

    ``username`` and ``password`` are what the registry API takes; ``token`` is what the REST API takes, by default the
    same password. ``has_map`` is off for a tag list without the map, ``lists_everything`` makes an image that does not
    exist an empty list, as on gcr.io. ``may_read_settings`` is off for an identity that may not get repositories.
    """

    def __init__(
        self,
        *,
        username: str = "oauth2accesstoken",
        password: str = "ya29.fake",  # noqa: S107 - of a fake
        token: str | None = None,
        location: str = "us",
        settings: Mapping[str, GarRepository] | None = None,
        has_map: bool = True,
        lists_everything: bool = False,
        may_read_settings: bool = True,
        page: int | None = None,
        granted: frozenset[str] = frozenset({"pull", "push", "delete"}),
    ) -> None:
        self.settings = dict(settings or {})
        self._access = BearerAccess(
            username=username, password=password, granted=granted, anonymous=frozenset(), readable=False
        )
        self._token = token if token is not None else password
        self._location = location
        self._has_map = has_map
        self._lists_everything = lists_everything
        self._may_read_settings = may_read_settings
        self._page = page
        self._times: dict[tuple[str, str], tuple[datetime, datetime]] = {}
        self._lock = threading.Lock()
        self._storage = Storage()
        self._gate = Gate(self._access, base="")

    def attach(self, storage: Storage, *, base: str) -> None:
        """Take the registry's storage and the URL of the token server."""
        self._storage = storage
        self._gate = Gate(self._access, base=base)

    def record(self, repository: str, digest: Digest, *, uploaded: datetime, built: datetime) -> None:
        """Set when an image was uploaded, and when it says that it was built."""
        self._times[repository, digest] = (uploaded, built)

    # --- answering ------------------------------------------------------------------------------------------------
    def answer(self, request: WireRequest) -> Answer | None:
        """Return the answer, or None where the registry API gives it."""
        path, _, text = request.target.partition("?")
        if path.startswith("/v1/"):
            try:
                return self._rest(path, dict(parse_qsl(text, keep_blank_values=True)), request)
            except _Refused as refused:
                return refused.answer
        route, _ = parse_target(request.target)
        if isinstance(route, Token):
            return self._gate.token(request)
        if isinstance(route, Nowhere):
            return None
        return self._gate.refuse(request, route) or self._registry(request, route)

    def _registry(self, request: WireRequest, route: Route) -> Answer | None:
        """Return what Google answers in its own way at the registry API, or None."""
        if isinstance(route, TagsList) and request.method == "GET":
            return self._tags(route.repository)
        if isinstance(route, ManifestAt) and request.method == "DELETE":
            stored = self._storage.known(route.repository)
            held = stored is not None and route.reference in stored.tags
            if held and self._settings_of(route.repository).immutable_tags:
                return error(403, "DENIED", "The repository has enabled tag immutability")
        return None

    def _settings_of(self, path: str) -> GarRepository:
        return self.settings.get("/".join(path.split("/")[:2]), GarRepository())

    def _tags(self, path: str) -> Answer:
        with self._storage.lock:
            stored = self._storage.known(path)
            if stored is None and not self._lists_everything:
                return error(404, "NAME_UNKNOWN", "Repository does not exist or you may not see it")
            stored = stored if stored is not None else StoredRepository()
            listed = {digest: self._image(path, digest, stored) for digest in sorted(stored.manifests)}
            names = sorted(stored.tags)
        return as_json({"child": [], "name": path, "tags": names, **({"manifest": listed} if self._has_map else {})})

    def _image(self, path: str, digest: Digest, stored: StoredRepository) -> dict[str, Any]:
        uploaded, built = self._times.get((path, digest), (_FIRST_UPLOAD, _BUILT))
        return {
            "imageSizeBytes": str(len(stored.manifests[digest].data)),
            "layerId": "",
            "mediaType": stored.manifests[digest].media_type,
            "tag": sorted(stored.tags_on(digest)),
            "timeCreatedMs": str(int(built.timestamp() * 1000)),
            "timeUploadedMs": str(int(uploaded.timestamp() * 1000)),
        }

    # --- the REST API ---------------------------------------------------------------------------------------------
    def _rest(self, path: str, query: dict[str, str], request: WireRequest) -> Answer:
        if request.headers.get("authorization") != f"Bearer {self._token}":
            raise _Refused(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        found = _REST.fullmatch(path)
        if found is None:
            raise _Refused(404, "NOT_FOUND", "Method not found.")
        if found["location"] != self._location:
            raise _Refused(404, "NOT_FOUND", "Requested entity was not found.")
        if request.method not in ("GET", "DELETE") or (request.method == "DELETE" and not found["tags"]):
            raise _Refused(405, "UNIMPLEMENTED", "Method not allowed.")
        parent = f"projects/{found['project']}/locations/{found['location']}"
        with self._storage.lock:
            return self._answer(parent, found, query, request.method)

    def _answer(self, parent: str, found: re.Match[str], query: dict[str, str], method: str) -> Answer:
        project = unquote(found["project"])
        known = sorted(path for path, stored in self._storage.repositories.items() if stored.known)
        repositories = sorted({path.split("/")[1] for path in known if path.startswith(f"{project}/")})
        if not found["repository"]:
            listed = [self._described(parent, project, name) for name in repositories]
            return self._paged(
                "repositories", [*listed, {"name": f"{parent}/repositories/npm", "format": "NPM"}], query
            )
        if found["repository"] not in repositories:
            raise _Refused(404, "NOT_FOUND", "Requested entity was not found.")
        place = f"{parent}/repositories/{found['repository']}"
        if not found["kind"]:
            _known(query, "alt", "$alt")
            if not self._may_read_settings:
                raise _Refused(403, "PERMISSION_DENIED", "Permission 'artifactregistry.repositories.get' denied")
            return as_json(self._described(parent, project, found["repository"]))
        prefix = f"{project}/{found['repository']}/"
        paths = [path for path in known if path.startswith(prefix)]
        if found["kind"] == "dockerImages":
            return self._paged("dockerImages", [each for path in paths for each in self._docker(place, path)], query)
        if not found["name"]:
            packages = [{"name": f"{place}/packages/{quote(path.removeprefix(prefix), safe='')}"} for path in paths]
            return self._paged("packages", packages, query)
        # The slash of a name is written %2F in the name itself; Google's SDK encodes that once more in the URL.
        image = unquote(unquote(found["name"]))
        path = prefix + image
        if path not in paths:
            raise _Refused(404, "NOT_FOUND", "Requested entity was not found.")
        package = f"{place}/packages/{quote(image, safe='')}"
        if not found["tags"]:
            return as_json({"name": package})
        return self._tag_call(package, path, found["tags"].removeprefix("/tags").lstrip("/"), method, query)

    def _tag_call(self, package: str, path: str, tag: str, method: str, query: dict[str, str]) -> Answer:
        stored = self._storage.repositories[path]
        if not tag:
            tags = [self._named(package, name, stored) for name in sorted(stored.tags)]
            return self._paged("tags", tags, query)
        if tag not in stored.tags:
            raise _Refused(404, "NOT_FOUND", "Requested entity was not found.")
        if method == "GET":
            return as_json(self._named(package, tag, stored))
        if self._settings_of(path).immutable_tags:
            raise _Refused(400, "FAILED_PRECONDITION", "The repository has enabled tag immutability")
        del stored.tags[tag]
        return as_json({})

    def _named(self, package: str, tag: str, stored: StoredRepository) -> dict[str, str]:
        return {"name": f"{package}/tags/{tag}", "version": f"{package}/versions/{stored.tags[tag].digest}"}

    def _described(self, parent: str, project: str, name: str) -> dict[str, Any]:
        settings = self.settings.get(f"{project}/{name}", GarRepository())
        policies = {"old": {"id": "old", "action": "DELETE", "condition": {"olderThan": "2592000s"}}}
        return {
            "name": f"{parent}/repositories/{name}",
            "format": "DOCKER",
            "mode": settings.mode,
            **({"dockerConfig": {"immutableTags": True}} if settings.immutable_tags else {}),
            **({"cleanupPolicies": policies, "cleanupPolicyDryRun": True} if settings.cleanup_policies else {}),
        }

    def _docker(self, place: str, path: str) -> list[dict[str, Any]]:
        stored = self._storage.repositories[path]
        image = quote("/".join(path.split("/")[2:]), safe="")
        return [
            {
                "name": f"{place}/dockerImages/{image}@{digest}",
                "uri": f"{self._location}-docker.pkg.dev/{path}@{digest}",
                "tags": sorted(stored.tags_on(digest)),
                "imageSizeBytes": str(len(manifest.data)),
                "uploadTime": self._times.get((path, digest), (_FIRST_UPLOAD, _BUILT))[0].isoformat(),
                "mediaType": manifest.media_type,
            }
            for digest, manifest in sorted(stored.manifests.items())
        ]

    def _paged(self, key: str, entries: list[Any], query: dict[str, str]) -> Answer:
        _known(query, "pageSize", "pageToken", "alt", "$alt", "filter", "orderBy")
        text = query.get("pageSize", "0")
        if not text.isdigit() or int(text) > _LARGEST_PAGE:
            raise _Refused(400, "INVALID_ARGUMENT", "page_size must be at most 1000")
        size = int(text) or 100
        size = min(size, self._page or size)
        mark = query.get("pageToken", "after=0")
        start = int(mark.removeprefix("after="))
        following = {"nextPageToken": f"after={start + size}"} if start + size < len(entries) else {}
        # As with every API of this kind, an empty list is left out of its page.
        page = entries[start : start + size]
        return as_json({**({key: page} if page else {}), **following})


def _known(query: Mapping[str, str], *names: str) -> None:
    unknown = query.keys() - set(names)
    if unknown:
        raise _Refused(400, "INVALID_ARGUMENT", f'Invalid JSON payload received. Unknown name "{min(unknown)}"')


def _failure(status: int, reason: str, message: str) -> Answer:
    body = json.dumps({"error": {"code": status, "message": message, "status": reason}}).encode()
    return Answer(status=status, headers={"Content-Type": "application/json; charset=UTF-8"}, body=body)
