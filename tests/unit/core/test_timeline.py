"""How many tags of each class there were, now and in the past."""

from __future__ import annotations

from datetime import UTC, datetime

from tagsweep.core.timeline import SEEN, count_points, timeline
from tagsweep.model.inventory import Inventory, TagState, TimeOrigin
from tagsweep.model.reference import Repository

REPOSITORY = Repository("127.0.0.1:5000", "a/b")


def _tag(name: str, created: datetime | None) -> TagState:
    return TagState(name=name, digest=None, times={} if created is None else {TimeOrigin.CREATED: created})


def _inventory(*tags: TagState) -> Inventory:
    return Inventory(repository=REPOSITORY, taken_at=datetime(2026, 3, 15, tzinfo=UTC), tags=tags)


def test_a_point_for_each_class_that_is_there_or_was() -> None:
    """A class of which no tag is left counts zero when it is named."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    points = count_points(REPOSITORY, {"1": "release", "2": "release"}, at=at, among={"ci"})
    assert [(point.naming_class, point.tags, point.origin) for point in points] == [
        ("ci", 0, SEEN),
        ("release", 2, SEEN),
    ]


def test_the_past_is_counted_at_the_end_of_each_month() -> None:
    """Tags are counted cumulatively by the first instant of the month after they were built, across a year's end."""
    found = timeline(
        _inventory(
            _tag("a", datetime(2025, 12, 31, 23, 59, tzinfo=UTC)),
            _tag("b", datetime(2026, 1, 1, tzinfo=UTC)),
            _tag("c", datetime(2026, 3, 2, tzinfo=UTC)),
        ),
        {"a": "x", "b": "x", "c": "x"},
    )
    assert [(point.at.strftime("%Y-%m"), point.tags) for point in found] == [
        ("2026-01", 1),
        ("2026-02", 2),
        ("2026-03", 2),
    ]


def test_no_picture_of_a_part() -> None:
    """If the time of one tag is unknown there is no history, because it would show fewer tags than there were."""
    assert timeline(_inventory(_tag("a", datetime(2026, 1, 1, tzinfo=UTC)), _tag("b", None)), {}) == ()
    assert timeline(_inventory(), {}) == ()
