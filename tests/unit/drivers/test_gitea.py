"""What is special of Gitea: times of pushes by the package API, its pages, and what a deletion takes along."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from tagsweep.drivers.gitea import GiteaDriver
from tagsweep.model.errors import ConfigurationError, ServerFailed
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import Request, Response
from tagsweep.testing import images
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import InstantClock, Quiet
from tagsweep.testing.vendors.gitea import GITEA, GiteaApi
from tests.unit.drivers.vendors import Scripted, connected

REPOSITORY = "team/app"
PUSHED = datetime(2025, 8, 1, 12, tzinfo=UTC)


@contextmanager
def gitea(
    monkeypatch: pytest.MonkeyPatch, *, may_read: bool = True
) -> Iterator[tuple[FakeRegistry, GiteaApi, GiteaDriver, Quiet]]:
    """Run a fake Gitea, and a driver for it with the token in the environment."""
    api, progress = GiteaApi(may_read=may_read), Quiet()
    monkeypatch.setenv("TAGSWEEP_USERNAME", api.name)
    monkeypatch.setenv("TAGSWEEP_PASSWORD", api.token)
    with FakeRegistry(GITEA, access=api.access, apis=[api]) as registry:
        settings = RegistrySettings(host=registry.host)
        driver = GiteaDriver.connect(settings, clock=InstantClock(), progress=progress)
        yield registry, api, driver, progress
        driver.close()


def test_a_push_is_the_creation_of_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pushing a tag again makes its version anew, so that its creation is told as the push; more pages are read."""
    with gitea(monkeypatch) as (registry, api, driver, _):
        names = [f"build-{number}" for number in range(120)]
        registry.push(REPOSITORY, images.image("one"), *names)
        registry.push("team/app-tools", images.image("other"), "build-7")
        api.record(REPOSITORY, "build-7", pushed=PUSHED)
        listed = {tag.name: tag.times for tag in driver.list_tags(REPOSITORY)}
        assert listed.keys() == set(names)
        assert listed["build-7"] == {TimeOrigin.PUSHED: PUSHED}
        assert all(times.keys() == {TimeOrigin.PUSHED} for times in listed.values())


def test_without_the_package_api_no_time_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that lacks read:package costs the times, and a note says so; the list is whole."""
    with gitea(monkeypatch, may_read=False) as (registry, _, driver, progress):
        registry.push(REPOSITORY, images.image("one"), "v1", "v2")
        assert [(tag.name, dict(tag.times)) for tag in driver.list_tags(REPOSITORY)] == [("v1", {}), ("v2", {})]
        assert any("read:package" in note for note in progress.notes)


def test_a_broken_package_api_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing server is not read as a registry without times."""
    with gitea(monkeypatch) as (registry, _, driver, _):
        registry.push(REPOSITORY, images.image("one"), "v1")
        registry.fail_next(50, status=500, method="GET", path_contains="/api/v1/")
        with pytest.raises(ServerFailed):
            driver.list_tags(REPOSITORY)


def test_a_package_api_that_gives_one_page_for_ever_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hazard 43: without a total, and whatever page is asked for, the reading ends where nothing new comes."""
    with gitea(monkeypatch) as (registry, _, _, _):
        registry.push(REPOSITORY, images.image("one"), "v1")
        body = json.dumps([{"name": "app", "version": "v1", "created_at": PUSHED.isoformat()}]).encode()
        asked: list[str] = []

        def answer(request: Request) -> Response:
            asked.append(request.url)
            return Response(status=200, url=request.url, body=body)

        connection = connected(registry.host, api=Scripted(answer))
        driver = GiteaDriver(connection, api=f"http://{registry.host}/api/v1")
        assert [tag.times for tag in driver.list_tags(REPOSITORY)] == [{TimeOrigin.PUSHED: PUSHED}]
        assert len(asked) == 2
        driver.close()


def test_the_last_tag_is_told_to_take_its_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planning hears it from the capabilities, and people from the reason beside the ability."""
    with gitea(monkeypatch) as (registry, _, driver, _):
        registry.push(REPOSITORY, images.image("one"), "v1")
        known = driver.probe(REPOSITORY)
        assert known.last_tag_takes_manifest
        assert "has to be pushed again" in known.delete_tag.why
        assert not known.referrers.usable
        assert "cleanup_packages" in known.reclaim


def test_the_api_gets_no_credentials_in_the_open() -> None:
    """An address by plain http, elsewhere than on this machine, is refused before anything is sent."""
    settings = RegistrySettings(host="git.example.com", options={"api": "http://git.example.com/api/v1"})
    with pytest.raises(ConfigurationError, match="unencrypted"):
        GiteaDriver.connect(settings, clock=InstantClock(), progress=Quiet())
