"""HarborApi: what is asked of Harbor's own API beside the registry API.

Facts: Harbor's API description (v2.0): pages of at most 100 with X-Total-Count; a repository's name within its project
is encoded twice; robot accounts and users log in with basic authentication, for which no CSRF token is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from tagsweep.drivers.over_oci import as_digest
from tagsweep.drivers.vendor_lists import as_tag, listed, moment, text_in, whole
from tagsweep.http.auth import Lookup
from tagsweep.http.rest import RestClient
from tagsweep.model.errors import AuthenticationFailed, InvalidReference, PermissionDenied, ProtocolViolation
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.reference import Digest
from tagsweep.ports import ListedTag, Response

BY_NAME: Final = {"X-Is-Resource-Name": "true"}
"""Without it a project whose name is a number is taken for the project with that id."""
_TIMES: Final = {TimeOrigin.PUSHED: "push_time", TimeOrigin.PULLED: "pull_time"}
_PAGE: Final = 100
_REFUSED: Final = frozenset({403, 404})


class HarborApi:
    """Asks Harbor through ``rest``, with the credentials that ``lookup`` finds for each repository."""

    def __init__(self, rest: RestClient, *, lookup: Lookup) -> None:
        self._rest = rest
        self._lookup = lookup
        self._place = rest.place

    # --- listing --------------------------------------------------------------------------------------------------
    def tags(self, repository: str) -> dict[str, ListedTag]:
        """Return what Harbor tells of every tag that it lists; it hides those of signatures and other accessories."""
        doing = f"list the artifacts of {repository}"
        query = {"q": "tags=*", "with_tag": "true", "with_immutable_status": "true"}
        path = f"{path_of(repository)}/artifacts"
        found: dict[str, ListedTag] = {}
        for digest, artifact in self._all(path, repository, query, key="digest", doing=doing).items():
            for tag in self._tags_of(as_digest(digest, place=self._place, doing=doing), artifact, doing):
                other = found.setdefault(tag.name, tag)
                if other is not tag:
                    # On two artifacts: it was moved while the pages were read; the registry tells where it is now.
                    found[tag.name] = ListedTag(name=tag.name, locked=tag.locked or other.locked)
        immutable = [name for name, tag in found.items() if tag.locked]
        if immutable:
            words = self._immutability(repository)
            for name in immutable:
                tag = found[name]
                found[name] = replace(tag, locked=words)
        return found

    def repositories(self, project: str = "") -> Iterator[str]:
        """Yield the repositories of one project, or of all that these credentials may see."""
        path = f"/projects/{quote(project, safe='')}/repositories" if project else "/repositories"
        doing = f"list the repositories of {project}" if project else "list the repositories"
        yield from self._all(path, project, {}, key="name", doing=doing)

    def _tags_of(self, digest: Digest, artifact: Mapping[str, Any], doing: str) -> Iterator[ListedTag]:
        for tag in listed(artifact.get("tags") or [], "tags", place=self._place, doing=doing):
            name = as_tag(text_in(tag, "name", place=self._place, doing=doing), place=self._place, doing=doing)
            times = {origin: at for origin, key in _TIMES.items() if (at := moment(tag.get(key))) is not None}
            yield ListedTag(name=name, digest=digest, times=times, locked="immutable" if tag.get("immutable") else "")

    def _all(
        self, path: str, repository: str, query: Mapping[str, str], *, key: str, doing: str
    ) -> dict[str, Mapping[str, Any]]:
        """Return all entries of a listing by their text under ``key``."""
        what = path.rpartition("/")[2]

        def read(page: int) -> tuple[Sequence[Mapping[str, Any]], int]:
            asked: dict[str, str | int] = {**query, "page": page, "page_size": _PAGE}
            response = self.send("GET", path, repository, query=asked)
            document = self._rest.read(response, doing=doing)
            total = self._total(response, doing)
            return listed(document, what, place=self._place, doing=doing), total

        return whole(read, key=key, place=self._place, doing=doing)

    def _total(self, response: Response, doing: str) -> int:
        text = response.headers.get("x-total-count", "")
        if not text.isascii() or not text.isdigit():
            raise ProtocolViolation(f"{self._place}: cannot {doing}: the answer does not say how many there are")
        return int(text)

    # --- what Harbor does by itself -------------------------------------------------------------------------------
    def _immutability(self, repository: str) -> str:
        """Return in words why tags are immutable; with the rule where these credentials may read it."""
        project, _ = halves(repository)
        words = f"it is immutable on Harbor, by the tag immutability rules of the project {project}"
        path = f"/projects/{quote(project, safe='')}/immutabletagrules"
        rules = self._readable(path, repository, query={"page": 1, "page_size": _PAGE})
        found = [rule for rule in rules if isinstance(rule, dict)] if isinstance(rules, list) else []
        told = [_in_words(rule) for rule in found if not rule.get("disabled")]
        return f"{words} ({'; '.join(told[:3])})" if told else words

    def habits(self, repository: str) -> tuple[str, ...]:
        """Return in words what Harbor does by itself in this project: retention, or filling a proxy cache."""
        project, _ = halves(repository)
        described = self._readable(f"/projects/{quote(project, safe='')}", repository)
        if not isinstance(described, dict):
            return (f"these credentials may not read whether the project {project} has retention rules of its own",)
        metadata = described.get("metadata")
        told = []
        if described.get("registry_id"):
            told.append(f"the project {project} is a proxy cache: what is removed comes back when somebody pulls it")
        retention = metadata.get("retention_id") if isinstance(metadata, dict) else None
        if isinstance(retention, str) and retention.isascii() and retention.isdigit():
            told.append(self._retention(repository, project, retention))
        return tuple(each for each in told if each)

    def _retention(self, repository: str, project: str, number: str) -> str:
        policy = self._readable(f"/retentions/{number}", repository)
        if not isinstance(policy, dict):
            return f"the project {project} has a tag retention policy, which these credentials may not read"
        active = [rule for rule in policy.get("rules") or () if isinstance(rule, dict) and not rule.get("disabled")]
        if not active:
            return ""
        settings = (policy.get("trigger") or {}).get("settings") or {}
        cron = settings.get("cron") if isinstance(settings, dict) else None
        when = f"runs by its own schedule ({cron})" if cron else "runs when somebody starts it"
        rules = "; ".join(map(_in_words, active[:3]))
        return (
            f"the project {project} has a tag retention policy of Harbor's own ({rules}), "
            f"which {when} and removes what tagsweep keeps; its dry run does not consider immutable tags"
        )

    def _readable(self, path: str, repository: str, *, query: Mapping[str, str | int] | None = None) -> Any:
        """Return the document at ``path``, or None where these credentials may not read it."""
        try:
            named = BY_NAME if path.startswith("/projects/") else {}
            response = self.send("GET", path, repository, query=query, headers=named)
        except (AuthenticationFailed, PermissionDenied):
            return None
        return None if response.status in _REFUSED else self._rest.read(response, doing=f"read {path}")

    # --- asking ---------------------------------------------------------------------------------------------------
    def remove(self, repository: str, artifact: str, tag: str) -> Response:
        """Ask to remove ``tag`` from ``artifact`` (a digest, or a tag) and return the answer, whatever it is."""
        path = f"{path_of(repository)}/artifacts/{quote(artifact, safe='')}/tags/{quote(tag, safe='')}"
        return self.send("DELETE", path, repository)

    def send(
        self,
        method: str,
        path: str,
        repository: str,
        *,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request with the credentials for ``repository`` and return the answer, as the client does."""
        credentials = self._lookup(repository)
        login = {"Authorization": credentials.basic} if credentials is not None and credentials.basic else {}
        return self._rest.send(method, path, query=query, headers={**login, **(headers or {})}, about=repository)


def halves(repository: str) -> tuple[str, str]:
    """Return the project and the name of a repository within it, which may have slashes."""
    project, _, name = repository.partition("/")
    if not project or not name:
        raise InvalidReference(
            f"{repository!r} is no repository of Harbor", remedy="they have at least two parts: project/name"
        )
    return project, name


def path_of(repository: str) -> str:
    """Return where a repository is in the API."""
    project, name = halves(repository)
    return f"/projects/{quote(project, safe='')}/repositories/{quote(quote(name, safe=''), safe='')}"


def _in_words(rule: dict[str, Any]) -> str:
    """Return a rule of Harbor's as a person would read it on its pages."""
    scope = rule.get("scope_selectors")
    repositories = scope.get("repository") if isinstance(scope, dict) else None
    parts = [
        f"{noun} {_VERBS.get(str(each.get('decoration')), str(each.get('decoration')))} {each.get('pattern')}"
        for noun, selectors in (("repositories", repositories), ("tags", rule.get("tag_selectors")))
        for each in selectors or ()
        if isinstance(each, dict)
    ]
    template = str(rule.get("template") or "")
    kept = f"keep {template}" if template and not template.startswith("immutable") else ""
    return ", ".join(part for part in (kept, *parts) if part) or "a rule that says nothing"


_VERBS: Final = {
    "matches": "matching",
    "excludes": "other than",
    "repoMatches": "matching",
    "repoExcludes": "other than",
}
