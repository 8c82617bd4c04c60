"""The TensorZero sweep on Gitea: tags go, and what only they had is told to be beyond a restore."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.vendors.gitea import GITEA, GiteaApi
from tests.e2e.kit import GATEWAY, RULES, Place, both_sizes, fill, gateway, size
from tests.e2e.sweeps import NEWEST_BY_PUSH, Sweep, assert_newest_by_push_stay, doctor, log_in, vendor_policy


@pytest.fixture
def gitea(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRegistry]:
    """Yield a Gitea that holds tensorzero/gateway."""
    api = GiteaApi(name="tensorzero")
    log_in(monkeypatch, api.name, api.token)
    with FakeRegistry(GITEA, access=api.access, apis=[api]) as registry:
        fill(registry, gateway())
        for record in gateway().records:
            api.record(GATEWAY, record.tag, pushed=record.pushed_at)
        yield registry


def gitea_policy(host: str, rules: str = RULES) -> str:
    """Return the policy of the sweep."""
    return vendor_policy(host, "gitea", rules=rules)


@both_sizes
def test_the_builds_go_and_only_what_is_left_comes_back(place: Place, gitea: FakeRegistry) -> None:
    """107 tags go; the 35 on a release's digest come back, of the others the layers are gone, and it is said."""
    sweep = Sweep(place, gitea, gitea_policy(gitea.host))
    sweep.plan()
    sweep.apply()
    assert len(gitea.manifests(GATEWAY)) == 5 * len(set(sweep.left.values()))
    restored = place.run("restore", place.last_run()["id"], "--yes", expect=3)
    assert f"{size().shared} put back" in restored.text
    assert f"{size().builds - size().shared} gone for good" in restored.text
    back = sweep.left.keys() | sweep.shared
    assert gitea.tags(GATEWAY) == {tag: digest for tag, digest in sweep.tags.items() if tag in back}


def test_doctor_says_that_there_is_no_way_back(place: Place, gitea: FakeRegistry) -> None:
    """Before anything is planned, doctor tells what a deletion means on Gitea."""
    assert "has to be pushed again" in doctor(place, gitea_policy(gitea.host))


def test_a_rule_by_push_time_needs_no_ledger(place: Place, gitea: FakeRegistry) -> None:
    """The newest by their push stay on the first run, because Gitea tells when a tag was pushed."""
    assert_newest_by_push_stay(place, gitea_policy(gitea.host, NEWEST_BY_PUSH))
