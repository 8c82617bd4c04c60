"""The TensorZero sweep on Scaleway: only tags that are alone on their digest go, and nothing is forced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.vendors.scaleway import PREFIX, SCALEWAY, ScalewayApi
from tests.e2e.kit import Place, both_sizes, codes, decisions, fill, gateway, removed, size
from tests.e2e.sweeps import Sweep, vendor_policy


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FakeRegistry, ScalewayApi]]:
    """Yield a Scaleway that holds tensorzero/gateway, for a user of its own tools."""
    api = ScalewayApi()
    monkeypatch.setenv("SCW_SECRET_KEY", api.key)
    with FakeRegistry(SCALEWAY, access=api.access, apis=[api]) as registry:
        fill(registry, gateway())
        yield registry, api


def cloud_policy(host: str) -> str:
    """Return the policy of the sweep, with the API where the fake has it."""
    options = f'{{api: "http://{host}{PREFIX}", region: fr-par}}'
    return vendor_policy(host, "scaleway", target="tensorzero/*", options=options)


@both_sizes
def test_what_shares_its_digest_stays(place: Place, cloud: tuple[FakeRegistry, ScalewayApi]) -> None:
    """The 35 builds on a release's digest stay, with Scaleway's refusal as the reason; the rest goes and comes back."""
    registry, _ = cloud
    sweep = Sweep(place, registry, cloud_policy(registry.host))
    sharing = Counter(sweep.tags.values())
    alone = {tag for tag in sweep.builds if sharing[sweep.tags[tag]] == 1}
    assert len(sweep.shared - alone) == size().shared
    planned = sweep.plan(alone)
    assert all(codes(decisions(planned)[tag]) == {"cannot-delete"} for tag in sweep.builds - alone)
    assert "does not remove a tag whose digest another tag has" in planned.out
    sweep.apply()
    deletions = [one for one in registry.requests if one.method == "DELETE"]
    assert sum(one.status == 200 for one in deletions) == len(alone)
    assert not any(one.status == 400 or "force" in one.target for one in deletions)
    sweep.restore()


def test_what_scaleway_has_locked_stays(place: Place, cloud: tuple[FakeRegistry, ScalewayApi]) -> None:
    """The status of a tag is heard before the plan, and is the reason in it."""
    registry, api = cloud
    place.write(cloud_policy(registry.host))
    victim = min(removed(place.make_plan("--json")))
    api.status[victim] = "locked"
    planned = place.make_plan("--json")
    assert victim not in removed(planned)
    assert "Scaleway has locked it" in planned.out
