"""zot's search extension over a fake registry, by zot's own GraphQL schema.

    zot = ZotSearch()
    with FakeRegistry(ZOT, apis=[zot]) as registry:
        ...  # ZotDriver at registry.host

It answers the one query ``ImageList`` and refuses fields that its version does not know with 422, as zot does.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from tagsweep.testing.answers import error
from tagsweep.testing.storage import Storage
from tagsweep.testing.vendors.asking import basic_of, json_answer, query_of, unknown_in
from tagsweep.testing.wire import Answer, WireRequest

_SEARCH: Final = "/v2/_zot/ext/search"
_DISCOVER: Final = "/v2/_oci/ext/discover"
_QUERY: Final = re.compile(r'\{ImageList\(repo: (?P<repo>"[^"]*")\) \{Results \{(?P<fields>[A-Za-z ]+)\}\}\}')
_ALWAYS: Final = frozenset({"RepoName", "Tag", "Digest", "Size", "DownloadCount", "LastUpdated"})
OLD: Final = _ALWAYS
EVERY_FIELD: Final = _ALWAYS | {"PushTimestamp", "LastPullTimestamp", "TaggedTimestamp"}
_NEVER: Final = "0001-01-01T00:00:00Z"
_PUSHED: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class ZotSearch:
    """Implements :class:`tagsweep.testing.fake.VendorApi`. Everything may be changed while it serves.

    ``login`` is a user and password, None where everybody may search; ``on`` whether the extension is switched on.
    """

    login: tuple[str, str] | None = None
    fields: frozenset[str] = EVERY_FIELD
    on: bool = True
    _times: dict[tuple[str, str], tuple[datetime, datetime, datetime | None]] = field(default_factory=dict)
    _storage: Storage = field(default_factory=Storage)

    def attach(self, storage: Storage, *, base: str) -> None:  # noqa: ARG002 - no answer names the address
        """Take the registry's storage."""
        self._storage = storage

    def record(
        self, repository: str, tag: str, *, pushed: datetime, tagged: datetime, pulled: datetime | None = None
    ) -> None:
        """Set what is told of a tag."""
        self._times[repository, tag] = pushed, tagged, pulled

    def answer(self, request: WireRequest) -> Answer | None:  # noqa: PLR0911 - one return a refusal
        """Answer the extension's own paths."""
        path = request.target.partition("?")[0]
        if path == _DISCOVER and self.on:
            extension = {"name": "_zot", "url": "https://zotregistry.dev", "endpoints": [_SEARCH]}
            return json_answer(200, {"extensions": [extension]})
        if path != _SEARCH or not self.on:
            return None
        if self.login is not None and basic_of(request) != self.login:
            headers = {"WWW-Authenticate": 'Basic realm="zot"'}
            return error(401, "UNAUTHORIZED", "authentication required", headers=headers)
        if request.method != "GET":
            return error(405, "UNSUPPORTED")
        query = query_of(request)
        found = _QUERY.fullmatch(query.get("query", ""))
        if unknown_in(query, {"query"}) or found is None:
            return _invalid("Expected Name, found something else")
        asked = found["fields"].split()
        if unknown := [name for name in asked if name not in self.fields]:
            return _invalid(f'Cannot query field "{unknown[0]}" on type "ImageSummary".')
        with self._storage.lock:
            return self._images(json.loads(found["repo"]), asked)

    def _images(self, repository: str, asked: list[str]) -> Answer:
        stored = self._storage.known(repository)
        tags = sorted(stored.tags) if stored is not None else []
        results = [{name: self._field(repository, tag, name) for name in asked} for tag in tags]
        return json_answer(200, {"data": {"ImageList": {"Results": results}}})

    def _field(self, repository: str, tag: str, name: str) -> Any:
        pushed, tagged, pulled = self._times.get((repository, tag), (_PUSHED, _PUSHED, None))
        moments = {"PushTimestamp": pushed, "TaggedTimestamp": tagged, "LastPullTimestamp": pulled}
        if name in moments:
            moment = moments[name]
            return moment.isoformat().replace("+00:00", "Z") if moment is not None else _NEVER
        return {"RepoName": repository, "Tag": tag}.get(name)


def _invalid(message: str) -> Answer:
    problem = {"message": message, "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}
    return json_answer(422, {"errors": [problem], "data": None})
