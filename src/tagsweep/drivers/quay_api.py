"""QuayApi: what is asked of Quay's own API beside the registry API, with an OAuth access token.

Facts: Quay's source, endpoints/api: tags in pages of at most 100 with ``has_additional``; ``onlyActiveTags`` leaves out
the history; a tag's ``start_ts`` is when it was put on its manifest. Robot accounts are for the registry API only.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from tagsweep.drivers.vendor_lists import as_tag, digest_in, objects, text_in, within
from tagsweep.http.rest import RestClient
from tagsweep.model.errors import InvalidReference, NotFound, ProtocolViolation
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.reference import Digest
from tagsweep.ports import ListedTag, Response

_PAGE: Final = 100
_NOT_FOUND: Final = 404


class QuayApi:
    """Asks Quay through ``rest``. A repository is ``namespace/name``; the name may have slashes of its own."""

    def __init__(self, rest: RestClient) -> None:
        self._rest = rest
        self._place = rest.place

    # --- reading --------------------------------------------------------------------------------------------------
    def describe(self, repository: str) -> Mapping[str, Any]:
        """Return what Quay tells of a repository; NotFound where the token cannot see it."""
        doing = f"read the settings of {repository}"
        response = self._rest.send("GET", _path(repository), query={"includeTags": "false"}, about=repository)
        if response.status == _NOT_FOUND:
            raise NotFound(
                f"{self._place}: there is no repository {repository}, or the token may not see it",
                remedy="check the name, and that the OAuth token has the scope repo:read",
                status=_NOT_FOUND,
            )
        document = self._rest.read(response, doing=doing)
        if not isinstance(document, dict):
            raise ProtocolViolation(f"{self._place}: cannot {doing}: the answer is not a JSON object")
        return document

    def repositories(self, namespace: str) -> Iterator[str]:
        """Yield the repositories of one namespace that the token may see."""
        doing = f"list the repositories of {namespace}"
        query = f"?namespace={quote(namespace, safe='')}"

        def following(_: Response, document: Any) -> str | None:
            token = within(document, "next_page")
            return f"{query}&next_page={quote(token, safe='')}" if isinstance(token, str) and token else None

        for document in self._rest.pages(f"/repository{query}", doing=doing, about=namespace, following=following):
            for name, entry in self._entries(document, "repositories", doing):
                yield f"{entry.get('namespace', namespace)}/{name}"

    def tags(self, repository: str) -> tuple[dict[str, ListedTag], dict[str, datetime]]:
        """Return every active tag, and when those expire that do so by themselves.

        Pages are numbered, the tag that was set last comes first: a push meanwhile shows a tag twice, and the later one
        counts. A deletion can hide one; whoever needs them all knows their names from the registry API.
        """
        doing = f"list the tags of {repository}"
        entries: dict[str, Mapping[str, Any]] = {}

        numbers = itertools.count(2)

        def following(_: Response, document: Any) -> str | None:
            more = within(document, "has_additional")
            if not isinstance(more, bool):
                raise ProtocolViolation(f"{self._place}: cannot {doing}: the answer does not say whether there is more")
            return _query(next(numbers)) if more else None

        start = f"{_path(repository)}/tag/{_query(1)}"
        before: Any = None
        for document in self._rest.pages(start, doing=doing, about=repository, following=following):
            if within(document, "tags") == before:
                raise ProtocolViolation(f"{self._place}: cannot {doing}: the same page comes again and again")
            before = within(document, "tags")
            for name, entry in self._entries(document, "tags", doing):
                known = entries.get(name)
                if known is None or _seconds(entry, "start_ts") > _seconds(known, "start_ts"):
                    entries[name] = entry
        expire = {
            name: datetime.fromtimestamp(_seconds(entry, "end_ts"), UTC)
            for name, entry in entries.items()
            if _seconds(entry, "end_ts")
        }
        return {name: self._tag(entry, doing) for name, entry in entries.items()}, expire

    def _tag(self, entry: Mapping[str, Any], doing: str) -> ListedTag:
        name = as_tag(str(entry["name"]), place=self._place, doing=doing)
        started = _seconds(entry, "start_ts")
        times = {TimeOrigin.PUSHED: datetime.fromtimestamp(started, UTC)} if started else {}
        locked = "it is immutable on Quay" if entry.get("immutable") is True else ""
        return ListedTag(name=name, digest=digest_in(entry.get("manifest_digest")), times=times, locked=locked)

    def _entries(self, document: Any, key: str, doing: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for entry in objects(document, key, place=self._place, doing=doing):
            yield text_in(entry, "name", place=self._place, doing=doing), entry

    # --- changing -------------------------------------------------------------------------------------------------
    def remove(self, repository: str, tag: str) -> Response:
        """Ask to remove one tag, which the time machine keeps, and return the answer, whatever it is."""
        return self._rest.send("DELETE", f"{_path(repository)}/tag/{quote(tag, safe='')}", about=repository)

    def restore(self, repository: str, tag: str, digest: Digest) -> Response:
        """Ask the time machine to put one tag back on a manifest, and return the answer, whatever it is."""
        path = f"{_path(repository)}/tag/{quote(tag, safe='')}/restore"
        return self._rest.send("POST", path, body={"manifest_digest": digest}, about=repository)


def _path(repository: str) -> str:
    namespace, _, name = repository.partition("/")
    if not namespace or not name:
        raise InvalidReference(
            f"{repository!r} is no repository of Quay", remedy="they have at least two parts: namespace/name"
        )
    return f"/repository/{quote(repository, safe='/')}"


def _query(page: int) -> str:
    return f"?limit={_PAGE}&page={page}&onlyActiveTags=true"


def _seconds(entry: Mapping[str, Any], key: str) -> int:
    """Return a unix time, or 0 where there is none that can be one."""
    value = entry.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**33 else 0
