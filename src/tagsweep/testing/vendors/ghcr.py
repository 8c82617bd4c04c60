"""GitHub's packages API over a fake registry's storage: versions, their deletion and restoration, scopes and limits.

    api = GitHubPackages(token="secret", owners={"acme": "Organization"})
    with FakeRegistry(GHCR, access=api.access, apis=[api]) as registry:
        ...  # a driver with options: {api: http://<registry.host>/api/v3}

Paths, parameters, pages and answers follow GitHub's REST API description; what it leaves open is as users have seen it:
400 for the last tagged version and for public versions with many downloads. What GitHub would silently ignore, such as
an unknown parameter, is refused here, because a client that sends it is wrong.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from tagsweep.model.reference import Digest
from tagsweep.testing.access import BearerAccess
from tagsweep.testing.dialects import Dialect, NoReferrers, Refusal
from tagsweep.testing.storage import Storage
from tagsweep.testing.vendors.github_answers import github_error, timestamp
from tagsweep.testing.vendors.github_versions import RecordedVersion, VersionBook
from tagsweep.testing.wire import Answer, WireRequest

_UNSUPPORTED: Final = Refusal(status=405, code="UNSUPPORTED", message="The operation is unsupported.")
GHCR: Final = Dialect(
    name="ghcr", tag_delete=_UNSUPPORTED, digest_delete=_UNSUPPORTED, referrers=NoReferrers.PLAIN_TEXT
)
"""The registry API of ghcr.io: it deletes nothing, and has no referrers API."""
EVERY_SCOPE: Final = "delete:packages, read:packages, write:packages"
PREFIX: Final = "/api/v3"
_VERSION_DATES: Final = frozenset({"2022-11-28"})
_MOST_DOWNLOADS: Final = 5_000
_MOST_PER_PAGE, _PER_PAGE = 100, 30
_MOST_LISTED: Final = 10_000
_SECONDARY: Final = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
_BEGINNING: Final = "2025-01-01T00:00:00Z"
_WHO: Final = re.compile(rf"{PREFIX}/(?:users/(?P<owner>[^/]+)|user)")
_ROUTE: Final = re.compile(
    rf"{PREFIX}/(?:(?P<kind>orgs|users)/(?P<owner>[^/]+)|user)/packages"
    r"(?:/(?P<type>[^/]+)/(?P<name>[^/]+)(?P<versions>/versions(?:/(?P<number>[0-9]+)(?P<restore>/restore)?)?)?)?"
)


@dataclass(slots=True, kw_only=True)
class GitHubPackages:
    """A :class:`tagsweep.testing.fake.VendorApi`. Everything may be changed while it serves.

    ``scopes`` are those of a classic token, None for a workflow's, whose ``permissions`` count instead. ``owners`` maps
    a name to ``Organization`` or ``User``; ``login`` is whose token it is.
    """

    token: str = "token-of-the-fake"  # noqa: S105 - the default of a throw-away registry in a test
    owners: Mapping[str, str] = field(default_factory=lambda: {"team": "Organization"})
    login: str = "jane"
    scopes: str | None = EVERY_SCOPE
    permissions: frozenset[str] = frozenset({"read", "write"})
    public: bool = True
    downloads: dict[Digest, int] = field(default_factory=dict)
    lingers: bool = False
    """Deleted versions are still listed, as GitHub's late lists do; deleting them again answers 404."""
    hides_refusals: bool = False
    """A missing right to delete is answered with 404."""
    late_by: int = 0
    """For how many lists a new version is not shown yet."""
    counted_more: int = 0
    """By how much ``version_count`` is larger than the list."""
    secondary_limits: int = 0
    """How many of the next requests are refused by a secondary limit that names no pause."""
    restores_tags: bool = True
    before_page: Callable[[int], None] = lambda _: None
    """Called with the number of each page of versions before it is made up."""
    _book: VersionBook = field(default_factory=VersionBook)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _base: str = ""

    @property
    def access(self) -> BearerAccess:
        """The access of the registry that belongs to it: the same token, whoever presents it."""
        return BearerAccess(username=None, password=self.token, anonymous=frozenset(), readable=False)

    # --- the back door --------------------------------------------------------------------------------------------
    def attach(self, storage: Storage, *, base: str) -> None:
        """Take the registry's storage and address."""
        self._book.storage, self._base = storage, base

    def date(self, repository: str, digest: Digest, *, created: datetime, updated: datetime) -> None:
        """Set the times of a version."""
        with self._lock:
            version = self._book.look(repository)[digest]
            version.created, version.updated = created, updated

    def number(self, repository: str, digest: Digest) -> int:
        """Return the number of a version that is there."""
        with self._lock:
            return self._book.look(repository)[digest].number

    # --- answering ------------------------------------------------------------------------------------------------
    def answer(self, request: WireRequest) -> Answer | None:
        """Answer what begins with the API's prefix."""
        path, _, query = request.target.partition("?")
        if not path.startswith(f"{PREFIX}/"):
            return None
        with self._lock, self._book.storage.lock:
            refused = self._refuse(request)
            if refused is not None:
                return refused
            parameters = dict(parse_qsl(query, keep_blank_values=True))
            who = _WHO.fullmatch(path)
            if who is not None:
                return self._who(who["owner"], request.method, parameters)
            route = _ROUTE.fullmatch(path)
            if route is None:
                return github_error(404, "Not Found")
            return self._route(route, request.method, parameters)

    def _refuse(self, request: WireRequest) -> Answer | None:  # noqa: PLR0911 - one return a refusal
        headers = request.headers
        if not headers.get("user-agent"):
            return github_error(
                403, "Request forbidden by administrative rules. Please make sure it has a User-Agent header"
            )
        if headers.get("x-github-api-version", min(_VERSION_DATES)) not in _VERSION_DATES:
            return github_error(400, "The API version is not supported")
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if not token:
            return github_error(401, "Requires authentication")
        if scheme.lower() not in ("bearer", "token") or token != self.token:
            return github_error(401, "Bad credentials")
        if self.secondary_limits > 0:
            self.secondary_limits -= 1
            return github_error(403, _SECONDARY)
        if request.body:
            return github_error(400, "Problems parsing JSON: no body is expected")
        return None

    def _who(self, owner: str | None, method: str, parameters: Mapping[str, str]) -> Answer:
        """Answer who somebody is, or whose token it is; a workflow's is nobody's."""
        if owner is None and self.scopes is None:
            return github_error(403, "Resource not accessible by integration")
        name = self.login if owner is None else unquote(owner).lower()
        kind = "User" if owner is None else self.owners.get(name)
        if kind is None or method != "GET" or parameters:
            return github_error(404, "Not Found")
        return self._json({"login": name, "id": 1, "type": kind, "site_admin": False})

    def _route(self, route: re.Match[str], method: str, parameters: dict[str, str]) -> Answer:
        owner = self.login if route["kind"] is None else unquote(route["owner"]).lower()
        kind = {"Organization": "orgs", "User": "users"}.get(self.owners.get(owner, ""))
        if kind is None or route["kind"] not in (kind, None):
            return github_error(404, "Not Found")
        if not self._may("read"):
            return github_error(403, "You need at least read:packages scope to list packages.")
        if route["type"] is None:
            return self._packages(owner, parameters) if method == "GET" else github_error(404, "Not Found")
        repository = f"{owner}/{unquote(route['name'])}"
        if route["type"] != "container" or self._book.storage.known(repository) is None:
            return github_error(404, "Package not found.")
        handler = self._handler(route, method)
        return handler(repository, route, parameters) if handler is not None else github_error(404, "Not Found")

    def _handler(
        self, route: re.Match[str], method: str
    ) -> Callable[[str, re.Match[str], dict[str, str]], Answer] | None:
        if route["restore"] is not None:
            return self._restore if method == "POST" else None
        if route["number"] is not None:
            return {"GET": self._one, "DELETE": self._delete}.get(method)
        if method != "GET":
            return None
        return self._list if route["versions"] is not None else self._package

    def _may(self, right: str) -> bool:
        """Tell whether the token has the right: ``read``, ``write`` or ``delete``."""
        if self.scopes is None:
            return ("write" if right == "delete" else right) in self.permissions
        has = {scope.strip() for scope in self.scopes.split(",")}
        return f"{right}:packages" in has or (right == "read" and "write:packages" in has)

    # --- packages -------------------------------------------------------------------------------------------------
    def _packages(self, owner: str, parameters: dict[str, str]) -> Answer:
        if parameters.pop("package_type", None) != "container":
            return github_error(400, "package_type is missing or not container")
        known = (path for path, stored in self._book.storage.repositories.items() if stored.known)
        mine = [self._describe(name) for name in sorted(known) if name.startswith(f"{owner}/")]
        link = f"/{self._owned(owner)}/packages?package_type=container"
        return self._page(mine, link, parameters, most=_MOST_LISTED)

    def _package(self, repository: str, route: re.Match[str], parameters: dict[str, str]) -> Answer:
        del route
        return github_error(400, "unknown parameter") if parameters else self._json(self._describe(repository))

    def _describe(self, repository: str) -> dict[str, Any]:
        url = f"{self._base}{PREFIX}{self._path(repository)}"
        return {
            "id": 1,
            "name": repository.partition("/")[2],
            "package_type": "container",
            "version_count": len(self._book.look(repository)) + self.counted_more,
            "visibility": "public" if self.public else "private",
            "url": url,
            "html_url": url,
            "created_at": _BEGINNING,
            "updated_at": _BEGINNING,
        }

    def _path(self, repository: str) -> str:
        owner, _, name = repository.partition("/")
        return f"/{self._owned(owner)}/packages/container/{name.replace('/', '%2F')}"

    def _owned(self, owner: str) -> str:
        return f"{'orgs' if self.owners.get(owner) == 'Organization' else 'users'}/{owner}"

    # --- versions -------------------------------------------------------------------------------------------------
    def _list(self, repository: str, route: re.Match[str], parameters: dict[str, str]) -> Answer:
        if route["kind"] == "users" and parameters.keys() - {"page"}:
            return github_error(400, "unknown parameter: of users only the next page is listed")
        state = parameters.pop("state", "active")
        if state not in ("active", "deleted"):
            return github_error(400, "state is neither active nor deleted")
        shown: list[RecordedVersion] = []
        if state == "active":
            self.before_page(int(parameters.get("page", "1")))
            shown += self._book.look(repository, late_by=self.late_by).values()
        if state == "deleted" or self.lingers:
            shown += self._book.deleted(repository)
        visible = []
        for version in sorted(shown, key=lambda each: each.number, reverse=True):
            if version.unseen > 0:
                version.unseen -= 1
            else:
                visible.append(self._version(repository, version))
        path = self._path(repository) if route["kind"] is not None else f"/user/packages/container/{route['name']}"
        extra = f"?state={state}" if route["kind"] != "users" else ""
        return self._page(visible, f"{path}/versions{extra}", parameters)

    def _one(self, repository: str, route: re.Match[str], parameters: dict[str, str]) -> Answer:
        version = self._book.numbered(repository, int(route["number"]))
        if parameters:
            return github_error(400, "unknown parameter")
        return self._json(self._version(repository, version)) if version is not None else github_error(404, "Not Found")

    def _delete(self, repository: str, route: re.Match[str], parameters: dict[str, str]) -> Answer:
        version = self._book.numbered(repository, int(route["number"]))
        refused = self._why_not_delete(repository, version, parameters)
        if refused is not None or version is None:
            return refused or github_error(404, "Not Found")
        self._book.delete(repository, version)
        return self._empty()

    def _why_not_delete(  # noqa: PLR0911 - one return a refusal
        self, repository: str, version: RecordedVersion | None, parameters: Mapping[str, str]
    ) -> Answer | None:
        if parameters:
            return github_error(400, "unknown parameter")
        if not self._may("delete"):
            if self.hides_refusals:
                return github_error(404, "Not Found")
            return github_error(
                403, "You need at least read:packages and delete:packages scope to delete a package version."
            )
        if version is None:
            return None
        if version.tags and version.tags == self._book.storage.repositories[repository].tags.keys():
            return github_error(
                400, "You cannot delete the last tagged version of a package. You must delete the package instead."
            )
        if self.public and self.downloads.get(version.digest, 0) > _MOST_DOWNLOADS:
            return github_error(
                400,
                "Publicly visible package versions with more than 5,000 downloads cannot be deleted. Contact GitHub "
                "support for further assistance.",
            )
        return None

    def _restore(self, repository: str, route: re.Match[str], parameters: dict[str, str]) -> Answer:
        if parameters:
            return github_error(400, "unknown parameter")
        if not self._may("write"):
            return github_error(
                403, "You need at least read:packages and write:packages scope to restore a package version."
            )
        done = self._book.restore(repository, int(route["number"]), tags=self.restores_tags)
        return self._empty() if done else github_error(404, "Not Found")

    def _version(self, repository: str, version: RecordedVersion) -> dict[str, Any]:
        package = self._path(repository)
        described: dict[str, Any] = {
            "id": version.number,
            "name": version.digest,
            "url": f"{self._base}{PREFIX}{package}/versions/{version.number}",
            "package_html_url": f"{self._base}{package}",
            "html_url": f"{self._base}{package}/{version.number}",
            "created_at": timestamp(version.created),
            "updated_at": timestamp(version.updated),
            "metadata": {"package_type": "container", "container": {"tags": sorted(version.tags)}},
        }
        if version.deleted is not None:
            described["deleted_at"] = timestamp(version.deleted)
        return described

    # --- forms --------------------------------------------------------------------------------------------------------
    def _page(self, entries: list[dict[str, Any]], link: str, parameters: dict[str, str], *, most: int = 0) -> Answer:
        """Return a page; ``link`` is the path of the next one, ``most`` how far the list can be read at all."""
        page, size = parameters.pop("page", "1"), parameters.pop("per_page", str(_PER_PAGE))
        if parameters or not (page.isdigit() and size.isdigit() and int(page) and int(size)):
            return github_error(400, "unknown parameter, or no number")
        number, per_page = int(page), min(int(size), _MOST_PER_PAGE)
        if most and number * per_page > most:
            return github_error(400, "The value of `per_page` multiplied by `page` cannot be greater than 10000.")
        headers = {}
        if len(entries) > number * per_page:
            asked = f"per_page={per_page}&page={number + 1}" if per_page != _PER_PAGE else f"page={number + 1}"
            url = f"{self._base}{PREFIX}{link}{'&' if '?' in link else '?'}{asked}"
            headers["Link"] = f'<{url}>; rel="next"'
        return self._json(entries[(number - 1) * per_page : number * per_page], headers)

    def _json(self, document: Any, headers: Mapping[str, str] | None = None) -> Answer:
        known = {"Content-Type": "application/json; charset=utf-8", **self._limits(), **(headers or {})}
        return Answer(status=200, headers=known, body=json.dumps(document).encode())

    def _empty(self) -> Answer:
        return Answer(status=204, headers=self._limits())

    def _limits(self) -> dict[str, str]:
        headers = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "4999", "X-RateLimit-Resource": "core"}
        return headers if self.scopes is None else {**headers, "X-OAuth-Scopes": self.scopes}
