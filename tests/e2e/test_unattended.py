"""``tagsweep run``: when it is due, exactly once for a date, and what is left of it in the record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tagsweep.app.asked import Asked
from tagsweep.model.errors import StateError
from tagsweep.model.schedule import AttemptResult
from tagsweep.stores.state import StateDirectory
from tagsweep.testing.dialects import DISTRIBUTION_3
from tagsweep.testing.fake import FakeRegistry
from tests.e2e.attempts import QUARTERLY, ends, installed, killed_at, listener, push_builds, run, write
from tests.e2e.kit import GATEWAY, Place, fill, gateway, part_of


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    """Return a registry that removes single tags, with a part of tensorzero/gateway."""
    with FakeRegistry(DISTRIBUTION_3) as running:
        fill(running, part_of(gateway()))
        yield running


def test_two_dates_leave_two_entries_and_nothing_is_done_between_them(place: Place, registry: FakeRegistry) -> None:
    """A sweep on the first date, none until the next, one on that; the changelog has an entry for each."""
    write(place, registry)
    assert ends(run(place, "2026-10-01 04:00")) == [AttemptResult.SWEPT]
    push_builds(registry)
    assert run(place, "2026-12-31 23:59") == ()
    assert run(place, "2026-10-01 04:00") == ()
    assert ends(run(place, "2027-01-01 04:00")) == [AttemptResult.SWEPT]
    assert run(place, "2027-01-01 04:01") == ()
    assert place.changelog.read_text(encoding="utf-8").count("### Registry sweep") == 2


def test_a_year_without_a_look_is_made_up_for_once(place: Place, registry: FakeRegistry) -> None:
    """Of four missed dates only the latest is run for."""
    write(place, registry)
    run(place, "2026-01-01 04:00")
    push_builds(registry)
    done = run(place, "2027-02-03 10:00")
    assert [finished.report.attempt.due for finished in done] == [datetime(2027, 1, 1, 4, tzinfo=UTC)]
    assert run(place, "2027-02-03 10:01") == ()


def test_force_runs_between_dates_and_uses_none_up(place: Place, registry: FakeRegistry) -> None:
    """A forced run is for no date, and the next date is due all the same."""
    write(place, registry)
    run(place, "2026-10-01 04:00")
    push_builds(registry)
    done = run(place, "2026-11-11 11:11", Asked(force=True))
    assert (ends(done), done[0].report.attempt.due) == ([AttemptResult.SWEPT], None)
    assert ends(run(place, "2027-01-01 04:00")) == [AttemptResult.NOTHING]


def test_a_refusal_is_recorded_once_told_once_and_tried_again(place: Place, registry: FakeRegistry) -> None:
    """Nothing goes, the changelog and the webhook say why, the date stays due; the corrected policy is run for it."""
    record = ", notify: [{kind: webhook, url_env: HOOK, when: [failed]}]"
    with listener() as (url, got):
        asked = Asked(environ={"HOOK": url})
        write(place, registry, more=f"{QUARTERLY}limits: {{max_removals: 1}}\n", record=record)
        before = registry.tags(GATEWAY)
        done = run(place, "2026-10-01 04:00", asked)
        assert (ends(done), done[0].report.exit_code) == ([AttemptResult.REFUSED], 4)
        assert ends(run(place, "2026-10-02 05:47", asked)) == [AttemptResult.REFUSED]
        assert registry.tags(GATEWAY) == before
        assert [(one["event"], one["result"], one["exit_code"]) for one in got] == [("failed", "refused", 4)]
        text = place.changelog.read_text(encoding="utf-8")
        assert text.count("### Registry sweep refused 2026-10-0") == 1
        assert "Nothing was removed: refused by" in text
        write(place, registry, record=record)
        assert ends(run(place, "2026-10-03 05:47", asked)) == [AttemptResult.SWEPT]
        assert run(place, "2026-10-04 05:47", asked) == ()
        assert len(got) == 1


def test_a_registry_that_is_down_leaves_the_date_due(place: Place, registry: FakeRegistry) -> None:
    """The error is recorded with its exit code, and the next call does the work of the same date."""
    write(place, registry)
    registry.fail_next(1000, status=500)
    done = run(place, "2026-10-01 04:00")
    assert (ends(done), done[0].report.exit_code) == ([AttemptResult.FAILED], 1)
    assert "### Registry sweep failed" in place.changelog.read_text(encoding="utf-8")
    registry.faults.clear()
    assert ends(run(place, "2026-10-01 05:00")) == [AttemptResult.SWEPT]


def test_a_run_that_was_killed_is_taken_up(place: Place, registry: FakeRegistry) -> None:
    """Killed with -9 in the middle of its deletions: the next call goes on with the same run, and its date is done."""
    write(place, registry)
    installed(place)
    killed_at(place, registry, 3)
    killed = place.last_run()
    assert killed["status"] == "running"
    again = place.run("run", "-c", str(place.policy), "--json").document["attempts"]
    assert [(one["result"], one["run"]) for one in again] == [("swept", killed["id"])]
    assert place.run("run", "-c", str(place.policy)).out.startswith("Not due")
    assert place.changelog.read_text(encoding="utf-8").count("### Registry sweep") == 1


def test_a_run_that_was_killed_and_whose_plan_is_stale_is_written_down(place: Place, registry: FakeRegistry) -> None:
    """The changelog and the webhook say how many tags it removed; a new plan removes the rest, for the same date."""
    record = ", notify: [{kind: webhook, url_env: HOOK}]"
    write(place, registry, record=record)
    before = len(registry.tags(GATEWAY))
    installed(place)
    killed_at(place, registry, 5)
    gone = before - len(registry.tags(GATEWAY))
    later = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d %H:%M}"
    with listener() as (url, got):
        done = run(place, later, Asked(environ={"HOOK": url}))
        assert ends(done) == [AttemptResult.SWEPT]
        assert [one["result"] for one in got] == ["failed", "swept"]
    assert got[0]["removed_tags"] <= gone <= got[0]["removed_tags"] + got[0]["unknown_tags"]
    assert got[0]["exit_code"] == 6
    text = place.changelog.read_text(encoding="utf-8").partition("### Registry sweep failed")[2]
    assert f"of {got[0]['unknown_tags']} more it is not known" in text
    assert "its process ended before it did" in text
    assert run(place, later) == ()


def test_a_refused_resume_is_tried_again_and_its_run_goes_on(place: Place, registry: FakeRegistry) -> None:
    """Evidence that is missing for once does not make tagsweep forget the run that it has begun."""
    write(place, registry)
    listed = place.directory / "used.txt"
    listed.write_text("# nothing\n", encoding="utf-8")
    text = place.policy.read_text(encoding="utf-8")
    place.write(
        text.replace("evidence: none", "evidence: {require: [list/used]}\nsources: {list/used: {file: used.txt}}")
    )
    installed(place)
    killed_at(place, registry, 3)
    begun = place.last_run()["id"]
    listed.rename(place.directory / "away.txt")
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M}"
    refused = run(place, now)
    assert (ends(refused), refused[0].report.attempt.run_id) == ([AttemptResult.REFUSED], begun)
    (place.directory / "away.txt").rename(listed)
    swept = run(place, now)
    assert (ends(swept), swept[0].report.attempt.run_id) == ([AttemptResult.SWEPT], begun)


def test_a_checkout_that_is_elsewhere_the_next_time_is_the_same_policy(place: Place, registry: FakeRegistry) -> None:
    """Runners of CI systems unpack policy and state where there is room: the date is not run for again."""
    write(place, registry)
    assert ends(run(place, "2026-10-01 04:00")) == [AttemptResult.SWEPT]
    moved = place.directory / "elsewhere"
    moved.mkdir()
    for path in (place.policy, place.state):
        path.rename(moved / path.name)
    there = Place(moved)
    assert run(there, "2026-10-01 05:00") == ()
    assert ends(run(there, "2027-01-01 04:00")) == [AttemptResult.NOTHING]


def test_two_policies_in_one_changelog_have_entries_of_their_own(place: Place, registry: FakeRegistry) -> None:
    """The failure of one policy does not replace that of another, for the same date."""
    write(place, registry, more=f"{QUARTERLY}limits: {{max_removals: 1}}\n")
    run(place, "2026-10-01 04:00")
    other = Place(place.directory)
    other.policy = place.directory / "other.yaml"
    write(other, registry, more=f"{QUARTERLY}limits: {{max_removals: 2}}\n")
    run(other, "2026-10-01 04:00")
    assert place.changelog.read_text(encoding="utf-8").count("### Registry sweep refused") == 2


def test_a_week_without_power_is_one_daily_run(place: Place, registry: FakeRegistry) -> None:
    """Seven dates of a daily schedule passed while nothing ran: one run, and the next one on the next day."""
    write(place, registry, more="schedule: daily\n")
    assert ends(run(place, "2026-10-01 04:00")) == [AttemptResult.SWEPT]
    push_builds(registry)
    done = run(place, "2026-10-08 09:00")
    assert [one.report.attempt.due for one in done] == [datetime(2026, 10, 8, 4, tzinfo=UTC)]
    assert run(place, "2026-10-08 09:01") == ()
    assert ends(run(place, "2026-10-09 04:00")) == [AttemptResult.NOTHING]


def test_a_restore_is_written_down(place: Place, registry: FakeRegistry) -> None:
    """The changelog says that the scheduled sweep was taken back, below the entry of the sweep; once."""
    write(place, registry)
    gone = run(place, "2026-10-01 04:00")[0].report
    assert gone.attempt.run_id is not None
    place.run("restore", gone.attempt.run_id, "--yes")
    text = place.changelog.read_text(encoding="utf-8")
    assert "scheduled for 2026-10-01 04:00 UTC" in text
    assert f"Put back {gone.removed} of {gone.removed} image tags" in text.partition("### Registry restore")[2]
    place.run("restore", gone.attempt.run_id, "--yes")
    assert place.changelog.read_text(encoding="utf-8") == text


def test_two_at_once_never_both_run(place: Place, registry: FakeRegistry) -> None:
    """While one holds the policy another one is refused with who it is, and changes nothing."""
    write(place, registry)
    state = StateDirectory.open(place.state)
    before = registry.tags(GATEWAY)
    with state.lock("policy tagsweep.yaml"), pytest.raises(StateError, match="another tagsweep"):
        run(place, "2026-10-01 04:00")
    assert registry.tags(GATEWAY) == before
    assert ends(run(place, "2026-10-01 04:00")) == [AttemptResult.SWEPT]


def test_a_plan_waits_for_approval_and_is_then_carried_out(place: Place, registry: FakeRegistry) -> None:
    """plan-only removes nothing and uses the date; --plan carries out that plan, once, and no removal is told twice."""
    write(place, registry)
    before = registry.tags(GATEWAY)
    summary = place.directory / "summary.md"
    done = run(place, "2026-10-01 04:00", Asked(plan_only=True, output=place.plan, summary=summary))
    assert ends(done) == [AttemptResult.PLANNED]
    assert registry.tags(GATEWAY) == before
    assert "would go" in summary.read_text(encoding="utf-8")
    assert run(place, "2026-10-01 05:00", Asked(plan_only=True, output=place.plan)) == ()
    assert ends(run(place, "2026-10-01 06:00", Asked(plan=place.plan))) == [AttemptResult.SWEPT]
    again = run(place, "2026-10-01 07:00", Asked(plan=place.plan))
    assert (ends(again), again[0].report.exit_code) == ([AttemptResult.FAILED], 5)
    assert (again[0].report.removed, again[0].report.attempt.run_id) == (0, None)
    entry = place.changelog.read_text(encoding="utf-8").split("### Registry sweep failed")[1]
    assert "Nothing was removed: the plan" in entry
    assert "was used by the run" in entry
