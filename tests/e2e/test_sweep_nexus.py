"""The TensorZero sweep on Nexus: components go one by one, and a late search takes nothing wrong along."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.vendors.nexus import NEXUS, NexusApi
from tests.e2e.kit import GATEWAY, SHA, Place, both_sizes, fill, gateway
from tests.e2e.sweeps import Sweep, doctor, log_in, vendor_policy


@pytest.fixture
def nexus(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FakeRegistry, NexusApi]]:
    """Yield a Nexus whose hosted repository tensorzero holds the image gateway."""
    api = NexusApi()
    log_in(monkeypatch, api.name, api.password)
    with FakeRegistry(NEXUS, access=api.access, apis=[api]) as registry:
        fill(registry, gateway())
        yield registry, api


def nexus_policy(host: str) -> str:
    """Return the policy of the sweep."""
    return vendor_policy(host, "nexus")


@both_sizes
def test_the_builds_go_and_come_back(place: Place, nexus: tuple[FakeRegistry, NexusApi]) -> None:
    """107 components go, also the 35 on a release's digest, which keeps its manifest; restore puts all back."""
    registry, _ = nexus
    sweep = Sweep(place, registry, nexus_policy(registry.host))
    sweep.plan()
    sweep.apply()
    assert set(registry.manifests(GATEWAY)) >= set(sweep.left.values())
    sweep.restore()


@both_sizes
def test_what_the_search_does_not_know_yet_fails_alone(place: Place, nexus: tuple[FakeRegistry, NexusApi]) -> None:
    """A tag that Nexus's search has not found yet stays, and the reason names the task that helps; the rest goes."""
    registry, api = nexus
    builds = {tag for tag in registry.tags(GATEWAY) if SHA.fullmatch(tag)}
    place.write(nexus_policy(registry.host))
    place.make_plan()
    late = min(builds)
    api.unseen.add(late)
    place.apply(expect=3)
    assert builds & registry.tags(GATEWAY).keys() == {late}
    assert any("Nexus's search does not find it" in why for why in place.why().values())


def test_doctor_says_how_space_comes_back(place: Place, nexus: tuple[FakeRegistry, NexusApi]) -> None:
    """In Nexus's words: two tasks, one after the other."""
    registry, _ = nexus
    assert "Compact blob store" in doctor(place, nexus_policy(registry.host))
