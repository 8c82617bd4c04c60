"""GitLabApi: what is asked of GitLab's REST API beside the registry API.

Facts: docs.gitlab.com, "Container registry API", "Container registry protection rules API". A repository belongs to a
project whose path it begins with; lists are paged by Link headers; the details of a tag, with its time, cost a request
each; ``created_at`` is when the image was created, not when it was pushed.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from tagsweep.drivers.vendor_lists import listed, moment, within
from tagsweep.http.rest import RestClient
from tagsweep.model.errors import AuthenticationFailed, NotFound, PermissionDenied, Unsupported
from tagsweep.ports import Response

_PAGE: Final = 100
_NOT_FOUND: Final = 404
_REFUSED: Final = frozenset({403, 404})
_LEAST_PARTS: Final = 2
"""A project has a namespace and a name."""
DEVELOPER: Final = 30
"""The least role that may remove a tag."""
ROLES: Final = {DEVELOPER: "Developer", 40: "Maintainer", 50: "Owner", 60: "an administrator"}
_READ_OTHERWISE: Final = re.compile(r"\[\[|\[:|--|&&|~~|\|\|")
"""What Python reads in another way than RE2: such a rule is taken to match everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a repository is in the API: its project's path and its own number there."""

    project: str
    number: int

    @property
    def path(self) -> str:
        """The address of the project."""
        return f"/projects/{quote(self.project, safe='')}"

    @property
    def tags(self) -> str:
        """The address of the repository's tags."""
        return f"{self.path}/registry/repositories/{self.number}/tags"


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """The rules that protect a project's tags, each with the least role that may delete (None: nobody), and our role.

    ``readable`` is False where these credentials may not read the rules; ``level`` is None where the role is unknown.
    """

    rules: tuple[tuple[str, int | None], ...] = ()
    level: int | None = None
    readable: bool = True

    def locked(self, tag: str) -> str:
        """Return why GitLab would refuse to remove the tag, in words; empty where no rule says so."""
        for pattern, least in self.rules:
            if not _may_match(pattern, tag):
                continue
            if least is None:
                return f"GitLab's tag protection rule {pattern!r} makes it immutable"
            if self.level is None or self.level < least:
                role = ROLES.get(least, f"role {least}")
                ours = "" if self.level is not None else ", and the role of these credentials is not known"
                return f"GitLab's tag protection rule {pattern!r} lets only {role} and above delete it{ours}"
        return ""


class GitLabApi:
    """Asks GitLab through ``rest``, which authorizes."""

    def __init__(self, rest: RestClient) -> None:
        self._rest = rest
        self._place = rest.place
        self._places: dict[str, Place] = {}
        self._protection: dict[str, Protection] = {}
        self._looking = threading.Lock()

    # --- where things are -----------------------------------------------------------------------------------------
    def find(self, repository: str) -> Place:
        """Return where a repository is; asked once. The project is the longest part of its path that is one.

        Raises NotFound where no project of that name has the repository, or these credentials may not see it.
        """
        with self._looking:
            if repository not in self._places:
                self._places[repository] = self._find(repository)
            return self._places[repository]

    def _find(self, repository: str) -> Place:
        parts = repository.split("/")
        for length in range(len(parts), _LEAST_PARTS - 1, -1):
            project = "/".join(parts[:length])
            path = f"/projects/{quote(project, safe='')}/registry/repositories"
            try:
                for entry in self._listed(path, f"list the container repositories of {project}"):
                    if entry.get("path") == repository and isinstance(entry.get("id"), int):
                        return Place(project=project, number=entry["id"])
            except NotFound:
                continue
        raise NotFound(
            f"{self._place}: no project is known that has the container repository {repository}",
            remedy="check the name; GitLab says the same of projects that the token may not see",
            status=_NOT_FOUND,
        )

    def repositories(self, group: str) -> Iterator[str]:
        """Yield the container repositories of all projects below a group."""
        path = f"/groups/{quote(group, safe='')}/registry/repositories"
        try:
            for entry in self._listed(path, f"list the container repositories of the group {group}"):
                if isinstance(entry.get("path"), str):
                    yield entry["path"]
        except NotFound as error:
            raise Unsupported(
                f"{self._place}: {group} is no group that the token may see, and GitLab lists repositories by group",
                remedy="name the repositories in targets",
                status=_NOT_FOUND,
            ) from error

    def _listed(self, path: str, doing: str) -> Iterator[Mapping[str, Any]]:
        for document in self._rest.pages(path, doing=doing, query={"per_page": _PAGE}, about=path):
            yield from listed(document, "what was asked for", place=self._place, doing=doing)

    # --- tags -----------------------------------------------------------------------------------------------------
    def created(self, repository: str, tag: str) -> datetime | None:
        """Return when the image under a tag was created, by the tag's details; None where GitLab does not know."""
        path = f"{self.find(repository).tags}/{quote(tag, safe='')}"
        document = self._rest.find(path, doing=f"read the details of {repository}:{tag}", about=repository)
        return moment(within(document, "created_at"))

    def remove(self, repository: str, tag: str) -> Response:
        """Ask to remove one tag and return the answer, whatever it is."""
        path = f"{self.find(repository).tags}/{quote(tag, safe='')}"
        return self._rest.send("DELETE", path, about=repository)

    def excuse(self, repository: str) -> None:
        """Say that the last refusal of a removal was the tag's own, so that the others are asked for on."""
        self._rest.excuse("DELETE", repository)

    # --- protection -----------------------------------------------------------------------------------------------
    def protection(self, repository: str, *, anew: bool = False) -> Protection:
        """Return the protection of the project's tags; asked once, unless it is to be read anew."""
        place = self.find(repository)
        known = self._protection.get(place.project)
        if known is None or anew:
            known = self._protection[place.project] = self._read_protection(place)
        return known

    def _read_protection(self, place: Place) -> Protection:
        doing = f"read the tag protection rules of {place.project}"
        try:
            found = tuple(self._listed(f"{place.path}/registry/protection/tag/rules", doing))
        except (AuthenticationFailed, PermissionDenied, NotFound):
            return Protection(readable=False)
        rules = tuple(
            (str(rule.get("tag_name_pattern") or ""), _level(rule.get("minimum_access_level_for_delete")))
            for rule in found
        )
        return Protection(rules=rules, level=self._our_level(place) if rules else None)

    def level(self, repository: str) -> int | None:
        """Return the role of these credentials in the repository's project, asked anew; None where it is not told."""
        return self._our_level(self.find(repository))

    def _our_level(self, place: Place) -> int | None:
        described = self._readable(place.path)
        permissions = described.get("permissions") if isinstance(described, dict) else None
        if not isinstance(permissions, dict):
            return None
        levels = [
            access["access_level"]
            for access in permissions.values()
            if isinstance(access, dict) and isinstance(access.get("access_level"), int)
        ]
        return max(levels, default=None)

    def _readable(self, path: str) -> Any:
        """Return the document at ``path``, or None where these credentials may not read it or GitLab has none."""
        try:
            response = self._rest.send("GET", path, about=path)
        except (AuthenticationFailed, PermissionDenied):
            return None  # job tokens are for some calls only
        return None if response.status in _REFUSED else self._rest.read(response, doing=f"read {path}")


def _level(value: object) -> int | None:
    """Return a role as the API writes it; a word that is not known is above all roles."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    words = {"developer": 30, "maintainer": 40, "owner": 50, "admin": 60}
    return words.get(str(value).lower(), 60)


def _may_match(pattern: str, tag: str) -> bool:
    """Tell whether a rule may match the tag: GitLab searches with RE2, so that a part of the tag is enough."""
    if not pattern or _READ_OTHERWISE.search(pattern):
        return True
    try:
        return re.search(pattern, tag) is not None
    except (re.error, RecursionError, OverflowError):
        return True
