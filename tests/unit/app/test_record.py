"""The changelog is written whole, once for each run, whoever else writes into it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tagsweep.app.record import _write_changelog, check_record
from tagsweep.model.errors import StateError
from tagsweep.model.plan import Plan
from tests.unit.report import samples


def test_runs_that_end_at_once_all_get_their_entry(tmp_path: Path) -> None:
    """Two repositories' runs that share a changelog do not overwrite each other's entry."""
    path = tmp_path / "CHANGELOG.md"
    reports = [replace(samples.report(), run=replace(samples.run(), id=f"run-{n}")) for n in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda report: _write_changelog(path, report), reports))
    text = path.read_text(encoding="utf-8")
    assert all(text.count(f"<!-- tagsweep run run-{n} -->") == 1 for n in range(24))


def test_a_link_stays_a_link_and_an_unchanged_file_is_not_written(tmp_path: Path) -> None:
    """The file that the link names is written, with its rights; the same run again leaves it alone."""
    target = tmp_path / "docs" / "HISTORY.md"
    target.parent.mkdir()
    target.write_bytes(b"\xef\xbb\xbf# History\r\n\r\n## 1.0.0\r\n")
    target.chmod(0o664)
    link = tmp_path / "CHANGELOG.md"
    link.symlink_to(target)
    _write_changelog(link, samples.report())
    assert link.is_symlink()
    written = target.stat()
    assert written.st_mode & 0o777 == 0o664
    data = target.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf# History\r\n\r\n## Registry sweep")
    assert data.count(b"\n") == data.count(b"\r\n")
    _write_changelog(link, samples.report())
    assert target.stat().st_mtime_ns == written.st_mtime_ns
    assert target.stat().st_ino == written.st_ino


def plan_for(changelog: Path) -> Plan:
    """Return a plan whose policy names this changelog."""
    plan = samples.report().plan
    return replace(plan, record=replace(plan.record, changelog=str(changelog)))


@pytest.mark.parametrize("target", ["CHANGELOG.md", "file/CHANGELOG.md"])
def test_a_link_that_cannot_be_written_through_is_found_before_anything_is_deleted(target: str, tmp_path: Path) -> None:
    """A link to itself, or into what is no directory: an error of ours before the sweep, and nothing is left there."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    link = tmp_path / "CHANGELOG.md"
    link.symlink_to(target)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(StateError, match="cannot be"):
        check_record(plan_for(link))
    with pytest.raises(StateError, match="cannot be"):
        _write_changelog(link, samples.report())
    assert sorted(tmp_path.iterdir()) == before


def test_a_link_to_a_file_that_is_not_there_yet_is_written_through(tmp_path: Path) -> None:
    """Its directory is made before the sweep, as that of a changelog without a link is."""
    link = tmp_path / "CHANGELOG.md"
    link.symlink_to("docs/HISTORY.md")
    check_record(plan_for(link))
    _write_changelog(link, samples.report())
    assert "## [Unreleased]" in (tmp_path / "docs" / "HISTORY.md").read_text(encoding="utf-8")
