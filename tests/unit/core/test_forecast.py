"""How long a plan takes: the model of a registry, and what earlier runs measured."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tagsweep.core.forecast import PER_STEP, PER_TAG, calibrate, forecast
from tagsweep.model.capability import Capabilities
from tagsweep.model.plan import DeleteManifest, Role, Step, Untag
from tests.properties.simulated_registry import digest_of

PLAIN = Capabilities()
GROWING = Capabilities(delete_cost_grows_with_tags=True)


def roots(count: int) -> list[Step]:
    return [DeleteManifest(digest=digest_of(str(n)), role=Role.ROOT, tags=(f"t{n}",)) for n in range(count)]


def children(count: int) -> list[Step]:
    return [DeleteManifest(digest=digest_of(f"c{n}"), role=Role.CHILD, depth=1) for n in range(count)]


def seconds(steps: list[Step], **changes: object) -> float:
    settings = {"tags": 1000, "capabilities": PLAIN, "seconds_per_request": 0.01, "concurrency": 8, **changes}
    return forecast(steps, **settings).total_seconds()  # type: ignore[arg-type]  # each test changes one argument


def test_no_steps_take_no_time() -> None:
    """An empty plan is done at once."""
    assert forecast([], tags=5, capabilities=PLAIN, seconds_per_request=1.0, concurrency=8) == timedelta(0)


def test_a_step_costs_a_look_at_each_tag_and_its_deletion() -> None:
    """Two requests for a root with one tag or an untagging, one for a child."""
    assert seconds(roots(10)) == pytest.approx(0.2)
    assert seconds([Untag(tag="a", expects=digest_of("a"))]) == pytest.approx(0.02)
    assert seconds(children(10)) == pytest.approx(0.1)


@pytest.mark.parametrize(("tags", "measured"), [(1000, 0.0081), (10_000, 0.092)])
def test_it_fits_what_was_measured_on_distribution(tags: int, measured: float) -> None:
    """One deletion at 0.37 ms a request is within a fifth of what the real registry took."""
    one = seconds(children(1), tags=tags, capabilities=GROWING, seconds_per_request=0.00037)
    assert one == pytest.approx(measured, rel=0.2)


def test_deletions_get_cheaper_as_tags_go() -> None:
    """Children after their roots cost less than children before them would."""
    last = seconds([*roots(500), *children(500)], capabilities=GROWING)
    first = seconds([*children(500), *roots(500)], capabilities=GROWING)
    assert last < first


def test_untagging_does_not_look_through_all_tags() -> None:
    """Only the deletion of a manifest costs in proportion to the tags."""
    assert seconds([Untag(tag="a", expects=digest_of("a"))], capabilities=GROWING) == pytest.approx(0.02)


def test_few_at_once_take_longer() -> None:
    """One after the other is eight times as long as eight at once; more than eight gain nothing."""
    assert seconds(roots(10), concurrency=1) == pytest.approx(8 * seconds(roots(10)))
    assert seconds(roots(10), concurrency=32) == pytest.approx(seconds(roots(10)))


def test_looks_cost_a_request_for_each_tag_that_is_left() -> None:
    """Each look in between reads all tags that stay."""
    assert seconds(roots(10), looks=3) == pytest.approx(0.2 + 3 * 990 * 0.01)


def test_a_measured_run_is_believed_before_the_model() -> None:
    """The coefficients of an earlier run are used as they are."""
    found = seconds(roots(2), tags=10, measured={PER_STEP: 1.0, PER_TAG: 0.1})
    assert found == pytest.approx((1 + 1.0) + (1 + 0.9))


@pytest.mark.parametrize(
    ("samples", "line"),
    [
        ([(0, 1.0), (10, 2.0), (20, 3.0)], {PER_STEP: 1.0, PER_TAG: 0.1}),
        ([(10, 2.0)], {PER_STEP: 2.0, PER_TAG: 0.0}),
        ([(10, 2.0), (10, 4.0)], {PER_STEP: 3.0, PER_TAG: 0.0}),
        ([(0, 3.0), (10, 1.0)], {PER_STEP: 2.0, PER_TAG: 0.0}),
        ([(10, 1.0), (20, 3.0)], {PER_STEP: 0.0, PER_TAG: 0.14}),
        ([(0, 0.5)], {PER_STEP: 0.5, PER_TAG: 0.0}),
    ],
)
def test_calibration_is_a_line_that_is_never_negative(samples: list[tuple[int, float]], line: dict[str, float]) -> None:
    """Least squares, with neither coefficient below zero, and no slope from a single number of tags."""
    assert calibrate(samples) == pytest.approx(line)


def test_without_samples_there_is_no_calibration() -> None:
    """An empty calibration leaves the model in charge."""
    assert calibrate([]) == {}
    assert seconds(roots(1), measured=calibrate([])) == seconds(roots(1))
