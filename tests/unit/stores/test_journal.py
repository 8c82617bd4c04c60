"""The journal: intent is on disk before the call, any byte prefix can be read, and corruption is never skipped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.model.errors import StateError
from tagsweep.model.run import Outcome, OutcomeKind
from tagsweep.stores.journal import Journal, JournalContent, JournalHeader, _line, read_journal
from tests.unit.stores.values import GATEWAY, NOW, UI

HEADER = JournalHeader(run_id="r1", plan_id="p1", seal="sha256:x", started_at=NOW)


def outcome(step: str, kind: OutcomeKind = OutcomeKind.DONE, why: str = "") -> Outcome:
    """Return the end of a step of the gateway."""
    return Outcome(repository=GATEWAY, step=step, kind=kind, at=NOW + timedelta(seconds=1), why=why)


def written(path: Path) -> bytes:
    """Write a journal with every kind of record and return its bytes."""
    with Journal.create(path, HEADER) as journal:
        journal.intend(GATEWAY, "untag a")
        journal.finish(outcome("untag a"))
        journal.intend(UI, "untag a")
        journal.note('wave 1: "checked" ✓ ok\nreally')
        journal.intend(GATEWAY, "untag b")
        journal.finish(outcome("untag b", OutcomeKind.FAILED, "500 from the registry"))
        journal.end(NOW + timedelta(minutes=1))
    return path.read_bytes()


def test_a_journal_says_what_was_written(tmp_path: Path) -> None:
    """Header, outcomes, steps without one, notes and the end come back."""
    written(tmp_path / "j")
    assert read_journal(tmp_path / "j") == JournalContent(
        header=HEADER,
        outcomes={
            (GATEWAY, "untag a"): outcome("untag a"),
            (GATEWAY, "untag b"): outcome("untag b", OutcomeKind.FAILED, "500 from the registry"),
        },
        open=frozenset({(UI, "untag a")}),
        notes=('wave 1: "checked" ✓ ok\nreally',),
        ended=NOW + timedelta(minutes=1),
    )


def test_any_prefix_is_readable_and_resumable(tmp_path: Path) -> None:
    """Killed at any byte after its header, a journal can be read, and resumed to the same end."""
    whole = written(tmp_path / "whole")
    complete = read_journal(tmp_path / "whole")
    part = tmp_path / "part"
    first = whole.index(b"\n") + 1
    for cut in range(first, len(whole) + 1):
        part.write_bytes(whole[:cut])
        content = read_journal(part)
        good = whole.rfind(b"\n", 0, cut) + 1
        assert content.torn == cut - good
        assert set(content.outcomes.items()) <= set(complete.outcomes.items())
        if cut % 7 == 0:
            with Journal.resume(part) as journal:
                journal.note("resumed")
            again = read_journal(part)
            assert part.read_bytes().startswith(whole[:good])
            assert (again.torn, again.notes[-1], again.ended) == (0, "resumed", None)


def test_a_journal_without_a_whole_header_promises_nothing(tmp_path: Path) -> None:
    """What is left of a journal that was cut off may have been long: nobody is told to throw the undo data away."""
    whole = written(tmp_path / "whole")
    for data in (b"", whole[:1], whole[: whole.index(b"\n")], b"\0" * 400, b"\0" * 400 + b"\n"):
        (tmp_path / "part").write_bytes(data)
        with pytest.raises(StateError, match="part has no complete first line: it was cut off, or") as caught:
            read_journal(tmp_path / "part")
        assert "keep snapshot.sqlite" in caught.value.remedy
        assert "remove" not in caught.value.remedy
        assert caught.value.exit_code == 6


def test_a_journal_of_a_newer_tagsweep_is_not_called_corrupt(tmp_path: Path) -> None:
    """A later version is named as that, and nobody is sent to look for a backup."""
    record = {"journal": "tagsweep", "version": 2, "run": "r", "plan": "p", "seal": "s", "started": "then"}
    (tmp_path / "j").write_bytes(_line(record))
    with pytest.raises(StateError, match="j was written by a newer tagsweep") as caught:
        read_journal(tmp_path / "j")
    assert caught.value.remedy == "go on with that tagsweep"


def test_any_words_of_a_registry_can_be_written(tmp_path: Path) -> None:
    """Half a surrogate pair, as JSON may have it, does not stop the outcome of a step from being written."""
    with Journal.create(tmp_path / "j", HEADER) as journal:
        journal.finish(outcome("untag a", OutcomeKind.FAILED, "said \ud800 ✓"))
        journal.note("\udcff")
    content = read_journal(tmp_path / "j")
    assert content.outcomes[GATEWAY, "untag a"].why == "said ? ✓"
    assert content.notes == ("?",)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_changed_byte_is_reported(data: st.DataObject) -> None:
    """A byte that changed in a complete line is an error with its line, not a record that is passed over."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "j")
        whole = written(path)
        at = data.draw(st.integers(0, len(whole) - 2).filter(lambda at: whole[at : at + 1] != b"\n"))
        new = data.draw(st.integers(1, 255).filter(lambda byte: byte not in {whole[at], 10}))
        path.write_bytes(whole[:at] + bytes([new]) + whole[at + 1 :])
        line = whole.count(b"\n", 0, at) + 1
        with pytest.raises(StateError, match=rf"j:{line}: .*corrupt") as caught:
            read_journal(path)
        assert caught.value.exit_code == 6


def test_a_missing_line_end_in_the_middle_is_reported(tmp_path: Path) -> None:
    """Two lines run together are corruption."""
    whole = written(tmp_path / "j")
    first = whole.index(b"\n")
    (tmp_path / "j").write_bytes(whole[:first] + whole[first + 1 :])
    with pytest.raises(StateError, match="corrupt"):
        read_journal(tmp_path / "j")


def test_zeros_of_a_power_cut_are_a_torn_end(tmp_path: Path) -> None:
    """Blocks that were never written read as zeros; at the end of the file they are dropped, elsewhere reported."""
    path = tmp_path / "j"
    whole = written(path)
    path.write_bytes(whole + b"\0" * 100 + b"\n" + b"\0" * 50)
    assert read_journal(path).torn == 151
    with Journal.resume(path):
        pass
    assert path.read_bytes() == whole
    middle = whole.index(b"\n") + 1
    path.write_bytes(whole[:middle] + b"\0" * 30 + b"\n" + whole[middle:])
    with pytest.raises(StateError, match="corrupt"):
        read_journal(path)


def test_a_step_that_is_begun_again_is_open(tmp_path: Path) -> None:
    """After a second intent only the registry knows; the last outcome is still told."""
    path = tmp_path / "j"
    with Journal.create(path, HEADER) as journal:
        journal.intend(GATEWAY, "untag a")
        journal.finish(outcome("untag a", OutcomeKind.FAILED, "reset"))
        journal.intend(GATEWAY, "untag a")
    content = read_journal(path)
    assert content.open == {(GATEWAY, "untag a")}
    assert content.outcomes[GATEWAY, "untag a"].kind is OutcomeKind.FAILED
    with Journal.resume(path) as journal:
        journal.finish(outcome("untag a", OutcomeKind.GONE))
    assert read_journal(path).open == frozenset()
    assert read_journal(path).outcomes[GATEWAY, "untag a"].kind is OutcomeKind.GONE


def test_an_intent_is_on_disk_when_it_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``intend`` returns after an fsync that began after its line was written."""
    path = tmp_path / "j"
    synced: list[int] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_size)
        real(descriptor)

    with Journal.create(path, HEADER) as journal:
        monkeypatch.setattr(os, "fsync", fsync)
        for number in range(3):
            journal.intend(GATEWAY, f"untag {number}")
            assert synced[-1] == path.stat().st_size
            journal.finish(outcome(f"untag {number}"))
    assert synced[-1] == path.stat().st_size


def test_many_threads_share_their_syncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that wait at the same time wait for one fsync, and no record is lost or mixed."""
    syncs: list[int] = []
    waiting = threading.Event()
    real = os.fsync

    def fsync(descriptor: int) -> None:
        # The first sync ends only when all others have written their lines, so the second can take them all.
        waiting.wait(10)
        syncs.append(descriptor)
        real(descriptor)

    path = tmp_path / "j"
    with Journal.create(path, HEADER) as journal:
        monkeypatch.setattr(os, "fsync", fsync)
        threads = [threading.Thread(target=journal.intend, args=(GATEWAY, f"untag {n}")) for n in range(16)]
        for thread in threads:
            thread.start()
        while journal._written < 17:
            os.sched_yield()
        waiting.set()
        for thread in threads:
            thread.join()
        assert len(syncs) <= 2
    assert read_journal(path).open == {(GATEWAY, f"untag {n}") for n in range(16)}


def test_kill_dash_nine_keeps_every_intent_that_returned(tmp_path: Path) -> None:
    """What a killed process had promised is in its journal."""
    program = f"""
import sys
from pathlib import Path
from tagsweep.stores.journal import Journal
from tests.unit.stores.test_journal import HEADER
from tests.unit.stores.values import GATEWAY
journal = Journal.create(Path({str(tmp_path / "j")!r}), HEADER)
for number in range(100000):
    journal.intend(GATEWAY, f"untag {{number}}")
    print(number, flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    promised = -1
    for line in process.stdout:
        promised = int(line)
        if promised == 20:
            process.send_signal(signal.SIGKILL)
            break
    promised = max([promised, *(int(line) for line in process.stdout if line.endswith("\n"))])
    process.wait()
    process.stdout.close()
    steps = {step for _, step in read_journal(tmp_path / "j").open}
    assert {f"untag {number}" for number in range(promised + 1)} <= steps


def test_a_failed_write_is_final(tmp_path: Path) -> None:
    """When a line cannot be written nothing more is, so that no half line stands in the middle; resume repairs."""
    program = f"""
import resource, signal
from pathlib import Path
from tagsweep.model.errors import StateError
from tagsweep.stores.journal import Journal
from tests.unit.stores.test_journal import HEADER
from tests.unit.stores.values import GATEWAY
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal.create(Path({str(tmp_path / "j")!r}), HEADER)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
done = 0
try:
    while True:
        journal.intend(GATEWAY, f"untag {{done}}")
        done += 1
except StateError as error:
    print(done, error, "|", error.remedy)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
for attempt in (lambda: journal.note("x"), lambda: journal.intend(GATEWAY, "untag z"), journal.flush):
    try:
        attempt()
    except StateError:
        print("refused")
"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    done = int(answer.split()[0])
    assert "j cannot be written: File too large | raise the limit" in answer
    assert answer.count("refused") >= 2
    content = read_journal(tmp_path / "j")
    assert content.torn > 0
    assert content.open == {(GATEWAY, f"untag {number}") for number in range(done)}
    with Journal.resume(tmp_path / "j") as journal:
        journal.intend(GATEWAY, "untag z")
    assert read_journal(tmp_path / "j").torn == 0


def test_a_full_disk_is_a_state_error(tmp_path: Path) -> None:
    """A device that is full refuses the first intent, with what to do."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    journal = Journal(tmp_path / "j", descriptor, HEADER)
    with pytest.raises(StateError, match="No space left on device") as caught:
        journal.intend(GATEWAY, "untag a")
    assert "free some space" in caught.value.remedy
    with pytest.raises(StateError):
        journal.close()


def test_a_journal_is_begun_once(tmp_path: Path) -> None:
    """Beginning over an old journal, or in no directory, is refused."""
    Journal.create(tmp_path / "j", HEADER).close()
    with pytest.raises(StateError, match="File exists"):
        Journal.create(tmp_path / "j", HEADER)
    with pytest.raises(StateError, match="No such file"):
        Journal.create(tmp_path / "absent" / "j", HEADER)
    with pytest.raises(StateError, match="there is no journal") as caught:
        read_journal(tmp_path / "absent")
    assert "restore the file from a backup" in caught.value.remedy


def test_a_closed_journal_takes_nothing(tmp_path: Path) -> None:
    """Closing twice is harmless; writing afterwards is not silently lost."""
    journal = Journal.create(tmp_path / "j", HEADER)
    journal.close()
    journal.close()
    with pytest.raises(StateError, match="is closed"):
        journal.note("late")
