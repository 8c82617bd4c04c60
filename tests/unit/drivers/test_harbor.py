"""The `harbor` driver, row by row of what is known of Harbor, against the fake that speaks its API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from tagsweep.drivers.harbor import HarborDriver
from tagsweep.drivers.harbor_api import halves
from tagsweep.http.auth import Credentials
from tagsweep.model.capability import Support
from tagsweep.model.errors import (
    AuthenticationFailed,
    ConfigurationError,
    Conflict,
    InvalidReference,
    PermissionDenied,
    ProtocolViolation,
    Unsupported,
)
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import Request, Response
from tagsweep.testing import images
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import InstantClock, Quiet
from tagsweep.testing.vendors.harbor import EVERY_RIGHT, HARBOR, HarborAccount, HarborApi
from tests.unit.drivers.vendors import Scripted, connected, lose_the_answer_to_a_removal

REPOSITORY = "team/deep/app"
SECRET = "secret-of-the-robot"


@dataclass
class Scene:
    """A fake Harbor and a driver of it."""

    registry: FakeRegistry
    api: HarborApi
    driver: HarborDriver
    progress: Quiet


@pytest.fixture
def api() -> HarborApi:
    """Know one robot account that may do everything."""
    return HarborApi(accounts=[HarborAccount(name="robot$a", secret=SECRET, rights=EVERY_RIGHT)], public=True)


@pytest.fixture
def scene(api: HarborApi) -> Iterator[Scene]:
    """Run a fake Harbor with two images."""
    with FakeRegistry(HARBOR, apis=[api]) as registry:
        registry.push(REPOSITORY, images.multi_platform("one"), "v1", "latest")
        registry.push(REPOSITORY, images.image("two"), "sha-2")
        progress = Quiet()
        driver = connect(registry.host, progress=progress)
        yield Scene(registry, api, driver, progress)
        driver.close()


def connect(
    host: str, *, secret: str = SECRET, progress: Quiet | None = None, transport: Any = None, nobody: bool = False
) -> HarborDriver:
    """Return a driver that logs in as the robot account."""
    found = None if nobody else Credentials(username="robot$a", password=secret, found_in="a test")
    connection = connected(host, api=transport, progress=progress)
    return HarborDriver(connection, lookup=lambda _: found)


# --- listing ------------------------------------------------------------------------------------------------------
def test_the_listing_tells_digest_times_and_immutability(scene: Scene) -> None:
    """A tag comes with its digest, when it was pushed and pulled, and the rule that makes it immutable."""
    pushed, pulled = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    scene.api.record(REPOSITORY, "v1", pushed=pushed, pulled=pulled)
    scene.api.make_immutable("team", "v*")
    found = {tag.name: tag for tag in scene.driver.list_tags(REPOSITORY)}
    assert found["v1"].digest == scene.registry.tags(REPOSITORY)["v1"]
    assert found["v1"].times == {TimeOrigin.PUSHED: pushed, TimeOrigin.PULLED: pulled}
    assert found["v1"].locked == (
        "it is immutable on Harbor, by the tag immutability rules of the project team "
        "(repositories matching **, tags matching v*)"
    )
    assert found["latest"].locked == ""


def test_never_pulled_is_not_long_ago(scene: Scene) -> None:
    """Hazard 20: Harbor writes the year 1 for what was never pulled, which is no time at all."""
    (found,) = (tag for tag in scene.driver.list_tags(REPOSITORY) if tag.name == "sha-2")
    assert TimeOrigin.PULLED not in found.times


def test_signatures_are_listed_although_harbor_hides_them(scene: Scene) -> None:
    """Tags of accessories are in no list of artifacts, and come from the registry's own list."""
    subject = scene.registry.tags(REPOSITORY)["sha-2"]
    signature = images.cosign_tag(subject)
    scene.registry.push(REPOSITORY, images.cosign_signature(subject), signature)
    found = {tag.name: tag for tag in scene.driver.list_tags(REPOSITORY)}
    assert found[signature].digest is None
    assert found.keys() == scene.registry.tags(REPOSITORY).keys()


def test_a_slash_in_the_name_is_encoded_twice(scene: Scene) -> None:
    """The name of a repository within its project goes doubly encoded; once is an address that Harbor does not have."""
    scene.driver.list_tags(REPOSITORY)
    assert scene.registry.count("GET", "/projects/team/repositories/deep%252Fapp/artifacts") == 1


def test_a_project_that_is_called_a_number_is_asked_by_name(scene: Scene) -> None:
    """Hazard of the API: a project 2024 is not the project with that id."""
    scene.registry.push("2024/app", images.image("numbered"), "v1")
    scene.api.retain("2024", cron="")
    assert scene.driver.probe("2024/app").delete_tag.usable
    assert any("project 2024 has a tag retention policy" in note for note in scene.progress.notes)
    assert any("runs when somebody starts it" in note for note in scene.progress.notes)


def test_many_artifacts_are_read_page_by_page(scene: Scene) -> None:
    """More than a page of artifacts, and a digest with many tags, are all there."""
    for number in range(250):
        scene.registry.push(REPOSITORY, images.image(f"build {number}"), f"build-{number}", f"also-{number}")
    found = scene.driver.list_tags(REPOSITORY)
    assert {tag.name for tag in found} == scene.registry.tags(REPOSITORY).keys()
    assert all(tag.digest is not None for tag in found)


def test_a_listing_that_changes_while_it_is_read_is_read_anew(scene: Scene) -> None:
    """T6: what is pushed between two pages moves entries; the totals differ, and nothing is lost."""
    for number in range(150):
        scene.registry.push(REPOSITORY, images.image(f"build {number}"), f"build-{number}")
    pushes = iter(range(1))

    def push(request: object) -> None:
        if "page=2" in getattr(request, "target", "") and next(pushes, None) is not None:
            scene.registry.push(REPOSITORY, images.image("newcomer"), "newcomer")

    scene.registry.on_request = push
    found = {tag.name: tag for tag in scene.driver.list_tags(REPOSITORY)}
    assert found["newcomer"].digest is not None
    assert found["build-0"].digest is not None
    assert scene.registry.count("GET", "page=1") == 2


@pytest.mark.parametrize(
    ("headers", "body", "words"),
    [
        ({}, [], "does not say how many there are"),
        ({"x-total-count": "2"}, [], "lists less than it counts"),
        ({"x-total-count": "1"}, {"artifacts": []}, "no list of artifacts"),
        ({"x-total-count": "1"}, [{"tags": []}], "has no digest"),
        ({"x-total-count": "1"}, [{"digest": "sha256:" + "1" * 64, "tags": [{"name": "no tag"}]}], "which is no tag"),
        ({"x-total-count": "1"}, [{"digest": "sha256:" + "1" * 64, "tags": 7}], "no list of tags"),
        ({"x-total-count": "1"}, [{"digest": "rubbish", "tags": [{"name": "v1"}]}], "as a digest"),
    ],
)
def test_a_listing_that_is_not_whole_is_refused(scene: Scene, headers: dict[str, str], body: Any, words: str) -> None:
    """A list without its total, with fewer entries than counted, or of something else is never planned from."""

    def answer(request: Request) -> Response:
        headers_ = {"content-type": "application/json", **headers}
        return Response(status=200, url=request.url, headers=headers_, body=json.dumps(body).encode())

    driver = connect(scene.registry.host, transport=Scripted(answer))
    with pytest.raises(ProtocolViolation, match=words):
        driver.list_tags(REPOSITORY)


def test_a_tag_that_is_told_of_two_artifacts_is_on_neither(scene: Scene) -> None:
    """T6: moved between two pages it stands on both; its digest is then the registry's to tell, and a lock stays."""
    one, two = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    tags = [{"name": "v1", "immutable": True, "push_time": "2026-01-01T00:00:00Z"}, {"name": "v1"}]
    body = [{"digest": digest, "tags": [tag]} for digest, tag in zip((one, two), tags, strict=True)]

    def answer(request: Request) -> Response:
        if "/immutabletagrules" in request.url:
            return Response(status=403, url=request.url)
        headers = {"content-type": "application/json", "x-total-count": "2"}
        return Response(status=200, url=request.url, headers=headers, body=json.dumps(body).encode())

    driver = connect(scene.registry.host, transport=Scripted(answer))
    (found,) = (tag for tag in driver.list_tags(REPOSITORY) if tag.name == "v1")
    assert found.digest is None
    assert found.times == {}
    assert "immutable" in found.locked


def test_repositories_are_those_of_the_project(scene: Scene) -> None:
    """A target with a glob below one project lists that project alone."""
    scene.registry.push("other/app", images.image("other"), "v1")
    assert list(scene.driver.list_namespace("team")) == [REPOSITORY]
    assert set(scene.driver.list_repositories()) == {REPOSITORY, "other/app"}


# --- removing -----------------------------------------------------------------------------------------------------
def test_a_tag_that_moved_since_it_was_looked_at_is_left_there(scene: Scene) -> None:
    """Hazard 38: it is removed from the digest on which it was seen, so that Harbor itself refuses a moved one."""
    scene.driver.probe(REPOSITORY)
    assert scene.driver.resolve_tag(REPOSITORY, "sha-2") is not None
    moved = scene.registry.push(REPOSITORY, images.image("three"), "sha-2")
    with pytest.raises(Conflict, match="was moved"):
        scene.driver.delete_tag(REPOSITORY, "sha-2")
    assert scene.registry.tags(REPOSITORY)["sha-2"] == moved


def test_trap_t9_an_artifact_is_never_deleted_by_a_tag(scene: Scene) -> None:
    """T9: the address that takes a tag and deletes the whole artifact is not used; siblings stay."""
    scene.driver.probe(REPOSITORY)
    assert scene.driver.delete_tag(REPOSITORY, "latest") is True
    assert set(scene.registry.tags(REPOSITORY)) == {"v1", "sha-2"}
    deletions = [each.target for each in scene.registry.requests if each.method == "DELETE" and "/api/" in each.target]
    assert deletions
    assert all("/tags/" in target for target in deletions)


def test_an_immutable_tag_is_a_conflict_and_not_a_missing_right(scene: Scene) -> None:
    """412 says that this tag cannot go; others can, so the run goes on."""
    scene.driver.probe(REPOSITORY)
    scene.api.make_immutable("team", "v1")
    with pytest.raises(Conflict, match="configured as immutable"):
        scene.driver.delete_tag(REPOSITORY, "v1")
    assert "v1" in scene.registry.tags(REPOSITORY)


def test_a_deletion_whose_answer_was_lost_is_not_sent_again(scene: Scene) -> None:
    """Whoever asked looks first what is there; nothing is deleted twice blindly."""
    lose_the_answer_to_a_removal(scene.registry, scene.driver, REPOSITORY, "sha-2")


def test_a_rate_limit_is_waited_for(scene: Scene) -> None:
    """429 with Retry-After, which a proxy before Harbor sends, is obeyed, for deletions too."""
    scene.driver.probe(REPOSITORY)
    scene.registry.fail_next(3, status=429, method="DELETE", headers={"Retry-After": "7"})
    assert scene.driver.delete_tag(REPOSITORY, "sha-2") is True


def test_nothing_is_sent_before_the_probe(scene: Scene) -> None:
    """What is not known to work raises Unsupported, and Harbor hears nothing."""
    with pytest.raises(Unsupported):
        scene.driver.delete_tag(REPOSITORY, "v1")
    assert scene.registry.requests == ()


# --- credentials and rights ---------------------------------------------------------------------------------------
def test_wrong_credentials_are_an_error_without_the_secret(scene: Scene) -> None:
    """A wrong password is AuthenticationFailed and is in no message; the list is not empty instead."""
    driver = connect(scene.registry.host, secret="the-wrong-secret")
    with pytest.raises(AuthenticationFailed) as caught:
        driver.list_tags(REPOSITORY)
    assert "the-wrong-secret" not in f"{caught.value} {caught.value.remedy} {driver!r}"
    assert not driver.probe(REPOSITORY).delete_tag.usable


def test_a_public_project_is_read_without_credentials_and_not_changed(scene: Scene) -> None:
    """Nobody may list a public project; the probe tells what is lacking, and retention is told as not readable."""
    scene.api.retain("team", cron="0 0 0 * * *")
    progress = Quiet()
    driver = connect(scene.registry.host, nobody=True, progress=progress)
    assert len(driver.list_tags(REPOSITORY)) == 3
    able = driver.probe(REPOSITORY)
    assert able.delete_tag.support is Support.NO
    assert "list, read and delete artifacts and tags" in able.delete_tag.why
    assert any("which these credentials may not read" in note for note in progress.notes)
    # Without tags that go first, a digest would take along what is below it.
    assert able.delete_manifest.support is Support.NO


def test_a_proxy_cache_is_told(scene: Scene) -> None:
    """What is removed from a cache comes back with the next pull, and a person should know."""
    scene.api.make_cache("team")
    scene.driver.probe(REPOSITORY)
    assert any("is a proxy cache" in note for note in scene.progress.notes)


def test_a_forbidden_listing_is_not_an_empty_one(scene: Scene) -> None:
    """403 while listing raises; it is never read as no tags."""
    scene.registry.fail_next(1, status=403, code="FORBIDDEN", path_contains="/artifacts")
    with pytest.raises(PermissionDenied):
        scene.driver.list_tags(REPOSITORY)


def test_what_is_no_repository_of_harbor_is_refused() -> None:
    """A path needs a project; an option that there is not is named."""
    with pytest.raises(InvalidReference, match="no repository of Harbor"):
        halves("app")
    with pytest.raises(ConfigurationError, match="unknown option 'token'"):
        HarborDriver.connect(
            RegistrySettings(host="127.0.0.1:9", options={"token": "x"}), clock=InstantClock(), progress=Quiet()
        )
