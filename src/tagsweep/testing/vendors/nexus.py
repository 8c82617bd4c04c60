"""Nexus Repository's API over a fake registry: the search, and components by their ids.

    nexus = NexusApi(name="sweeper", password="secret")
    with FakeRegistry(NEXUS, access=nexus.access, apis=[nexus]) as registry:
        ...  # NexusDriver at registry.host

In the registry's paths the first part is the hosted repository, the rest the image, unless ``hosted`` names the one
repository that the registry's port belongs to. The search may be late.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote

from tagsweep.testing.access import BasicAccess
from tagsweep.testing.dialects import Dialect, Refusal
from tagsweep.testing.storage import Storage
from tagsweep.testing.vendors.asking import basic_of, json_answer, query_of, unknown_in
from tagsweep.testing.wire import Answer, WireRequest

_UNSUPPORTED: Final = Refusal(status=405, code="UNSUPPORTED", message="The operation is unsupported.")
NEXUS: Final = Dialect(name="nexus", tag_delete=_UNSUPPORTED, digest_delete=_UNSUPPORTED)
"""Whether the registry API itself deletes is not described; here it does not, so that a client has to use the other."""
_BASE: Final = "/service/rest/v1"
_COMPONENT: Final = re.compile(r"/components/(?P<id>[^/]+)")
_PER_PAGE: Final = 10
_MODIFIED: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class NexusApi:
    """Implements :class:`tagsweep.testing.fake.VendorApi`. Everything may be changed while it serves.

    ``unseen`` are tags that the search does not find yet, ``ghosts`` tags that it still finds. A ``loose`` search finds
    also what only begins like the name or version that is asked for.
    """

    name: str = "sweeper"
    password: str = "secret-of-the-fake"  # noqa: S105 - the default of a throw-away registry in a test
    hosted: str = ""
    may_search: bool = True
    may_delete: bool = True
    loose: bool = False
    unseen: set[str] = field(default_factory=set)
    ghosts: set[tuple[str, str]] = field(default_factory=set)
    _times: dict[tuple[str, str], tuple[datetime, datetime | None]] = field(default_factory=dict)
    _storage: Storage = field(default_factory=Storage)

    @property
    def access(self) -> BasicAccess:
        """The access of the registry that belongs to it."""
        return BasicAccess(username=self.name, password=self.password)

    # --- the back door --------------------------------------------------------------------------------------------
    def attach(self, storage: Storage, *, base: str) -> None:  # noqa: ARG002 - no answer names the address
        """Take the registry's storage."""
        self._storage = storage

    def record(self, repository: str, tag: str, *, modified: datetime, downloaded: datetime | None = None) -> None:
        """Set what is told of a tag."""
        self._times[repository, tag] = modified, downloaded

    # --- answering ------------------------------------------------------------------------------------------------
    def answer(self, request: WireRequest) -> Answer | None:
        """Answer Nexus's own API."""
        path = request.target.partition("?")[0]
        if not path.startswith(f"{_BASE}/"):
            return None
        if basic_of(request) != (self.name, self.password):
            return Answer(status=401, headers={"WWW-Authenticate": 'BASIC realm="Sonatype Nexus Repository Manager"'})
        path = path.removeprefix(_BASE)
        with self._storage.lock:
            if path == "/search" and request.method == "GET":
                return self._search(request)
            found = _COMPONENT.fullmatch(path)
            if found is None:
                return _failed(404, "not found")
            return self._component(unquote(found["id"]), request)

    def _search(self, request: WireRequest) -> Answer:
        query = query_of(request)
        if unknown_in(query, {"repository", "format", "name", "version", "continuationToken"}):
            return _failed(400, "unknown parameter")
        if not self.may_search:
            return _failed(403, "you may not search")
        known = [
            (path, tag)
            for path, stored in sorted(self._storage.repositories.items())
            for tag in sorted(stored.tags)
            if tag not in self.unseen
        ]
        components = [self._describe(path, tag) for path, tag in (*known, *sorted(self.ghosts))]
        wanted = {key: value for key, value in query.items() if key != "continuationToken"}
        fitting = [one for one in components if all(self._fits(one[key], value) for key, value in wanted.items())]
        start = int(query.get("continuationToken", "0"), 16)
        following = f"{start + _PER_PAGE:032x}" if len(fitting) > start + _PER_PAGE else None
        return json_answer(200, {"items": fitting[start : start + _PER_PAGE], "continuationToken": following})

    def _fits(self, value: str, wanted: str) -> bool:
        return value.startswith(wanted) if self.loose else value == wanted

    def _describe(self, path: str, tag: str) -> dict[str, Any]:
        hosted, _, image = (self.hosted, "", path) if self.hosted else path.partition("/")
        modified, downloaded = self._times.get((path, tag), (_MODIFIED, None))
        asset = {
            "path": f"v2/{image}/manifests/{tag}",
            "repository": hosted,
            "format": "docker",
            "lastModified": modified.isoformat(),
            "blobCreated": modified.isoformat(),
            "lastDownloaded": downloaded.isoformat() if downloaded is not None else None,
        }
        return {
            "id": _id(path, tag),
            "repository": hosted,
            "format": "docker",
            "group": None,
            "name": image,
            "version": tag,
            "assets": [asset],
        }

    def _component(self, identity: str, request: WireRequest) -> Answer:
        if query_of(request) or request.method not in ("GET", "DELETE"):
            return _failed(405, "method not allowed")
        if request.method == "DELETE" and not self.may_delete:
            return _failed(403, "you may not delete")
        for path, stored in self._storage.repositories.items():
            for tag in stored.tags:
                if _id(path, tag) != identity:
                    continue
                if request.method == "GET":
                    return json_answer(200, self._describe(path, tag))
                digest = stored.tags.pop(tag).digest
                if not stored.tags_on(digest):
                    stored.manifests.pop(digest, None)
                return Answer(status=204)
        return _failed(404, f"Unable to locate component with id {identity}")


def _id(path: str, tag: str) -> str:
    hosted = path.partition("/")[0]
    number = hashlib.sha256(f"{path}:{tag}".encode()).hexdigest()[:32]
    return base64.urlsafe_b64encode(f"{hosted}:{number}".encode()).decode().rstrip("=")


def _failed(status: int, message: str) -> Answer:
    return json_answer(status, {"message": message})
