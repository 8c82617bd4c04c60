"""The TensorZero sweep on zot: tags go one by one, then what no tag reaches; pushes are zot's own record."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagsweep.testing.dialects import ZOT
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.vendors.zot import ZotSearch
from tests.e2e.kit import GATEWAY, SHA, Place, fill, gateway, policy, removed, shared_with_release


@pytest.fixture
def zot() -> Iterator[FakeRegistry]:
    """Yield a zot with its search extension that holds tensorzero/gateway."""
    search = ZotSearch()
    with FakeRegistry(ZOT, apis=[search]) as registry:
        fill(registry, gateway())
        for record in gateway().records:
            search.record(GATEWAY, record.tag, pushed=record.pushed_at, tagged=record.pushed_at)
        yield registry


def zot_policy(host: str, rules: str | None = None) -> str:
    """Return the policy of the sweep."""
    more = f'registries: {{"{host}": {{driver: zot}}}}\n'
    return policy(f"{host}/{GATEWAY}", more=more, **({"rules": rules} if rules is not None else {}))


def test_the_builds_go_and_come_back(place: Place, zot: FakeRegistry) -> None:
    """107 tags go, also the 35 on a release's digest, with the 72 images that nothing else needs; all comes back."""
    tags = zot.tags(GATEWAY)
    builds = {tag for tag in tags if SHA.fullmatch(tag)}
    place.write(zot_policy(zot.host))
    assert removed(place.make_plan("--json")) == builds
    place.apply()
    left = {tag: digest for tag, digest in tags.items() if tag not in builds}
    assert zot.tags(GATEWAY) == left
    assert len(zot.manifests(GATEWAY)) == 5 * len(set(left.values()))
    assert len(shared_with_release(tags)) == 35
    place.run("verify")
    place.run("restore", place.last_run()["id"], "--yes")
    assert zot.tags(GATEWAY) == tags


def test_a_rule_by_push_time_needs_no_ledger(place: Place, zot: FakeRegistry) -> None:
    """The newest by their push stay on the first run, because zot tells when tags were pushed."""
    rules = "rules:\n  - name: ci builds\n    match: {class: ci-build}\n    keep: [{newest: 20, of: pushed}]\n"
    place.write(zot_policy(zot.host, rules))
    gone = removed(place.make_plan("--json"))
    pushed = {record.tag: record.pushed_at for record in gateway().records if SHA.fullmatch(record.tag)}
    assert gone
    assert max(pushed[tag] for tag in gone) < min(pushed[tag] for tag in pushed.keys() - gone)


def test_doctor_says_what_zot_does_by_itself(place: Place, zot: FakeRegistry) -> None:
    """How the space comes back is told in zot's words, and that the times are zot's."""
    place.write(zot_policy(zot.host))
    told = " ".join(place.run("doctor", "-c", str(place.policy)).out.split())
    assert "gcDelay" in told
    assert "pulled, pushed, updated" in told
