# ruff: noqa: INP001 (tests are no package)
"""The shelf driver, found by its entry point, against the suite that tagsweep ships and a fake of Shelf's API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import entry_points
from urllib.parse import parse_qsl

import pytest

from tagsweep.testing.access import READ_ONLY, BasicAccess
from tagsweep.testing.dialects import Dialect, Refusal
from tagsweep.testing.driver_suite import DriverSuite
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import FakeHarness
from tagsweep.testing.storage import Storage
from tagsweep.testing.vendors.asking import basic_of, json_answer
from tagsweep.testing.wire import Answer, WireRequest

NO = Refusal(status=405, code="UNSUPPORTED")
SHELF = Dialect(name="shelf", tag_delete=NO, digest_delete=NO)
PAGE = 10


class ShelfApi:
    """What Shelf answers beside the registry API, over the same storage."""

    def __init__(self, *, may_remove: bool) -> None:
        self.may_remove = may_remove
        self.frozen: set[str] = set()
        granted = READ_ONLY | {"push"}
        self.access = BasicAccess(username="sweeper", password="secret-of-shelf", granted=frozenset(granted))  # noqa: S106 - of a fake

    def attach(self, storage: Storage, *, base: str) -> None:  # noqa: ARG002 - no answer names the address
        """Take the registry's storage."""
        self._storage = storage

    def answer(self, request: WireRequest) -> Answer | None:  # noqa: PLR0911 - one return an answer
        """Answer /shelf/tags."""
        path, _, text = request.target.partition("?")
        if path != "/shelf/tags":
            return None
        if basic_of(request) != (self.access.username, self.access.password):
            return json_answer(401, {"message": "who are you?"})
        query = dict(parse_qsl(text))
        with self._storage.lock:
            stored = self._storage.known(query["repository"])
            if request.method == "DELETE":
                if not self.may_remove:
                    return json_answer(403, {"message": "you may not remove tags"})
                if query["name"] in self.frozen:
                    return json_answer(409, {"message": "frozen"})
                gone = stored.tags.pop(query["name"], None) if stored is not None else None
                return Answer(status=204) if gone is not None else json_answer(404, {"message": "no such tag"})
            if stored is None:
                return json_answer(404, {"message": "no such repository"})
            later = [tag for tag in sorted(stored.tags) if tag > query.get("after", "")]
            entries = [
                {
                    "name": tag,
                    "digest": stored.tags[tag].digest,
                    "pushed_at": "2026-01-01T00:00:00+00:00",
                    "frozen": "release" if tag in self.frozen else "",
                }
                for tag in later[:PAGE]
            ]
        return Answer(
            status=200,
            headers={"Content-Type": "application/json"},
            body=json.dumps({"tags": entries, "more": len(later) > PAGE}).encode(),
        )


class ShelfHarness(FakeHarness):
    """The fake registry with Shelf's API, and its way to lock a tag."""

    def __init__(self, registry: FakeRegistry, api: ShelfApi) -> None:
        (point,) = entry_points(group="tagsweep.drivers", name="shelf")
        super().__init__(registry, point.load())
        self._api = api

    def lock(self, tag: str) -> None:
        """Freeze the tag."""
        self._api.frozen.add(tag)


class TestShelf(DriverSuite):
    """Every test of the suite, with and without the right to remove."""

    @pytest.fixture(params=[True, False], ids=["may remove", "may only read"])
    def harness(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ShelfHarness]:
        """Yield a fake Shelf."""
        api = ShelfApi(may_remove=request.param)
        monkeypatch.setenv("TAGSWEEP_USERNAME", api.access.username)
        monkeypatch.setenv("TAGSWEEP_PASSWORD", api.access.password)
        with FakeRegistry(SHELF, access=api.access, apis=[api]) as registry:
            yield ShelfHarness(registry, api)
