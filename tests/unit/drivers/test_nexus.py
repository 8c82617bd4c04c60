"""What is special of Nexus: a search that pages by tokens and may be late, and components that are looked at first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from tagsweep.drivers.nexus import NexusDriver
from tagsweep.model.capability import Support
from tagsweep.model.errors import Conflict, InvalidReference, Unsupported
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.testing import images
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import InstantClock, Quiet
from tagsweep.testing.vendors.nexus import NEXUS, NexusApi

REPOSITORY = "docker-hosted/team/app"
NOON = datetime(2025, 8, 1, 12, tzinfo=UTC)


@contextmanager
def nexus(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FakeRegistry, NexusApi, NexusDriver, Quiet]]:
    """Run a fake Nexus, and a driver for it."""
    api, progress = NexusApi(), Quiet()
    monkeypatch.setenv("TAGSWEEP_USERNAME", api.name)
    monkeypatch.setenv("TAGSWEEP_PASSWORD", api.password)
    with FakeRegistry(NEXUS, access=api.access, apis=[api]) as registry:
        registry.push(REPOSITORY, images.multi_platform("one"), "v1", "v2")
        driver = NexusDriver.connect(RegistrySettings(host=registry.host), clock=InstantClock(), progress=progress)
        yield registry, api, driver, progress
        driver.close()


def test_times_are_those_of_the_assets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was last modified is told as pushed, the last download as pulled; all pages of the search are read."""
    with nexus(monkeypatch) as (registry, api, driver, _):
        registry.push(REPOSITORY, images.image("many"), *(f"build-{number}" for number in range(23)))
        api.record(REPOSITORY, "v1", modified=NOON, downloaded=NOON + timedelta(days=1))
        listed = {tag.name: dict(tag.times) for tag in driver.list_tags(REPOSITORY)}
        assert len(listed) == 25
        assert listed["v1"] == {TimeOrigin.PUSHED: NOON, TimeOrigin.PULLED: NOON + timedelta(days=1)}
        assert all(TimeOrigin.PUSHED in times for times in listed.values())


def test_the_search_adds_no_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the search still finds and the registry has not is no tag; what it finds late has no times."""
    with nexus(monkeypatch) as (_, api, driver, _):
        api.ghosts.add((REPOSITORY, "gone"))
        api.unseen.add("v2")
        assert {tag.name: bool(tag.times) for tag in driver.list_tags(REPOSITORY)} == {"v1": True, "v2": False}


def test_without_the_search_no_time_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who may not search gets every tag, and a note."""
    with nexus(monkeypatch) as (_, api, driver, progress):
        api.may_search = False
        assert [dict(tag.times) for tag in driver.list_tags(REPOSITORY)] == [{}, {}]
        assert any("nothing is known of pushes and pulls" in note for note in progress.notes)


def test_a_component_that_the_search_still_finds_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The component is looked at by its id before it is deleted: 404 there means gone, if the registry agrees."""
    with nexus(monkeypatch) as (registry, api, driver, _):
        driver.probe(REPOSITORY)
        api.ghosts.add((REPOSITORY, "gone"))
        registry.clear_log()
        assert driver.delete_tag(REPOSITORY, "gone") is False
        assert registry.count("DELETE") == 0


def test_a_tag_that_the_search_does_not_find_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there, so it is not gone; the remedy names the task that brings the search up to date."""
    with nexus(monkeypatch) as (registry, api, driver, _):
        driver.probe(REPOSITORY)
        api.unseen.add("v1")
        with pytest.raises(Conflict) as raised:
            driver.delete_tag(REPOSITORY, "v1")
        assert "Rebuild repository search" in raised.value.remedy
        assert set(registry.tags(REPOSITORY)) == {"v1", "v2"}


@pytest.mark.parametrize("loose", [False, True])
def test_only_the_exact_tag_goes(monkeypatch: pytest.MonkeyPatch, *, loose: bool) -> None:
    """Images and tags with similar names stay and tell nothing, even where the search finds them as well."""
    with nexus(monkeypatch) as (registry, api, driver, _):
        api.loose = loose
        registry.push(f"{REPOSITORY}-tools", images.image("other"), "v1")
        api.record(REPOSITORY, "v1", modified=NOON)
        api.record(f"{REPOSITORY}-tools", "v1", modified=NOON - timedelta(days=900))
        times = {tag.name: tag.times for tag in driver.list_tags(REPOSITORY)}
        assert times["v1"][TimeOrigin.PUSHED] == NOON
        registry.push(REPOSITORY, images.image("longer"), "v11")
        driver.probe(REPOSITORY)
        assert driver.delete_tag(REPOSITORY, "v1") is True
        assert set(registry.tags(REPOSITORY)) == {"v2", "v11"}
        assert set(registry.tags(f"{REPOSITORY}-tools")) == {"v1"}


def test_a_connector_names_its_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each hosted repository has a port of its own, the option says which it is; a bare path needs it."""
    with nexus(monkeypatch) as (registry, api, driver, _):
        registry.push("app", images.image("one"), "v1", "v2")
        with pytest.raises(InvalidReference):
            driver.list_tags("app")
        api.hosted = "docker-hosted"
        options = {"repository": "docker-hosted", "api": f"http://{registry.host}"}
        settings = RegistrySettings(host=registry.host, options=options)
        other = NexusDriver.connect(settings, clock=InstantClock(), progress=Quiet())
        assert all(tag.times for tag in other.list_tags("app"))
        other.probe("app")
        assert other.delete_tag("app", "v1") is True
        assert set(registry.tags("app")) == {"v2"}
        other.close()


def test_nothing_is_deleted_by_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    """What that takes along is not described; a user without the right to delete is told before."""
    with nexus(monkeypatch) as (registry, api, driver, _):
        api.may_delete = False
        known = driver.probe(REPOSITORY)
        assert known.delete_manifest.support is known.delete_tag.support is Support.NO
        with pytest.raises(Unsupported):
            driver.delete_manifest(REPOSITORY, registry.tags(REPOSITORY)["v1"])
