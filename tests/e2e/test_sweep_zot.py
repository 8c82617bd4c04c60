"""The TensorZero sweep on zot: tags go one by one, then what no tag reaches; pushes are zot's own record."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagsweep.testing.dialects import ZOT
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.vendors.zot import ZotSearch
from tests.e2e.kit import GATEWAY, RULES, Place, both_sizes, fill, gateway
from tests.e2e.sweeps import NEWEST_BY_PUSH, Sweep, assert_newest_by_push_stay, doctor, vendor_policy


@pytest.fixture
def zot() -> Iterator[FakeRegistry]:
    """Yield a zot with its search extension that holds tensorzero/gateway."""
    search = ZotSearch()
    with FakeRegistry(ZOT, apis=[search]) as registry:
        fill(registry, gateway())
        for record in gateway().records:
            search.record(GATEWAY, record.tag, pushed=record.pushed_at, tagged=record.pushed_at)
        yield registry


def zot_policy(host: str, rules: str = RULES) -> str:
    """Return the policy of the sweep."""
    return vendor_policy(host, "zot", rules=rules)


@both_sizes
def test_the_builds_go_and_come_back(place: Place, zot: FakeRegistry) -> None:
    """107 tags go, also the 35 on a release's digest, with the 72 images that nothing else needs; all comes back."""
    sweep = Sweep(place, zot, zot_policy(zot.host))
    sweep.plan()
    sweep.apply()
    assert len(zot.manifests(GATEWAY)) == 5 * len(set(sweep.left.values()))
    sweep.restore()


def test_a_rule_by_push_time_needs_no_ledger(place: Place, zot: FakeRegistry) -> None:
    """The newest by their push stay on the first run, because zot tells when tags were pushed."""
    assert_newest_by_push_stay(place, zot_policy(zot.host, NEWEST_BY_PUSH))


def test_doctor_says_what_zot_does_by_itself(place: Place, zot: FakeRegistry) -> None:
    """How the space comes back is told in zot's words, and that the times are zot's."""
    told = doctor(place, zot_policy(zot.host))
    assert "gcDelay" in told
    assert "pulled, pushed, updated" in told
