"""The command source: what a program prints, and every way in which a program can fail."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.model.errors import ConfigurationError, ProtocolViolation
from tagsweep.model.reference import Repository
from tagsweep.model.usage import UsageReport
from tagsweep.sources.command import CommandSource, read_output
from tagsweep.sources.process import Ending, run_program
from tagsweep.testing.source_suite import NOW, SECRET, SourceSuite, source_context, source_settings

TODAY = date(2026, 1, 1)


def _script(directory: Path, body: str, name: str = "images.sh") -> str:
    """Write an executable script, and return how a policy beside it names it."""
    path = directory / name
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return f"./{name}"


def _run(directory: Path, body: str, *arguments: str, **options: object) -> UsageReport:
    settings = source_settings("command", command=[_script(directory, body), *arguments], **options)
    return CommandSource.configure(settings, context=source_context(directory)).collect(NOW)


class CommandEnvironment:
    """A program that prints a file, and fails with a password on its lips."""

    resolves = True

    def __init__(self, directory: Path, form: str) -> None:
        self._directory = directory
        self._form = form
        _script(directory, "exec cat out")

    def plant(self, texts: Sequence[str]) -> None:
        """Write what the program is going to print."""
        if self._form == "lines":
            out = "\n".join(f"{text} # used" for text in texts)
        else:
            out = json.dumps([{"reference": text, "where": "somewhere", "note": "used"} for text in texts])
        (self._directory / "out").write_text(out, encoding="utf-8")

    def break_it(self) -> None:
        """Let it print half and fail."""
        _script(self._directory, f"head -c 30 out; echo 'bad password: {SECRET}' >&2; exit 3")

    def source(self) -> CommandSource:
        """Return the source."""
        settings = source_settings("command", command=["./images.sh"], format=self._form)
        return CommandSource.configure(settings, context=source_context(self._directory))


class TestSuite(SourceSuite):
    """The suite against programs of both forms."""

    @pytest.fixture(params=["lines", "json"])
    def environment(self, request: pytest.FixtureRequest, tmp_path: Path) -> CommandEnvironment:
        """Return the environment."""
        return CommandEnvironment(tmp_path, request.param)


def test_lines_are_read_as_a_hold_list(tmp_path: Path) -> None:
    """A line is a reference with a reason, an open one is unresolved, and the number of the line is told."""
    report = _run(tmp_path, 'printf "%s\\n" "acme/api:1 # $1" "" "acme/web:\\${TAG}"', "two words; not a shell")
    told = [(str(usage.reference), usage.where, usage.note) for usage in report.usages]
    assert told == [("docker.io/acme/api:1", "./images.sh:1", "two words; not a shell")]
    assert [(entry.repository, entry.where, entry.path) for entry in report.unresolved] == [
        (Repository("docker.io", "acme/web"), "./images.sh:3", "./images.sh")
    ]
    assert report.coverage.complete


@pytest.mark.parametrize("array", [True, False])
def test_json_carries_places_and_notes(array: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    """An array and one document a line mean the same: references, open texts, where and how they are in use."""
    entries = [
        {"reference": "acme/api:1", "where": "prod/api", "note": "running", "more": 1},
        {"text": "acme/web:${TAG}", "where": "prod/web"},
        "acme/db:2",
    ]
    text = json.dumps(entries, indent=1) if array else "\n\n".join(json.dumps(entry) for entry in entries)
    said = list(read_output(text, json_form=True, today=TODAY))
    assert [each.where for each in said] == ["prod/api", "prod/web", "entry 3" if array else "entry 5"]
    assert [type(each.finding).__name__ for each in said] == ["Found", "Open", "Found"]
    assert [getattr(each.finding, "note", None) for each in said] == ["running", "", ""]


@pytest.mark.parametrize("entry", [{}, 3, None, {"reference": 4}, {"reference": ""}, {"image": "a"}, [], "Not One", ""])
def test_a_json_entry_that_names_nothing_is_a_gap(tmp_path: Path, entry: object) -> None:
    """An entry without a reference makes the coverage partial, and the others count."""
    (tmp_path / "out").write_text(json.dumps([entry, "acme/api:1"]), encoding="utf-8")
    report = _run(tmp_path, "cat out", format="json")
    assert len(report.usages) == 1
    assert len(report.coverage.gaps) == 1


@pytest.mark.parametrize("text", ["", " \n", "{", "3", "acme/api:1", '{"reference": "a/b:1"}\nnull', "[" * 9000])
def test_output_that_is_not_json_is_a_gap(tmp_path: Path, text: str) -> None:
    """JSON that is none, and no output at all where JSON is promised, are never "nothing is in use"."""
    (tmp_path / "out").write_text(text, encoding="utf-8")
    report = _run(tmp_path, "cat out", format="json")
    assert len(report.coverage.gaps) == 1
    assert report.coverage.gaps[0].startswith("./images.sh: ")


def test_an_empty_array_is_a_complete_answer(tmp_path: Path) -> None:
    """A program that found nothing says so with an empty array, or with no lines."""
    assert _run(tmp_path, "echo '[]'", format="json").coverage.complete
    assert _run(tmp_path, "true").coverage.complete


def test_a_failing_program_is_a_gap_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad exit status is told with the last line of stderr, and what was printed before still protects."""
    monkeypatch.setenv("CLUSTER_TOKEN", SECRET)
    report = _run(tmp_path, 'echo acme/api:1; echo first >&2; echo "denied for $CLUSTER_TOKEN" >&2; echo >&2; exit 7')
    assert report.coverage.gaps == ("./images.sh failed with exit status 7: denied for REDACTED",)
    assert len(report.usages) == 1
    assert _run(tmp_path, "kill -9 $$").coverage.gaps == ("./images.sh failed with signal 9",)


def test_a_slow_program_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    """After its time the program and its children are gone, and the answer is partial."""
    report = _run(tmp_path, "echo acme/api:1; sh -c 'echo $$ >child; exec sleep 600' & wait", timeout="1s")
    (gap,) = report.coverage.gaps
    assert "did not end within 1 s" in gap
    assert len(report.usages) == 1
    child = int((tmp_path / "child").read_text(encoding="utf-8"))
    assert _gone(child)


def test_a_child_that_holds_the_output_open_is_not_waited_for_without_end(tmp_path: Path) -> None:
    """Output that may still grow is not taken for whole: the time runs out, and the child is killed."""
    report = _run(tmp_path, "echo acme/api:1; sleep 600 & echo $! >child", timeout="1s")
    assert len(report.coverage.gaps) == 1
    assert _gone(int((tmp_path / "child").read_text(encoding="utf-8")))


def _gone(process: int) -> bool:
    """Tell whether the process has ended, waiting a little for the system to take it away."""
    for _ in range(500):
        try:
            state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except OSError:
            try:
                os.kill(process, 0)
            except ProcessLookupError:
                return True
        else:
            if state == "Z":  # ended, and waiting for whoever adopted it
                return True
        time.sleep(0.01)
    return False


def test_too_much_output_ends_the_program(tmp_path: Path) -> None:
    """A program that prints without end is stopped at the limit."""
    result = run_program(["yes"], directory=str(tmp_path), seconds=60, most=1000)
    assert result.ending is Ending.TOO_LARGE
    assert len(result.output) > 1000


def test_a_program_prints_as_much_as_it_likes_on_stderr(tmp_path: Path) -> None:
    """Much on both channels neither blocks the program nor fills the memory; the end of stderr is kept."""
    body = "import sys; sys.stderr.write('x' * 500000 + '\\nlast'); sys.stdout.write('y' * 500000)"
    result = run_program([sys.executable, "-c", body], directory=str(tmp_path), seconds=60, most=1_000_000)
    assert (result.ending, result.code, len(result.output)) == (Ending.EXITED, 0, 500000)
    assert len(result.errors) < 100_000
    assert result.errors.endswith(b"\nlast")


def test_what_is_not_utf8_is_a_gap(tmp_path: Path) -> None:
    """Bytes that are no text make the coverage partial, and the readable lines count."""
    report = _run(tmp_path, "printf 'acme/api:1\\n\\377\\n'")
    assert report.coverage.gaps == ("the output of ./images.sh is not UTF-8 text",)
    assert len(report.usages) == 1


def test_a_line_that_is_no_reference_is_a_gap(tmp_path: Path) -> None:
    """A message on stdout is told, because it stands where a reference was to be."""
    (gap,) = _run(tmp_path, "echo acme/api:1; echo Loading things").coverage.gaps
    assert gap.startswith("./images.sh: line 2: 'Loading things' is no reference")


def test_a_program_that_is_not_there_is_a_gap(tmp_path: Path) -> None:
    """A missing program, one without the right to be run and a missing directory are told."""
    (tmp_path / "plain").write_text("", encoding="utf-8")
    for name in ("./absent", "./plain", "no-such-program-anywhere"):
        settings = source_settings("command", command=name)
        (gap,) = CommandSource.configure(settings, context=source_context(tmp_path)).collect(NOW).coverage.gaps
        assert gap.startswith(f"{name} cannot be run: ")


def test_it_runs_beside_the_policy_with_the_environment_and_an_empty_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program sees the policy's directory, the caller's variables, and nothing on stdin."""
    monkeypatch.setenv("WHICH_ONE", "7")
    (tmp_path / "here").write_text("beside", encoding="utf-8")
    (usage,) = _run(tmp_path, 'cat; echo "acme/api:$WHICH_ONE # $(cat here)"').usages
    assert (str(usage.reference), usage.note) == ("docker.io/acme/api:7", "beside")


@pytest.mark.parametrize(
    "options",
    [{}, {"command": ""}, {"command": []}, {"command": [1]}, {"command": "x", "format": "xml"}]
    + [{"command": "x", "timeout": wrong} for wrong in ("2", "0s", 3)]
    + [{"command": "x", "shell": True}],
)
def test_wrong_options_are_told(options: dict[str, object]) -> None:
    """A missing program and options of the wrong form are configuration errors that name the source."""
    with pytest.raises(ConfigurationError, match="command/test"):
        CommandSource.configure(source_settings("command", **options), context=source_context())


_JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=8), lambda each: st.lists(each, max_size=3), max_leaves=6
)


@settings(deadline=None)
@given(
    st.text(max_size=60)
    | st.lists(_JSON | st.dictionaries(st.sampled_from(["reference", "text"]), _JSON)).map(json.dumps)
)
def test_any_output_gives_findings_or_one_kind_of_error(text: str) -> None:
    """Whatever a program prints: findings, or ProtocolViolation for what is no JSON, and nothing else."""
    list(read_output(text, json_form=False, today=TODAY))
    try:
        said = list(read_output(text, json_form=True, today=TODAY))
    except ProtocolViolation:
        return
    assert len(said) >= len(json.loads(text)) if text.startswith("[") else said
