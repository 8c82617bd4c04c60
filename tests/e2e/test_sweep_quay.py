"""The TensorZero sweep on Quay: tags go one by one, manifests without a tag answer no more, the time machine undoes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from tagsweep.drivers.quay import OAUTH_USER
from tagsweep.testing import images
from tagsweep.testing.access import BearerAccess
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.vendors.quay import QUAY, QuayApi, QuayToken
from tests.e2e.kit import GATEWAY, SHA, Place, both_sizes, codes, decisions, fill, gateway, removed, size
from tests.e2e.sweeps import Sweep, doctor, log_in, newest, vendor_policy

TOKEN = "oauth-token-of-a-user"


@contextmanager
def quay(
    monkeypatch: pytest.MonkeyPatch, *, most: int = 1000, robot: bool = False, **more: Any
) -> Iterator[tuple[FakeRegistry, QuayApi]]:
    """Run a fake Quay with at most so many tags of tensorzero/gateway, for an OAuth token or a robot account."""
    api = QuayApi(tokens=[QuayToken(secret=TOKEN)], **more)
    access = BearerAccess(username="tensorzero+robot" if robot else OAUTH_USER, password="robot" if robot else TOKEN)
    with FakeRegistry(QUAY, access=access, apis=[api]) as registry:
        tags = newest(most)
        fill(registry, tags)
        for record in tags.records:
            api.record(GATEWAY, record.tag, started=record.pushed_at)
        monkeypatch.setenv("SWEEP_QUAY_TOKEN", TOKEN)
        if robot:
            log_in(monkeypatch, "tensorzero+robot", "robot")
        yield registry, api


def quay_policy(host: str, target: str = GATEWAY, *, robot: bool = False) -> str:
    """Return the policy of the sweep, with the driver named because the fake is not at quay.io."""
    options = "" if robot else "{token_env: SWEEP_QUAY_TOKEN}"
    return vendor_policy(host, "quay", target=target, options=options)


@both_sizes
def test_the_builds_go_alone_and_the_time_machine_brings_them_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """107 tags go, also the 35 on a release's digest; restore asks Quay's own undo and says so."""
    with quay(monkeypatch) as (registry, _):
        sweep = Sweep(place, registry, quay_policy(registry.host, "tensorzero/*"))
        sweep.plan()
        sweep.apply()
        outcomes = sweep.restore().document["outcomes"]
        assert {each["why"] for each in outcomes} == {"by the registry's own undo"}
        assert registry.count("POST", "/restore") == size().builds


@both_sizes
def test_without_a_token_the_registry_api_does_it_with_fewer_abilities(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A robot account removes and puts back by the registry API alone; what is lacking is told before the plan."""
    with quay(monkeypatch, robot=True) as (registry, _):
        sweep = Sweep(place, registry, quay_policy(registry.host, robot=True))
        assert "no OAuth token" in " ".join(sweep.plan().text.split())
        sweep.apply()
        sweep.restore()
        assert registry.count("GET", "/api/v1") == registry.count("POST", "/api/v1") == 0


def test_a_namespace_that_keeps_nothing_has_no_undo(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a window of 0 s Quay is not asked to restore; the saved bytes are pushed while the layers are there."""
    with quay(monkeypatch, most=70, window=timedelta(0)) as (registry, _):
        sweep = Sweep(place, registry, quay_policy(registry.host))
        sweep.plan(sweep.builds)
        sweep.apply()
        sweep.restore()
        assert registry.count("POST", "/restore") == 0


def test_the_last_tag_of_a_platform_that_a_release_needs_stays(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The only tag on a part of a kept index stays, and the plan says why; nothing is deleted by digest."""
    with quay(monkeypatch, most=0) as (registry, _):
        release = images.multi_platform("release")
        registry.push(GATEWAY, release, "2026.1.0")
        part = images.image("part")
        registry.push(GATEWAY, part, "sha-1111111")
        registry.push(GATEWAY, images.index([part]), "2026.1.1")
        place.write(quay_policy(registry.host))
        planned = place.make_plan("--json")
        assert removed(planned) == set()
        assert codes(decisions(planned)["sha-1111111"]) == {"reached-by"}
        assert registry.count("DELETE", "/tag/") == 0


def test_immutable_and_expiring_tags_are_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Quay holds as immutable stays with that reason, and what goes by itself is named before the plan."""
    with quay(monkeypatch, most=70) as (registry, api):
        tags = registry.tags(GATEWAY)
        builds = sorted(tag for tag in tags if SHA.fullmatch(tag))
        release = next(tag for tag in tags if not SHA.fullmatch(tag))
        started = gateway().records[-1].pushed_at
        api.make_immutable(GATEWAY, builds[0])
        api.record(GATEWAY, release, started=started, expires=started + timedelta(days=9000))
        place.write(quay_policy(registry.host))
        planned = place.make_plan("--json")
        assert removed(planned) == set(builds[1:])
        assert "immutable on Quay" in planned.out
        assert f"expire by themselves, kept or not: {release} on" in " ".join(planned.text.split())


def test_doctor_tells_the_window_of_the_time_machine(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """How long what is removed can be restored there is Quay's own setting, and told."""
    with quay(monkeypatch, most=5, window=timedelta(days=3)) as (registry, _):
        told = doctor(place, quay_policy(registry.host))
        assert "time machine keeps removed tags for 3 days" in told
        assert "Quay collects by itself" in told
