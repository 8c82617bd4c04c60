"""``tagsweep run`` after a process that died late: what was done is not done again, and people hear of it."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tagsweep.app.asked import Asked
from tagsweep.model.errors import StateError
from tagsweep.model.run import RunStatus
from tagsweep.model.schedule import AttemptResult
from tagsweep.stores.ledger import Ledger
from tagsweep.testing.dialects import DISTRIBUTION_3
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import Quiet
from tests.e2e.attempts import QUARTERLY, ends, installed, killed_at, listener, push_builds, run, write
from tests.e2e.kit import GATEWAY, Place, fill, gateway, part_of


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    """Return a registry that removes single tags, with a part of tensorzero/gateway."""
    with FakeRegistry(DISTRIBUTION_3) as running:
        fill(running, part_of(gateway()))
        yield running


def forget_the_end(place: Place, *, status: RunStatus | None = None) -> None:
    """Leave in the ledger what a process leaves that dies before it notes how its attempt ended.

    ``status`` is how far the run itself had come by then, if not to its end.
    """
    with Ledger.open(place.state / "ledger.sqlite") as ledger:
        last = ledger.attempts("tagsweep.yaml")[-1]
        ledger.save_attempt(replace(last, result=AttemptResult.OPEN, ended_at=None, run_id=None))
        if status is not None:
            ledger.save_run(replace(ledger.runs()[0], status=status, ended_at=None))


def noted(place: Place) -> list[AttemptResult]:
    """Return how the ledger says that the attempts ended."""
    with Ledger.open(place.state / "ledger.sqlite") as ledger:
        return [one.result for one in ledger.attempts("tagsweep.yaml")]


def test_a_run_that_ended_before_its_process_died_has_used_its_date(place: Place, registry: FakeRegistry) -> None:
    """The sweep was done and written down, its attempt was not: the date is not swept again, and the end is told."""
    write(place, registry, record=", notify: [{kind: webhook, url_env: HOOK}]")
    swept = run(place, "2026-10-01 04:00")[0].report
    forget_the_end(place)
    push_builds(registry)
    before, entries = registry.tags(GATEWAY), place.changelog.read_text(encoding="utf-8")
    with listener() as (url, got):
        assert run(place, "2026-10-01 05:00", Asked(environ={"HOOK": url})) == ()
        assert run(place, "2026-10-01 05:01", Asked(environ={"HOOK": url})) == ()
    assert registry.tags(GATEWAY) == before
    assert noted(place) == [AttemptResult.SWEPT]
    assert [(one["result"], one["removed_tags"]) for one in got] == [("swept", swept.removed)]
    assert place.changelog.read_text(encoding="utf-8") == entries
    assert ends(run(place, "2027-01-01 04:00")) == [AttemptResult.SWEPT]


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (RunStatus.PARTIAL, AttemptResult.PARTIAL),
        (RunStatus.DAMAGED, AttemptResult.DAMAGED),
        (RunStatus.RESTORED, AttemptResult.SWEPT),
    ],
)
def test_every_end_of_a_run_has_used_its_date(
    status: RunStatus, result: AttemptResult, place: Place, registry: FakeRegistry
) -> None:
    """Also a run that was partial, found damage or was taken back; the changelog has no second entry for it."""
    write(place, registry)
    run(place, "2026-10-01 04:00")
    forget_the_end(place, status=status)
    entries = place.changelog.read_text(encoding="utf-8")
    assert run(place, "2026-10-01 05:00") == ()
    assert noted(place) == [result]
    assert place.changelog.read_text(encoding="utf-8") == entries


def test_a_run_that_did_all_its_steps_only_lacks_its_record(place: Place, registry: FakeRegistry) -> None:
    """Its plan is stale by now, and nothing is left to be done by it: it is verified and recorded, not swept anew."""
    write(place, registry)
    run(place, "2026-10-01 04:00")
    forget_the_end(place, status=RunStatus.RUNNING)
    place.changelog.unlink()
    push_builds(registry)
    before = registry.tags(GATEWAY)
    done = run(place, "2026-10-09 05:00")
    assert ends(done) == [AttemptResult.SWEPT]
    assert done[0].report.attempt.due == datetime(2026, 10, 1, 4, tzinfo=UTC)
    assert registry.tags(GATEWAY) == before
    assert place.changelog.read_text(encoding="utf-8").count("### Registry sweep") == 1
    assert run(place, "2026-10-09 05:01") == ()


def test_a_run_whose_plan_cannot_be_read_stops_no_later_one(place: Place, registry: FakeRegistry) -> None:
    """It cannot be taken up: that is said, its death is written down, and a new plan is made for the date."""
    write(place, registry)
    installed(place)
    killed_at(place, registry, 3)
    plan = next(place.state.glob("runs/*/plan.json"))
    plan.write_text(json.dumps({"schema": "tagsweep/plan"}), encoding="utf-8")
    notes = Quiet()
    done = run(place, f"{datetime.now(UTC):%Y-%m-%d %H:%M}", notes=notes)
    assert ends(done) == [AttemptResult.SWEPT]
    assert noted(place) == [AttemptResult.BEGUN, AttemptResult.FAILED, AttemptResult.SWEPT]
    assert any("cannot be taken up" in note for note in notes.notes)
    assert place.changelog.read_text(encoding="utf-8").count("### Registry sweep failed") == 1


@pytest.mark.parametrize("name", ["../{}/tagsweep.yaml", "./tagsweep.yaml"])
def test_one_policy_by_two_names_is_one_policy(name: str, place: Place, registry: FakeRegistry) -> None:
    """A detour in the path of the policy makes no date due again."""
    write(place, registry)
    assert ends(run(place, "2026-10-01 04:00")) == [AttemptResult.SWEPT]
    push_builds(registry)
    place.policy = Path(f"{place.directory}/{name.format(place.directory.name)}")
    assert run(place, "2026-10-01 05:00") == ()


def test_a_path_that_is_no_text_hides_no_end(registry: FakeRegistry, tmp_path: Path) -> None:
    """The directory's name is no UTF-8: what was refused is in metrics, changelog and message all the same."""
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    odd.mkdir()
    other = Place(odd)
    other.state = tmp_path / "state"
    record = ", metrics: sweep.prom, notify: [{kind: webhook, url_env: HOOK}]"
    write(other, registry, more=f"{QUARTERLY}limits: {{max_removals: 1}}\n", record=record)
    with listener() as (url, got):
        asked = Asked(environ={"HOOK": url}, summary=tmp_path / "summary.md")
        assert ends(run(other, "2026-10-01 04:00", asked)) == [AttemptResult.REFUSED]
    assert [one["result"] for one in got] == ["refused"]
    assert "tagsweep_last_run_exit_code" in (odd / "sweep.prom").read_text(encoding="utf-8")
    assert "### Registry sweep refused" in (odd / "CHANGELOG.md").read_text(encoding="utf-8")


def test_an_end_that_cannot_be_noted_is_told_all_the_same(place: Place, registry: FakeRegistry) -> None:
    """The disk fails after the sweep: people hear of the sweep and of the error, and the date is not swept again."""
    write(place, registry, record=", notify: [{kind: webhook, url_env: HOOK}]")
    run(place, "2026-07-01 04:00")
    push_builds(registry)
    when = "BEFORE INSERT ON attempts WHEN new.record LIKE '%swept%'"
    with sqlite3.connect(place.state / "ledger.sqlite") as connection:
        connection.execute(f"CREATE TRIGGER full {when} BEGIN SELECT RAISE(FAIL, 'the disk is full'); END")
    with listener() as (url, got):
        done = run(place, "2026-10-01 04:00", Asked(environ={"HOOK": url}))
    assert isinstance(done[0].error, StateError)
    assert [(one["result"], one["exit_code"]) for one in got] == [("swept", 6)]
    with sqlite3.connect(place.state / "ledger.sqlite") as connection:
        connection.execute("DROP TRIGGER full")
    assert run(place, "2026-10-01 05:00") == ()
