"""All six repositories of TensorZero, 13,390 tags, on Debian's registry: how many requests a plan costs."""

from __future__ import annotations

import pytest

from tagsweep.testing.storage_layout import StorageLayout
from tagsweep.testing.tensorzero import load
from tests.e2e.kit import TENSORZERO, Place, own_server, policy
from tests.real.servers import ServerKind

# For each repository: its list, what probing its rights costs; once for all of them: the catalog.
CONSTANT = 6 * 6 + 1


@pytest.mark.real
@pytest.mark.slow
def test_a_plan_of_everything_costs_a_request_a_tag_and_a_second_one_reads_nothing_again(place: Place) -> None:
    """The first plan sends one request a tag plus a constant; the second one fetches no manifest."""
    with own_server(ServerKind.DISTRIBUTION_2_8) as server:
        assert server.root is not None
        layout = StorageLayout(server.root)
        count = 0
        for tags in load(TENSORZERO):
            count += len(tags.records)
            for built in tags.images():
                layout.write(tags.repository, built.image, built.tags)
        assert count == 13390
        place.write(policy(f"{server.host}/tensorzero/*"))
        first = place.make_plan("--json", expect=None).document["requests"]
        assert sum(first.values()) <= count + CONSTANT
        second = place.make_plan("--json", expect=None).document["requests"]
        assert second["GET"] <= CONSTANT
        assert sum(second.values()) <= count + CONSTANT
