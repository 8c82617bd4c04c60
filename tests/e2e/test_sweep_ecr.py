"""The TensorZero sweep on Amazon ECR: tags go a hundred at once, the last one with its image, and all comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from tagsweep.app.planfiles import read_plan
from tagsweep.model.plan import Untag
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.vendors.ecr import ECR, EcrFake
from tagsweep.testing.vendors.ecr_requests import AccessKey
from tests.e2e.kit import (
    GATEWAY,
    RULES,
    SHA,
    Place,
    both_sizes,
    codes,
    decisions,
    fill,
    gateway,
    part_of,
    removed,
    shared_with_release,
)
from tests.e2e.sweeps import NEWEST_BY_PUSH, Sweep, vendor_policy


@contextmanager
def ecr(
    monkeypatch: pytest.MonkeyPatch, *, part: bool = False, **options: Any
) -> Iterator[tuple[FakeRegistry, EcrFake]]:
    """Run a fake ECR with tensorzero/gateway, for a user with an access key in the environment."""
    api = EcrFake(**options)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    listed = part_of(gateway()) if part else gateway()
    with FakeRegistry(ECR, access=api.access, apis=[api]) as registry:
        fill(registry, listed)
        for built in listed.images():
            api.record(GATEWAY, built.image.top, pushed=built.pushed_at, pulled=built.pushed_at + timedelta(days=1))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", api.key.id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", api.key.secret)
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", f"http://{registry.host}")
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR_PUBLIC", f"http://{registry.host}")
        yield registry, api


def ecr_policy(host: str, *, removal: str = "delete", driver: str = "ecr", rules: str = RULES) -> str:
    """Return the policy of the sweep, with the region named because the fake is not at Amazon's host."""
    options = f"{{region: eu-west-1, removal: {removal}}}" if driver == "ecr" else "{}"
    return vendor_policy(host, driver, options=options, rules=rules)


@both_sizes
def test_builds_go_in_batches_and_all_comes_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """107 tags go by two requests; 35 leave their release's image, 72 take theirs along; restore puts all back."""
    with ecr(monkeypatch) as (registry, api):
        sweep = Sweep(place, registry, ecr_policy(registry.host))
        sweep.plan()
        api.asked.clear()
        sweep.apply()
        assert len(registry.manifests(GATEWAY)) == 5 * len(set(sweep.left.values()))
        gone = set(sweep.manifests) - set(registry.manifests(GATEWAY))
        # Three waves, one of them over a hundred or not; then each platform that the images listed.
        platforms = len(gone - set(sweep.tags.values()))
        assert api.asked.count("BatchDeleteImage") <= 1 + 4 + 72 + platforms
        sweep.restore()
        assert registry.manifests(GATEWAY) == sweep.manifests


def test_what_a_batch_did_is_written_down_before_its_refusals_stop_the_run(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refusals in a row end the run; what the same answer says is gone is in the journal, and can be restored."""
    with ecr(monkeypatch, part=True) as (registry, api):
        tags = registry.tags(GATEWAY)
        place.write(ecr_policy(registry.host) + 'apply: {waves: ["100%"]}\n')
        place.make_plan()
        steps = read_plan(place.plan)[0].repositories[0].steps
        gone = [step.tag for step in steps if isinstance(step, Untag)]
        assert len(gone) > 6
        api.refused = dict.fromkeys(gone[:6], "UpstreamAccessDenied")
        place.apply(expect=1)
        assert set(registry.tags(GATEWAY)) == set(tags) - set(gone[6:])
        kinds = place.outcomes()
        assert {tag for tag in gone if kinds[f"{registry.host}/{GATEWAY} untag {tag}"] == "done"} == set(gone[6:])
        place.run("restore", place.last_run()["id"], "--yes")
        assert registry.tags(GATEWAY) == tags


def test_looking_is_no_pull(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """T14, hazard 50: tags are looked up through the API alone; each manifest is fetched once, by digest."""
    with ecr(monkeypatch, part=True) as (registry, _):
        place.write(ecr_policy(registry.host))
        place.make_plan()
        fetched = [one.target for one in registry.requests if one.method == "GET" and "/manifests/" in one.target]
        assert len(fetched) == len(set(fetched)) == len(set(registry.tags(GATEWAY).values()))
        assert registry.count("HEAD", "/manifests/") == 0
        registry.clear_log()
        place.make_plan()
        place.apply()
        assert registry.count("HEAD", "/manifests/sha-") == 0
        assert registry.count("GET", "/manifests/sha-") == 0


def test_archiving_takes_whole_images_and_is_taken_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """With removal: archive builds on a release's image stay, the others are archived, and Amazon brings them back."""
    with ecr(monkeypatch, part=True, restoring=0) as (registry, api):
        tags, manifests = registry.tags(GATEWAY), registry.manifests(GATEWAY)
        shared = shared_with_release(tags)
        builds = {tag for tag in tags if SHA.fullmatch(tag)}
        place.write(ecr_policy(registry.host, removal="archive"))
        planned = place.make_plan("--json")
        assert removed(planned) == builds - shared
        assert all(codes(decisions(planned)[tag]) == {"shares-digest"} for tag in shared)
        place.apply()
        gone = {tags[tag] for tag in builds - shared}
        assert gone <= api.archived(GATEWAY)
        assert set(registry.tags(GATEWAY)) == set(tags) - (builds - shared)
        place.run("verify")
        registry.clear_log()
        restored = place.run("restore", place.last_run()["id"], "--yes", "--json")
        assert "by the registry's own undo" in restored.out
        assert registry.count("PUT") == 0
        assert registry.tags(GATEWAY) == tags
        assert registry.manifests(GATEWAY) == manifests


def test_times_are_amazons(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule by push time works on the first run, and what was pulled of late stays where a rule says so."""
    with ecr(monkeypatch) as (registry, _):
        place.write(ecr_policy(registry.host, rules=NEWEST_BY_PUSH))
        gone = removed(place.make_plan("--json"))
        pushed = {tag: built.pushed_at for built in gateway().images() for tag in built.tags if SHA.fullmatch(tag)}
        assert gone
        assert max(pushed[tag] for tag in gone) < min(pushed[tag] for tag in pushed.keys() - gone)


def test_who_may_not_delete_is_told_before_the_plan(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ecr:BatchDeleteImage every build stays with that reason, and doctor names the right."""
    key = AccessKey(denied=frozenset({"BatchDeleteImage", "GetLifecyclePolicy"}))
    with ecr(monkeypatch, part=True, key=key) as (registry, _):
        tags = registry.tags(GATEWAY)
        place.write(ecr_policy(registry.host))
        planned = place.make_plan("--json")
        assert removed(planned) == set()
        assert "ecr:BatchDeleteImage" in planned.out
        told = place.run("doctor", "-c", str(place.policy), expect=None)
        assert "allow ecr:BatchDeleteImage" in " ".join(told.out.split())
        assert key.secret not in planned.text + told.text
        assert registry.tags(GATEWAY) == tags


def test_doctor_tells_the_repositorys_own_rules(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Immutable tags, a lifecycle policy and the way that can be taken back are told before anything is planned."""
    with ecr(monkeypatch, part=True, mutability="IMMUTABLE", lifecycle=[GATEWAY]) as (registry, _):
        place.write(ecr_policy(registry.host))
        told = " ".join(place.run("doctor", "-c", str(place.policy)).out.split())
        for words in ("IMMUTABLE: they cannot be moved", "lifecycle policy of its own", "removal: archive", "pulled"):
            assert words in told


def test_ecr_public(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same sweep on ECR Public: the alias is the account's own, the tags go in batches and come back."""
    with ecr(monkeypatch, part=True, public=True, alias="tensorzero") as (registry, api):
        tags = registry.tags(GATEWAY)
        place.write(ecr_policy(registry.host, driver="ecr-public"))
        gone = removed(place.make_plan("--json"))
        assert gone == {tag for tag in tags if SHA.fullmatch(tag)}
        place.apply()
        assert set(registry.tags(GATEWAY)) == set(tags) - gone
        assert "DescribeImageTags" in api.asked
        place.run("verify")
        place.run("restore", place.last_run()["id"], "--yes")
        assert registry.tags(GATEWAY) == tags
