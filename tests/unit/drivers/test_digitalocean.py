"""What is special of DigitalOcean: its API's paths and pages, its token, and what is not described."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from tagsweep.drivers.digitalocean import API, DigitalOceanDriver
from tagsweep.model.capability import Support
from tagsweep.model.errors import Conflict, InvalidReference, NotFound, ProtocolViolation, RateLimited, Unsupported
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import Response
from tagsweep.testing import images
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import InstantClock, Quiet
from tagsweep.testing.vendors.digitalocean import DIGITALOCEAN, PREFIX, DigitalOceanApi
from tests.unit.drivers.vendors import Scripted, connected

REPOSITORY = "acme/team/app"


@contextmanager
def cloud(
    monkeypatch: pytest.MonkeyPatch, more: Mapping[str, Any] | None = None
) -> Iterator[tuple[FakeRegistry, DigitalOceanApi, DigitalOceanDriver, InstantClock]]:
    """Run a fake DigitalOcean, and a driver for it with the token in doctl's variable."""
    api, clock = DigitalOceanApi(**(more or {})), InstantClock()
    for name in ("TAGSWEEP_USERNAME", "TAGSWEEP_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DIGITALOCEAN_ACCESS_TOKEN", api.token)
    with FakeRegistry(DIGITALOCEAN, access=api.access, apis=[api]) as registry:
        registry.push(REPOSITORY, images.multi_platform("one"), "v1", "v2")
        settings = RegistrySettings(host=registry.host, options={"api": f"http://{registry.host}{PREFIX}"})
        driver = DigitalOceanDriver.connect(settings, clock=clock, progress=Quiet())
        yield registry, api, driver, clock
        driver.close()


def test_a_slash_in_a_repository_is_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything after the registry's name is one part of the path."""
    with cloud(monkeypatch) as (registry, api, driver, _):
        moment = datetime(2025, 8, 1, tzinfo=UTC)
        api.record(REPOSITORY, "v1", updated=moment)
        listed = {tag.name: tag for tag in driver.list_tags(REPOSITORY)}
        assert listed["v1"].digest == registry.tags(REPOSITORY)["v1"]
        assert listed["v1"].times == {TimeOrigin.UPDATED: moment}
        assert registry.count("GET", "/v2/registries/acme/repositories/team%2Fapp/tags") == 1


def test_pages_of_two_hundred_are_read_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """450 tags come in three pages, each tag once."""
    with cloud(monkeypatch) as (registry, _, driver, _):
        names = {f"build-{number}" for number in range(448)}
        registry.push(REPOSITORY, images.image("many"), *names)
        assert {tag.name for tag in driver.list_tags(REPOSITORY)} == names | {"v1", "v2"}
        assert registry.count("GET", "per_page=200") == 3


def test_a_list_that_is_less_than_its_total_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is listed rather than less."""
    with cloud(monkeypatch, {"counted_more": 1}) as (_, _, driver, _), pytest.raises(ProtocolViolation):
        driver.list_tags(REPOSITORY)


def test_repositories_are_listed_by_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A namespace is a registry; there is no list of everything."""
    with cloud(monkeypatch) as (registry, _, driver, _):
        for number in range(150):
            registry.push(f"acme/app-{number}", images.image("one"), "v1")
        registry.push("other/app", images.image("one"), "v1")
        found = list(driver.list_namespace("acme"))
        assert len(found) == len(set(found)) == 151
        assert REPOSITORY in found
        with pytest.raises(Unsupported):
            driver.list_repositories()


def test_fewer_repositories_than_counted_are_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the pages end before the total, a target such as acme/* would silently skip repositories."""
    with cloud(monkeypatch, {"counted_more": 1}) as (_, _, driver, _), pytest.raises(ProtocolViolation, match="1 of 2"):
        list(driver.list_namespace("acme"))


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"repositories": [{"registry_name": "acme"}], "meta": {"total": 1}}, "has no name"),
        ({"tags": [{"tag": "no tag"}], "meta": {"total": 1}}, "which is no tag"),
    ],
)
def test_what_has_no_usable_name_is_not_left_out(document: Any, words: str) -> None:
    """An entry that is not understood makes the listing an error, and not a shorter list."""
    body = json.dumps(document).encode()
    answers = Scripted(lambda request: Response(status=200, url=request.url, body=body))
    driver = DigitalOceanDriver(connected("registry.digitalocean.com", api=answers), api=API)
    with pytest.raises(ProtocolViolation, match=words):
        list(driver.list_namespace("acme") if "repositories" in document else driver.list_tags("acme/app"))
    driver.close()


def test_nothing_is_deleted_by_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    """What that does to tags is not described, and the reason says so."""
    with cloud(monkeypatch) as (registry, _, driver, _):
        known = driver.probe(REPOSITORY)
        assert known.delete_manifest.support is Support.NO
        assert "not described" in known.delete_manifest.why
        assert not known.last_tag_takes_manifest
        registry.clear_log()
        with pytest.raises(Unsupported):
            driver.delete_manifest(REPOSITORY, registry.tags(REPOSITORY)["v1"])
        assert registry.requests == ()


def test_a_garbage_collection_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    """While it runs nothing is deleted; the tag stays and is told as such."""
    with cloud(monkeypatch) as (registry, api, driver, _):
        driver.probe(REPOSITORY)
        api.collecting = True
        with pytest.raises(Conflict, match="garbage collection"):
            driver.delete_tag(REPOSITORY, "v1")
        assert set(registry.tags(REPOSITORY)) == {"v1", "v2"}


def test_gone_is_only_what_the_registry_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 404 of the API to a tag that the registry still has is a Conflict, and no success."""
    with cloud(monkeypatch) as (registry, _, driver, _):
        driver.probe(REPOSITORY)
        registry.fail_next(status=404, method="DELETE")
        with pytest.raises(Conflict, match="though the registry has it"):
            driver.delete_tag(REPOSITORY, "v1")
        assert driver.delete_tag(REPOSITORY, "never") is False


def test_a_limit_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """429 with ratelimit-reset is obeyed, and endless ones end."""
    with cloud(monkeypatch) as (registry, _, driver, clock):
        driver.probe(REPOSITORY)
        registry.fail_next(status=429, method="DELETE", headers={"Retry-After": "30"})
        assert driver.delete_tag(REPOSITORY, "v1") is True
        assert clock.slept >= 30
        registry.fail_next(1000, status=429, method="DELETE")
        with pytest.raises(RateLimited):
            driver.delete_tag(REPOSITORY, "v2")


def test_what_is_not_there_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown repository raises; a path without a repository is no reference."""
    with cloud(monkeypatch) as (_, _, driver, _):
        with pytest.raises(NotFound):
            driver.list_tags("acme/nothing")
        with pytest.raises(InvalidReference):
            driver.list_tags("acme")


def test_the_token_is_in_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in the message nor in the remedy nor in what the driver shows of itself."""
    with cloud(monkeypatch) as (_, api, driver, _):
        token = api.token
        api.token = "another"
        with pytest.raises(Exception, match="401") as raised:
            driver.list_tags(REPOSITORY)
        assert token not in f"{raised.value!r} {vars(raised.value)} {driver!r}"
