"""Two ledgers become one: nothing is lost, the order does not matter, and nothing looks older than it may be."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagsweep.model.errors import StateError
from tagsweep.model.run import RunRecord, RunStatus
from tagsweep.stores.ledger import Ledger
from tagsweep.stores.ledger_rows import TABLES, Row, Rows, dump, load, merge_into, merged, read_rows
from tests.unit.stores.values import GATEWAY, NOW, digest_of

A, B = digest_of(b"a"), digest_of(b"b")
HOUR = timedelta(hours=1)

times = st.integers(0, 5)
digests = st.sampled_from(["sha256:a", "sha256:b", None])


@st.composite
def sightings(draw: st.DrawFn) -> Row:
    """Return what a ledger knows of one tag."""
    first, last = sorted((draw(times), draw(times)))
    return ("r", "p", draw(st.sampled_from(["one", "two", "three"])), draw(digests), first, last)


def unique(rows: list[Row], width: int) -> set[Row]:
    """Return one row for each key, as a table has them."""
    return set({row[:width]: row for row in rows}.values())


def record(status: str, ended: str | None) -> str:
    """Return a run as the ledger keeps it, as far as merging reads it."""
    return f'{{"status":"{status}","ended_at":{"null" if ended is None else repr(ended).replace(chr(39), chr(34))}}}'


runs = st.tuples(
    st.sampled_from(["run-1", "run-2"]),
    st.just(7),
    st.builds(record, st.sampled_from(["running", "done", "restored"]), st.sampled_from([None, "2026"])),
)
plans = st.tuples(st.sampled_from(["p1", "p2"]), st.just("seal"), times, st.sampled_from([None, "run-1", "run-2"]))
usages = st.tuples(st.just("k"), st.sampled_from(["x", "y"]), st.just("pod"), st.sampled_from("ab"), times, times)
ledgers = st.builds(
    lambda seen, run, plan, usage: {
        "sightings": unique(seen, 3),
        "runs": unique(run, 1),
        "plans": unique(plan, 1),
        "usages": unique(usage, 3),
    },
    st.lists(sightings(), max_size=4),
    st.lists(runs, max_size=3),
    st.lists(plans, max_size=3),
    st.lists(usages, max_size=3),
)


@given(ledgers, ledgers)
def test_the_order_does_not_matter(one: Rows, other: Rows) -> None:
    """Whoever merges whose ledger into whose, the result is the same."""
    assert merged(one, other) == merged(other, one)


@given(ledgers, ledgers)
def test_a_second_time_changes_nothing(one: Rows, other: Rows) -> None:
    """What was taken in once may be taken in again, as happens after a crash."""
    both = merged(one, other)
    assert merged(both, one) == both
    assert merged(both, other) == both


@given(ledgers, ledgers)
def test_no_run_no_plan_and_no_tag_is_lost(one: Rows, other: Rows) -> None:
    """Every run, plan and usage of either is known afterwards, and every digest that a tag was seen on."""
    both = merged(one, other)
    for table in ("runs", "plans"):
        assert {row[0] for row in both[table]} == {row[0] for row in one[table] | other[table]}
    seen = {row[:4] for row in one["sightings"] | other["sightings"] if row[3] is not None}
    assert seen <= {row[:4] for row in both["sightings"] | both["earlier_sightings"]}


@given(ledgers, ledgers)
def test_nothing_looks_older_than_one_of_the_two_knew(one: Rows, other: Rows) -> None:
    """First-seen is never before what a ledger says that knows the tag on that digest."""
    for row in merged(one, other)["sightings"]:
        for known in one["sightings"] | other["sightings"]:
            if known[:4] == row[:4]:
                assert row[4] >= known[4]


def test_a_tag_that_one_saw_to_be_gone_is_gone() -> None:
    """A look is at all tags: what a later look of the other did not find is no sighting any more."""
    old: Rows = {"sightings": {("r", "p", "v1", "sha256:a", 1, 2), ("r", "p", "v2", "sha256:b", 1, 2)}}
    new: Rows = {"sightings": {("r", "p", "v1", "sha256:a", 1, 5)}}
    both = merged(old, new)
    assert both["sightings"] == {("r", "p", "v1", "sha256:a", 1, 5)}
    assert both["earlier_sightings"] == {("r", "p", "v2", "sha256:b", 1, 2)}


def test_a_tag_that_was_away_in_between_is_new_from_then() -> None:
    """One runner saw it before and after, the other one in between saw that it was not there: it was pushed again."""
    before_and_after: Rows = {"sightings": {("r", "p", "v1", "sha256:a", 1, 6), ("r", "p", "v2", "sha256:b", 1, 6)}}
    between: Rows = {"sightings": {("r", "p", "v2", "sha256:b", 1, 4)}}
    both = merged(before_and_after, between)
    assert both["sightings"] == {("r", "p", "v1", "sha256:a", 4, 6), ("r", "p", "v2", "sha256:b", 1, 6)}


def test_a_moved_tag_is_new_from_when_it_was_last_seen_elsewhere() -> None:
    """Seen on one digest by one runner and later on another by the other: it cannot have moved before that."""
    both = merged(
        {"sightings": {("r", "p", "v1", "sha256:a", 1, 4)}}, {"sightings": {("r", "p", "v1", "sha256:b", 2, 6)}}
    )
    assert both["sightings"] == {("r", "p", "v1", "sha256:b", 4, 6)}


def test_a_run_that_ended_is_never_open_again() -> None:
    """A runner that still knows a run as running does not undo its end."""
    ended: Rows = {"runs": {("run-1", 7, record("done", "2026"))}}
    begun: Rows = {"runs": {("run-1", 7, record("running", None))}}
    assert merged(ended, begun)["runs"] == ended["runs"]


def test_a_plan_that_one_used_is_used() -> None:
    """The plan's run survives a ledger that knows the plan as unused."""
    used: Rows = {"plans": {("p", "seal", 1, "run-1")}}
    assert merged(used, {"plans": {("p", "seal", 1, None)}})["plans"] == used["plans"]


def filled(path: Path) -> Ledger:
    """Return a ledger with a little of what a sweep writes."""
    ledger = Ledger.open(path)
    ledger.observe(GATEWAY, {"v1": A, "v2": B}, NOW)
    ledger.observe(GATEWAY, {"v1": B}, NOW + HOUR)
    run = RunRecord(
        id="run-1",
        plan_id="plan-1",
        status=RunStatus.RUNNING,
        started_at=NOW,
        ended_at=None,
        repositories=(),
        planned_tags=1,
        removed_tags=0,
    )
    ledger.claim_plan("plan-1", "seal", "run-1", NOW, record=run)
    ledger.save_calibration("r", {"a": 1.5}, NOW)
    return ledger


def test_a_ledger_survives_the_way_through_text(tmp_path: Path) -> None:
    """Dumped, loaded and merged into an empty ledger, it answers as before."""
    with filled(tmp_path / "one.sqlite") as one, Ledger.open(tmp_path / "two.sqlite") as two:
        rows = {table: load(table, dump(found), name="x") for table, found in read_rows(one).items()}
        merge_into(two, [rows])
        assert read_rows(two) == read_rows(one)
        assert two.first_seen(GATEWAY) == {"v1": (B, NOW + HOUR)}
        assert two.run_of_plan("plan-1") == "run-1"
        assert two.run("run-1") == one.run("run-1")
        assert two.calibration("r") == {"a": 1.5}


def test_every_table_of_the_ledger_goes_along(tmp_path: Path) -> None:
    """A table that a later version adds cannot be forgotten here."""
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        names = {row[0] for row in ledger.database.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert names == {*TABLES, "repositories"}


@pytest.mark.parametrize("data", [b"{", b"3\n", b'["a"]\n', b"\xff\n", b'[["a"],1,2]\n'])
def test_rows_that_cannot_be_read_are_told(data: Any) -> None:
    """Damage is an error with the place in it, never an empty table."""
    with pytest.raises(StateError, match=r"^here: the rows of runs"):
        load("runs", data, name="here")
