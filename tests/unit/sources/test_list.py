"""The hold list: references with reasons, several files, open references, and every line that is none told."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.model.errors import ConfigurationError
from tagsweep.model.policy import SourceSettings
from tagsweep.model.reference import Repository
from tagsweep.model.usage import UsageReport
from tagsweep.sources.held_lines import read_lines
from tagsweep.sources.list import ListSource, extract
from tagsweep.sources.syntaxes.findings import Place
from tagsweep.testing.source_suite import SourceSuite, source_context, source_settings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HERE = Place(source="list/hold", where="hold.txt", path="hold.txt")


class ListEnvironment:
    """Two files of references, one of them found by a glob."""

    resolves = True

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def plant(self, texts: Sequence[str]) -> None:
        """Write them, every second one with a reason."""
        lines = [f"{text}  # reason {n}" if n % 2 else text for n, text in enumerate(texts)]
        (self._directory / "hold").mkdir()
        (self._directory / "hold" / "a.txt").write_text("\n".join(lines[::2]), encoding="utf-8")
        (self._directory / "b.txt").write_text("\r\n".join(lines[1::2]), encoding="utf-8")

    def break_it(self) -> None:
        """Write bytes that are no text."""
        (self._directory / "b.txt").write_bytes(b"\xff\xfe\x00")

    def source(self) -> ListSource:
        """Return the source."""
        settings = source_settings("list", file=["hold/*.txt", "b.txt"])
        return ListSource.configure(settings, context=source_context(self._directory))


class TestSuite(SourceSuite):
    """The suite against files."""

    @pytest.fixture
    def environment(self, tmp_path: Path) -> ListEnvironment:
        """Return the environment."""
        return ListEnvironment(tmp_path)


def _collect(directory: Path, *files: str) -> UsageReport:
    settings = source_settings("list", file=list(files))
    return ListSource.configure(settings, context=source_context(directory)).collect(NOW)


def test_each_reference_comes_out_with_its_line_and_reason() -> None:
    """N references planted mean N come out, with the line number and the words behind the hash."""
    text = (
        "\ufeff# held\r\n\r\nghcr.io/acme/api:1.4.2  # customer X #2\r\nacme/web#glued\n"
        "  acme/db@sha256:" + "a" * 64 + "\n\tacme/job:7\t# tab\rold/mac:1"
    )
    found, gaps = extract(text, place=HERE, now=NOW)
    assert [(str(usage.reference), usage.where, usage.note) for usage in found.usages] == [
        ("ghcr.io/acme/api:1.4.2", "hold.txt:3", "customer X #2"),
        ("docker.io/acme/web:latest", "hold.txt:4", "glued"),
        (f"docker.io/acme/db@sha256:{'a' * 64}", "hold.txt:5", ""),
        ("docker.io/acme/job:7", "hold.txt:6", "tab"),
        ("docker.io/old/mac:1", "hold.txt:7", ""),
    ]
    assert (gaps, found.unresolved, found.invalid) == ((), (), ())


def test_an_open_reference_is_unresolved_and_no_gap() -> None:
    """A line with a variable could mean any tag that fits, which the policy decides about."""
    found, gaps = extract("acme/api:v1-${BUILD}  # nightly\nacme/web:${TAG#v}\nacme/x:#{tag}\n", place=HERE, now=NOW)
    told = [(entry.repository, entry.tag_pattern, entry.where, entry.path, entry.note) for entry in found.unresolved]
    assert told == [
        (Repository("docker.io", "acme/api"), r"v1\-.*", "hold.txt:1", "hold.txt", "nightly"),
        (Repository("docker.io", "acme/web"), ".*", "hold.txt:2", "hold.txt", ""),
        (Repository("docker.io", "acme/x"), ".*", "hold.txt:3", "hold.txt", ""),
    ]
    assert gaps == ()


def test_an_entry_whose_date_has_passed_still_holds_and_says_so() -> None:
    """A date behind `until` releases nothing by itself: the note tells that it has passed."""
    text = (
        "a/past:1 # X, until 2025-12-31\na/today:1 # until 2026-01-01\na/odd:1 # until 2025-13-45\n"
        "a/colon:1 # Until: 2020-01-01 or so\n"
    )
    found, gaps = extract(text, place=HERE, now=NOW)
    assert [usage.note for usage in found.usages] == [
        "X, until 2025-12-31 (that date has passed)",
        "until 2026-01-01",
        "until 2025-13-45",
        "Until: 2020-01-01 or so (that date has passed)",
    ]
    assert gaps == ()


@pytest.mark.parametrize(
    "line", ["acme/API:1", "acme/api:1 customer X", "sha256:" + "a" * 64, "a" * 64, "acme/api:", '""']
)
def test_a_line_that_is_no_reference_is_a_gap(line: str) -> None:
    """A misspelt line makes the coverage partial, because it was meant to protect something."""
    found, gaps = extract(f"{line}\nacme/api:1\n", place=HERE, now=NOW)
    assert len(found.usages) == 1
    assert len(gaps) == 1
    assert gaps[0].startswith("hold.txt:1: ")


def test_a_policy_in_a_directory_with_an_odd_name_finds_its_files(tmp_path: Path) -> None:
    """Brackets in the name of the policy's own directory are no wildcards, and a glob may lead upwards."""
    base = tmp_path / "[odd]"
    base.mkdir()
    (base / "a.txt").write_text("acme/api:1\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text("acme/web:1\n", encoding="utf-8")
    report = _collect(base, "*.txt", "../*.txt")
    assert report.coverage.complete, report.coverage.gaps
    assert [usage.reference.repository.path for usage in report.usages] == ["acme/api", "acme/web"]


def test_files_and_globs_are_read_together(tmp_path: Path) -> None:
    """Paths, globs at one and at any depth are read once each; hidden files and directories are no match."""
    for name in ("a.txt", "hold/b.txt", "hold/deep/c.txt", "hold/.hidden.txt", "hold/[x].txt", "hold/d.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"acme/{Path(name).stem.strip('.[]')}:1\n", encoding="utf-8")
    (tmp_path / "hold" / "dir.txt").mkdir()

    def named(*files: str) -> list[str]:
        report = _collect(tmp_path, *files)
        assert report.coverage.complete, report.coverage.gaps
        return [usage.reference.repository.path.removeprefix("acme/") for usage in report.usages]

    assert named("a.txt", "hold/*.txt", "hold/b.txt") == ["a", "x", "b"]
    assert named("**/*.txt") == ["a", "x", "b", "c"]
    assert named("hold/**") == ["x", "b", "d", "c"]
    assert named("*/deep/?.txt") == ["c"]
    assert named("hold/[x].txt") == ["x"]
    assert named("hold/.hid*") == ["hidden"]
    assert named(str(tmp_path / "*.txt")) == ["a"]


def test_a_glob_that_matches_nothing_is_a_gap(tmp_path: Path) -> None:
    """A glob without files was meant to find some; an empty file is a good answer."""
    (tmp_path / "empty.txt").write_text("# nothing held\n", encoding="utf-8")
    assert _collect(tmp_path, "*.txt").coverage.complete
    (gap,) = _collect(tmp_path, "*.txt", "hold/*.lst").coverage.gaps
    assert gap.startswith("hold/*.lst matches no file in ")


def test_a_directory_that_cannot_be_looked_into_is_a_gap() -> None:
    """Files that a glob cannot see because of missing rights make the answer partial, and what it sees counts."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        base.chmod(0o755)
        (base / "open").mkdir(mode=0o755)
        (base / "open" / "a.txt").write_text("acme/api:1\n", encoding="utf-8")
        (base / "shut").mkdir(mode=0)
        was = os.geteuid()
        if was == 0:
            os.seteuid(65534)
        try:
            report = _collect(base, "**/*.txt")
            literal = _collect(base, "shut/*.txt", "shut/a.txt")
        finally:
            os.seteuid(was)
    assert len(report.usages) == 1
    assert report.coverage.gaps == (f"{base}/shut cannot be looked into: Permission denied",)
    assert len(literal.coverage.gaps) == 2


def test_a_file_that_cannot_be_read_is_a_gap_and_no_empty_answer(tmp_path: Path) -> None:
    """An absent file, a directory and one that is not UTF-8 give partial coverage that names them."""
    (tmp_path / "wide.txt").write_text("acme/api:1\n", encoding="utf-16")
    (tmp_path / "good.txt").write_text("acme/api:1\n", encoding="utf-8")
    report = _collect(tmp_path, "absent.txt", "wide.txt", ".", "good.txt")
    assert len(report.usages) == 1
    assert [gap.partition(" cannot be read: ")[2] for gap in report.coverage.gaps] == [
        "No such file or directory",
        "it is not UTF-8 text",
        "Is a directory",
    ]


@pytest.mark.parametrize("options", [{}, {"file": 3}, {"file": ""}, {"file": []}, {"file": "x", "files": "y"}])
def test_wrong_options_are_told(options: dict[str, object]) -> None:
    """A missing, empty or unknown option is a configuration error that names the source."""
    with pytest.raises(ConfigurationError, match="list/hold"):
        ListSource.configure(SourceSettings(name="list/hold", kind="list", options=options), context=source_context())


@settings(deadline=None)
@given(st.lists(st.text(alphabet="aA/:@1.${}#<>%-\"' \t\ufeff", max_size=30), max_size=6))
def test_no_line_is_dropped_in_silence(lines: list[str]) -> None:
    """Whatever a line is: if it is not empty and no comment, something comes out for it, and never an exception."""
    found = {finding.line for finding in read_lines("\n".join(lines), today=date(2026, 1, 1))}
    for number, line in enumerate(lines, start=1):
        written = line.strip().lstrip("\ufeff").strip()
        assert not written or written.startswith("#") or number in found
