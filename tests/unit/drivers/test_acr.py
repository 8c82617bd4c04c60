"""What is special of Azure Container Registry: locks, untagging, pages, tokens, and what each answer means."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Self

import pytest

from tagsweep.drivers.acr import AcrDriver
from tagsweep.drivers.acr_login import AcrLogin
from tagsweep.http.transport import CurlTransport
from tagsweep.model.capability import Support
from tagsweep.model.errors import AuthenticationFailed, Conflict, NotFound, ProtocolViolation, RegistryError
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.testing import images
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import InstantClock, Quiet
from tagsweep.testing.vendors.acr import ACR, AcrFake, Lock

REPOSITORY = "team/app"
PASSWORD = "keep-this-out"


@contextmanager
def acr(
    monkeypatch: pytest.MonkeyPatch, *, clock: InstantClock | None = None, docker: bool = True, **more: Any
) -> Iterator[tuple[FakeRegistry, AcrFake, AcrDriver]]:
    """Run a fake ACR and a driver for it; without ``docker`` there is only the identity of Azure."""
    api = AcrFake(**{"password": PASSWORD, **more})
    if docker:
        monkeypatch.setenv("TAGSWEEP_USERNAME", api.username)
        monkeypatch.setenv("TAGSWEEP_PASSWORD", PASSWORD)
    else:
        monkeypatch.delenv("TAGSWEEP_USERNAME", raising=False)
        monkeypatch.delenv("TAGSWEEP_PASSWORD", raising=False)
        monkeypatch.setenv("DOCKER_CONFIG", "/nonexistent")
    with FakeRegistry(ACR, apis=[api]) as registry:
        settings = RegistrySettings(host=registry.host, options={} if docker else {"entra": True})
        driver = AcrDriver.connect(settings, clock=clock or InstantClock(), progress=Quiet())
        yield registry, api, driver
        driver.close()


# --- listing --------------------------------------------------------------------------------------------------------
def test_times_are_of_the_last_push(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hazard 18: a tag that was pushed again is as new as that push; when it was first made does not count."""
    updated = datetime(2025, 6, 1, 12, tzinfo=UTC)
    with acr(monkeypatch) as (registry, api, driver):
        digest = registry.push(REPOSITORY, images.image("one"), "v1")
        api.record(REPOSITORY, "v1", updated)
        (tag,) = driver.list_tags(REPOSITORY)
        assert tag.digest == digest
        assert {origin: at.replace(microsecond=0) for origin, at in tag.times.items()} == {
            TimeOrigin.PUSHED: updated,
            TimeOrigin.UPDATED: updated,
        }


def test_all_pages_of_tags_and_manifests_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock on the last page holds as one on the first does."""
    with acr(monkeypatch, page=2) as (registry, api, driver):
        digests = {f"v{n}": registry.push(REPOSITORY, images.image(f"image {n}"), f"v{n}") for n in range(7)}
        for digest in digests.values():
            api.lock(REPOSITORY, digest, Lock(delete_enabled=False))
        listed = driver.list_tags(REPOSITORY)
        assert {tag.name: tag.digest for tag in listed} == digests
        assert all("the manifest is locked" in tag.locked for tag in listed)


def test_pages_of_another_host_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A next page elsewhere would get the token: it is refused."""
    with acr(monkeypatch, page=1) as (registry, api, driver):
        registry.push(REPOSITORY, images.image("one"), "v1", "v2")
        inner = api._paged

        def elsewhere(*arguments: Any) -> Any:
            made = inner(*arguments)
            headers = {**made.headers, "Link": '<https://elsewhere.example.com/acr/v1/x>; rel="next"'}
            return type(made)(status=made.status, headers=headers, body=made.body)

        monkeypatch.setattr(api, "_paged", elsewhere)
        with pytest.raises(ProtocolViolation, match=r"elsewhere\.example\.com"):
            driver.list_tags(REPOSITORY)


def test_an_unknown_repository_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty list would read as "all gone"."""
    with acr(monkeypatch) as (registry, _, driver):
        registry.push(REPOSITORY, images.image("one"), "v1")
        with pytest.raises(NotFound):
            driver.list_tags("team/nothing")


def test_an_error_in_the_locks_is_no_freedom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the manifests cannot be listed, nothing is said to be unlocked: the listing fails."""
    with acr(monkeypatch) as (registry, _, driver):
        registry.push(REPOSITORY, images.image("one"), "v1")
        registry.fail_next(20, status=500, path_contains="/_manifests")
        with pytest.raises(RegistryError):
            driver.list_tags(REPOSITORY)


# --- locks ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("lock", [Lock(delete_enabled=False), Lock(write_enabled=False)])
def test_locks_of_both_kinds_are_told(monkeypatch: pytest.MonkeyPatch, lock: Lock) -> None:
    """Hazard 36: the tag's own lock and that of its manifest each keep the tag; its siblings on a free digest go."""
    with acr(monkeypatch) as (registry, api, driver):
        held = registry.push(REPOSITORY, images.image("held"), "a", "b")
        registry.push(REPOSITORY, images.image("free"), "c", "d")
        api.lock(REPOSITORY, held, lock)
        api.lock(REPOSITORY, "c", lock)
        told = {tag.name: tag.locked for tag in driver.list_tags(REPOSITORY)}
        assert "the manifest is locked" in told["a"]
        assert "the manifest is locked" in told["b"]
        assert "the tag is locked" in told["c"]
        assert told["d"] == ""


def test_a_locked_repository_keeps_every_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the repository itself is locked, each tag stays with that reason, and no manifest is deleted."""
    with acr(monkeypatch) as (registry, api, driver):
        digest = registry.push(REPOSITORY, images.image("one"), "v1", "v2")
        driver.probe(REPOSITORY)
        api.lock(REPOSITORY, "", Lock(write_enabled=False))
        assert all("the repository is locked" in tag.locked for tag in driver.list_tags(REPOSITORY))
        with pytest.raises(Conflict, match="the repository is locked"):
            driver.delete_manifest(REPOSITORY, digest)
        assert registry.count("DELETE", digest) == 0


def test_what_a_locked_index_reaches_is_not_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hazard 36: Azure would delete the platform of a locked index; the driver refuses, at any depth."""
    with acr(monkeypatch) as (registry, api, driver):
        inner = images.multi_platform("inner", attestations=False)
        outer = images.index([inner])
        registry.push(REPOSITORY, inner, "build")
        registry.push(REPOSITORY, outer)
        api.lock(REPOSITORY, outer.top, Lock(delete_enabled=False))
        driver.probe(REPOSITORY)
        for digest in (inner.top, inner.children[0].digest, outer.top):
            with pytest.raises(Conflict, match="locked in Azure Container Registry"):
                driver.delete_manifest(REPOSITORY, digest)
        assert registry.count("DELETE", inner.top) == 0
        assert "needs it" in driver.list_tags(REPOSITORY)[0].locked


def test_a_lock_that_came_since_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was locked after it was listed is refused by Azure itself, and that is no missing right."""
    with acr(monkeypatch) as (registry, api, driver):
        digest = registry.push(REPOSITORY, images.image("one"), "v1", "v2")
        driver.probe(REPOSITORY)
        driver.list_tags(REPOSITORY)
        api.lock(REPOSITORY, "v1", Lock(delete_enabled=False))
        with pytest.raises(Conflict):
            driver.delete_tag(REPOSITORY, "v1")
        with pytest.raises(Conflict):
            driver.delete_manifest(REPOSITORY, digest)
        assert set(registry.tags(REPOSITORY)) == {"v1", "v2"}


# --- untagging ------------------------------------------------------------------------------------------------------
def test_untagging_is_never_the_deletion_of_a_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    """T9: the call that names a tag and takes the manifest with all its tags is not the one that is used."""
    with acr(monkeypatch) as (registry, _, driver):
        digest = registry.push(REPOSITORY, images.image("one"), "v1", "v2")
        driver.probe(REPOSITORY)
        registry.clear_log()
        assert driver.delete_tag(REPOSITORY, "v1")
        assert [one.target.partition("?")[0] for one in registry.requests if one.method == "DELETE"][-1].endswith(
            "/acr/v1/team/app/_tags/v1"
        )
        assert registry.count("DELETE", "/v2/") == 0
        assert registry.tags(REPOSITORY) == {"v2": digest}


def test_a_missing_right_is_found_by_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that may only read is told so before the plan; the password is in no word of it."""
    with acr(monkeypatch, granted=frozenset({"pull", "metadata_read"})) as (registry, _, driver):
        registry.push(REPOSITORY, images.image("one"), "v1")
        known = driver.probe(REPOSITORY)
        assert known.delete_tag.support is Support.NO
        assert known.delete_manifest.support is Support.NO
        assert "lack the delete right" in known.delete_tag.why
        assert PASSWORD not in repr(known)
        assert len(driver.list_tags(REPOSITORY)) == 1


# --- the identity of Azure --------------------------------------------------------------------------------------------
class Identity:
    """What azure-identity gives, with one token that a test knows."""

    asked = 0

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End."""

    def get_token(self, scope: str) -> Any:
        """Return the token."""
        assert scope == "https://containerregistry.azure.net/.default"
        type(self).asked += 1
        return SimpleNamespace(token="azure-token")


def test_a_token_of_azure_is_exchanged_and_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The identity buys a refresh token for three hours, once for all repositories; a later one replaces it in time."""
    monkeypatch.setattr("azure.identity.DefaultAzureCredential", Identity)
    clock = InstantClock()
    with acr(monkeypatch, clock=clock, docker=False) as (registry, api, driver):
        for name in ("team/a", "team/b"):
            registry.push(name, images.image("one"), "v1")
            assert len(driver.list_tags(name)) == 1
        assert api.exchanges == 1
        clock.sleep(2.5 * 3600)
        driver.list_tags("team/a")
        assert api.exchanges == 1
        api.forget_tokens()
        clock.sleep(0.5 * 3600)
        assert len(driver.list_tags("team/a")) == 1
        assert api.exchanges == 2


def test_a_token_of_azure_goes_to_azure_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose name is not Azure's gets no token of the identity, unless the policy says so."""
    monkeypatch.setattr("azure.identity.DefaultAzureCredential", Identity)
    for name in ("TAGSWEEP_USERNAME", "TAGSWEEP_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", "/nonexistent")
    asked = Identity.asked
    transport = CurlTransport(place="none")
    login = AcrLogin("acr.example.com", "https://acr.example.com", transport=transport, clock=InstantClock())
    assert login.find("team/app") is None
    login.close()
    assert Identity.asked == asked


def test_a_refused_identity_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Azure gives no token, or the registry does not take it, that is said without the token's words."""

    class Broken(Identity):
        def get_token(self, scope: str) -> Any:
            raise RuntimeError(f"keep-this-out {scope}")

    with acr(monkeypatch, docker=False) as (registry, _, driver):
        registry.push(REPOSITORY, images.image("one"), "v1")
        monkeypatch.setattr("azure.identity.DefaultAzureCredential", Broken)
        with pytest.raises(AuthenticationFailed, match="RuntimeError") as caught:
            driver.list_tags(REPOSITORY)
        assert "keep-this-out" not in str(caught.value)
    monkeypatch.setattr("azure.identity.DefaultAzureCredential", Identity)
    with acr(monkeypatch, docker=False, entra="another") as (registry, _, driver):
        registry.push(REPOSITORY, images.image("one"), "v1")
        with pytest.raises(AuthenticationFailed, match="exchange the Azure token"):
            driver.list_tags(REPOSITORY)


def test_without_azures_package_nobody_is_signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has no docker login and no extra is asked to log in."""
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with acr(monkeypatch, docker=False) as (registry, _, driver):
        registry.push(REPOSITORY, images.image("one"), "v1")
        with pytest.raises(RegistryError, match="without credentials"):
            driver.list_tags(REPOSITORY)


# --- what we did not write --------------------------------------------------------------------------------------------
def test_azures_sdk_understands_the_fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """azure-containerregistry as a client of the fake: it exchanges tokens, pages, reads locks, locks and untags."""
    sdk = pytest.importorskip("azure.containerregistry", reason="Azure's SDK is not installed")
    credential = SimpleNamespace(get_token=lambda *_, **__: SimpleNamespace(token="azure-token"))
    plain = {"enforce_https": False}
    with acr(monkeypatch, page=2) as (registry, _, driver):
        for number in range(5):
            registry.push(REPOSITORY, images.image(f"image {number}"), f"v{number}")
        digests = registry.tags(REPOSITORY)
        client = sdk.ContainerRegistryClient(f"http://{registry.host}", credential)
        listed = {tag.name: tag.digest for tag in client.list_tag_properties(REPOSITORY, **plain)}
        assert listed == digests
        manifests = list(client.list_manifest_properties(REPOSITORY, **plain))
        assert {each.digest for each in manifests} == set(digests.values())
        client.update_tag_properties(REPOSITORY, "v0", can_delete=False, **plain)
        client.update_manifest_properties(REPOSITORY, digests["v1"], can_write=False, **plain)
        told = {tag.name for tag in driver.list_tags(REPOSITORY) if tag.locked}
        assert told == {"v0", "v1"}
        client.delete_tag(REPOSITORY, "v2", **plain)
        client.delete_tag(REPOSITORY, "v2", **plain)  # the SDK takes absent as done
        assert set(registry.tags(REPOSITORY)) == set(digests) - {"v2"}
        with pytest.raises(Exception, match="disallowed"):
            client.delete_tag(REPOSITORY, "v0", **plain)
        assert client.get_tag_properties(REPOSITORY, "v0", **plain).can_delete is False
        client.close()
