"""The TensorZero sweep on GitLab: tags go one by one, protections are known before, saved bytes bring all back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from tagsweep.testing import images
from tagsweep.testing.access import READ_ONLY, BearerAccess
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.vendors.gitlab import DEVELOPER, GITLAB, MAINTAINER, AbsentTag, GitLabApi, GitLabToken
from tests.e2e.kit import GATEWAY, RULES, SHA, Place, both_sizes, codes, decisions, fill, gateway, removed, size
from tests.e2e.sweeps import Sweep, newest, vendor_policy

SECRET = "glpat-secret-of-a-user"
OLDEST_FIRST = "rules:\n  - name: ci builds\n    match: {class: ci-build}\n    keep: [{newest: 2, of: created}]\n"


@contextmanager
def gitlab(
    monkeypatch: pytest.MonkeyPatch, *, most: int = 1000, level: int = MAINTAINER
) -> Iterator[tuple[FakeRegistry, GitLabApi]]:
    """Run a fake GitLab with at most so many tags of tensorzero/gateway, for a user of this role."""
    token = GitLabToken(secret=SECRET, level=level)
    api = GitLabApi(tokens=[token], projects=[GATEWAY], registry_level=level, absent=AbsentTag.FORBIDDEN)
    granted = READ_ONLY | {"push"} | ({"delete"} if level >= DEVELOPER else frozenset())
    access = BearerAccess(username="token", password=SECRET, granted=granted)
    with FakeRegistry(GITLAB, access=access, apis=[api]) as registry:
        fill(registry, newest(most))
        monkeypatch.setenv("SWEEP_TOKEN", SECRET)
        yield registry, api


def gitlab_policy(host: str, target: str = GATEWAY, *, rules: str = RULES) -> str:
    """Return the policy of the sweep, with the driver and its API named because the fake is not gitlab.com."""
    options = f'{{api: "http://{host}/api/v4", token_env: SWEEP_TOKEN}}'
    return vendor_policy(host, "gitlab", target=target, options=options, rules=rules)


@both_sizes
def test_the_builds_go_alone_and_all_comes_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """107 tags go by the API, also the 35 on a release's digest; no tag's details are asked for; restore pushes."""
    with gitlab(monkeypatch) as (registry, _):
        sweep = Sweep(place, registry, gitlab_policy(registry.host, "tensorzero/*"))
        sweep.plan()
        assert registry.count("GET", "/tags/sha-") == 0
        sweep.apply()
        assert registry.count("DELETE", "/tags/sha-") == size().builds
        sweep.restore()


def test_details_are_read_only_where_a_rule_needs_a_time(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule by created time costs a request a tag, and no image config is read then."""
    with gitlab(monkeypatch, most=0) as (registry, api):
        records = [record for record in gateway().records if SHA.fullmatch(record.tag)][:6]
        for record in records:
            registry.push(GATEWAY, images.image(record.tag), record.tag)
            api.record(GATEWAY, record.tag, record.pushed_at)
        place.write(gitlab_policy(registry.host, rules=OLDEST_FIRST))
        gone = removed(place.make_plan("--json"))
        by_age = [record.tag for record in sorted(records, key=lambda record: record.pushed_at)]
        assert gone == set(by_age[:4])
        assert registry.count("GET", "/tags/sha-") == 6
        assert registry.count("GET", "/blobs/") == 0


def test_times_that_gitlab_does_not_know_are_read_from_the_images(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of indexes the details tell no time: after the first such answer the configs are read, and never both mixed."""
    with gitlab(monkeypatch, most=0) as (registry, api):
        days = {f"sha-{day}111111": datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 6)}
        for tag, created in days.items():
            registry.push(GATEWAY, images.index([images.image(tag, created=created)]), tag)
        single = "sha-6111111"
        registry.push(GATEWAY, images.image(single, created=datetime(2025, 1, 1, tzinfo=UTC)), single)
        api.record(GATEWAY, single, datetime(2026, 6, 1, tzinfo=UTC))
        place.write(gitlab_policy(registry.host, rules=OLDEST_FIRST))
        assert removed(place.make_plan("--json")) == {*sorted(days)[:3], single}
        assert registry.count("GET", "/blobs/") == 6


def test_protected_tags_stay_in_the_plan(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What GitLab protects from these credentials is kept with its rule as the reason, and the rest goes."""
    with gitlab(monkeypatch, most=60) as (registry, api):
        sweep = Sweep(place, registry, gitlab_policy(registry.host))
        held = {tag for tag in sweep.builds if tag.startswith("sha-1")}
        assert held
        api.protect(GATEWAY, "^sha-1", least="owner")
        planned = sweep.plan(sweep.builds - held)
        assert all(codes(decisions(planned)[tag]) == {"cannot-delete"} for tag in held)
        assert "lets only Owner and above delete it" in planned.out
        sweep.apply()


@both_sizes
def test_a_protection_that_cannot_be_read_fails_its_tags_alone(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hazard 45: a developer is told that rules are not readable; each refused tag ends typed, and the rest goes."""
    with gitlab(monkeypatch, most=120, level=DEVELOPER) as (registry, api):
        tags = registry.tags(GATEWAY)
        builds = {tag for tag in tags if SHA.fullmatch(tag)}
        held = {tag for tag in builds if tag.startswith(("sha-1", "sha-2", "sha-3", "sha-4", "sha-5"))}
        assert len(held) > 5
        api.protect(GATEWAY, "^sha-[1-5]")
        place.write(gitlab_policy(registry.host))
        assert "may not read the tag protection rules" in " ".join(place.make_plan().text.split())
        place.apply(expect=3)
        assert registry.tags(GATEWAY) == {tag: d for tag, d in tags.items() if tag not in builds - held}
        assert {why for why in place.why().values() if "protects this one" in why}


def test_who_cannot_remove_is_told_before_the_plan(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reporter keeps every build with that reason, and nothing is removed."""
    with gitlab(monkeypatch, most=20, level=20) as (registry, _):
        sweep = Sweep(place, registry, gitlab_policy(registry.host))
        assert "the role Developer or above" in sweep.plan(()).out
        assert registry.tags(GATEWAY) == sweep.tags
