"""The `quay` driver, row by row of what is known of Quay, against the fake that speaks its API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tagsweep.drivers.quay import OAUTH_USER, QuayDriver, find_token
from tagsweep.http.auth import Credentials
from tagsweep.model.capability import Support
from tagsweep.model.errors import (
    AuthenticationFailed,
    ConfigurationError,
    Conflict,
    InvalidReference,
    NotFound,
    PermissionDenied,
    ProtocolViolation,
    RegistryError,
)
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import Response
from tagsweep.testing import images
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import InstantClock, Quiet
from tagsweep.testing.vendors.quay import QUAY, QuayApi, QuayToken
from tests.unit.drivers.vendors import Scripted, connected, lose_the_answer_to_a_removal

REPOSITORY = "team/deep/app"
TOKEN = "oauth-token-of-a-user"


@dataclass
class Scene:
    """A fake Quay and a driver of it."""

    registry: FakeRegistry
    api: QuayApi
    driver: QuayDriver
    progress: Quiet


def saying(document: Any) -> Scripted:
    """Return a transport that answers everything with one document."""
    body = json.dumps(document).encode()
    headers = {"content-type": "application/json"}
    return Scripted(lambda request: Response(status=200, url=request.url, headers=headers, body=body))


def connect(host: str, *, token: str = TOKEN, progress: Quiet | None = None, transport: Any = None) -> QuayDriver:
    """Return a driver with this OAuth token, or none."""
    found = Credentials(username=OAUTH_USER, password=token, found_in="a test")
    connection = connected(host, api=transport, progress=progress)
    return QuayDriver(connection, lookup=lambda _: found, token=token)


@pytest.fixture
def scene() -> Iterator[Scene]:
    """Run a fake Quay with two images."""
    tokens = [QuayToken(secret=TOKEN), QuayToken(secret="reading", can_write=False)]
    api = QuayApi(tokens=tokens)
    with FakeRegistry(QUAY, apis=[api]) as registry:
        registry.push(REPOSITORY, images.multi_platform("one"), "v1", "latest")
        registry.push(REPOSITORY, images.image("two"), "sha-2")
        progress = Quiet()
        driver = connect(registry.host, progress=progress)
        yield Scene(registry, api, driver, progress)
        driver.close()


# --- listing ------------------------------------------------------------------------------------------------------
def test_the_listing_tells_digest_time_and_immutability(scene: Scene) -> None:
    """A tag comes with its digest and with when it was put there; what is immutable is told."""
    started = datetime(2026, 2, 1, tzinfo=UTC)
    scene.api.record(REPOSITORY, "v1", started=started)
    scene.api.make_immutable(REPOSITORY, "v1")
    found = {tag.name: tag for tag in scene.driver.list_tags(REPOSITORY)}
    assert found["v1"].digest == scene.registry.tags(REPOSITORY)["v1"]
    assert found["v1"].times == {TimeOrigin.PUSHED: started}
    assert found["v1"].locked == "it is immutable on Quay"
    assert found["latest"].locked == ""


def test_dead_tags_are_not_listed(scene: Scene) -> None:
    """Quay lists its history unless it is told not to; a removed tag is not there again."""
    scene.driver.probe(REPOSITORY)
    scene.driver.delete_tag(REPOSITORY, "latest")
    assert [tag.name for tag in scene.driver.list_tags(REPOSITORY)] == ["sha-2", "v1"]
    assert scene.registry.count("GET", "onlyActiveTags=true") == scene.registry.count("GET", "/tag/") > 0


def test_all_pages_are_read(scene: Scene) -> None:
    """More than two pages of a hundred are all there, with their digests."""
    for number in range(230):
        scene.registry.push(REPOSITORY, images.image("build"), f"build-{number}")
    found = scene.driver.list_tags(REPOSITORY)
    assert {tag.name for tag in found} == scene.registry.tags(REPOSITORY).keys()
    assert all(tag.digest is not None for tag in found)
    assert scene.registry.count("GET", "/tag/") == 3


def test_a_tag_that_a_page_turn_hides_is_named_by_the_registry(scene: Scene) -> None:
    """T6: a deletion between two pages hides a tag from Quay's list; it is there all the same, its time unknown."""
    for number in range(150):
        scene.registry.push(REPOSITORY, images.image("build"), f"build-{number}")
    removals = iter(["build-149"])

    def remove(request: object) -> None:
        if "page=2" in getattr(request, "target", ""):
            scene.registry.remove_tag(REPOSITORY, next(removals))

    scene.registry.on_request = remove
    found = {tag.name: tag for tag in scene.driver.list_tags(REPOSITORY)}
    assert found["build-49"].digest is None
    assert found.keys() >= scene.registry.tags(REPOSITORY).keys()


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"tags": {}, "has_additional": False},
        {"tags": [{"digest": "x"}], "has_additional": False},
        {"tags": [{"name": "no tag"}], "has_additional": False},
        {"tags": [{"name": "v1"}]},
        {"tags": [{"name": "v1"}], "has_additional": "yes"},
        {},
    ],
)
def test_what_is_no_list_of_tags_is_refused(scene: Scene, document: Any) -> None:
    """Another answer than a list of tags is an error, never an empty list."""
    driver = connect(scene.registry.host, transport=saying(document))
    with pytest.raises(ProtocolViolation):
        driver.list_tags(REPOSITORY)


@pytest.mark.parametrize("page", [1, "one", None])
def test_a_page_that_comes_for_ever_is_refused(scene: Scene, page: Any) -> None:
    """Hazard 43: a list that always has one more of the same page does not go on for ever, whatever its number."""
    document = {"tags": [{"name": "v1"}], "page": page, "has_additional": True}
    driver = connect(scene.registry.host, transport=saying(document))
    with pytest.raises(ProtocolViolation, match="same page"):
        driver.list_tags(REPOSITORY)


def test_tags_that_expire_by_themselves_are_told(scene: Scene) -> None:
    """Kept or not, they go; the first of them are named with their day."""
    for number in range(7):
        scene.registry.push(REPOSITORY, images.image("short-lived"), f"pr-{number}")
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        scene.api.record(REPOSITORY, f"pr-{number}", started=moment, expires=moment + timedelta(days=400 + number))
    scene.driver.list_tags(REPOSITORY)
    assert any("pr-0 on 2027-02-05" in note and "and 2 more" in note for note in scene.progress.notes)


def test_repositories_of_a_namespace_are_listed(scene: Scene) -> None:
    """More than a page of repositories, of that namespace alone."""
    for number in range(130):
        scene.registry.push(f"many/app-{number}", images.image("one"), "v1")
    assert sorted(scene.driver.list_namespace("many")) == sorted(f"many/app-{number}" for number in range(130))
    by_registry = connect(scene.registry.host, token="")
    assert sorted(by_registry.list_namespace("team")) == [REPOSITORY]


# --- removing and taking back -------------------------------------------------------------------------------------
def test_the_last_tag_takes_the_manifest_until_the_time_machine_brings_it_back(scene: Scene) -> None:
    """What no tag reaches answers no more by digest, and is back with its tag."""
    scene.driver.probe(REPOSITORY)
    digest = scene.registry.tags(REPOSITORY)["sha-2"]
    assert scene.driver.delete_tag(REPOSITORY, "sha-2") is True
    assert not scene.driver.has_manifest(REPOSITORY, digest)
    assert scene.driver.take_back(REPOSITORY, digest, ["sha-2"]) is True
    assert scene.driver.resolve_tag(REPOSITORY, "sha-2") == digest


def test_a_tag_that_was_pushed_anew_is_not_taken_back(scene: Scene) -> None:
    """The time machine would move it; a restore leaves what is on something else by now."""
    scene.driver.probe(REPOSITORY)
    digest = scene.registry.tags(REPOSITORY)["sha-2"]
    scene.driver.delete_tag(REPOSITORY, "sha-2")
    newer = scene.registry.push(REPOSITORY, images.image("newer"), "sha-2")
    assert scene.driver.take_back(REPOSITORY, digest, ["sha-2"]) is False
    assert scene.registry.tags(REPOSITORY)["sha-2"] == newer


def test_after_the_window_there_is_nothing_to_take_back(scene: Scene) -> None:
    """What Quay has collected is not restored, and that is told, not raised; untagged things it does not know."""
    scene.driver.probe(REPOSITORY)
    digest = scene.registry.tags(REPOSITORY)["sha-2"]
    scene.driver.delete_tag(REPOSITORY, "sha-2")
    scene.registry.collect_garbage()
    assert scene.driver.take_back(REPOSITORY, digest, ["sha-2"]) is False
    assert scene.driver.take_back(REPOSITORY, digest, []) is False


def test_a_restore_that_fails_is_an_error(scene: Scene) -> None:
    """Another answer than done or not found is raised, so that it is told."""
    scene.driver.probe(REPOSITORY)
    digest = scene.registry.tags(REPOSITORY)["sha-2"]
    scene.driver.delete_tag(REPOSITORY, "sha-2")
    scene.registry.fail_next(1, status=403, code="", method="POST")
    with pytest.raises(PermissionDenied):
        scene.driver.take_back(REPOSITORY, digest, ["sha-2"])


def test_an_immutable_tag_is_a_conflict(scene: Scene) -> None:
    """A tag that became immutable after the plan is refused as that."""
    scene.driver.probe(REPOSITORY)
    scene.api.make_immutable(REPOSITORY, "v1")
    with pytest.raises(Conflict, match="immutable"):
        scene.driver.delete_tag(REPOSITORY, "v1")


def test_a_tag_that_is_called_immutable_is_no_conflict_for_that(scene: Scene) -> None:
    """What Quay says of its refusal counts, and not the name of the tag in it."""
    scene.registry.push(REPOSITORY, images.image("three"), "immutable-1")
    scene.driver.probe(REPOSITORY)
    scene.registry.fail_next(1, status=403, code="", method="DELETE")
    with pytest.raises(PermissionDenied):
        scene.driver.delete_tag(REPOSITORY, "immutable-1")


def test_a_deletion_whose_answer_was_lost_is_not_sent_again(scene: Scene) -> None:
    """Whoever asked looks first what is there; nothing is deleted twice blindly."""
    lose_the_answer_to_a_removal(scene.registry, scene.driver, REPOSITORY, "sha-2")


def test_a_404_for_a_tag_that_is_there_is_an_error(scene: Scene) -> None:
    """A 404 of the API alone does not say that the tag is gone."""
    scene.driver.probe(REPOSITORY)
    scene.registry.fail_next(1, status=404, code="", method="DELETE")
    with pytest.raises(Conflict, match="though the registry has it"):
        scene.driver.delete_tag(REPOSITORY, "sha-2")


def test_the_recovery_period_is_never_skipped(scene: Scene) -> None:
    """The switch that removes a tag past the time machine is not used."""
    scene.driver.probe(REPOSITORY)
    scene.driver.delete_tag(REPOSITORY, "sha-2")
    assert scene.registry.count("DELETE", "skipRecoveryPeriod") == 0


# --- abilities ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("window", "words"),
    [(timedelta(days=14), "for 14 days"), (timedelta(hours=36), "for 1.5 days"), (timedelta(minutes=5), "300 seconds")],
)
def test_the_window_is_told(scene: Scene, window: timedelta, words: str) -> None:
    """How long Quay keeps what is removed is the namespace's own setting."""
    scene.api.window = window
    assert words in scene.driver.probe(REPOSITORY).undo


def test_without_a_window_there_is_no_undo(scene: Scene) -> None:
    """0 s keeps nothing: there is no undo, and Quay is not asked for one."""
    scene.api.window = timedelta(0)
    assert scene.driver.probe(REPOSITORY).undo == ""
    digest = scene.registry.tags(REPOSITORY)["sha-2"]
    assert scene.driver.take_back(REPOSITORY, digest, ["gone"]) is False
    assert scene.registry.count("POST", "/restore") == 0


def test_a_token_that_may_only_read_is_told(scene: Scene) -> None:
    """Without the right to write nothing is removed, and the scopes are named."""
    able = connect(scene.registry.host, token="reading").probe(REPOSITORY)
    assert able.delete_tag.support is Support.NO
    assert "repo:write" in able.delete_tag.why
    assert able.undo == ""


@pytest.mark.parametrize("state", ["READ_ONLY", "MIRROR"])
def test_a_repository_that_nobody_changes_is_told(state: str) -> None:
    """Mirrors and read-only repositories have no tag removed."""
    with FakeRegistry(QUAY, apis=[QuayApi(tokens=[QuayToken(secret=TOKEN)], state=state)]) as registry:
        registry.push(REPOSITORY, images.image("one"), "v1")
        able = connect(registry.host).probe(REPOSITORY)
        assert able.delete_tag.support is Support.NO
        assert state in able.delete_tag.why


def test_what_quay_does_not_say_is_unknown(scene: Scene) -> None:
    """An answer without the right to write leaves the removal unknown, which is not used."""
    driver = connect(scene.registry.host, transport=saying({"namespace": "team"}))
    assert driver.probe(REPOSITORY).delete_tag.support is Support.UNKNOWN


def test_a_wrong_token_is_an_error_without_the_token(scene: Scene) -> None:
    """It is AuthenticationFailed, and is in no message."""
    driver = connect(scene.registry.host, token="the-wrong-token")
    with pytest.raises(AuthenticationFailed) as caught:
        driver.list_tags(REPOSITORY)
    assert "the-wrong-token" not in f"{caught.value} {caught.value.remedy} {driver!r}"
    with pytest.raises(RegistryError):
        driver.probe(REPOSITORY)


def test_a_repository_that_cannot_be_seen_is_not_found(scene: Scene) -> None:
    """The probe says so; a path without a namespace is no repository of Quay."""
    with pytest.raises(NotFound):
        scene.driver.probe("team/absent")
    with pytest.raises(InvalidReference):
        scene.driver.list_tags("app")


# --- tokens -------------------------------------------------------------------------------------------------------
def test_a_token_goes_only_where_it_belongs() -> None:
    """QUAY_TOKEN is for quay.io; another Quay gets the one that the policy names for it."""
    environ = {"QUAY_TOKEN": "a", "OURS": "b"}
    assert find_token("quay.io", None, environ=environ) == "a"
    assert find_token("quay.example.com", None, environ=environ) == ""
    assert find_token("quay.example.com", "OURS", environ=environ) == "b"
    assert find_token("quay.io", None, environ={}) == ""
    with pytest.raises(ConfigurationError, match="ABSENT"):
        find_token("quay.example.com", "ABSENT", environ=environ)


def test_a_login_with_an_oauth_token_serves_both_apis(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever ran docker login as $oauthtoken need not name the token again; a robot's password is never one."""
    for name in ("TAGSWEEP_USERNAME", "TAGSWEEP_PASSWORD", "REGISTRY_AUTH_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for username, times in ((OAUTH_USER, {TimeOrigin.PUSHED}), ("team+robot", set[TimeOrigin]())):
        entry = {"username": username, "password": TOKEN}
        (tmp_path / "config.json").write_text(json.dumps({"auths": {scene.registry.host: entry}}), encoding="utf-8")
        settings = RegistrySettings(host=scene.registry.host)
        driver = QuayDriver.connect(settings, clock=InstantClock(), progress=Quiet())
        assert driver.capabilities(REPOSITORY).times == times
        assert len(driver.list_tags(REPOSITORY)) == 3
        driver.close()
