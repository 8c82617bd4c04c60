"""The TensorZero sweep on Azure Container Registry: one tag goes alone, locks hold, and everything comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.images import index, multi_platform
from tagsweep.testing.vendors.acr import ACR, AcrFake, Lock
from tests.e2e.kit import (
    GATEWAY,
    SHA,
    Place,
    both_sizes,
    codes,
    decisions,
    fill,
    gateway,
    part_of,
    removed,
    size,
)
from tests.e2e.sweeps import Sweep, vendor_policy


@contextmanager
def azure(
    monkeypatch: pytest.MonkeyPatch, *, filled: bool = True, part: bool = False, **options: Any
) -> Iterator[tuple[FakeRegistry, AcrFake]]:
    """Run a fake ACR with tensorzero/gateway, for a user with the password of a token."""
    api = AcrFake(**options)
    with FakeRegistry(ACR, apis=[api]) as registry:
        listed = part_of(gateway()) if part else gateway()
        if filled:
            fill(registry, listed)
            for record in listed.records:
                api.record(GATEWAY, record.tag, record.pushed_at)
        monkeypatch.setenv("TAGSWEEP_USERNAME", api.username)
        monkeypatch.setenv("TAGSWEEP_PASSWORD", api.password)
        yield registry, api


def acr_policy(host: str) -> str:
    """Return the policy of the sweep."""
    return vendor_policy(host, "acr")


@both_sizes
def test_the_sweep_and_the_way_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """T9: 107 tags are untagged, no release loses its manifest, 72 images go by digest, and restore puts all back."""
    with azure(monkeypatch) as (registry, _):
        sweep = Sweep(place, registry, acr_policy(registry.host))
        sweep.plan()
        sweep.apply()
        assert len(registry.manifests(GATEWAY)) == 5 * len(set(sweep.left.values()))
        assert registry.count("DELETE", "/_tags/sha-") == size().builds
        sweep.restore()
        assert registry.manifests(GATEWAY) == sweep.manifests


@pytest.mark.parametrize("attribute", ["delete_enabled", "write_enabled"])
def test_locks_of_tags_and_of_manifests_hold(place: Place, monkeypatch: pytest.MonkeyPatch, attribute: str) -> None:
    """Hazard 36: a locked tag stays, and so do all tags on a locked manifest, each with the reason; the rest goes."""
    lock = Lock(**{attribute: False})
    with azure(monkeypatch, part=True) as (registry, api):
        tags = registry.tags(GATEWAY)
        builds = sorted(tag for tag in tags if SHA.fullmatch(tag))
        by_tag, by_digest = builds[0], builds[-1]
        api.lock(GATEWAY, by_tag, lock)
        api.lock(GATEWAY, tags[by_digest], lock)
        held = {tag for tag in builds if tag == by_tag or tags[tag] == tags[by_digest]}
        place.write(acr_policy(registry.host))
        planned = place.make_plan("--json")
        assert removed(planned) == set(builds) - held
        assert all(codes(decisions(planned)[tag]) == {"cannot-delete"} for tag in held)
        assert "locked in Azure Container Registry" in planned.out
        place.apply()
        assert held <= registry.tags(GATEWAY).keys()
        assert all(tags[tag] in registry.manifests(GATEWAY) for tag in held)
        place.run("verify")


def test_a_locked_index_without_a_tag_holds_its_platforms(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hazard 36: a build that a locked, untagged index lists stays, with what it reaches, though no tag says so."""
    with azure(monkeypatch, filled=False) as (registry, api):
        shared, free = multi_platform("shared", attestations=False), multi_platform("free", attestations=False)
        release = index([shared])
        registry.push(GATEWAY, shared, "sha-1111111")
        registry.push(GATEWAY, free, "sha-2222222")
        registry.push(GATEWAY, release)
        api.lock(GATEWAY, release.top, Lock(delete_enabled=False))
        place.write(acr_policy(registry.host))
        planned = place.make_plan("--json")
        assert removed(planned) == {"sha-2222222"}
        assert "which is locked in Azure Container Registry, needs it" in planned.out
        place.apply()
        assert registry.tags(GATEWAY) == {"sha-1111111": shared.top}
        held = {manifest.digest for manifest in (*shared.manifests, *release.manifests)}
        assert held <= registry.manifests(GATEWAY).keys()


def test_the_report_speaks_of_soft_delete(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Doctor says in Azure's words what brings a deletion back and how the space comes back."""
    with azure(monkeypatch, part=True) as (registry, _):
        place.write(acr_policy(registry.host))
        told = " ".join(place.run("doctor", "-c", str(place.policy)).out.split())
        assert "soft delete" in told
        assert "az acr manifest restore" in told


def test_who_may_not_delete_is_told_before_the_plan(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token without content/delete keeps everything, and the plan says so."""
    with azure(monkeypatch, part=True, granted=frozenset({"pull", "push", "metadata_read"})) as (registry, _):
        place.write(acr_policy(registry.host))
        planned = place.make_plan("--json")
        assert removed(planned) == set()
        assert "lack the delete right" in planned.out
