"""What is special of Scaleway: ids on the way to a tag, shared digests, states, and regions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from tagsweep.drivers.scaleway import ScalewayDriver
from tagsweep.model.capability import Support
from tagsweep.model.errors import ConfigurationError, Conflict, NotFound, Unsupported
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.testing import images
from tagsweep.testing.fake import FakeRegistry, LoggedRequest
from tagsweep.testing.harness import InstantClock, Quiet
from tagsweep.testing.vendors.scaleway import PREFIX, SCALEWAY, ScalewayApi

REPOSITORY = "acme/app"


@contextmanager
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FakeRegistry, ScalewayApi, ScalewayDriver]]:
    """Run a fake Scaleway, and a driver for it with the key in the variable of Scaleway's tools."""
    api = ScalewayApi()
    for name in ("TAGSWEEP_USERNAME", "TAGSWEEP_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SCW_SECRET_KEY", api.key)
    with FakeRegistry(SCALEWAY, access=api.access, apis=[api]) as registry:
        registry.push(REPOSITORY, images.image("shared"), "v1", "latest")
        registry.push(REPOSITORY, images.image("lonely"), "sha-1")
        options = {"api": f"http://{registry.host}{PREFIX}", "region": "fr-par"}
        settings = RegistrySettings(host=registry.host, options=options)
        driver = ScalewayDriver.connect(settings, clock=InstantClock(), progress=Quiet())
        yield registry, api, driver
        driver.close()


def test_what_scaleway_would_refuse_is_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tags that share their digest, and tags in another state than ready, say why they stay."""
    with cloud(monkeypatch) as (registry, api, driver):
        registry.push(REPOSITORY, images.image("a"), "held")
        registry.push(REPOSITORY, images.image("b"), "going")
        api.status.update({"held": "locked", "going": "deleting"})
        moment = datetime(2025, 8, 1, tzinfo=UTC)
        api.record(REPOSITORY, "sha-1", updated=moment)
        listed = {tag.name: tag for tag in driver.list_tags(REPOSITORY)}
        assert "whose digest another tag has" in listed["v1"].locked
        assert "whose digest another tag has" in listed["latest"].locked
        assert listed["held"].locked == "Scaleway has locked it"
        assert "deleting" in listed["going"].locked
        assert listed["sha-1"].locked == ""
        assert listed["sha-1"].times == {TimeOrigin.UPDATED: moment}


def test_a_digest_that_came_to_be_shared_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tag that was pushed meanwhile on the same digest makes Scaleway refuse; nothing is forced."""
    with cloud(monkeypatch) as (registry, _, driver):
        driver.probe(REPOSITORY)

        def tag_it(request: LoggedRequest) -> None:
            if request.method == "DELETE":
                registry.on_request = None
                registry.push(REPOSITORY, images.image("lonely"), "release")

        registry.on_request = tag_it
        with pytest.raises(Conflict, match="shares its digest"):
            driver.delete_tag(REPOSITORY, "sha-1")
        assert {"sha-1", "release"} <= set(registry.tags(REPOSITORY))
        assert not any("force" in request.target for request in registry.requests)


def test_a_tag_that_the_list_has_not_yet_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gone is only what the registry itself does not have."""
    with cloud(monkeypatch) as (registry, _, driver):
        driver.probe(REPOSITORY)
        assert driver.delete_tag(REPOSITORY, "never") is False

        def tag_it(request: LoggedRequest) -> None:
            if request.method == "HEAD":
                registry.on_request = None
                registry.push(REPOSITORY, images.image("new"), "late")

        registry.on_request = tag_it
        with pytest.raises(Conflict):
            driver.delete_tag(REPOSITORY, "late")


def test_a_tag_that_moved_since_it_was_looked_at_is_left_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hazard 38: the tag's id is found by its name, so that the digest beside it is compared before it is removed."""
    with cloud(monkeypatch) as (registry, _, driver):
        driver.probe(REPOSITORY)
        assert driver.resolve_tag(REPOSITORY, "sha-1") is not None
        moved = registry.push(REPOSITORY, images.image("moved"), "sha-1")
        registry.clear_log()
        with pytest.raises(Conflict, match="was moved"):
            driver.delete_tag(REPOSITORY, "sha-1")
        assert registry.count("DELETE") == 0
        assert registry.tags(REPOSITORY)["sha-1"] == moved


def test_a_404_for_a_tag_that_is_there_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scaleway says 404 of what a key may not see too, so the registry itself is asked."""
    with cloud(monkeypatch) as (registry, _, driver):
        driver.probe(REPOSITORY)
        registry.fail_next(status=404, method="DELETE")
        with pytest.raises(Conflict, match="though the registry has it"):
            driver.delete_tag(REPOSITORY, "sha-1")


def test_an_image_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way from a name to its id costs two requests, and not two a tag."""
    with cloud(monkeypatch) as (registry, _, driver):
        registry.push(REPOSITORY, images.image("second"), "sha-2")
        driver.probe(REPOSITORY)
        assert driver.delete_tag(REPOSITORY, "sha-1") is True
        assert driver.delete_tag(REPOSITORY, "sha-2") is True
        assert registry.count("GET", "/images?") == registry.count("GET", "/namespaces?") == 1


def test_images_are_listed_by_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    """All pages of one namespace, none of another; there is no list of everything."""
    with cloud(monkeypatch) as (registry, _, driver):
        for number in range(120):
            registry.push(f"acme/image-{number}", images.image("one"), "v1")
        registry.push("other/image", images.image("one"), "v1")
        assert len(list(driver.list_namespace("acme"))) == 121
        with pytest.raises(NotFound):
            list(driver.list_namespace("nobody"))
        with pytest.raises(Unsupported):
            driver.list_repositories()


def test_nothing_is_deleted_by_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scaleway describes no such thing."""
    with cloud(monkeypatch) as (_, _, driver):
        known = driver.probe(REPOSITORY)
        assert known.delete_manifest.support is Support.NO
        assert known.last_tag_takes_manifest


def test_a_key_that_may_not_delete_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """403 to the deletion of a tag that nobody has."""
    with cloud(monkeypatch) as (_, api, driver):
        api.may_delete = False
        found = driver.probe(REPOSITORY).delete_tag
        assert found.support is Support.NO
        assert "insufficient permissions" in found.why


def test_the_region_is_in_the_name_of_the_host() -> None:
    """rg.nl-ams.scw.cloud tells it; another host needs the option."""
    clock, progress = InstantClock(), Quiet()
    ScalewayDriver.connect(RegistrySettings(host="rg.nl-ams.scw.cloud"), clock=clock, progress=progress).close()
    with pytest.raises(ConfigurationError, match="region"):
        ScalewayDriver.connect(RegistrySettings(host="registry.example.com"), clock=clock, progress=progress)
