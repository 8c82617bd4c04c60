"""The TensorZero sweep on Artifact Registry: tags go first, then the manifests that nothing holds any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.vendors.gar import GAR, GarFake, GarRepository
from tests.e2e.kit import RULES, SHA, Place, both_sizes, codes, decisions, fill, gateway, part_of, removed
from tests.e2e.sweeps import NEWEST_BY_PUSH, Sweep, vendor_policy

PATH = "acme/images/tensorzero/gateway"


@contextmanager
def artifact_registry(
    monkeypatch: pytest.MonkeyPatch, *, part: bool = False, **options: Any
) -> Iterator[tuple[FakeRegistry, GarFake]]:
    """Run a fake Artifact Registry with the gateway, for a user whose environment has an access token."""
    api = GarFake(**options)
    tags = replace(part_of(gateway()) if part else gateway(), repository=PATH)
    with FakeRegistry(GAR, apis=[api]) as registry:
        fill(registry, tags)
        for built in tags.images():
            api.record(PATH, built.image.top, uploaded=built.pushed_at, built=built.pushed_at)
        monkeypatch.setenv("TAGSWEEP_USERNAME", "oauth2accesstoken")
        monkeypatch.setenv("TAGSWEEP_PASSWORD", "ya29.fake")
        yield registry, api


def gar_policy(host: str, target: str = PATH, *, rules: str = RULES) -> str:
    """Return the policy of the sweep, with the place named because the fake is not at Google's host."""
    return vendor_policy(host, "gar", target=target, options=f'{{api: "http://{host}", location: us}}', rules=rules)


@both_sizes
def test_the_sweep_and_the_way_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """107 tags go alone, the 72 images that no tag needs go with their platforms, and restore puts everything back."""
    with artifact_registry(monkeypatch, page=3) as (registry, _):
        sweep = Sweep(place, registry, gar_policy(registry.host, "acme/images/tensorzero/*"), repository=PATH)
        sweep.plan()
        sweep.apply()
        assert len(registry.manifests(PATH)) == 5 * len(set(sweep.left.values()))
        sweep.restore()
        assert registry.manifests(PATH) == sweep.manifests


def test_one_call_lists_tags_digests_and_times(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Upload times are Google's record, so that a rule by push time works at once; no tag is asked for by itself."""
    with artifact_registry(monkeypatch) as (registry, _):
        place.write(gar_policy(registry.host, rules=NEWEST_BY_PUSH))
        gone = removed(place.make_plan("--json"))
        assert len(gone) <= 87
        assert gone
        assert registry.count("GET", "/tags/list") == 1
        assert registry.count("HEAD", "/manifests/sha-") == 0


def test_immutable_tags_stay(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a repository with immutable tags nothing goes, and the plan says it in Google's words."""
    settings = {"acme/images": GarRepository(immutable_tags=True)}
    with artifact_registry(monkeypatch, part=True, settings=settings) as (registry, _):
        tags = registry.tags(PATH)
        place.write(gar_policy(registry.host))
        planned = place.make_plan("--json")
        assert removed(planned) == set()
        told = decisions(planned)
        assert all(codes(told[tag]) == {"cannot-delete"} for tag in tags if SHA.fullmatch(tag))
        assert "immutable tags (Artifact Registry)" in planned.out
        assert registry.tags(PATH) == tags


def test_doctor_tells_what_is_not_known(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the settings may not be read, doctor says that immutability is unknown, and which right it needs."""
    with artifact_registry(monkeypatch, part=True, may_read_settings=False) as (registry, _):
        place.write(gar_policy(registry.host))
        told = " ".join(place.run("doctor", "-c", str(place.policy)).out.split())
        assert "whether its tags are immutable is not known" in told
        assert "artifactregistry.repositories.get" in told


def test_who_may_not_delete_is_told_before_the_plan(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token without the right to delete keeps everything, and the plan says so."""
    with artifact_registry(monkeypatch, part=True, granted=frozenset({"pull"})) as (registry, _):
        place.write(gar_policy(registry.host))
        planned = place.make_plan("--json")
        assert removed(planned) == set()
        assert "lack the delete right" in planned.out
