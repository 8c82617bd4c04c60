"""Two journals of one run become one that has what either runner wrote down."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagsweep.model.errors import StateError
from tagsweep.model.run import Outcome, OutcomeKind
from tagsweep.stores.journal import Journal, JournalHeader, read_journal
from tagsweep.stores.journal_merge import merge_journals
from tests.unit.stores.values import GATEWAY, NOW


def write(path: Path, *steps: str, run: str = "run-1", open_step: str = "") -> bytes:
    """Return the journal of a run that finished these steps and began another."""
    header = JournalHeader(run_id=run, plan_id="plan-1", seal="seal", started_at=NOW)
    with Journal.create(path, header) as journal:
        for step in steps:
            journal.intend(GATEWAY, step)
            journal.finish(Outcome(repository=GATEWAY, step=step, kind=OutcomeKind.DONE, at=NOW))
        if open_step:
            journal.intend(GATEWAY, open_step)
    return path.read_bytes()


def test_what_both_did_is_there(tmp_path: Path) -> None:
    """After a common beginning each went on by itself: every outcome is kept, and what nobody ended stays open."""
    one = write(tmp_path / "1", "a", "b", open_step="d")
    other = write(tmp_path / "2", "a", "c")
    (tmp_path / "3").write_bytes(merge_journals(one, other, name="j"))
    content = read_journal(tmp_path / "3")
    assert {step for _, step in content.outcomes} == {"a", "b", "c"}
    assert content.open == {(GATEWAY, "d")}


def test_the_order_does_not_matter_and_a_second_time_adds_nothing(tmp_path: Path) -> None:
    """Runners may merge in any order, and again."""
    one, other = write(tmp_path / "1", "a", "b"), write(tmp_path / "2", "a", "c")
    both = merge_journals(one, other, name="j")
    assert both == merge_journals(other, one, name="j")
    assert merge_journals(both, one, name="j") == both == merge_journals(both, other, name="j")


def test_the_longer_of_two_that_are_one_is_taken_as_it_is(tmp_path: Path) -> None:
    """A journal that was sent and went on, with a torn last line, is simply the newer one."""
    whole = write(tmp_path / "1", "a", "b")
    assert merge_journals(whole, whole[:-9], name="j") == whole
    assert merge_journals(whole[:40], whole, name="j") == whole


def test_journals_of_two_runs_are_not_mixed(tmp_path: Path) -> None:
    """Another first line is another run: that is told, and nothing is written."""
    one, other = write(tmp_path / "1", "a"), write(tmp_path / "2", "a", run="run-2")
    with pytest.raises(StateError, match="do not begin alike"):
        merge_journals(one, other, name="j")
