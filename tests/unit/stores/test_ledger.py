"""The ledger remembers what was seen when, and gives each plan to one run."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.model.errors import PlanError, StateError
from tagsweep.model.reference import Digest, Reference
from tagsweep.model.run import CountPoint, RunRecord, RunStatus
from tagsweep.model.usage import Usage
from tagsweep.stores.database import Database
from tagsweep.stores.ledger import _SCHEMA, Ledger
from tests.unit.stores.values import GATEWAY, NOW, UI, digest_of

A, B = digest_of(b"a"), digest_of(b"b")
HOUR = timedelta(hours=1)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Return a new ledger."""
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        yield opened


def run_record(run_id: str, started_at: datetime = NOW) -> RunRecord:
    """Return a run that is going on."""
    return RunRecord(
        id=run_id,
        plan_id="p",
        status=RunStatus.RUNNING,
        started_at=started_at,
        ended_at=None,
        repositories=("docker.io/a/b",),
        planned_tags=3,
        removed_tags=1,
        counts={"done": 1, "failed": 2},
    )


def test_a_tag_keeps_its_first_sighting(ledger: Ledger) -> None:
    """While a tag stays on its digest, first-seen is when that was first seen."""
    for hours in range(3):
        ledger.observe(GATEWAY, {"latest": A}, NOW + hours * HOUR)
    assert ledger.first_seen(GATEWAY) == {"latest": (A, NOW)}
    assert ledger.first_seen(UI) == {}


def test_a_tag_that_moves_is_new(ledger: Ledger) -> None:
    """On another digest a tag begins anew, and so it does when it comes back to an earlier one."""
    ledger.observe(GATEWAY, {"latest": A}, NOW)
    ledger.observe(GATEWAY, {"latest": B}, NOW + HOUR)
    assert ledger.first_seen(GATEWAY) == {"latest": (B, NOW + HOUR)}
    ledger.observe(GATEWAY, {"latest": A}, NOW + 2 * HOUR)
    assert ledger.first_seen(GATEWAY) == {"latest": (A, NOW + 2 * HOUR)}


def test_a_tag_that_was_away_is_new(ledger: Ledger) -> None:
    """A tag that was missing at one look was perhaps pushed again, so it counts as young."""
    ledger.observe(GATEWAY, {"a": A, "b": B}, NOW)
    ledger.observe(GATEWAY, {"b": B}, NOW + HOUR)
    assert ledger.last_digests(GATEWAY) == {"b": B}
    ledger.observe(GATEWAY, {"a": A, "b": B}, NOW + 2 * HOUR)
    assert ledger.first_seen(GATEWAY) == {"a": (A, NOW + 2 * HOUR), "b": (B, NOW)}


def test_a_tag_that_did_not_resolve_stays_as_it_was(ledger: Ledger) -> None:
    """One failed look-up neither makes a tag young nor forgets it; a tag that never resolved is not told."""
    ledger.observe(GATEWAY, {"a": A, "b": None}, NOW)
    ledger.observe(GATEWAY, {"a": None, "b": None}, NOW + HOUR)
    assert ledger.first_seen(GATEWAY) == {"a": (A, NOW)}
    ledger.observe(GATEWAY, {"a": A, "b": B}, NOW + 2 * HOUR)
    assert ledger.first_seen(GATEWAY) == {"a": (A, NOW), "b": (B, NOW + 2 * HOUR)}


def test_repositories_are_kept_apart(ledger: Ledger) -> None:
    """The same tag in two repositories has two histories."""
    ledger.observe(GATEWAY, {"a": A}, NOW)
    ledger.observe(UI, {"a": B}, NOW + HOUR)
    ledger.observe(GATEWAY, {}, NOW + HOUR)
    assert ledger.first_seen(GATEWAY) == {}
    assert ledger.first_seen(UI) == {"a": (B, NOW + HOUR)}


looks = st.lists(
    st.dictionaries(st.sampled_from("xyz"), st.sampled_from([A, B, None]), max_size=3), min_size=1, max_size=6
)


@given(looks)
@settings(max_examples=60, deadline=None)
def test_first_seen_never_makes_older(history: list[dict[str, Digest | None]]) -> None:
    """Whatever happens, first-seen is not before the look since which the tag was always there, on that digest."""
    with in_memory() as ledger:
        for number, tags in enumerate(history):
            ledger.observe(GATEWAY, tags, NOW + number * HOUR)
        for tag, (digest, since) in ledger.first_seen(GATEWAY).items():
            first = (since - NOW) // HOUR
            assert history[first].get(tag) == digest
            assert all(look.get(tag, "away") in {digest, None} for look in history[first:])


def in_memory() -> Ledger:
    """Return a new ledger without a file."""
    database = Database(
        Path("memory"), _SCHEMA, sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    )
    database._prepare(read_only=False)
    return Ledger(database)


def test_times_keep_their_microseconds(ledger: Ledger) -> None:
    """An instant comes back exactly, in UTC."""
    at = NOW.replace(microsecond=123457)
    ledger.observe(GATEWAY, {"a": A}, at)
    assert ledger.first_seen(GATEWAY)["a"][1] == at


def test_count_points_come_back_in_the_order_of_time(ledger: Ledger) -> None:
    """Counts are a series; the same point noted again replaces the first."""
    points = [
        CountPoint(at=NOW + hours * HOUR, repository=repository, naming_class=name, tags=hours + 5, origin="listed")
        for hours in (1, 0)
        for repository in (UI, GATEWAY)
        for name in ("release", "")
    ]
    ledger.record_counts(points)
    ledger.record_counts(points)
    assert ledger.counts() == tuple(sorted(points, key=lambda one: (one.at, one.repository, one.naming_class)))
    assert {one.repository for one in ledger.counts(GATEWAY)} == {GATEWAY}


def test_a_plan_is_used_once(ledger: Ledger) -> None:
    """The first run gets the plan and may take it up again; another run is refused with exit code 5."""
    ledger.register_plan("p", "seal", NOW)
    assert (ledger.seal_of_plan("p"), ledger.run_of_plan("p")) == ("seal", None)
    ledger.claim_plan("p", "seal", "r1", NOW)
    ledger.claim_plan("p", "seal", "r1", NOW)
    assert ledger.run_of_plan("p") == "r1"
    with pytest.raises(PlanError, match="was used by the run r1") as caught:
        ledger.claim_plan("p", "seal", "r2", NOW)
    assert caught.value.exit_code == 5


def test_a_plan_and_its_run_are_noted_together(ledger: Ledger) -> None:
    """Whoever reads the ledger sees a used plan only with its run; a refused claim leaves no run behind."""
    seen: list[bool] = []
    other = sqlite3.connect(ledger.database.path)
    ledger.database.connection.set_trace_callback(
        lambda _: seen.append(other.execute("SELECT count(*) FROM plans WHERE run NOT NULL").fetchone()[0] == 0)
    )
    ledger.claim_plan("p", "seal", "r1", NOW, record=run_record("r1"))
    ledger.database.connection.set_trace_callback(None)
    other.close()
    assert seen
    assert all(seen)  # until the one commit, which comes last
    assert ledger.run(ledger.run_of_plan("p") or "") == run_record("r1")
    with pytest.raises(PlanError):
        ledger.claim_plan("p", "seal", "r2", NOW, record=run_record("r2"))
    assert ledger.run("r2") is None


def test_a_plan_that_was_sealed_again_is_refused(ledger: Ledger) -> None:
    """The ledger knows the seal that the plan had; another one under its id is not that plan."""
    ledger.register_plan("p", "seal", NOW)
    with pytest.raises(PlanError, match="not the one that was made here"):
        ledger.claim_plan("p", "forged", "r1", NOW)
    with pytest.raises(PlanError, match="not the one that was made here"):
        ledger.register_plan("p", "forged", NOW)
    assert ledger.run_of_plan("p") is None
    assert ledger.seal_of_plan("p") == "seal"


def test_a_plan_from_elsewhere_can_be_claimed(ledger: Ledger) -> None:
    """A plan made on another machine is taken as it is, and is used once here too."""
    assert ledger.seal_of_plan("q") is None
    ledger.claim_plan("q", "seal", "r1", NOW)
    with pytest.raises(PlanError):
        ledger.claim_plan("q", "seal", "r2", NOW)


def test_of_two_runs_at_once_one_gets_the_plan(tmp_path: Path) -> None:
    """Two processes that apply the same plan at the same moment do not both get it."""
    got: list[str] = []
    barrier = threading.Barrier(4)

    def claim(run_id: str) -> None:
        with Ledger.open(tmp_path / "l") as own:
            barrier.wait()
            try:
                own.claim_plan("p", "seal", run_id, NOW)
            except PlanError:
                return
            got.append(run_id)

    Ledger.open(tmp_path / "l").close()
    threads = [threading.Thread(target=claim, args=(f"r{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1


def test_runs_come_back_the_newest_first(ledger: Ledger) -> None:
    """A run that is saved again replaces what was known of it."""
    ledger.save_run(run_record("r1"))
    ledger.save_run(run_record("r2", NOW + HOUR))
    ended = RunRecord(
        id="r1",
        plan_id="p",
        status=RunStatus.PARTIAL,
        started_at=NOW,
        ended_at=NOW + HOUR,
        repositories=(),
        planned_tags=3,
        removed_tags=2,
    )
    ledger.save_run(ended)
    assert ledger.runs() == (run_record("r2", NOW + HOUR), ended)
    assert ledger.run("r1") == ended
    assert ledger.run("r9") is None


def test_calibration_is_kept_by_registry(ledger: Ledger) -> None:
    """The last coefficients of a registry are there for the next forecast."""
    assert ledger.calibration("docker.io") is None
    ledger.save_calibration("docker.io", {"request": 0.1, "tag_left": 0.002}, NOW)
    ledger.save_calibration("docker.io", {"request": 0.2}, NOW)
    assert ledger.calibration("docker.io") == {"request": 0.2}


def test_a_transaction_that_fails_changes_nothing(ledger: Ledger) -> None:
    """An error in the middle of a look leaves the ledger as it was."""
    unfit: Any = object()
    ledger.observe(GATEWAY, {"a": A}, NOW)
    with pytest.raises(StateError, match="cannot be written"):
        ledger.observe(GATEWAY, {"b": B, "c": unfit}, NOW + HOUR)
    assert ledger.first_seen(GATEWAY) == {"a": (A, NOW)}


bad_files = [
    (b"this is no database, and it is longer than a header of SQLite would be" * 3, "damaged, or is not"),
    (b"SQLite format 3\0" + b"\xff" * 4000, "damaged, or is not"),
]


@pytest.mark.parametrize(("data", "sentence"), bad_files, ids=["text", "header only"])
def test_a_file_that_is_no_ledger_is_refused(data: bytes, sentence: str, tmp_path: Path) -> None:
    """What is no database is a StateError that says what to do, and is left as it is."""
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(data)
    with pytest.raises(StateError, match=sentence) as caught:
        Ledger.open(path)
    assert "move the file away" in caught.value.remedy
    assert path.read_bytes() == data


def test_a_database_of_another_program_is_not_written_to(tmp_path: Path) -> None:
    """A database that is not ours is refused and left as it is."""
    path = tmp_path / "ledger.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StateError, match="is not a ledger of tagsweep"):
        Ledger.open(path)
    assert path.read_bytes() == before


def test_a_damaged_page_is_a_state_error(tmp_path: Path) -> None:
    """Damage in the middle of the file is told when it is met, with exit code 6."""
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(path) as opened:
        opened.observe(GATEWAY, {f"t{n}": A for n in range(2000)}, NOW)
    data = path.read_bytes()
    page = 4096
    path.write_bytes(data[: 3 * page] + b"\xaa" * (len(data) - 3 * page))
    with pytest.raises(StateError, match=r"ledger\.sqlite is damaged") as caught, Ledger.open(path) as opened:
        opened.observe(GATEWAY, {f"t{n}": B for n in range(2000)}, NOW)
    assert caught.value.exit_code == 6


def test_a_newer_ledger_is_refused(tmp_path: Path) -> None:
    """Tables of a later version are not touched by an older tagsweep."""
    path = tmp_path / "ledger.sqlite"
    Ledger.open(path).close()
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(StateError, match="written by a newer tagsweep"):
        Ledger.open(path)


def test_a_ledger_that_cannot_be_made_is_a_state_error(tmp_path: Path) -> None:
    """A directory that is not there is named, with the remedy."""
    with pytest.raises(StateError, match="cannot be opened") as caught:
        Ledger.open(tmp_path / "absent" / "ledger.sqlite")
    assert "--state" in caught.value.remedy


def test_a_clock_that_was_set_back_makes_nothing_older(ledger: Ledger) -> None:
    """A tag that appears while the clock is wrong counts from the last look, not from years ago."""
    ledger.observe(GATEWAY, {"a": A}, NOW)
    ledger.observe(GATEWAY, {"a": A, "b": B}, NOW - 9999 * HOUR)
    ledger.observe(GATEWAY, {"a": B, "b": B}, NOW - 9998 * HOUR)
    assert ledger.first_seen(GATEWAY) == {"a": (B, NOW), "b": (B, NOW)}
    ledger.observe(UI, {"a": A}, NOW - HOUR)
    assert ledger.first_seen(UI) == {"a": (A, NOW - HOUR)}


damaged_values: list[tuple[str, Callable[[Ledger], object], str]] = [
    ("UPDATE sightings SET first_seen = 9e18", lambda ledger: ledger.first_seen(GATEWAY), "a sighting"),
    ("UPDATE sightings SET first_seen = 'then'", lambda ledger: ledger.first_seen(GATEWAY), "a sighting"),
    ("UPDATE sightings SET digest = 'sha256:1'", lambda ledger: ledger.last_digests(GATEWAY), "a sighting"),
    ("UPDATE counts SET at = 9e18", lambda ledger: ledger.counts(), "a count"),
    ("UPDATE runs SET record = '{'", lambda ledger: ledger.runs(), "a run"),
    ("UPDATE runs SET record = '{}'", lambda ledger: ledger.run("r1"), "a run"),
    ("UPDATE calibrations SET coefficients = '{'", lambda ledger: ledger.calibration("docker.io"), "a calibration"),
    ("UPDATE calibrations SET coefficients = '[]'", lambda ledger: ledger.calibration("docker.io"), "a calibration"),
    ("UPDATE calibrations SET coefficients = cast(x'ff' AS TEXT)", lambda ledger: ledger.calibration("docker.io"), ""),
]


@pytest.mark.parametrize(("sql", "read", "what"), damaged_values, ids=[row[0] for row in damaged_values])
def test_a_damaged_value_is_a_state_error(
    sql: str, read: Callable[[Ledger], object], what: str, ledger: Ledger
) -> None:
    """A value that makes no sense is told with the file and the remedy, whichever table it is in."""
    ledger.observe(GATEWAY, {"a": A}, NOW)
    ledger.record_counts([CountPoint(at=NOW, repository=GATEWAY, naming_class="", tags=1, origin="listed")])
    ledger.save_run(run_record("r1"))
    ledger.save_calibration("docker.io", {"request": 0.1}, NOW)
    with ledger.database.transaction() as connection:
        connection.execute(sql)
    sentence = rf"ledger\.sqlite has {what} that cannot be read" if what else r"ledger\.sqlite is damaged"
    with pytest.raises(StateError, match=sentence) as caught:
        read(ledger)
    assert "move the file away" in caught.value.remedy
    assert caught.value.exit_code == 6


def test_a_ledger_that_another_process_makes_at_the_same_moment_is_ours(tmp_path: Path) -> None:
    """Kind, version and tables are read at one moment, so a half-seen beginning is never called another's file."""
    path = tmp_path / "ledger.sqlite"
    other = sqlite3.connect(path, isolation_level=None, timeout=0)
    own = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    tried: list[str] = []

    def between(statement: str) -> None:
        if "count(*)" not in statement or tried:
            return
        tried.append(statement)
        other.execute("BEGIN IMMEDIATE")
        other.execute(f"PRAGMA application_id = {_SCHEMA.application_id}")
        for part in _SCHEMA.migrations[0].split(";"):
            other.execute(part)
        other.execute("PRAGMA user_version = 1")
        with contextlib.suppress(sqlite3.OperationalError):
            other.execute("COMMIT")
        if other.in_transaction:
            other.execute("ROLLBACK")

    own.set_trace_callback(between)
    database = Database(path, _SCHEMA, own)
    database._prepare(read_only=False)
    assert tried
    with Ledger(database) as ledger:
        ledger.observe(GATEWAY, {"a": A}, NOW)
        assert ledger.last_digests(GATEWAY) == {"a": A}
    other.close()


def _usage(reference: str, where: str = "prod/web", note: str = "") -> Usage:
    return Usage(reference=Reference.parse(reference), source="kubernetes/prod", where=where, note=note)


def test_what_was_in_use_is_remembered_with_its_last_time(tmp_path: Path) -> None:
    """A usage that a source no longer reports comes back with the time of the last answer that had it."""
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.remember_usages("kubernetes/prod", [_usage("acme/api:1"), _usage("acme/web")], NOW)
        later = NOW + timedelta(days=3)
        ledger.remember_usages("kubernetes/prod", [_usage("acme/api:1", note="rollback target")], later)
        found = ledger.remembered_usages("kubernetes/prod", since=NOW)
        assert [(str(one.reference), one.note, one.last_seen) for one in found] == [
            ("docker.io/acme/api:1", "rollback target", later),
            ("docker.io/acme/web:latest", "", NOW),
        ]
        assert ledger.remembered_usages("kubernetes/prod", since=NOW + timedelta(seconds=1)) == found[:1]
        assert ledger.remembered_usages("git/deploy", since=NOW) == ()


def test_a_clock_that_was_set_back_makes_no_usage_older(tmp_path: Path) -> None:
    """The last time that something was seen never goes back."""
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.remember_usages("kubernetes/prod", [_usage("acme/api:1")], NOW)
        ledger.remember_usages("kubernetes/prod", [_usage("acme/api:1")], NOW - timedelta(days=30))
        assert ledger.remembered_usages("kubernetes/prod", since=NOW)[0].last_seen == NOW


def test_usages_are_forgotten_after_two_years(tmp_path: Path) -> None:
    """The ledger does not grow for ever: what no answer had for two years goes, of that source only."""
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.remember_usages("kubernetes/prod", [_usage("acme/api:1")], NOW)
        ledger.remember_usages("kubernetes/old", [_usage("acme/api:1")], NOW)
        ledger.remember_usages("kubernetes/prod", [], NOW + timedelta(days=731))
        assert ledger.remembered_usages("kubernetes/prod", since=NOW) == ()
        assert len(ledger.remembered_usages("kubernetes/old", since=NOW)) == 1


def test_odd_text_of_a_source_is_remembered_all_the_same(tmp_path: Path) -> None:
    """Half a surrogate pair in a place or note does not stop a plan."""
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.remember_usages("kubernetes/prod", [_usage("acme/api:1", where="a\ud800b", note="\udfff")], NOW)
        assert ledger.remembered_usages("kubernetes/prod", since=NOW)[0].where == "a?b"


def test_a_ledger_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """A ledger that was made before usages were remembered gets their table and keeps what it had."""
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(path) as ledger:
        ledger.observe(GATEWAY, {"v1": None}, NOW)
        ledger.database.connection.execute("DROP TABLE usages")
        ledger.database.connection.execute("DROP TABLE attempts")
        ledger.database.connection.execute("PRAGMA user_version = 1")
    with Ledger.open(path) as ledger:
        ledger.remember_usages("kubernetes/prod", [_usage("acme/api:1")], NOW)
        assert len(ledger.remembered_usages("kubernetes/prod", since=NOW)) == 1
