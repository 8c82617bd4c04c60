"""What is special of zot: its search, listing without pages, and its refusals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tagsweep.drivers.zot import ZotDriver
from tagsweep.model.errors import Conflict
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.testing import images
from tagsweep.testing.dialects import ZOT, Dialect, Refusal
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import InstantClock, Quiet
from tagsweep.testing.vendors.zot import EVERY_FIELD, OLD, ZotSearch

REPOSITORY = "team/app"
NOON = datetime(2025, 8, 1, 12, tzinfo=UTC)


@contextmanager
def zot(search: ZotSearch, dialect: Dialect = ZOT) -> Iterator[tuple[FakeRegistry, ZotDriver, Quiet]]:
    """Run a fake zot and a driver for it."""
    progress = Quiet()
    with FakeRegistry(dialect, apis=[search]) as registry:
        driver = ZotDriver.connect(RegistrySettings(host=registry.host), clock=InstantClock(), progress=progress)
        yield registry, driver, progress
        driver.close()


def test_the_newer_of_push_and_tagging_is_the_push() -> None:
    """A digest that was pushed long ago and tagged today is no old build; zero times are none."""
    search = ZotSearch()
    search.record(REPOSITORY, "v1", pushed=NOON, tagged=NOON + timedelta(days=9))
    search.record(REPOSITORY, "v2", pushed=NOON, tagged=NOON, pulled=NOON + timedelta(hours=1))
    with zot(search) as (registry, driver, _):
        registry.push(REPOSITORY, images.image("one"), "v1", "v2")
        registry.push("team/app2", images.image("other"), "v1")
        listed = {tag.name: dict(tag.times) for tag in driver.list_tags(REPOSITORY)}
        later = NOON + timedelta(days=9)
        assert listed["v1"] == {TimeOrigin.PUSHED: later, TimeOrigin.UPDATED: later}
        assert listed["v2"][TimeOrigin.PULLED] == NOON + timedelta(hours=1)


def test_a_version_that_does_not_know_when_it_was_tagged() -> None:
    """The query is asked again without the field that was refused."""
    search = ZotSearch(fields=EVERY_FIELD - {"TaggedTimestamp"})
    search.record(REPOSITORY, "v1", pushed=NOON, tagged=NOON + timedelta(days=9))
    with zot(search) as (registry, driver, _):
        registry.push(REPOSITORY, images.image("one"), "v1")
        assert [dict(tag.times) for tag in driver.list_tags(REPOSITORY)] == [{TimeOrigin.PUSHED: NOON}]


@pytest.mark.parametrize(
    ("search", "words"),
    [
        (ZotSearch(on=False), "is not on"),
        (ZotSearch(fields=OLD), "knows no times"),
        (ZotSearch(login=("somebody", "else")), "wants other credentials"),
    ],
    ids=["off", "old", "forbidden"],
)
def test_without_the_search_no_time_is_known(search: ZotSearch, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list is whole without it, and a note says what is missing."""
    monkeypatch.setenv("TAGSWEEP_USERNAME", "user")
    monkeypatch.setenv("TAGSWEEP_PASSWORD", "secret")
    with zot(search) as (registry, driver, progress):
        registry.push(REPOSITORY, images.image("one"), "v1")
        assert [(tag.name, dict(tag.times)) for tag in driver.list_tags(REPOSITORY)] == [("v1", {})]
        assert any(words in note for note in progress.notes)


def test_tags_are_listed_at_once() -> None:
    """No page is asked for: one after a tag that vanished meanwhile would be 404."""
    with zot(ZotSearch()) as (registry, driver, _):
        registry.push(REPOSITORY, images.image("one"), *(f"build-{number}" for number in range(150)))
        assert len(driver.list_tags(REPOSITORY)) == 150
        assert registry.count("GET", "/tags/list") == 1
        assert registry.count("GET", "last=") == 0


def test_the_child_of_an_index_is_a_conflict() -> None:
    """405 DENIED means that an index needs the manifest, not that nothing can be deleted."""
    with zot(ZotSearch()) as (registry, driver, _):
        image = images.multi_platform("one")
        registry.push(REPOSITORY, image, "v1")
        assert driver.probe(REPOSITORY).delete_manifest.usable
        with pytest.raises(Conflict):
            driver.delete_manifest(REPOSITORY, image.children[0].digest)
        assert image.children[0].digest in registry.manifests(REPOSITORY)


def test_a_detected_collision_is_a_conflict() -> None:
    """409 is what a user gets who may not delete a digest that has several tags; the tags alone can go."""
    refused = Refusal(status=409, code="MANIFEST_INVALID", message="manifest invalid")
    with zot(ZotSearch(), replace(ZOT, tagged_delete=refused)) as (registry, driver, _):
        image = images.image("one")
        registry.push(REPOSITORY, image, "v1", "v2")
        driver.probe(REPOSITORY)
        with pytest.raises(Conflict):
            driver.delete_manifest(REPOSITORY, image.top)
        assert driver.delete_tag(REPOSITORY, "v1") is True
        assert set(registry.tags(REPOSITORY)) == {"v2"}
