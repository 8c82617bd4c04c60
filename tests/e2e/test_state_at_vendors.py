"""States at registries whose registry API deletes nothing: their own API removes what is old, where it may."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import pytest

from tagsweep.drivers.oci_storing import connect_for_state
from tagsweep.model.policy import RegistrySettings
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import InstantClock, Quiet
from tagsweep.testing.vendors.dockerhub import DOCKER_HUB, HubApi, HubLogin, Right
from tagsweep.testing.vendors.ghcr import GHCR, GitHubPackages
from tests.e2e.kit import Place
from tests.e2e.runners import HOME, remote, states

MAY_DELETE = HubLogin(name="ops", secret="dckr_pat_may_delete")
MAY_PUSH = HubLogin(name="ops", secret="dckr_pat_may_push", scope=Right.WRITE)


@dataclass(frozen=True, slots=True)
class Keeping:
    """A registry that keeps a state, and the driver that a policy would name for it."""

    registry: FakeRegistry
    driver: str


@contextmanager
def docker_hub(monkeypatch: pytest.MonkeyPatch, login: HubLogin = MAY_DELETE) -> Iterator[Keeping]:
    """Run a fake Docker Hub."""
    monkeypatch.setenv("TAGSWEEP_USERNAME", login.name)
    monkeypatch.setenv("TAGSWEEP_PASSWORD", login.secret)
    with FakeRegistry(DOCKER_HUB, apis=[HubApi(logins=[login])]) as registry:
        monkeypatch.setenv("DOCKER_HUB_API_URL", f"http://{registry.host}")
        yield Keeping(registry, "dockerhub")


@contextmanager
def ghcr(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keeping]:
    """Run a fake GitHub container registry."""
    api = GitHubPackages(owners={"ops": "Organization"})
    monkeypatch.setenv("TAGSWEEP_USERNAME", "ops")
    monkeypatch.setenv("TAGSWEEP_PASSWORD", api.token)
    with FakeRegistry(GHCR, access=api.access, apis=[api]) as registry:
        monkeypatch.setenv("GITHUB_API_URL", f"http://{registry.host}/api/v3")
        yield Keeping(registry, "ghcr")


def learn(keeping: Keeping, place: Place, number: int) -> None:
    """Be a command that learns something and works on something."""
    session = remote(keeping.registry, place.directory, number, driver=keeping.driver)
    with session, session.state.lock("registry.example.com/app"):
        session.ledger.register_plan(f"plan-{number}", "seal", session.clock.now())


@pytest.mark.parametrize("vendor", [docker_hub, ghcr], ids=["dockerhub", "ghcr"])
def test_old_states_and_leases_are_removed(vendor: object, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """After six commands the last two states are there, and of the leases at most the first, which GitHub holds fast as
    the only version there was; nothing that was learnt is lost.
    """
    with (docker_hub if vendor is docker_hub else ghcr)(monkeypatch) as keeping:
        for number in range(6):
            learn(keeping, place, number)
        found = states(keeping.registry)
        assert len([tag for tag in found if "lease" not in tag]) == 2
        assert len(found) == (3 if keeping.driver == "ghcr" else 2)
        with remote(keeping.registry, place.directory, 7, driver=keeping.driver) as session:
            assert [session.ledger.seal_of_plan(f"plan-{number}") for number in range(6)] == ["seal"] * 6


def test_a_state_that_somebody_tagged_stays(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """GitHub deletes a digest with all its tags: an old state that has a tag of somebody's own is left there."""
    with ghcr(monkeypatch) as keeping:
        learn(keeping, place, 0)
        (kept,) = [tag for tag in states(keeping.registry) if "lease" not in tag]
        settings = RegistrySettings(host=keeping.registry.host)
        with closing(connect_for_state(settings, clock=InstantClock(), progress=Quiet())) as driver:
            manifest = driver.fetch_manifest(HOME, kept)
            assert manifest is not None
            driver.put_manifest(HOME, "before-the-move", manifest)
        for number in range(1, 5):
            learn(keeping, place, number)
        found = [tag for tag in states(keeping.registry) if "lease" not in tag]
        assert {"before-the-move", kept} <= set(found)
        assert len(found) == 4


def test_where_nothing_may_be_deleted_all_stays_and_nothing_fails(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that may only push: each command leaves its state and its lease, as the page says, and ends well."""
    with docker_hub(monkeypatch, MAY_PUSH) as keeping:
        for number in range(3):
            learn(keeping, place, number)
        assert len(states(keeping.registry)) == 6
        # What is left is looked at, and not pulled: Docker Hub counts pulls.
        keeping.registry.clear_log()
        learn(keeping, place, 3)
        gets = [one.target for one in keeping.registry.requests if one.method == "GET" and "/manifests/" in one.target]
        assert len(gets) == 1
