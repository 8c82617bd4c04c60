"""The `oci` driver against registries that refuse, stumble, limit or lie."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tagsweep.drivers.oci import OciDriver
from tagsweep.http.pool import Pool
from tagsweep.model.capability import Support
from tagsweep.model.errors import (
    AuthenticationFailed,
    PermissionDenied,
    ProtocolViolation,
    RegistryError,
    ServerFailed,
    Unreachable,
)
from tagsweep.model.policy import RegistrySettings
from tagsweep.testing import images
from tagsweep.testing.access import BasicAccess, BearerAccess
from tagsweep.testing.dialects import DISTRIBUTION_3, OCI, LinkForm, Refusal
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.faults import RetryForm, TimedLimit
from tagsweep.testing.harness import InstantClock, Quiet

REPOSITORY = "team/app"
IMAGE = images.multi_platform("one")


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the machine's own credentials out of the test."""
    empty = str(tmp_path_factory.mktemp("home"))
    for name in ("HOME", "DOCKER_CONFIG", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, empty)
    for name in ("REGISTRY_AUTH_FILE", "TAGSWEEP_USERNAME", "TAGSWEEP_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


def _log_in(monkeypatch: pytest.MonkeyPatch, password: str = BasicAccess().password) -> None:
    monkeypatch.setenv("TAGSWEEP_USERNAME", "user")
    monkeypatch.setenv("TAGSWEEP_PASSWORD", password)


def _connect(registry: FakeRegistry, clock: InstantClock | None = None) -> OciDriver:
    registry.push(REPOSITORY, IMAGE, "v1", "latest")
    settings = RegistrySettings(host=registry.host)
    return OciDriver.connect(settings, clock=clock or InstantClock(), progress=Quiet())


# --- access -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "access", [BasicAccess(), BearerAccess(), BearerAccess(readable=False)], ids=["basic", "bearer", "opaque bearer"]
)
def test_everything_works_with_the_right_credentials(
    access: BasicAccess | BearerAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading, probing, deleting and putting back work through basic and bearer authentication."""
    _log_in(monkeypatch)
    with FakeRegistry(access=access) as registry:
        driver = _connect(registry)
        assert driver.resolve_tag(REPOSITORY, "v1") == IMAGE.top
        assert driver.probe(REPOSITORY).delete_tag.usable
        assert driver.delete_tag(REPOSITORY, "v1")
        assert driver.put_manifest(REPOSITORY, "v1", IMAGE.manifest) == IMAGE.top


@pytest.mark.parametrize("access", [BasicAccess(), BearerAccess()], ids=["basic", "bearer"])
def test_wrong_credentials_are_told(access: BasicAccess | BearerAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong password is AuthenticationFailed, and is nowhere in the message."""
    _log_in(monkeypatch, "hunter2-wrong")
    with FakeRegistry(access=access) as registry:
        driver = _connect(registry)
        with pytest.raises(AuthenticationFailed) as caught:
            driver.list_tags(REPOSITORY)
    assert "hunter2" not in f"{caught.value} {caught.value.remedy}"


@pytest.mark.parametrize("readable", [True, False], ids=["readable token", "opaque token"])
def test_a_token_that_silently_lacks_delete_shows_in_the_probe(
    monkeypatch: pytest.MonkeyPatch, *, readable: bool
) -> None:
    """Where the token server grants less than was asked, deletion is probed as No and nothing is deleted."""
    _log_in(monkeypatch)
    with FakeRegistry(access=BearerAccess(granted=frozenset({"pull"}), readable=readable)) as registry:
        found = _connect(registry).probe(REPOSITORY)
        assert found.delete_tag.support is Support.NO
        assert found.delete_manifest.support is Support.NO
        assert "delete" in found.delete_tag.why
        assert registry.tags(REPOSITORY) == {"v1": IMAGE.top, "latest": IMAGE.top}


def test_rights_without_delete_show_in_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that answers 403 to deletions is probed as No."""
    _log_in(monkeypatch)
    with FakeRegistry(access=BasicAccess(granted=frozenset({"pull"}))) as registry:
        assert _connect(registry).probe(REPOSITORY).delete_tag.support is Support.NO


def test_an_anonymous_client_may_read_a_public_repository() -> None:
    """Without credentials a token for pulling is asked for, and is enough to read."""
    with FakeRegistry(access=BearerAccess()) as registry:
        assert _connect(registry).resolve_tag(REPOSITORY, "v1") == IMAGE.top


def test_a_token_that_expired_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the registry no longer takes a token, a new one is asked for once."""
    _log_in(monkeypatch)
    with FakeRegistry(access=BearerAccess()) as registry:
        driver = _connect(registry)
        assert driver.resolve_tag(REPOSITORY, "v1") == IMAGE.top
        registry.expire_tokens()
        assert driver.resolve_tag(REPOSITORY, "latest") == IMAGE.top


def test_credentials_do_not_follow_a_blob_to_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A blob that is kept elsewhere is fetched there without Authorization."""
    _log_in(monkeypatch)
    dialect = replace(OCI, blobs_elsewhere=True)
    with FakeRegistry(dialect, access=BasicAccess()) as registry:
        driver = _connect(registry)
        digest, content = next(iter(IMAGE.blobs.items()))
        assert driver.fetch_blob(REPOSITORY, digest, max_bytes=10_000) == content
        elsewhere = [request for request in registry.requests if request.target.startswith("/stored/")]
        assert len(elsewhere) == 1
        assert "authorization" not in elsewhere[0].headers


def test_a_link_to_another_host_is_not_followed() -> None:
    """A page whose Link leaves the registry ends in an error, not in a shorter list."""
    dialect = replace(OCI, page_size=1, link=LinkForm.FOREIGN)
    with FakeRegistry(dialect) as registry, pytest.raises(ProtocolViolation):
        _connect(registry).list_tags(REPOSITORY)


# --- faults -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_read_survives_a_stumble(status: int) -> None:
    """A read that fails once in passing is asked again (500 is no passing failure and is told)."""
    with FakeRegistry() as registry:
        driver = _connect(registry)
        registry.fail_next(status=status, method="HEAD")
        if status == 500:
            with pytest.raises(ServerFailed):
                driver.resolve_tag(REPOSITORY, "v1")
        assert driver.resolve_tag(REPOSITORY, "v1") == IMAGE.top


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_a_failed_look_up_is_never_read_as_absent(status: int) -> None:
    """However a read fails for good, it raises: None is only for what is certainly absent."""
    with FakeRegistry() as registry:
        driver = _connect(registry)
        registry.fail_next(50, status=status, path_contains="/manifests/")
        with pytest.raises(RegistryError):
            driver.resolve_tag(REPOSITORY, "v1")


def test_a_deletion_that_got_no_answer_is_not_sent_again() -> None:
    """When the connection is lost on a DELETE the driver says so; whether it was done is for the caller to look up."""
    with FakeRegistry(DISTRIBUTION_3) as registry:
        driver = _connect(registry)
        driver.probe(REPOSITORY)
        registry.clear_log()
        registry.drop_next(method="DELETE", performed=True)
        with pytest.raises(Unreachable):
            driver.delete_tag(REPOSITORY, "v1")
        assert registry.count("DELETE") == 1
        assert driver.resolve_tag(REPOSITORY, "v1") is None
        assert driver.delete_tag(REPOSITORY, "v1") is False


def test_a_deletion_that_never_arrived_leaves_the_tag() -> None:
    """A connection lost before anything was done leaves the tag, and a second try deletes it."""
    with FakeRegistry(DISTRIBUTION_3) as registry:
        driver = _connect(registry)
        driver.probe(REPOSITORY)
        registry.drop_next(method="DELETE", performed=False)
        with pytest.raises(Unreachable):
            driver.delete_tag(REPOSITORY, "v1")
        assert driver.delete_tag(REPOSITORY, "v1") is True


@pytest.mark.parametrize("form", list(RetryForm), ids=str)
def test_a_rate_limit_is_waited_for_as_told(form: RetryForm) -> None:
    """However a registry says when to come back, or says nothing, the driver waits until it may and goes on."""
    clock = InstantClock()
    limit = TimedLimit(allowed=5, seconds=30, clock=clock, form=form)
    with FakeRegistry(rate_limit=limit) as registry:
        driver = _connect(registry, clock)
        for _ in range(12):
            assert driver.resolve_tag(REPOSITORY, "v1") == IMAGE.top
        refused = [request for request in registry.requests if request.status == 429]
    assert clock.slept >= 60
    assert len(refused) == 2 or form is RetryForm.SILENT


def test_a_limit_that_stays_for_many_tries_is_obeyed_each_time() -> None:
    """A hundred refusals in a row, each with its pause, do not end a deletion."""
    clock = InstantClock()
    with FakeRegistry(DISTRIBUTION_3) as registry:
        driver = _connect(registry, clock)
        driver.probe(REPOSITORY)
        registry.fail_next(100, status=429, method="DELETE", headers={"Retry-After": "30"})
        assert driver.delete_tag(REPOSITORY, "v1") is True
    assert clock.slept >= 3000


@pytest.mark.parametrize("form", [RetryForm.X_RETRY_AFTER, RetryForm.SILENT], ids=str)
def test_a_sweep_of_five_thousand_tags_gets_through_a_limit_of_six_hundred(form: RetryForm) -> None:
    """Docker Hub refuses after some 600 deletions: sixteen threads pause together and finish without anybody's help."""
    clock = InstantClock()
    tags = [f"sha-{number:040x}" for number in range(5000)]
    limit = TimedLimit(allowed=600, seconds=60, clock=clock, form=form, method="DELETE")
    with FakeRegistry(DISTRIBUTION_3) as registry:
        driver = _connect(registry, clock)
        registry.push(REPOSITORY, IMAGE, *tags)
        driver.probe(REPOSITORY)
        registry.faults.rate_limit = limit
        registry.clear_log()
        with Pool(16) as pool:
            done = list(pool.map_unordered(lambda tag: driver.delete_tag(REPOSITORY, tag), tags))
        refused = sum(1 for request in registry.requests if request.status == 429)
        assert registry.tags(REPOSITORY).keys() == {"v1", "latest"}
        assert registry.count("DELETE") == 5000 + refused
    assert len(done) == 5000
    assert all(gone for _, gone in done)
    windows = 5000 // 600
    assert clock.slept >= windows * 60
    # At most the sixteen on their way are refused when a limit is reached; after that one tries for all.
    tries_alone = 8 if form is RetryForm.SILENT else 1
    assert refused <= windows * (16 + tries_alone)


def test_a_read_only_registry_is_probed_as_unable() -> None:
    """A registry in maintenance refuses deletion with 405, and the probe finds that out."""
    dialect = replace(OCI, read_only=Refusal(status=405, code="UNSUPPORTED"))
    with FakeRegistry(dialect) as registry:
        found = _connect(registry).probe(REPOSITORY)
    assert (found.delete_tag.support, found.delete_manifest.support) == (Support.NO, Support.NO)


def test_a_refused_deletion_is_an_error_with_its_status() -> None:
    """A child that the registry protects (zot: 405 DENIED) stays, and the refusal is raised."""
    dialect = replace(OCI, child_delete=Refusal(status=405, code="DENIED"))
    with FakeRegistry(dialect) as registry:
        driver = _connect(registry)
        driver.probe(REPOSITORY)
        with pytest.raises(RegistryError) as caught:
            driver.delete_manifest(REPOSITORY, IMAGE.manifests[0].digest)
        assert caught.value.status == 405
        assert IMAGE.manifests[0].digest in registry.manifests(REPOSITORY)


def test_a_forbidden_repository_is_permission_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    """403 on a read is PermissionDenied."""
    _log_in(monkeypatch)
    with FakeRegistry(access=BasicAccess(granted=frozenset())) as registry, pytest.raises(PermissionDenied):
        _connect(registry).list_tags(REPOSITORY)
