"""What is special of Artifactory: tags as folders, images within them, platforms, and the trash can."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from tagsweep.drivers.artifactory import ArtifactoryDriver
from tagsweep.drivers.artifactory_files import Place, query
from tagsweep.model.capability import Support
from tagsweep.model.errors import Conflict, InvalidReference, PermissionDenied, ProtocolViolation, Unsupported
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.testing import images
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import InstantClock, Quiet
from tagsweep.testing.vendors.artifactory import ARTIFACTORY, ArtifactoryApi

REPOSITORY = "docker-local/team/app"
NOON = datetime(2025, 8, 1, 12, tzinfo=UTC)


@contextmanager
def artifactory(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[FakeRegistry, ArtifactoryApi, ArtifactoryDriver, Quiet]]:
    """Run a fake Artifactory, and a driver for it."""
    api, progress = ArtifactoryApi(), Quiet()
    monkeypatch.setenv("TAGSWEEP_USERNAME", api.name)
    monkeypatch.setenv("TAGSWEEP_PASSWORD", api.token)
    with FakeRegistry(ARTIFACTORY, access=api.access, apis=[api]) as registry:
        registry.push(REPOSITORY, images.multi_platform("one"), "v1", "v2")
        settings = RegistrySettings(host=registry.host)
        driver = ArtifactoryDriver.connect(settings, clock=InstantClock(), progress=progress)
        yield registry, api, driver, progress
        driver.close()


def test_the_search_tells_digests_and_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest is that of the manifest's file; of its times the latest is the push, and a download a pull."""
    with artifactory(monkeypatch) as (registry, api, driver, _):
        api.record(REPOSITORY, "v1", created=NOON, modified=NOON + timedelta(days=1), downloaded=NOON)
        listed = {tag.name: tag for tag in driver.list_tags(REPOSITORY)}
        assert listed["v1"].digest == registry.tags(REPOSITORY)["v1"]
        assert listed["v1"].times == {TimeOrigin.PUSHED: NOON + timedelta(days=1), TimeOrigin.PULLED: NOON}


def test_a_query_names_what_a_user_must_ask_for() -> None:
    """Repository, path and name are among the fields, and a quote in a name stays within its string."""
    text = query(Place(key='a"b', image="app")).decode()
    assert text.startswith('items.find({"repo": "a\\"b", "path": {"$match": "app/*"}')
    assert '.include("repo","path","name"' in text


def test_an_image_below_a_tag_is_never_taken_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """The listing locks the tag, and a deletion that is asked for all the same is refused before it is sent."""
    with artifactory(monkeypatch) as (registry, _, driver, _):
        registry.push(f"{REPOSITORY}/v1", images.image("nested"), "deep")
        locked = {tag.name: tag.locked for tag in driver.list_tags(REPOSITORY)}
        assert "would go with it" in locked["v1"]
        assert locked["v2"] == ""
        driver.probe(REPOSITORY)
        registry.clear_log()
        with pytest.raises(Conflict, match="holds other folders"):
            driver.delete_tag(REPOSITORY, "v1")
        assert registry.count("DELETE") == 0


def test_a_platform_that_is_shown_as_a_tag_is_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders sha256__… are shared by the tags of multi-platform images."""
    with artifactory(monkeypatch) as (registry, _, driver, _):
        platform = "sha256__" + "a" * 64
        registry.push(REPOSITORY, images.image("platform"), platform)
        locked = {tag.name: tag.locked for tag in driver.list_tags(REPOSITORY)}
        assert "platform" in locked[platform]
        driver.probe(REPOSITORY)
        with pytest.raises(Conflict):
            driver.delete_tag(REPOSITORY, platform)


@pytest.mark.parametrize("kind", ["virtual", "remote"])
def test_only_local_repositories_are_swept(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """In others nothing is deleted, and the reason names the kind."""
    with artifactory(monkeypatch) as (registry, api, driver, _):
        api.kinds["docker-local"] = kind
        found = driver.probe(REPOSITORY).delete_tag
        assert found.support is Support.NO
        assert kind in found.why
        assert registry.count("GET", "packageType") == 0  # repositories of the type OCI are among them
        assert registry.count("DELETE") == 0


def test_a_tag_without_its_folder_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry has the tag from elsewhere, so that it is not gone."""
    with artifactory(monkeypatch) as (registry, _, driver, _):
        driver.probe(REPOSITORY)
        assert driver.delete_tag(REPOSITORY, "never") is False
        registry.fail_next(status=404, method="GET", path_contains="/api/storage/")
        with pytest.raises(Conflict, match="has no folder"):
            driver.delete_tag(REPOSITORY, "v1")


def test_a_404_for_a_tag_that_is_there_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a user without the right to delete gets 403 or 404 is not described, so 404 alone is not gone."""
    with artifactory(monkeypatch) as (registry, _, driver, _):
        driver.probe(REPOSITORY)
        registry.fail_next(status=404, method="DELETE")
        with pytest.raises(Conflict, match="though the registry has it"):
            driver.delete_tag(REPOSITORY, "v1")


def test_refusals_in_one_image_do_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rights are given by path: ten refusals of one image's tags open its circuit, and another image is swept on."""
    other = "docker-local/team/other"
    with artifactory(monkeypatch) as (registry, _, driver, _):
        registry.push(other, images.image("other"), "v1")
        for repository in (REPOSITORY, other):
            driver.probe(repository)
        registry.fail_next(10, status=403, code="", method="DELETE", path_contains="/team/app/")
        for _ in range(11):
            with pytest.raises(PermissionDenied):
                driver.delete_tag(REPOSITORY, "v1")
        assert driver.delete_tag(other, "v1") is True


def test_a_search_that_is_cut_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing in it would look like tags without pulls and without images below them."""
    with artifactory(monkeypatch) as (_, api, driver, _):
        api.trims = True
        with pytest.raises(ProtocolViolation, match="cuts the result"):
            driver.list_tags(REPOSITORY)


def test_without_the_search_no_time_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who may not search gets every tag, and a note."""
    with artifactory(monkeypatch) as (_, api, driver, progress):
        api.may_search = False
        assert [(tag.name, dict(tag.times)) for tag in driver.list_tags(REPOSITORY)] == [("v1", {}), ("v2", {})]
        assert any("may not search" in note for note in progress.notes)


def test_the_trash_can_is_not_emptied_over_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tag that was pushed again is not replaced; an older deletion on another digest is not this one."""
    with artifactory(monkeypatch) as (registry, _, driver, _):
        old = registry.tags(REPOSITORY)["v1"]
        new = images.image("new")
        driver.probe(REPOSITORY)
        assert driver.delete_tag(REPOSITORY, "v1")
        registry.push(REPOSITORY, new, "v1")
        assert driver.take_back(REPOSITORY, old, ["v1"]) is False
        assert registry.tags(REPOSITORY)["v1"] == new.top
        assert driver.delete_tag(REPOSITORY, "v1")
        assert driver.take_back(REPOSITORY, old, ["v1"]) is False
        assert driver.take_back(REPOSITORY, old, []) is False


def test_a_repository_of_its_own_host_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the host's name tells the repository, the option does; otherwise the path begins with its key."""
    with artifactory(monkeypatch) as (registry, _, driver, _):
        assert list(driver.list_namespace("docker-local")) == [REPOSITORY]
        with pytest.raises(Unsupported):
            driver.list_repositories()
        with pytest.raises(InvalidReference):
            driver.probe("app")
        settings = RegistrySettings(host=registry.host, options={"repository": "docker-local"})
        other = ArtifactoryDriver.connect(settings, clock=InstantClock(), progress=Quiet())
        assert list(other.list_repositories()) == ["team/app"]
        assert list(other.list_namespace("team")) == ["team/app"]
        other.close()


def test_jfrogs_token_goes_to_its_own_host_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """JF_ACCESS_TOKEN is used where JF_URL names this host, and nowhere else."""
    with artifactory(monkeypatch) as (registry, api, _, _):
        for name in ("TAGSWEEP_USERNAME", "TAGSWEEP_PASSWORD"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("JF_ACCESS_TOKEN", api.token)
        monkeypatch.setenv("JF_USER", api.name)
        monkeypatch.setenv("DOCKER_CONFIG", "/nonexistent")
        for url, works in ((f"http://{registry.host}", True), ("https://other.example", False)):
            monkeypatch.setenv("JF_URL", url)
            settings = RegistrySettings(host=registry.host)
            driver = ArtifactoryDriver.connect(settings, clock=InstantClock(), progress=Quiet())
            try:
                found = [tag.name for tag in driver.list_tags(REPOSITORY)]
            except Exception:  # noqa: BLE001 - whatever a refused stranger gets
                found = []
            assert bool(found) is works
            driver.close()
