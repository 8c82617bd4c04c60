"""How ``tagsweep run`` tells what became of it: messages, metrics, tables, the terminal, and what it asks for."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tagsweep.app.asked import Asked
from tagsweep.model.schedule import AttemptResult
from tagsweep.testing.dialects import DISTRIBUTION_3
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import Quiet
from tests.e2e.attempts import QUARTERLY, ends, installed, listener, run, write
from tests.e2e.kit import GATEWAY, Place, fill, gateway, part_of
from tests.e2e.serving import Handler, serving


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    """Return a registry that removes single tags, with a part of tensorzero/gateway."""
    with FakeRegistry(DISTRIBUTION_3) as running:
        fill(running, part_of(gateway()))
        yield running


def test_a_partial_run_is_told_as_such_and_uses_its_date(place: Place, registry: FakeRegistry) -> None:
    """Some deletions are refused: exit 3, the event is failed, the entry says what was left."""
    write(place, registry, record=", notify: [{kind: slack, url_env: HOOK}]")
    registry.fail_next(1, status=403, method="DELETE", path_contains="sha-")
    with listener() as (url, got):
        done = run(place, "2026-10-01 04:00", Asked(environ={"HOOK": url}, link="https://ci.example/1"))
        assert (ends(done), done[0].report.exit_code) == ([AttemptResult.PARTIAL], 3)
        assert "some steps failed" in got[0]["text"]
        assert "<https://ci.example/1|Open>" in json.dumps(got[0])
    assert "Not removed though planned" in place.changelog.read_text(encoding="utf-8")
    assert run(place, "2026-10-01 05:00") == ()


def test_metrics_and_csv_say_what_happened(place: Place, registry: FakeRegistry, tmp_path: Path) -> None:
    """The metrics file has numbers of the sweep and keeps the last success over a failure; the CSV has each tag."""
    write(place, registry, record=", metrics: tagsweep.prom, reports: reports")
    done = run(place, "2026-10-01 04:00")
    gone = done[0].report.removed
    text = (tmp_path / "tagsweep.prom").read_text(encoding="utf-8")
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    labels = f'{{policy="tagsweep.yaml",repository="{registry.host}/{GATEWAY}"}}'
    own = '{policy="tagsweep.yaml"}'
    assert int(values[f"tagsweep_removed_tags{labels}"]) == gone > 0
    assert int(values[f"tagsweep_kept_tags{labels}"]) == len(registry.tags(GATEWAY))
    assert values[f"tagsweep_last_run_exit_code{own}"] == "0"
    success = values[f"tagsweep_last_success_timestamp_seconds{own}"]
    assert float(values[f"tagsweep_next_due_timestamp_seconds{own}"]) == datetime(2027, 1, 1, 4, tzinfo=UTC).timestamp()
    (table,) = (tmp_path / "reports").glob("*-removed.csv")
    rows = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))))
    assert len(rows) == gone
    assert all(row["tag"].startswith("sha-") and row["reasons"] for row in rows)
    registry.fail_next(1000, status=500)
    run(place, "2027-01-01 04:00")
    text = (tmp_path / "tagsweep.prom").read_text(encoding="utf-8")
    assert f"tagsweep_last_success_timestamp_seconds{own} {success}" in text
    assert "tagsweep_removed_tags" not in text
    assert f"tagsweep_last_run_exit_code{own} 1" in text


def test_metrics_are_pushed_as_well(place: Place, registry: FakeRegistry) -> None:
    """A Pushgateway gets the same text by PUT, in a group of the policy's own, with the login of its address."""
    got: list[tuple[str, str | None, str]] = []

    class Gateway(Handler):
        def respond(self) -> None:
            assert self.command == "PUT"
            got.append((self.path, self.headers["Authorization"], self.body().decode()))
            self.answer(200)

    write(place, registry, record=", metrics: tagsweep.prom, metrics_url_env: GATEWAY")
    with serving(Gateway) as url:
        run(place, "2026-10-01 04:00", Asked(environ={"GATEWAY": url.replace("//", "//me:pass@") + "/"}))
    ((path, login, body),) = got
    assert path == "/metrics/job/tagsweep/policy@base64/dGFnc3dlZXAueWFtbA"
    assert login == "Basic bWU6cGFzcw=="
    assert body == (place.directory / "tagsweep.prom").read_text(encoding="utf-8")


@pytest.mark.parametrize("address", ["http://push.example", "https://push.invalid:x", "http://me:SECRET@push.example"])
def test_an_address_that_gives_secrets_away_is_not_used(place: Place, registry: FakeRegistry, address: str) -> None:
    """Chat by plain http, a port that is none, a password by plain http: told without the address, and all goes on."""
    more = ", metrics_url_env: ADDRESS, " if "SECRET" in address else ", "
    write(place, registry, record=f"{more}notify: [{{kind: webhook, url_env: ADDRESS}}]")
    notes = Quiet()
    assert ends(run(place, "2026-10-01 04:00", Asked(environ={"ADDRESS": address}), notes)) == [AttemptResult.SWEPT]
    told = " ".join(notes.notes)
    assert told.count("only loopback may do without TLS") == (2 if "SECRET" in address else 1)
    assert "SECRET" not in told


def test_a_failure_that_nobody_was_told_is_told_by_the_next_call(place: Place, registry: FakeRegistry) -> None:
    """The service that takes messages is down as well: the same failure is told once it is back, and then no more."""
    record = ", notify: [{kind: webhook, url_env: HOOK}]"
    write(place, registry, more=f"{QUARTERLY}limits: {{max_removals: 1}}\n", record=record)
    with listener(404) as (url, got):
        run(place, "2026-10-01 04:00", Asked(environ={"HOOK": url}))
        assert [one["result"] for one in got] == ["refused"]
    with listener() as (url, got):
        for day in (2, 3, 4):
            assert ends(run(place, f"2026-10-0{day} 04:00", Asked(environ={"HOOK": url}))) == [AttemptResult.REFUSED]
        assert [one["result"] for one in got] == ["refused"]


@pytest.mark.parametrize("status", [404, 500])
def test_a_message_that_cannot_be_sent_fails_nothing_and_gives_nothing_away(
    place: Place, registry: FakeRegistry, status: int
) -> None:
    """The sweep is done; the note names the variable, and not the address that it holds."""
    write(place, registry, record=", notify: [{kind: teams, url_env: HOOK}, {kind: apprise, url_env: ABSENT}]")
    notes = Quiet()
    with listener(status) as (url, got):
        done = run(place, "2026-10-01 04:00", Asked(environ={"HOOK": url}), notes)
        assert len(got) == (1 if status == 404 else 3)
    assert ends(done) == [AttemptResult.SWEPT]
    told = " ".join(notes.notes)
    assert f"teams (HOOK): the service answered {status}" in told
    assert "the environment variable ABSENT is not set" in told
    assert "SECRET" not in told


def test_the_command_says_what_it_did_and_what_comes_next(place: Place, registry: FakeRegistry) -> None:
    """On the command line: the first call sweeps, the second says that nothing is due and when it will be."""
    write(place, registry)
    installed(place)
    swept = place.run("run", "-c", str(place.policy))
    assert "tags removed from 1 repository" in swept.out
    assert "Next date: " in swept.out
    idle = place.run("run", "-c", str(place.policy))
    assert idle.out.startswith("Not due: quarterly (0 4 1 1,4,7,10 *), UTC; the next date is ")
    document = place.run("run", "-c", str(place.policy), "--json").document
    assert (document["due"], document["attempts"]) == (False, [])
    forced = place.run("run", "-c", str(place.policy), "--force", "--json").document
    assert [one["result"] for one in forced["attempts"]] == ["nothing"]


def test_a_plan_that_waits_comes_with_the_command_that_carries_it_out(place: Place, registry: FakeRegistry) -> None:
    """Whoever reads that a plan waits for approval reads how to approve it, and typing that sweeps."""
    write(place, registry)
    out = place.run("run", "-c", str(place.policy), "--approve", "plan-only", "-o", str(place.plan)).out
    assert "the plan waits for approval" in out
    (command,) = (line.partition(": ")[2] for line in out.splitlines() if line.startswith("  To carry it out: "))
    swept = place.run(*shlex.split(command)[1:])
    assert "once the registry collects" in swept.out
    assert f"tagsweep restore {place.last_run()['id']} --yes" in swept.out


def test_options_that_contradict_each_other_are_refused(place: Place, registry: FakeRegistry) -> None:
    """A plan to carry out goes with no other; a plan for approval needs a place."""
    write(place, registry)
    assert "nobody says where" in place.run("run", "-c", str(place.policy), "--approve", "plan-only", expect=2).err
    assert "goes with none" in place.run("run", "-c", str(place.policy), "--plan", "x", "--force", expect=2).err
