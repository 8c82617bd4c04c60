"""The TensorZero sweep on Gitea: tags go, and what only they had is told to be beyond a restore."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.vendors.gitea import GITEA, GiteaApi
from tests.e2e.kit import GATEWAY, SHA, Place, fill, gateway, policy, removed, shared_with_release


@pytest.fixture
def gitea(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRegistry]:
    """Yield a Gitea that holds tensorzero/gateway."""
    api = GiteaApi(name="tensorzero")
    monkeypatch.setenv("TAGSWEEP_USERNAME", api.name)
    monkeypatch.setenv("TAGSWEEP_PASSWORD", api.token)
    with FakeRegistry(GITEA, access=api.access, apis=[api]) as registry:
        fill(registry, gateway())
        for record in gateway().records:
            api.record(GATEWAY, record.tag, pushed=record.pushed_at)
        yield registry


def gitea_policy(host: str, rules: str | None = None) -> str:
    """Return the policy of the sweep."""
    more = f'registries: {{"{host}": {{driver: gitea}}}}\n'
    return policy(f"{host}/{GATEWAY}", more=more, **({"rules": rules} if rules is not None else {}))


def test_the_builds_go_and_only_what_is_left_comes_back(place: Place, gitea: FakeRegistry) -> None:
    """107 tags go; the 35 on a release's digest come back, of the others the layers are gone, and it is said."""
    tags = gitea.tags(GATEWAY)
    builds = {tag for tag in tags if SHA.fullmatch(tag)}
    shared = shared_with_release(tags)
    place.write(gitea_policy(gitea.host))
    assert removed(place.make_plan("--json")) == builds
    place.apply()
    left = {tag: digest for tag, digest in tags.items() if tag not in builds}
    assert gitea.tags(GATEWAY) == left
    assert len(gitea.manifests(GATEWAY)) == 5 * len(set(left.values()))
    place.run("verify")
    restored = place.run("restore", place.last_run()["id"], "--yes", expect=3)
    assert "35 put back" in restored.text
    assert "72 gone for good" in restored.text
    assert gitea.tags(GATEWAY) == {tag: digest for tag, digest in tags.items() if tag in left.keys() | shared}


def test_doctor_says_that_there_is_no_way_back(place: Place, gitea: FakeRegistry) -> None:
    """Before anything is planned, doctor tells what a deletion means on Gitea."""
    place.write(gitea_policy(gitea.host))
    told = " ".join(place.run("doctor", "-c", str(place.policy)).out.split())
    assert "has to be pushed again" in told


def test_a_rule_by_push_time_needs_no_ledger(place: Place, gitea: FakeRegistry) -> None:
    """The newest by their push stay on the first run, because Gitea tells when a tag was pushed."""
    rules = "rules:\n  - name: ci builds\n    match: {class: ci-build}\n    keep: [{newest: 20, of: pushed}]\n"
    place.write(gitea_policy(gitea.host, rules))
    gone = removed(place.make_plan("--json"))
    pushed = {record.tag: record.pushed_at for record in gateway().records if SHA.fullmatch(record.tag)}
    assert gone
    assert max(pushed[tag] for tag in gone) < min(pushed[tag] for tag in pushed.keys() - gone)
