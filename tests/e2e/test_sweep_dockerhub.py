"""The TensorZero sweep on Docker Hub: tags go one by one, manifests stay in storage, and everything comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tagsweep.model.inventory import TimeOrigin
from tagsweep.testing.dialects import Dialect
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.images import index, multi_platform
from tagsweep.testing.tensorzero import TagList
from tagsweep.testing.vendors.dockerhub import DOCKER_HUB, DOCKER_HUB_CASCADING, HubApi, HubLogin, Right
from tests.e2e.kit import GATEWAY, RULES, SHA, Place, both_sizes, codes, decisions, fill, gateway, removed, size
from tests.e2e.sweeps import NEWEST_BY_PUSH, Sweep, assert_newest_by_push_stay, vendor_policy

ADMIN = HubLogin(name="tensorzero", secret="dckr_pat_admin")


@contextmanager
def docker_hub(
    monkeypatch: pytest.MonkeyPatch,
    *,
    login: HubLogin | None = ADMIN,
    dialect: Dialect = DOCKER_HUB,
    most: int = 1000,
) -> Iterator[tuple[FakeRegistry, HubApi]]:
    """Run a fake Docker Hub with at most so many tags of tensorzero/gateway, for a user who has these credentials."""
    api = HubApi(logins=[login] if login is not None else [])
    with FakeRegistry(dialect, apis=[api]) as registry:
        tags = TagList(repository=GATEWAY, records=gateway().records[-most:] if most else ())
        fill(registry, tags)
        for record in tags.records:
            times = {TimeOrigin.PUSHED: record.pushed_at, TimeOrigin.UPDATED: record.pushed_at}
            api.record(GATEWAY, record.tag, times)
        if login is not None:
            monkeypatch.setenv("TAGSWEEP_USERNAME", login.name)
            monkeypatch.setenv("TAGSWEEP_PASSWORD", login.secret)
        monkeypatch.setenv("DOCKER_HUB_API_URL", f"http://{registry.host}")
        yield registry, api


def hub_policy(host: str, target: str = GATEWAY, *, options: str = "{}", rules: str = RULES) -> str:
    """Return the policy of the sweep, with the driver named because the fake is not at docker.io."""
    return vendor_policy(host, "dockerhub", target=target, options=options, rules=rules)


@both_sizes
def test_the_builds_go_alone_and_all_comes_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """107 tags go by the Hub API, also the 35 on a release's digest; no manifest does; restore puts every tag back."""
    with docker_hub(monkeypatch) as (registry, _):
        sweep = Sweep(place, registry, hub_policy(registry.host, "tensorzero/*"))
        sweep.plan()
        sweep.apply()
        assert registry.manifests(GATEWAY) == sweep.manifests
        sweep.restore()


def test_listing_and_looking_cost_no_pulls(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """T14, hazard 50: digests come with the list, each manifest is fetched once by digest, and then only HEADs."""
    with docker_hub(monkeypatch) as (registry, _):
        tags = registry.tags(GATEWAY)
        place.write(hub_policy(registry.host))
        place.make_plan()
        fetched = [r.target for r in registry.requests if r.method == "GET" and "/manifests/" in r.target]
        assert len(fetched) == len(set(fetched)) == len(set(tags.values()))
        assert all("sha256:" in target for target in fetched)
        assert registry.count("HEAD", "/manifests/") == 0
        registry.clear_log()
        place.make_plan()
        assert registry.count("GET", "/manifests/") == 0


@both_sizes
def test_the_report_says_what_stays_and_where_space_comes_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hazard 47: doctor and the report of the run say in Docker Hub's words that removing tags frees nothing."""
    with docker_hub(monkeypatch) as (registry, _):
        record = "record: {changelog: CHANGELOG.md"
        place.write(hub_policy(registry.host).replace(record, f"{record}, reports: reports"))
        told = " ".join(place.run("doctor", "-c", str(place.policy)).out.split())
        assert "Image Management" in told
        assert "pulled, pushed, updated" in told
        planned = place.make_plan("--sizes", "--json")
        assert planned.document["space"]["reclaimable"] == 0
        place.apply()
        (report,) = (place.directory / "reports").glob("*.md")
        assert "Removing tags frees nothing on Docker Hub" in report.read_text(encoding="utf-8")
        assert place.last_run()["removed_tags"] == size().builds


def test_a_rule_by_push_time_needs_no_ledger(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times of pushes are Docker Hub's own, so that a rule can keep what was pushed last on the first run."""
    with docker_hub(monkeypatch) as (registry, _):
        assert_newest_by_push_stay(place, hub_policy(registry.host, rules=NEWEST_BY_PUSH))


@both_sizes
@pytest.mark.parametrize(
    ("login", "words"),
    [
        (None, "no credentials for Docker Hub"),
        (HubLogin(name="tensorzero", secret="dckr_oat_1", scope=Right.WRITE), "organization access token"),
        (HubLogin(name="ci", secret="dckr_pat_2", scope=Right.WRITE), "with a personal access token"),
    ],
    ids=["nobody", "organization", "scope"],
)
def test_who_cannot_remove_is_told_before_the_plan(
    place: Place, monkeypatch: pytest.MonkeyPatch, login: HubLogin | None, words: str
) -> None:
    """Without the right every build stays with that reason, in the plan and in doctor; nothing is removed."""
    with docker_hub(monkeypatch, login=login) as (registry, _):
        tags = registry.tags(GATEWAY)
        place.write(hub_policy(registry.host))
        planned = place.make_plan("--json")
        assert removed(planned) == set()
        told = decisions(planned)
        assert all(codes(told[tag]) == {"cannot-delete"} for tag in tags if SHA.fullmatch(tag))
        assert words in planned.out
        assert words in " ".join(place.run("doctor", "-c", str(place.policy), expect=None).out.split())
        assert registry.tags(GATEWAY) == tags


def test_immutable_tags_stay_in_the_plan(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Docker Hub would refuse to remove is kept with the rule as the reason, and the rest goes."""
    with docker_hub(monkeypatch, most=60) as (registry, api):
        tags = registry.tags(GATEWAY)
        builds = {tag for tag in tags if SHA.fullmatch(tag)}
        held = {tag for tag in builds if tag < "sha-8"}
        api.make_immutable(GATEWAY, "sha-[0-7].*", ".*-RELEASE")
        place.write(hub_policy(registry.host))
        planned = place.make_plan("--json")
        assert removed(planned) == builds - held
        assert held < builds
        assert held
        assert all(codes(decisions(planned)[tag]) == {"cannot-delete"} for tag in held)
        assert "immutable on Docker Hub, by the rule 'sha-[0-7].*'" in planned.out.replace("\\'", "'")
        place.apply()
        assert registry.tags(GATEWAY) == {tag: d for tag, d in tags.items() if tag not in builds - held}


@both_sizes
@pytest.mark.parametrize("dialect", [DOCKER_HUB, DOCKER_HUB_CASCADING], ids=lambda dialect: str(dialect.name))
def test_deleting_by_digest_as_well(place: Place, monkeypatch: pytest.MonkeyPatch, dialect: Dialect) -> None:
    """Hazard 48: with delete_manifests what no kept tag reaches goes too, one by one or an index with all in it."""
    with docker_hub(monkeypatch, dialect=dialect, most=70) as (registry, _):
        tags = registry.tags(GATEWAY)
        place.write(hub_policy(registry.host, options="{delete_manifests: true}"))
        assert removed(place.make_plan("--json"))
        place.apply()
        left = {tag: digest for tag, digest in tags.items() if not SHA.fullmatch(tag)}
        assert registry.tags(GATEWAY) == left
        assert len(registry.manifests(GATEWAY)) == 5 * len(set(left.values()))
        place.run("verify")
        place.run("restore", place.last_run()["id"], "--yes")
        assert registry.tags(GATEWAY) == tags


def test_a_platform_that_an_index_took_along_is_found_and_comes_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 48: where deleting an index takes a platform that a kept one lists, verify says so (7), restore heals."""
    with docker_hub(monkeypatch, dialect=DOCKER_HUB_CASCADING, most=0) as (registry, _):
        shared = multi_platform("shared", attestations=False)
        release = index([shared, multi_platform("more", attestations=False)])
        build = registry.push(GATEWAY, shared, "sha-1111111")
        registry.push(GATEWAY, release, "2026.1.0")
        other = index([shared, multi_platform("other", attestations=False)])
        registry.push(GATEWAY, other, "sha-2222222")
        assert build in registry.manifests(GATEWAY)
        place.write(hub_policy(registry.host, options="{delete_manifests: true}"))
        place.make_plan()
        place.apply(expect=7)
        assert build not in registry.manifests(GATEWAY)
        place.run("restore", place.last_run()["id"], "--yes")
        assert build in registry.manifests(GATEWAY)
