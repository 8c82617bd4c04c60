"""GitLab's REST API over a fake registry, by its documentation.

    gitlab = GitLabApi(tokens=[GitLabToken(secret="glpat-1")], projects=["team/app"])
    with FakeRegistry(GITLAB, apis=[gitlab]) as registry:
        ...  # GitLabDriver with the option api: http://<registry.host>/api/v4

Wrong requests are refused: unknown parameters, pages over 100, wrong methods, a project's path that is not encoded,
wrong tokens, and tokens in another header than their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final
from urllib.parse import unquote

from tagsweep.model.manifest import RawManifest
from tagsweep.testing.answers import error
from tagsweep.testing.dialects import Dialect, NoReferrers, Refusal
from tagsweep.testing.storage import Storage, StoredRepository
from tagsweep.testing.vendors.asking import Refused, json_answer, number_in, query_of, unknown_in
from tagsweep.testing.wire import Answer, WireRequest

GITLAB: Final = Dialect(
    name="GitLab",
    referrers=NoReferrers.PLAIN_TEXT,
    child_delete=Refusal(status=409, code="MANIFEST_REFERENCED_IN_LIST", message="manifest is referenced in a list"),
)
DEVELOPER, MAINTAINER, OWNER = 30, 40, 50
_BASE: Final = "/api/v4"
_MOST_PER_PAGE: Final = 100
_LEAST_TO_DELETE: Final = DEVELOPER
_PROJECT: Final = re.compile(r"/projects/(?P<project>[^/]+)(?P<rest>/.*)?")
_GROUP: Final = re.compile(r"/groups/(?P<group>[^/]+)/registry/repositories")
_MANIFEST: Final = re.compile(r"/v2/(?P<repository>.+)/manifests/(?P<reference>[^/]+)")
_TAGS: Final = re.compile(r"/registry/repositories/(?P<number>[0-9]+)/tags(?:/(?P<tag>[^/]+))?")


class AbsentTag(Enum):
    """What GitLab answers to who may remove tags and asks to remove one that is not there. Source: GitLab's code."""

    NOT_FOUND = 404
    """GitLab until 2025."""
    FORBIDDEN = 403
    """GitLab.com, and others whose registry has the metadata database: nobody may remove a tag that is none."""
    DONE = 200
    """Self-managed GitLab without that database: absence is a success."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLabToken:
    """An access token and the role of its user, or the token of a job (``is_job``), which serves few calls."""

    secret: str
    level: int = MAINTAINER
    is_job: bool = False


_SAID_OF_ABSENT: Final = {AbsentTag.NOT_FOUND: "404 Tag Not Found", AbsentTag.FORBIDDEN: "403 Forbidden"}


class GitLabApi:
    """Implements :class:`tagsweep.testing.fake.VendorApi`. ``projects`` are the paths that are projects.

    ``has_tag_rules`` is off for a GitLab that is older than the protection of tags. ``registry_level`` is the role
    of whoever uses the registry API, which has the rules in its tokens. ``absent`` is the generation of GitLab.
    """

    def __init__(
        self,
        *,
        tokens: Sequence[GitLabToken] = (),
        projects: Sequence[str] = (),
        has_tag_rules: bool = True,
        registry_level: int = MAINTAINER,
        absent: AbsentTag = AbsentTag.NOT_FOUND,
    ) -> None:
        self._tokens = {token.secret: token for token in tokens}
        self._projects = tuple(projects)
        self._has_tag_rules = has_tag_rules
        self._registry_level = registry_level
        self._absent = absent
        self._created: dict[tuple[str, str], datetime] = {}
        self._rules: dict[str, list[tuple[str, str | None]]] = {}
        self._storage = Storage()
        self._base = ""

    # --- the back door --------------------------------------------------------------------------------------------
    def attach(self, storage: Storage, *, base: str) -> None:
        """Take the registry's storage and the URL that links begin with."""
        self._storage, self._base = storage, base

    def record(self, repository: str, tag: str, created: datetime) -> None:
        """Set what the details of a tag tell as its time; without it they tell none, as for an index."""
        self._created[repository, tag] = created

    def protect(self, project: str, pattern: str, *, least: str | None = "owner") -> None:
        """Protect the tags in which RE2's ``pattern`` is found: ``least`` is the role that may delete, None nobody."""
        self._rules.setdefault(project, []).append((pattern, least))

    # --- answering ------------------------------------------------------------------------------------------------
    def answer(self, request: WireRequest) -> Answer | None:
        """Return the answer, or None where the registry API is meant."""
        path = request.target.partition("?")[0]
        if not path.startswith(f"{_BASE}/"):
            return None
        try:
            with self._storage.lock:
                return self._route(path.removeprefix(_BASE), request)
        except Refused as refused:
            return refused.answer

    def refine(self, request: WireRequest) -> Answer | None:
        """Implements :class:`tagsweep.testing.fake.RefinesRegistry`: a deletion that the rules forbid is refused."""
        found = _MANIFEST.fullmatch(request.target.partition("?")[0])
        if request.method != "DELETE" or found is None:
            return None
        with self._storage.lock:
            return self._refused_by_registry(found["repository"], unquote(found["reference"]))

    def _route(self, path: str, request: WireRequest) -> Answer:
        who = self._who(request)
        if (found := _GROUP.fullmatch(path)) is not None:
            return self._group(unquote(found["group"]), who, request)
        found = _PROJECT.fullmatch(path)
        project = self._named(unquote(found["project"])) if found is not None else ""
        if found is None or project not in self._projects:
            raise _refused(404, "404 Project Not Found")
        rest = found["rest"] or ""
        if rest == "":
            _only(request, "GET")
            return self._described(project, who)
        if rest == "/registry/repositories":
            _only(request, "GET")
            return self._paged(request, self._below(project), lambda name: self._entry(project, name), ("tags_count",))
        if rest == "/registry/protection/tag/rules":
            _only(request, "GET")
            return self._protection(project, who)
        if (tags := _TAGS.fullmatch(rest)) is not None:
            return self._tags(project, int(tags["number"]), tags["tag"], who, request)
        raise _refused(404, "404 Not Found")

    def _who(self, request: WireRequest) -> GitLabToken:
        for header, is_job in (("private-token", False), ("job-token", True)):
            token = self._tokens.get(request.headers.get(header, ""))
            if token is not None and token.is_job is is_job:
                return token
        raise _refused(401, "401 Unauthorized")

    def _named(self, project: str) -> str:
        """Return the path of a project that is named by its path or by its number."""
        number = int(project) if project.isascii() and project.isdigit() else 0
        return self._projects[number - 1] if 0 < number <= len(self._projects) else project

    # --- projects -------------------------------------------------------------------------------------------------
    def _below(self, place: str) -> list[str]:
        known = [name for name, stored in sorted(self._storage.repositories.items()) if stored.known]
        return [name for name in known if name == place or name.startswith(f"{place}/")]

    def _number(self, repository: str) -> int:
        return 1 + sorted(self._storage.repositories).index(repository)

    def _entry(self, project: str, repository: str) -> dict[str, Any]:
        return {
            "id": self._number(repository),
            "name": repository.removeprefix(project).strip("/"),
            "path": repository,
            "project_id": 1 + self._projects.index(project),
            "location": f"{self._base.partition('://')[2]}/{repository}",
            "created_at": "2026-01-01T00:00:00.000Z",
            "cleanup_policy_started_at": None,
        }

    def _group(self, group: str, who: GitLabToken, request: WireRequest) -> Answer:
        _only(request, "GET")
        projects = [project for project in self._projects if project.startswith(f"{group}/")]
        if not projects or who.is_job:
            raise _refused(404, "404 Group Not Found")
        entries = [self._entry(project, name) for project in projects for name in self._below(project)]
        return self._paged(request, entries, lambda entry: entry)

    def _described(self, project: str, who: GitLabToken) -> Answer:
        if who.is_job:
            raise _refused(401, "401 Unauthorized")
        permissions = {"project_access": None, "group_access": {"access_level": who.level, "notification_level": 3}}
        document = {"id": 1, "path_with_namespace": project, "permissions": permissions}
        return json_answer(200, document)

    def _protection(self, project: str, who: GitLabToken) -> Answer:
        if not self._has_tag_rules:
            raise _refused(404, "404 Not Found")
        if who.level < MAINTAINER or who.is_job:
            raise _refused(403, "403 Forbidden")
        rules = [
            {
                "id": number,
                "project_id": 1,
                "tag_name_pattern": pattern,
                "minimum_access_level_for_push": least,
                "minimum_access_level_for_delete": least,
            }
            for number, (pattern, least) in enumerate(self._rules.get(project, ()), start=1)
        ]
        return json_answer(200, rules)

    # --- tags -----------------------------------------------------------------------------------------------------
    def _tags(self, project: str, number: int, tag: str | None, who: GitLabToken, request: WireRequest) -> Answer:
        repository = next((name for name in self._below(project) if self._number(name) == number), None)
        if repository is None:
            raise _refused(404, "404 Container repository Not Found")
        stored = self._storage.repositories[repository]
        if tag is None:
            _only(request, "GET")
            return self._paged(request, sorted(stored.tags), lambda name: self._short(repository, name))
        if request.method == "DELETE":
            return self._delete(project, stored, unquote(tag), who)
        _only(request, "GET")
        manifest = stored.tags.get(unquote(tag))
        if manifest is None:
            raise _refused(404, "404 Tag Not Found")
        return json_answer(200, self._detailed(repository, unquote(tag), manifest))

    def _short(self, repository: str, tag: str) -> dict[str, Any]:
        place = f"{self._base.partition('://')[2]}/{repository}:{tag}"
        return {"name": tag, "path": f"{repository}:{tag}", "location": place}

    def _detailed(self, repository: str, tag: str, manifest: RawManifest) -> dict[str, Any]:
        created = self._created.get((repository, tag))
        parsed = self._storage.parsed(manifest)
        revision = manifest.digest.partition(":")[2]
        return {
            **self._short(repository, tag),
            "revision": revision,
            "short_revision": revision[:9],
            "digest": manifest.digest,
            "created_at": created.isoformat() if created is not None else None,
            "total_size": sum(blob.size or 0 for blob in parsed.blobs) if parsed is not None else None,
        }

    def _delete(self, project: str, stored: StoredRepository, tag: str, who: GitLabToken) -> Answer:
        if who.level < _LEAST_TO_DELETE:
            raise _refused(403, "403 Forbidden")
        if tag not in stored.tags:
            if self._absent is AbsentTag.DONE:
                return json_answer(200, None)
            raise _refused(self._absent.value, _SAID_OF_ABSENT[self._absent])
        if any(re.search(pattern, tag) for pattern in self._above(project, who.level)):
            raise _refused(403, "403 Forbidden - Tag is protected")
        del stored.tags[tag]
        return json_answer(200, None)

    def _above(self, project: str, level: int) -> list[str]:
        """Return the patterns of the tags that nobody of this role may delete."""
        levels = {"developer": DEVELOPER, "maintainer": MAINTAINER, "owner": OWNER, "admin": 60}
        rules = self._rules.get(project, ())
        return [pattern for pattern, least in rules if least is None or level < levels[least]]

    def _refused_by_registry(self, repository: str, reference: str) -> Answer | None:
        """Return the registry's refusal, a 401 without a challenge: of a protected tag, or of any digest under a rule.

        Source: HandleDeleteManifest in the code of GitLab's container registry; the error code is made up.
        """
        project = max((each for each in self._projects if f"{repository}/".startswith(f"{each}/")), default="", key=len)
        patterns = self._above(project, self._registry_level)
        stored = self._storage.repositories.get(repository)
        if ":" in reference:
            return error(401, "UNAUTHORIZED", "manifest is protected") if patterns else None
        if stored is None or reference not in stored.tags:
            return None
        protected = any(re.search(pattern, reference) for pattern in patterns)
        return error(401, "UNAUTHORIZED", "tag is protected") if protected else None

    def _paged(
        self,
        request: WireRequest,
        entries: Sequence[Any],
        show: Callable[[Any], Mapping[str, Any]],
        also: Sequence[str] = (),
    ) -> Answer:
        query = query_of(request)
        page = number_in(query, "page", 1, most=10**9)
        size = number_in(query, "per_page", 20, most=_MOST_PER_PAGE)
        unknown = unknown_in(query, ("page", "per_page", *also))
        if unknown or page is None or size is None:
            raise Refused(json_answer(400, {"error": f"{unknown or 'page or per_page'} is invalid"}))
        headers = {"X-Total": str(len(entries)), "X-Page": str(page), "X-Per-Page": str(size)}
        if page * size < len(entries):
            address = f"{self._base}{request.target.partition('?')[0]}?page={page + 1}&per_page={size}"
            headers["Link"] = f'<{address}>; rel="next"'
        return json_answer(200, [show(entry) for entry in entries[(page - 1) * size : page * size]], headers)


def _only(request: WireRequest, method: str) -> None:
    if request.method != method:
        raise Refused(json_answer(405, {"error": "405 Not Allowed"}))


def _refused(status: int, message: str) -> Refused:
    return Refused(json_answer(status, {"message": message}))
