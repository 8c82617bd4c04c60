"""What is special of Pulp: its answer 202 means "later", so that nothing is done before it is seen to be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from tagsweep.drivers.pulp import PulpDriver
from tagsweep.model.capability import Support
from tagsweep.model.errors import Conflict, ProtocolViolation, ServerFailed, Unsupported
from tagsweep.ports import Request, Response
from tagsweep.testing import images
from tagsweep.testing.dialects import OCI, NoReferrers, Refusal
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.wire import Answer, WireRequest
from tests.unit.drivers.vendors import Scripted, connected

REPOSITORY = "team/app"
AT, TASK = "/pulp/api/v3/repositories/container/container/1/", "/pulp/api/v3/tasks/1/"
PULP = replace(
    OCI,
    name="pulp",
    tags_need_json=True,
    referrers=NoReferrers.PLAIN_TEXT,
    tag_delete=Refusal(status=400, code="INVALID_REQUEST", message="A manifest can only be deleted by digest."),
)


class PulpApi:
    """Pulp's own API: one repository, and one task that has each of ``states`` when it is looked at, then the last."""

    def __init__(self, registry: FakeRegistry, states: Sequence[str] = ("completed",)) -> None:
        self.registry = registry
        self.states = list(states)
        self.serves: list[dict[str, Any]] = [{"base_path": REPOSITORY, "repository": AT}]
        self.untag: Callable[[str], Response] | None = None
        self.asked: list[str] = []
        self._going = ""

    def answer(self, request: Request) -> Response:
        """Answer one request."""
        path = request.url.removeprefix(f"http://{self.registry.host}").partition("?")[0]
        self.asked.append(f"{request.method} {path}")
        if path == "/pulp/api/v3/distributions/container/container/":
            return _json(request, 200, {"count": len(self.serves), "results": self.serves})
        if path == f"{AT}untag/":
            assert request.body is not None
            tag = json.loads(request.body)["tag"]
            if tag not in self.registry.tags(REPOSITORY):
                return _json(request, 400, {"non_field_errors": [f"The tag '{tag}' does not exist"]})
            self._going = tag
            return self.untag(request.url) if self.untag else _json(request, 202, {"task": TASK})
        assert path == TASK
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if state == "completed":
            self.registry.remove_tag(REPOSITORY, self._going)
        return _json(
            request, 200, {"state": state, "error": {"description": "disk full"} if state == "failed" else None}
        )


def _json(request: Request, status: int, document: Any) -> Response:
    return Response(status=status, url=request.url, body=json.dumps(document).encode())


@contextmanager
def pulp(*states: str) -> Iterator[tuple[FakeRegistry, PulpApi, PulpDriver]]:
    """Run a registry with two tags on one image, and a driver for it whose API has a task in these states."""
    with FakeRegistry(PULP) as registry:
        registry.push(REPOSITORY, images.image("one"), "v1", "latest")
        api = PulpApi(registry, states or ("completed",))
        connection = connected(registry.host, api=Scripted(api.answer))
        driver = PulpDriver(connection, api=f"http://{registry.host}/pulp/api/v3")
        yield registry, api, driver
        driver.close()


def test_a_tag_is_gone_when_its_task_is_completed() -> None:
    """The task is looked at until it is done; the other tag and the manifest stay, and no DELETE was sent."""
    with pulp("waiting", "running", "completed") as (registry, api, driver):
        assert driver.probe(REPOSITORY).delete_tag.support is Support.YES
        registry.clear_log()
        assert driver.delete_tag(REPOSITORY, "v1") is True
        assert registry.tags(REPOSITORY).keys() == {"latest"}
        assert api.asked.count(f"GET {TASK}") == 3
        assert registry.count("DELETE") == 0


def test_an_absent_tag_is_false() -> None:
    """Pulp refuses to untag what is not there; no task is made then."""
    with pulp() as (_, api, driver):
        driver.probe(REPOSITORY)
        assert driver.delete_tag(REPOSITORY, "never") is False
        assert f"GET {TASK}" not in api.asked


@pytest.mark.parametrize(("state", "told"), [("failed", "disk full"), ("canceled", "canceled"), ("waiting", "still")])
def test_a_task_that_does_not_complete_is_an_error(state: str, told: str) -> None:
    """A task that failed, was canceled, or waits for a worker that does not come is never a tag that is gone."""
    with pulp(state) as (registry, _, driver):
        driver.probe(REPOSITORY)
        with pytest.raises(ServerFailed, match=told):
            driver.delete_tag(REPOSITORY, "v1")
        assert registry.tags(REPOSITORY).keys() == {"v1", "latest"}


def test_an_answer_without_a_task_is_an_error() -> None:
    """A 202 that names no task to look at, or one elsewhere, proves nothing."""
    with pulp() as (_, api, driver):
        driver.probe(REPOSITORY)
        for document in ({}, {"task": None}, {"task": "http://elsewhere.example.com/pulp/api/v3/tasks/1/"}):
            body = json.dumps(document).encode()
            api.untag = lambda url, body=body: Response(status=202, url=url, body=body)
            with pytest.raises(ProtocolViolation):
                driver.delete_tag(REPOSITORY, "v1")


@pytest.mark.parametrize(
    "serves",
    [[], [{"base_path": "team/app-2", "repository": AT}], [{"base_path": REPOSITORY, "repository": None}]],
    ids=["nothing", "another path", "a fixed version"],
)
def test_without_a_repository_behind_it_no_tag_is_removed(serves: list[dict[str, Any]]) -> None:
    """Where Pulp shows no repository at this very path, untagging is Unsupported, and nothing is sent for it."""
    with pulp() as (_, api, driver):
        api.serves = serves
        assert driver.probe(REPOSITORY).delete_tag.support is Support.NO
        with pytest.raises(Unsupported):
            driver.delete_tag(REPOSITORY, "v1")
        assert not [asked for asked in api.asked if asked.startswith("POST")]


def test_without_the_right_to_untag_nothing_is_tried() -> None:
    """A 403 to a try with an absent tag says that the right is lacking; other answers leave it unknown."""
    with FakeRegistry(PULP) as registry:
        registry.push(REPOSITORY, images.image("one"), "v1")
        api = PulpApi(registry)
        for status, support in ((403, Support.NO), (500, Support.UNKNOWN), (202, Support.UNKNOWN)):

            def answer(request: Request, status: int = status) -> Response:
                return _json(request, status, {}) if request.method == "POST" else api.answer(request)

            driver = PulpDriver(
                connected(registry.host, api=Scripted(answer)), api=f"http://{registry.host}/pulp/api/v3"
            )
            assert driver.probe(REPOSITORY).delete_tag.support is support
            driver.close()


def test_a_digest_is_gone_when_it_does_not_answer_any_more() -> None:
    """The 202 of a DELETE is followed by looks until the manifest is gone."""
    with pulp() as (registry, _, driver):
        digest = registry.tags(REPOSITORY)["v1"]
        driver.probe(REPOSITORY)
        looks: list[str] = []

        def late(request: WireRequest, perform: Callable[[WireRequest], Answer]) -> Answer:
            if request.method == "DELETE":
                return Answer(status=202)
            looks.append(request.method)
            if len(looks) == 3:
                perform(replace(request, method="DELETE"))
            return perform(request)

        registry.interposer = late
        assert driver.delete_manifest(REPOSITORY, digest) is True
        assert looks == ["HEAD", "HEAD", "HEAD", "GET"]  # a fake's 404 to HEAD is believed only with its body
        assert registry.tags(REPOSITORY) == {}


def test_a_digest_that_stays_is_no_deletion() -> None:
    """What Pulp accepts to delete and keeps, because an index lists it, is Conflict after a while."""
    with pulp() as (registry, _, driver):
        digest = registry.tags(REPOSITORY)["v1"]
        driver.probe(REPOSITORY)
        registry.interposer = lambda request, perform: (
            Answer(status=202) if request.method == "DELETE" else perform(request)
        )
        with pytest.raises(Conflict, match="accepted, but it is still there"):
            driver.delete_manifest(REPOSITORY, digest)
