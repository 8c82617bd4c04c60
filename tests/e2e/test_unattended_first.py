"""The first ``tagsweep run`` of a schedule: who installs one, changes it or loses its state is not swept at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tagsweep.app.asked import Asked
from tagsweep.model.schedule import AttemptResult
from tagsweep.stores.ledger import Ledger
from tagsweep.testing.dialects import DISTRIBUTION_3
from tagsweep.testing.fake import FakeRegistry
from tests.e2e.attempts import QUARTERLY, ends, listener, push_builds, run, write
from tests.e2e.kit import GATEWAY, Place, fill, gateway, part_of


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    """Return a registry that removes single tags, with a part of tensorzero/gateway."""
    with FakeRegistry(DISTRIBUTION_3) as running:
        fill(running, part_of(gateway()))
        yield running


def test_the_first_call_removes_nothing_and_its_next_date_is_swept(place: Place, registry: FakeRegistry) -> None:
    """Installed in the middle of a quarter: told that the schedule begins, nothing until its date, then a sweep."""
    write(place, registry, record=", metrics: sweep.prom, notify: [{kind: webhook, url_env: HOOK}]")
    before = registry.tags(GATEWAY)
    with listener() as (url, got):
        asked = Asked(environ={"HOOK": url})
        begun = run(place, "2026-11-24 15:00", asked)
        assert (ends(begun), begun[0].report.exit_code) == ([AttemptResult.BEGUN], 0)
        assert run(place, "2026-11-24 15:01", asked) == ()
        assert run(place, "2027-01-01 03:59", asked) == ()
        assert registry.tags(GATEWAY) == before
        assert registry.count("GET") == 0
        assert not place.changelog.exists()
        # No sweep has succeeded yet, and no metric says so.
        assert "last_success" not in (place.directory / "sweep.prom").read_text(encoding="utf-8")
        assert ends(run(place, "2027-01-01 04:00", asked)) == [AttemptResult.SWEPT]
    assert [one["result"] for one in got] == ["begun", "swept"]
    assert any("--force" in line for line in got[0]["facts"])
    assert "Next date: 2027-01-01 04:00 UTC" in got[0]["facts"]


def test_the_first_call_says_how_to_sweep_now(place: Place, registry: FakeRegistry) -> None:
    """On the command line the first call ends with 0 and names the option, which sweeps; the documents say so too."""
    write(place, registry, more="schedule: yearly\n")
    first = place.run("run", "-c", str(place.policy), "--json").document
    assert (first["due"], [one["result"] for one in first["attempts"]]) == (False, ["begun"])
    (place.state / "ledger.sqlite").unlink()
    shown = place.run("run", "-c", str(place.policy))
    assert shown.out.startswith("The schedule begins; nothing was removed\n")
    assert "To sweep now: tagsweep run --force" in shown.out
    assert place.run("run", "-c", str(place.policy)).out.startswith("Not due")
    swept = place.run("run", "-c", str(place.policy), "--force", "--json").document
    assert [one["result"] for one in swept["attempts"]] == ["swept"]


def test_the_wake_of_a_date_sweeps_although_nothing_is_known(place: Place, registry: FakeRegistry) -> None:
    """A runner that keeps no state is woken at its date, a little late: it sweeps; its other wakes remove nothing."""
    write(place, registry)

    def forget() -> None:
        (place.state / "ledger.sqlite").unlink()

    assert ends(run(place, "2026-10-01 04:37")) == [AttemptResult.SWEPT]
    for later in ("2026-10-01 05:01", "2026-10-04 05:23", "2026-12-31 23:59"):
        forget()
        push_builds(registry)
        before = registry.tags(GATEWAY)
        assert ends(run(place, later)) == [AttemptResult.BEGUN]
        assert registry.tags(GATEWAY) == before
    forget()
    assert ends(run(place, "2027-01-01 04:00")) == [AttemptResult.SWEPT]


def test_a_first_date_that_failed_stays_due(place: Place, registry: FakeRegistry) -> None:
    """The very first call is the wake of its date and the registry is down: the next call sweeps for that date."""
    write(place, registry)
    registry.fail_next(1000, status=500)
    assert ends(run(place, "2026-10-01 04:10")) == [AttemptResult.FAILED]
    registry.faults.clear()
    assert ends(run(place, "2026-10-02 05:47")) == [AttemptResult.SWEPT]


@pytest.mark.parametrize(
    "other", ["monthly", "{every: quarterly, at: '06:00'}", "{every: quarterly, time_zone: Asia/Tokyo}"]
)
def test_a_schedule_that_was_changed_begins_anew(place: Place, registry: FakeRegistry, other: str) -> None:
    """A change of the schedule makes no date due that is past: the next one is."""
    write(place, registry)
    assert ends(run(place, "2026-10-01 04:00")) == [AttemptResult.SWEPT]
    push_builds(registry)
    write(place, registry, more=f"schedule: {other}\n")
    before = registry.tags(GATEWAY)
    assert ends(run(place, "2026-11-24 15:00")) == [AttemptResult.BEGUN]
    assert registry.tags(GATEWAY) == before
    assert ends(run(place, "2027-01-02 00:00")) == [AttemptResult.SWEPT]


def test_the_same_schedule_in_other_words_goes_on(place: Place, registry: FakeRegistry) -> None:
    """Cron's fields instead of the word are no new schedule."""
    write(place, registry)
    run(place, "2026-10-01 04:00")
    write(place, registry, more='schedule: "0 4 1 1,4,7,10 *"\n')
    assert run(place, "2026-11-24 15:00") == ()


def test_a_forced_run_is_no_reason_to_sweep_for_a_past_date(place: Place, registry: FakeRegistry) -> None:
    """Swept by hand on the first day: the timer's first wake finds nothing due, and the next date is swept."""
    write(place, registry)
    assert ends(run(place, "2026-11-24 15:00", Asked(force=True))) == [AttemptResult.SWEPT]
    push_builds(registry)
    assert run(place, "2026-11-25 05:47") == ()
    assert ends(run(place, "2027-01-05 05:47")) == [AttemptResult.SWEPT]


def test_a_plan_for_approval_is_made_at_once(place: Place, registry: FakeRegistry) -> None:
    """Who only plans sees on the first day what would go: nothing goes without an approval."""
    write(place, registry)
    done = run(place, "2026-11-24 15:00", Asked(plan_only=True, output=place.plan))
    assert ends(done) == [AttemptResult.PLANNED]
    assert ends(run(place, "2026-11-24 15:10", Asked(plan=place.plan))) == [AttemptResult.SWEPT]
    assert run(place, "2026-11-25 15:00") == ()


def test_a_clock_that_fell_back_to_the_past_sweeps_nothing(place: Place, registry: FakeRegistry) -> None:
    """A machine that takes 2026 for 2021 begins its schedule, and goes on when its clock is right."""
    write(place, registry)
    run(place, "2026-10-01 04:00")
    push_builds(registry)
    before = registry.tags(GATEWAY)
    assert ends(run(place, "2021-11-05 10:00")) == [AttemptResult.BEGUN]
    assert registry.tags(GATEWAY) == before
    assert run(place, "2026-11-05 10:00") == ()
    assert ends(run(place, "2027-01-01 04:00")) == [AttemptResult.SWEPT]


def test_a_first_call_with_a_clock_that_was_ahead_holds_nothing_up(place: Place, registry: FakeRegistry) -> None:
    """The first call took the year for 2099: the next one begins the schedule, once, and its dates are swept."""
    write(place, registry)
    assert ends(run(place, "2099-05-05 05:05")) == [AttemptResult.BEGUN]
    assert ends(run(place, "2026-11-24 15:00")) == [AttemptResult.BEGUN]
    assert run(place, "2026-11-25 15:00") == ()
    assert ends(run(place, "2027-01-05 05:47")) == [AttemptResult.SWEPT]
    assert run(place, "2027-01-06 05:47") == ()


def test_a_beginning_that_was_broken_off_is_known(place: Place, registry: FakeRegistry) -> None:
    """A process that died while it noted the schedule leaves a schedule that is known."""
    write(place, registry)
    run(place, "2026-11-24 15:00")
    with Ledger.open(place.state / "ledger.sqlite") as ledger:
        (begun,) = ledger.attempts("tagsweep.yaml")
        ledger.save_attempt(replace(begun, result=AttemptResult.OPEN, ended_at=None))
    assert run(place, "2026-11-24 16:00") == ()
    assert ends(run(place, "2027-01-01 04:00")) == [AttemptResult.SWEPT]


def test_a_schedule_that_is_added_to_a_policy_begins_then(place: Place, registry: FakeRegistry) -> None:
    """Runs without a schedule are no calls of the one that comes later."""
    write(place, registry, more="")
    assert ends(run(place, "2026-05-05 05:05")) == [AttemptResult.SWEPT]
    push_builds(registry)
    write(place, registry, more=QUARTERLY)
    assert ends(run(place, "2026-11-24 15:00")) == [AttemptResult.BEGUN]
