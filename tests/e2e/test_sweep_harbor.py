"""The TensorZero sweep on Harbor: tags go one by one, what nothing needs goes by digest, and everything comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tagsweep.testing import images
from tagsweep.testing.access import BearerAccess
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.vendors.harbor import DELETE_TAG, EVERY_RIGHT, HARBOR, HarborAccount, HarborApi
from tests.e2e.kit import GATEWAY, RULES, Place, both_sizes, codes, decisions, fill, removed
from tests.e2e.sweeps import NEWEST_BY_PUSH, Sweep, assert_newest_by_push_stay, doctor, log_in, newest, vendor_policy

NAME, SECRET = "robot$tensorzero+sweeper", "secret-of-the-robot"


@contextmanager
def harbor(
    monkeypatch: pytest.MonkeyPatch, *, most: int = 1000, rights: frozenset[str] = EVERY_RIGHT
) -> Iterator[tuple[FakeRegistry, HarborApi]]:
    """Run a fake Harbor with at most so many tags of tensorzero/gateway, for a robot account."""
    api = HarborApi(accounts=[HarborAccount(name=NAME, secret=SECRET, rights=rights)])
    access = BearerAccess(username=NAME, password=SECRET)
    with FakeRegistry(HARBOR, access=access, apis=[api]) as registry:
        tags = newest(most)
        fill(registry, tags)
        for record in tags.records:
            api.record(GATEWAY, record.tag, pushed=record.pushed_at)
        log_in(monkeypatch, NAME, SECRET)
        yield registry, api


def harbor_policy(host: str, target: str = GATEWAY, *, rules: str = RULES) -> str:
    """Return the policy of the sweep, with the driver named because the fake does not challenge as Harbor."""
    return vendor_policy(host, "harbor", target=target, rules=rules)


@both_sizes
def test_the_builds_go_alone_and_all_comes_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """107 tags go, also the 35 on a release's digest, whose manifests stay; restore pushes all that went again."""
    with harbor(monkeypatch) as (registry, _):
        sweep = Sweep(place, registry, harbor_policy(registry.host, "tensorzero/*"))
        sweep.plan()
        sweep.apply()
        assert len(registry.manifests(GATEWAY)) == 5 * len(set(sweep.left.values()))
        sweep.restore()
        assert registry.manifests(GATEWAY) == sweep.manifests


def test_a_rule_by_push_time_needs_no_ledger(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times of pushes are Harbor's own, so that a rule can keep what was pushed last on the first run."""
    with harbor(monkeypatch) as (registry, _):
        assert_newest_by_push_stay(place, harbor_policy(registry.host, rules=NEWEST_BY_PUSH))


def test_immutable_tags_stay_in_the_plan(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hazard 49: what Harbor holds as immutable is kept with its rule as the reason, and the rest goes."""
    with harbor(monkeypatch, most=60) as (registry, api):
        sweep = Sweep(place, registry, harbor_policy(registry.host))
        held = {tag for tag in sweep.builds if tag.startswith("sha-1")}
        assert held
        api.make_immutable("tensorzero", "sha-1*")
        planned = sweep.plan(sweep.builds - held)
        assert all(codes(decisions(planned)[tag]) == {"cannot-delete"} for tag in held)
        assert "immutable on Harbor" in planned.out
        assert "tags matching sha-1*" in planned.out
        sweep.apply()


def test_doctor_tells_of_harbors_own_retention_and_of_its_collection(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Harbor removes by itself, whatever tagsweep keeps, and how space comes back there, is told."""
    with harbor(monkeypatch, most=5) as (registry, api):
        api.retain("tensorzero", cron="0 0 0 * * *")
        told = doctor(place, harbor_policy(registry.host))
        assert "tag retention policy of Harbor's own" in told
        assert "runs by its own schedule (0 0 0 * * *)" in told
        assert "Administration, Clean Up" in told
        assert "pulled, pushed" in told


def test_who_cannot_remove_is_told_before_the_plan(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A robot account that may not delete tags keeps every build with that reason, and nothing is removed."""
    with harbor(monkeypatch, most=20, rights=EVERY_RIGHT - {DELETE_TAG}) as (registry, _):
        sweep = Sweep(place, registry, harbor_policy(registry.host))
        assert "may list, read and delete artifacts and tags" in sweep.plan(()).out
        assert registry.tags(GATEWAY) == sweep.tags


def test_a_signature_goes_with_what_it_signs_and_stays_with_what_stays(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signatures, which Harbor hides from its list, are known by the registry's own list and follow their image."""
    with harbor(monkeypatch, most=0) as (registry, _):
        build, release = images.image("build"), images.image("release")
        for image, tag in ((build, "sha-1111111"), (release, "2026.1.0")):
            registry.push(GATEWAY, image, tag)
            registry.push(GATEWAY, images.cosign_signature(image.top), images.cosign_tag(image.top))
        tags = registry.tags(GATEWAY)
        place.write(harbor_policy(registry.host))
        planned = place.make_plan("--json")
        assert removed(planned) == {"sha-1111111", images.cosign_tag(build.top)}
        place.apply()
        assert set(registry.tags(GATEWAY)) == {"2026.1.0", images.cosign_tag(release.top)}
        place.run("restore", place.last_run()["id"], "--yes")
        assert registry.tags(GATEWAY) == tags
