"""The README's five minutes, typed in the order in which they stand there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagsweep.testing.dialects import DISTRIBUTION_3
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.images import image
from tests.e2e.kit import GATEWAY, Place, fill, gateway, part_of
from tests.e2e.walk import Here, follow

README = Path(__file__).parents[2] / "README.md"
ADDRESS = "127.0.0.1:5000"


def test_the_five_minutes_can_be_followed_word_for_word(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the policy to the job that calls ``run``: every command ends as the README says, and a restore brings all
    back that the sweep removed.
    """
    text = README.read_text(encoding="utf-8").partition("## Five minutes")[2]
    before_the_habit, heading, habit = text.partition("### 5.")
    assert heading
    with FakeRegistry(DISTRIBUTION_3) as registry:
        fill(registry, part_of(gateway(), each=25))
        registry.push(GATEWAY, image("release"), "latest")
        before = registry.tags(GATEWAY)
        hand = Here(monkeypatch, place.state)
        typed = follow(before_the_habit.replace(ADDRESS, registry.host), place.directory, hand)
        (applied,) = (one.text for one in typed if " apply " in one.command)
        assert "tags removed" in applied
        assert "\n  0 of" not in applied
        assert registry.tags(GATEWAY) == before
        assert "### Registry sweep" in place.changelog.read_text(encoding="utf-8")
        follow(habit.replace(ADDRESS, registry.host), place.directory, hand)
        assert len(registry.tags(GATEWAY)) < len(before)
    assert (place.directory / ".github" / "workflows" / "tagsweep.yml").is_file()
