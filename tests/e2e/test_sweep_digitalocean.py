"""The TensorZero sweep on DigitalOcean: tags go one by one, and manifests wait for its garbage collection."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.vendors.digitalocean import DIGITALOCEAN, PREFIX, DigitalOceanApi
from tests.e2e.kit import GATEWAY, SHA, Place, both_sizes, codes, decisions, fill, gateway
from tests.e2e.sweeps import Sweep, doctor, vendor_policy


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FakeRegistry, DigitalOceanApi]]:
    """Yield a DigitalOcean that holds tensorzero/gateway, for a user of doctl."""
    api = DigitalOceanApi()
    monkeypatch.setenv("DIGITALOCEAN_ACCESS_TOKEN", api.token)
    with FakeRegistry(DIGITALOCEAN, access=api.access, apis=[api]) as registry:
        fill(registry, gateway())
        yield registry, api


def cloud_policy(host: str) -> str:
    """Return the policy of the sweep, with the API where the fake has it."""
    options = f'{{api: "http://{host}{PREFIX}"}}'
    return vendor_policy(host, "digitalocean", target="tensorzero/*", options=options)


@both_sizes
def test_the_builds_go_alone_and_come_back(place: Place, cloud: tuple[FakeRegistry, DigitalOceanApi]) -> None:
    """107 tags go by the API, also the 35 on a release's digest; no manifest goes, so every tag can be put back."""
    registry, _ = cloud
    sweep = Sweep(place, registry, cloud_policy(registry.host))
    sweep.plan()
    sweep.apply()
    assert registry.manifests(GATEWAY) == sweep.manifests
    assert registry.count("DELETE", "/v2/tensorzero/gateway/manifests") == 0
    sweep.restore()


def test_a_token_that_cannot_delete_is_told_before_the_plan(
    place: Place, cloud: tuple[FakeRegistry, DigitalOceanApi]
) -> None:
    """Nothing is planned to go, and the reason is DigitalOcean's own."""
    registry, api = cloud
    api.may_delete = False
    planned = Sweep(place, registry, cloud_policy(registry.host)).plan(())
    assert all(codes(one) == {"cannot-delete"} for tag, one in decisions(planned).items() if SHA.fullmatch(tag))
    assert "You are not authorized" in planned.out


def test_doctor_says_how_space_comes_back(place: Place, cloud: tuple[FakeRegistry, DigitalOceanApi]) -> None:
    """In DigitalOcean's words: nothing is freed until its garbage collection is started."""
    registry, _ = cloud
    assert "doctl registry garbage-collection start" in doctor(place, cloud_policy(registry.host))
