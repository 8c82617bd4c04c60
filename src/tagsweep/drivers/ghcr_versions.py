"""The versions of container packages, asked of GitHub's REST API: a version is a digest with all the tags on it.

Rules: GitHub's REST API description, "packages"; every request and answer is held against it in the tests.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from tagsweep.http.rest import RestClient
from tagsweep.model.errors import AuthenticationFailed, InvalidReference, NotFound, ProtocolViolation
from tagsweep.model.reference import Digest
from tagsweep.ports import Response

API_VERSION: Final = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_PER_PAGE: Final = 100
_NOT_FOUND: Final = 404
_NOBODY: Final = frozenset({403, 404})
HIDDEN: Final = "check the name; GitHub also answers 404 where a token may not see the package (read:packages)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a package: a manifest by its digest, the tags on it, and GitHub's record of its times."""

    id: int
    digest: Digest
    tags: tuple[str, ...]
    created: datetime
    updated: datetime


class PackageVersions:
    """Asks one GitHub. ``authorization`` returns the headers that authorize requests about a repository's path.

    ``log_in`` is the remedy where GitHub does not know who asks.
    """

    def __init__(
        self, rest: RestClient, *, authorization: Callable[[str], Mapping[str, str]], log_in: str, place: str
    ) -> None:
        self._rest = rest
        self._authorization = authorization
        self._log_in = log_in
        self._place = place
        self._roots: dict[str, str] = {}
        self._asking = threading.Lock()

    # --- packages -------------------------------------------------------------------------------------------------
    def packages_of(self, owner: str) -> Iterator[str]:
        """Yield the paths of all container packages of an organization or user that these credentials may see."""
        doing = f"list the packages of {owner}"
        query: dict[str, str | int] = {"package_type": "container", "per_page": _PER_PAGE}
        for document in self._pages(f"{self._root(owner)}/packages", owner, query, doing):
            for entry in _entries(document, self._place, doing):
                name = entry.get("name")
                if not isinstance(name, str) or not name:
                    raise ProtocolViolation(f"{self._place}: cannot {doing}: a package has no name")
                yield f"{owner}/{name}".lower()

    def package(self, repository: str) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        """Return GitHub's document about the package, and the headers of its answer. Raises NotFound."""
        doing = f"look up the package {repository}"
        response = self._send("GET", self._package(repository), repository)
        if response.status == _NOT_FOUND:
            raise NotFound(
                f"{self._place}: there is no container package {repository}", remedy=HIDDEN, status=_NOT_FOUND
            )
        document = self._rest.read(response, doing=doing)
        if not isinstance(document, dict):
            raise ProtocolViolation(f"{self._place}: cannot {doing}: the answer is no package")
        return document, response.headers

    # --- versions -------------------------------------------------------------------------------------------------
    def every(self, repository: str, *, state: str = "active") -> Iterator[Version]:
        """Yield all versions of the package, page after page, as GitHub lists them: some may come twice."""
        doing = f"list the {'deleted ' if state == 'deleted' else ''}versions of {repository}"
        query: dict[str, str | int] = {"per_page": _PER_PAGE, "state": state}
        if self._is_somebodys(repository):
            if state == "deleted":
                return  # GitHub lists deleted versions only to the user whose they are, and to organizations
            query = {}  # nor does it describe any parameter here; the links from page to page are its own
        for document in self._pages(f"{self._package(repository)}/versions", repository, query, doing):
            for entry in _entries(document, self._place, doing):
                yield _version(entry, self._place, doing)

    def find(self, repository: str, version: int) -> Version | None:
        """Return one version by its number, or None where GitHub has it no more."""
        doing = f"look up version {version} of {repository}"
        response = self._send("GET", self._version(repository, version), repository)
        if response.status == _NOT_FOUND:
            return None
        return _version(self._rest.read(response, doing=doing), self._place, doing)

    def delete(self, repository: str, version: int) -> Response:
        """Ask GitHub to delete a version with all its tags, and return its answer."""
        return self._send("DELETE", self._version(repository, version), repository)

    def restore(self, repository: str, version: int) -> Response:
        """Ask GitHub to bring a deleted version back, and return its answer."""
        return self._send("POST", f"{self._version(repository, version)}/restore", repository)

    # --- inside ---------------------------------------------------------------------------------------------------
    def _package(self, repository: str) -> str:
        owner, slash, name = repository.partition("/")
        if not slash or not name:
            raise InvalidReference(
                f"{repository!r} is no container package", remedy=f"packages are called {self._place}/OWNER/NAME"
            )
        return f"{self._root(owner)}/packages/container/{quote(name, safe='')}"

    def _version(self, repository: str, version: int) -> str:
        return f"{self._package(repository)}/versions/{version}"

    def _is_somebodys(self, repository: str) -> bool:
        """Tell whether the package is that of a user who is not the one whose token it is."""
        return self._root(repository.partition("/")[0]).startswith("/users/")

    def _root(self, owner: str) -> str:
        """Return what the paths of an owner's packages begin with; asked once.

        GitHub has three sets of paths: organizations, the user whose token it is, and other users.
        """
        with self._asking:
            if owner not in self._roots:
                self._roots[owner] = self._ask_root(owner)
            return self._roots[owner]

    def _ask_root(self, owner: str) -> str:
        named = quote(owner, safe="")
        response = self._send("GET", f"/users/{named}", owner)
        if response.status == _NOT_FOUND:
            raise NotFound(f"{self._place}: GitHub knows nobody called {owner}", remedy=HIDDEN, status=_NOT_FOUND)
        document = self._rest.read(response, doing=f"find out who {owner} is")
        kind = document.get("type") if isinstance(document, dict) else None
        if kind == "Organization":
            return f"/orgs/{named}"
        if kind != "User":
            raise ProtocolViolation(f"{self._place}: GitHub does not say whether {owner} is an organization or a user")
        myself = self._send("GET", "/user", owner)
        if myself.status in _NOBODY:
            return f"/users/{named}"  # the token of a workflow or an app is no user's
        document = self._rest.read(myself, doing="find out whose token it is")
        login = document.get("login") if isinstance(document, dict) else None
        return "/user" if isinstance(login, str) and login.lower() == owner.lower() else f"/users/{named}"

    def _send(self, method: str, path: str, about: str) -> Response:
        with self._telling_how_to_log_in():
            return self._rest.send(method, path, headers=self._authorization(about), about=about)

    def _pages(self, path: str, about: str, query: Mapping[str, str | int], doing: str) -> Iterator[Any]:
        with self._telling_how_to_log_in():
            headers = self._authorization(about)
            try:
                yield from self._rest.pages(path, doing=doing, query=query, headers=headers, about=about)
            except NotFound as error:
                raise NotFound(str(error), remedy=HIDDEN, status=error.status) from error

    @contextmanager
    def _telling_how_to_log_in(self) -> Iterator[None]:
        try:
            yield
        except AuthenticationFailed as error:
            raise AuthenticationFailed(str(error), remedy=self._log_in, status=error.status) from error


def _entries(document: Any, place: str, doing: str) -> list[dict[str, Any]]:
    if isinstance(document, list) and all(isinstance(entry, dict) for entry in document):
        return document
    raise ProtocolViolation(f"{place}: cannot {doing}: the answer is no list of objects")


def _version(entry: Any, place: str, doing: str) -> Version:
    try:
        return Version(
            id=_number(entry["id"]),
            digest=Digest.parse(entry["name"]),
            tags=_texts(entry["metadata"]["container"]["tags"]),
            created=_moment(entry["created_at"]),
            updated=_moment(entry["updated_at"]),
        )
    except (KeyError, TypeError, ValueError, InvalidReference) as error:
        raise ProtocolViolation(f"{place}: cannot {doing}: a version is not as described ({error})") from error


def _number(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise TypeError("its id is no number")


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        return tuple(value)
    raise TypeError("its tags are no list of texts")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment
