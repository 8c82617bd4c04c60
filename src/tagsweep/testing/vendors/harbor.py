"""Harbor's API over a fake registry, by its API description and, where that is silent, by its source.

    harbor = HarborApi(accounts=[HarborAccount(name="robot$sweeper", secret="s")])
    with FakeRegistry(HARBOR, apis=[harbor]) as registry:
        ...  # HarborDriver at registry.host

Wrong requests are refused: unknown parameters, pages over 100, wrong methods, a repository's name that is encoded once
only, wrong credentials. From the source: 412 for immutable tags and for the child of an index, what goes with a digest,
and that signatures are in no list of artifacts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any, Final
from urllib.parse import unquote

from tagsweep.model.manifest import RawManifest
from tagsweep.model.reference import Digest
from tagsweep.testing.answers import error
from tagsweep.testing.dialects import Dialect, Refusal
from tagsweep.testing.storage import Storage, StoredRepository
from tagsweep.testing.vendors.asking import Refused, basic_of, json_answer, number_in, query_of, unknown_in
from tagsweep.testing.vendors.harbor_artifacts import accessories, take
from tagsweep.testing.wire import Answer, WireRequest

HARBOR: Final = Dialect(
    name="Harbor 2",
    tag_delete=Refusal(status=400, code="UNSUPPORTED", message="delete by tag is unsupported"),
)
READ, DELETE_TAG, DELETE_ARTIFACT, READ_RULES = "read", "delete tag", "delete artifact", "read rules"
EVERY_RIGHT: Final = frozenset({READ, DELETE_TAG, DELETE_ARTIFACT, READ_RULES})
NEVER: Final = datetime(1, 1, 1, tzinfo=UTC)
"""What Harbor writes for an artifact that was never pulled."""
_PUSHED: Final = datetime(2026, 1, 1, tzinfo=UTC)
_MOST_PER_PAGE: Final = 100
_BASE: Final = "/api/v2.0"
_ARTIFACTS: Final = re.compile(
    r"/projects/(?P<project>[^/]+)/repositories/(?P<name>[^/]+)/artifacts(?:/(?P<reference>[^/]+)(?:/tags/(?P<tag>[^/]+))?)?"
)
_REPOSITORIES: Final = re.compile(r"(?:/projects/(?P<project>[^/]+))?/repositories")
_PROJECT: Final = re.compile(r"/projects/(?P<project>[^/]+)(?P<rules>/immutabletagrules)?")
_RETENTION: Final = re.compile(r"/retentions/(?P<number>[0-9]+)")
_BY_DIGEST: Final = re.compile(r"/v2/(?P<repository>.+)/manifests/(?P<digest>[a-z0-9]+(?::|%3A)[0-9a-f]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class HarborAccount:
    """A user or a robot account (``robot$name``), and what it may do in every project."""

    name: str
    secret: str
    rights: frozenset[str] = EVERY_RIGHT


@dataclass(slots=True)
class _Project:
    """What an administrator set up in a project."""

    immutable: list[str] = field(default_factory=list)
    retention: str | None = None
    is_cache: bool = False


class HarborApi:
    """Implements :class:`tagsweep.testing.fake.VendorApi` and ``RefinesRegistry``.

    Everybody can read the projects where they are ``public``.
    """

    def __init__(self, *, accounts: Sequence[HarborAccount] = (), public: bool = False) -> None:
        self._accounts = {account.name: account for account in accounts}
        self._public = public
        self._projects: dict[str, _Project] = {}
        self._times: dict[tuple[str, str], tuple[datetime, datetime]] = {}
        self._storage = Storage()

    # --- the back door --------------------------------------------------------------------------------------------
    def attach(self, storage: Storage, *, base: str) -> None:  # noqa: ARG002 - links are relative
        """Take the registry's storage."""
        self._storage = storage

    def record(self, repository: str, tag: str, *, pushed: datetime, pulled: datetime = NEVER) -> None:
        """Set what the API tells of the times of a tag."""
        self._times[repository, tag] = pushed, pulled

    def make_immutable(self, project: str, *patterns: str) -> None:
        """Make the tags immutable that match a pattern with ``*`` and ``?``; none make them mutable again."""
        self._project(project).immutable[:] = patterns

    def retain(self, project: str, *, cron: str) -> None:
        """Give the project a retention policy of its own with this schedule; an empty one runs by hand only."""
        self._project(project).retention = cron

    def make_cache(self, project: str) -> None:
        """Make the project a proxy cache."""
        self._project(project).is_cache = True

    def _project(self, name: str) -> _Project:
        return self._projects.setdefault(name, _Project())

    # --- answering ------------------------------------------------------------------------------------------------
    def answer(self, request: WireRequest) -> Answer | None:
        """Return the answer, or None where the registry API is meant."""
        path = request.target.partition("?")[0]
        try:
            with self._storage.lock:
                if path.startswith(f"{_BASE}/"):
                    return self._route(path.removeprefix(_BASE), request)
        except Refused as refused:
            return refused.answer
        return None

    def refine(self, request: WireRequest) -> Answer | None:
        """Answer the registry API's deletion of a digest that is there, which takes along more than elsewhere."""
        found = _BY_DIGEST.fullmatch(request.target)
        if found is None or request.method != "DELETE":
            return None
        digest = Digest(unquote(found["digest"]))
        with self._storage.lock:
            stored = self._storage.known(found["repository"])
            if stored is None or digest not in stored.manifests:
                return None
            try:
                self._delete(found["repository"], stored, digest)
            except Refused as refused:
                return refused.answer
        return Answer(status=202)

    def _route(self, path: str, request: WireRequest) -> Answer:
        if (found := _ARTIFACTS.fullmatch(path)) is not None:
            return self._artifacts(found, request)
        if (found := _REPOSITORIES.fullmatch(path)) is not None:
            return self._repositories(unquote(found["project"] or ""), request)
        if (found := _PROJECT.fullmatch(path)) is not None:
            return self._described(unquote(found["project"]), request, rules=found["rules"] is not None)
        if (found := _RETENTION.fullmatch(path)) is not None:
            return self._retention(int(found["number"]), request)
        return Answer(status=404, headers={"Content-Type": "text/plain"}, body=b"404 page not found\n")

    def _need(self, request: WireRequest, right: str) -> None:
        given = basic_of(request)
        account = self._accounts.get(given[0]) if given is not None else None
        if request.headers.get("authorization") is None:
            if self._public and right == READ:
                return
            raise Refused(error(401, "UNAUTHORIZED", "unauthorized"))
        if account is None or given is None or account.secret != given[1]:
            raise Refused(error(401, "UNAUTHORIZED", "unauthorized"))
        if right not in account.rights:
            raise Refused(error(403, "FORBIDDEN", "forbidden"))

    # --- projects -------------------------------------------------------------------------------------------------
    def _repositories(self, project: str, request: WireRequest) -> Answer:
        _only(request, "GET")
        self._need(request, READ)
        prefix = f"{project}/" if project else ""
        known = [name for name, each in sorted(self._storage.repositories.items()) if each.known]
        names = [name for name in known if name.startswith(prefix)]
        if project and not names:
            raise Refused(error(404, "NOT_FOUND", f"project {project} not found"))
        return _paged(request, names, lambda name: {"id": 1 + known.index(name), "name": name, "artifact_count": 1})

    def _described(self, name: str, request: WireRequest, *, rules: bool) -> Answer:
        _only(request, "GET")
        if request.headers.get("x-is-resource-name") != "true" and name.isdigit():
            raise Refused(error(404, "NOT_FOUND", f"project {name} not found"))  # it was taken for an id
        self._need(request, READ_RULES if rules else READ)
        project = self._project(name)
        number = 1 + list(self._projects).index(name)
        if rules:
            return _paged(request, project.immutable, lambda pattern: _rule(pattern, "immutable_template"))
        metadata = {"public": str(self._public).lower()}
        if project.retention is not None:
            metadata["retention_id"] = str(number)
        document: dict[str, Any] = {"project_id": number, "name": name, "metadata": metadata}
        return json_answer(200, {**document, "registry_id": 1} if project.is_cache else document)

    def _retention(self, number: int, request: WireRequest) -> Answer:
        _only(request, "GET")
        self._need(request, READ_RULES)
        projects = list(self._projects.values())
        cron = projects[number - 1].retention if number <= len(projects) else None
        if cron is None:
            raise Refused(error(404, "NOT_FOUND", f"no such retention policy: {number}"))
        trigger = {"kind": "Schedule", "settings": {"cron": cron}}
        rule = {**_rule("**", "latestPushedK"), "action": "retain", "params": {"latestPushedK": {"value": 10}}}
        return json_answer(200, {"id": number, "algorithm": "or", "rules": [rule], "trigger": trigger})

    # --- artifacts ------------------------------------------------------------------------------------------------
    def _artifacts(self, found: re.Match[str], request: WireRequest) -> Answer:
        name = unquote(found["name"])
        if "/" in name:  # encoded once only: the address then has a part too many
            return Answer(status=404, headers={"Content-Type": "text/plain"}, body=b"404 page not found\n")
        repository = f"{unquote(found['project'])}/{unquote(name)}"
        if found["reference"] is None:
            _only(request, "GET")
            self._need(request, READ)
            return self._list(repository, self._stored(repository), request)
        _only(request, "DELETE")
        self._need(request, DELETE_ARTIFACT if found["tag"] is None else DELETE_TAG)
        stored = self._stored(repository)
        digest = _resolve(stored, unquote(found["reference"]))
        if digest is None:
            raise Refused(error(404, "NOT_FOUND", f"artifact {repository}:{found['reference']} not found"))
        if found["tag"] is None:
            self._delete(repository, stored, digest)
            return Answer(status=200)
        tag = unquote(found["tag"])
        if tag not in stored.tags_on(digest):
            raise Refused(error(404, "NOT_FOUND", f"tag {tag} attached to artifact {digest} not found"))
        self._refuse_immutable(repository, tag)
        del stored.tags[tag]
        return Answer(status=200)

    def _stored(self, repository: str) -> StoredRepository:
        stored = self._storage.known(repository)
        if stored is None:
            raise Refused(error(404, "NOT_FOUND", f"repository {repository} not found"))
        return stored

    def _list(self, repository: str, stored: StoredRepository, request: WireRequest) -> Answer:
        query = query_of(request)
        wanted = query.get("q")
        if wanted not in (None, "tags=*"):
            raise Refused(error(400, "BAD_REQUEST", "the fake knows q=tags=* only"))
        hidden = frozenset(accessories(self._storage, stored))
        shown = [
            digest
            for digest in reversed(list(stored.manifests))
            if digest not in hidden and (stored.tags_on(digest) or (wanted is None and not stored.parents(digest)))
        ]
        with_tags = query.get("with_tag", "true") == "true"
        status = query.get("with_immutable_status") == "true"
        return _paged(
            request,
            shown,
            lambda digest: self._artifact(repository, stored.manifests[digest], stored, with_tags, status),
            also=("q", "with_tag", "with_immutable_status"),
        )

    def _artifact(
        self,
        repository: str,
        manifest: RawManifest,
        stored: StoredRepository,
        with_tags: bool,  # noqa: FBT001 - two switches of the API
        status: bool,  # noqa: FBT001 - a switch of the API
    ) -> dict[str, Any]:
        parsed = self._storage.parsed(manifest)
        tags = stored.tags_on(manifest.digest)
        times = [self._times.get((repository, tag), (_PUSHED, NEVER)) for tag in tags] or [(_PUSHED, NEVER)]
        entry: dict[str, Any] = {
            "id": _number_of(manifest.digest),
            "type": "IMAGE",
            "manifest_media_type": manifest.media_type,
            "repository_name": repository,
            "digest": manifest.digest,
            "size": sum(blob.size or 0 for blob in parsed.blobs) if parsed is not None else 0,
            "push_time": _text(max(pushed for pushed, _ in times)),
            "pull_time": _text(max(pulled for _, pulled in times)),
        }
        if with_tags:
            entry["tags"] = [self._tag(repository, tag, manifest.digest, status=status) for tag in tags] or None
        return {key: value for key, value in entry.items() if value is not None}

    def _tag(self, repository: str, tag: str, digest: Digest, *, status: bool) -> dict[str, Any]:
        pushed, pulled = self._times.get((repository, tag), (_PUSHED, NEVER))
        return {
            "id": _number_of(f"{digest} {tag}"),
            "artifact_id": _number_of(digest),
            "name": tag,
            "push_time": _text(pushed),
            "pull_time": _text(pulled),
            "immutable": status and self._is_immutable(repository, tag),
        }

    # --- deleting -------------------------------------------------------------------------------------------------
    def _delete(self, repository: str, stored: StoredRepository, digest: Digest) -> None:
        for tag in stored.tags_on(digest):
            self._refuse_immutable(repository, tag)
        if stored.parents(digest):
            message = f"artifact {digest} is referenced by another artifact, cannot be deleted"
            raise Refused(error(412, "PRECONDITION", message))
        take(self._storage, stored, digest)

    def _is_immutable(self, repository: str, tag: str) -> bool:
        patterns = self._project(repository.partition("/")[0]).immutable
        return any(fnmatchcase(tag, pattern) for pattern in patterns)

    def _refuse_immutable(self, repository: str, tag: str) -> None:
        if self._is_immutable(repository, tag):
            raise Refused(error(412, "PRECONDITION", f"the tag {tag} configured as immutable, cannot be deleted"))


def _resolve(stored: StoredRepository, reference: str) -> Digest | None:
    if ":" in reference:
        return Digest(reference) if reference in stored.manifests else None
    manifest = stored.tags.get(reference)
    return manifest.digest if manifest is not None else None


def _only(request: WireRequest, method: str) -> None:
    if request.method != method:
        raise Refused(error(405, "METHOD_NOT_ALLOWED", f"method {request.method} is not allowed"))


def _paged(
    request: WireRequest, entries: Sequence[Any], show: Callable[[Any], Mapping[str, Any]], also: Sequence[str] = ()
) -> Answer:
    query = query_of(request)
    unknown = unknown_in(query, ("page", "page_size", "sort", "q", *also))
    page = number_in(query, "page", 1, most=10**9)
    size = number_in(query, "page_size", 10, most=_MOST_PER_PAGE)
    if unknown or page is None or size is None:
        message = f"{unknown or 'page or page_size'} in query is not what the API description allows"
        raise Refused(error(422, "UNPROCESSABLE_ENTITY", message))
    shown = [show(entry) for entry in entries[(page - 1) * size : page * size]]
    return json_answer(200, shown, {"X-Total-Count": str(len(entries)), **dict(_links(request, page, size, entries))})


def _links(request: WireRequest, page: int, size: int, entries: Sequence[Any]) -> Iterator[tuple[str, str]]:
    path = request.target.partition("?")[0]
    found = []
    if page > 1:
        found.append(f'<{path}?page={page - 1}&page_size={size}>; rel="prev"')
    if page * size < len(entries):
        found.append(f'<{path}?page={page + 1}&page_size={size}>; rel="next"')
    if found:
        yield "Link", " , ".join(found)


def _rule(pattern: str, template: str) -> dict[str, Any]:
    selectors = {"kind": "doublestar", "decoration": "matches", "pattern": pattern}
    scope = {"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}
    return {
        "id": 1,
        "disabled": False,
        "action": "immutable",
        "template": template,
        "tag_selectors": [selectors],
        "scope_selectors": {"repository": [scope]},
    }


def _number_of(text: str) -> int:
    return int.from_bytes(text.encode()[-6:], "big")


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
