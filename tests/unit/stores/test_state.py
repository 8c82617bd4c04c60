"""The state directory: proven writable before anything depends on it, private, and one lease for each thing swept."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tagsweep.model.errors import ConfigurationError, StateError
from tagsweep.stores import durable
from tagsweep.stores.state import StateDirectory
from tests.unit.stores.values import NOW


def test_opening_makes_a_private_directory(tmp_path: Path) -> None:
    """Directories are made with mode 0700, whatever was missing above them; opening again changes nothing."""
    state = StateDirectory.open(tmp_path / "a" / "b")
    assert stat.S_IMODE(state.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(state.path.parent.stat().st_mode) == 0o700
    assert StateDirectory.open(tmp_path / "a" / "b") == state
    assert state.run_ids() == ()


def test_a_relative_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state directory stays where it was opened, even if the process goes elsewhere."""
    monkeypatch.chdir(tmp_path)
    assert StateDirectory.open(Path("state")).path == tmp_path / "state"


def unwritable(tmp_path: Path) -> list[Path]:
    """Return places where nobody, root included, can make a directory or a file."""
    file = tmp_path / "file"
    file.write_text("")
    return [file, file / "below", Path("/proc/tagsweep"), Path("/dev/null")]


@pytest.mark.parametrize("number", range(4))
def test_an_unwritable_place_is_refused_with_its_path(number: int, tmp_path: Path) -> None:
    """A place that cannot be written is a StateError (exit 6) that names it and says where to go instead."""
    path = unwritable(tmp_path)[number]
    with pytest.raises(StateError) as caught:
        StateDirectory.open(path)
    assert str(path) in str(caught.value)
    assert "--state" in caught.value.remedy
    assert caught.value.exit_code == 6


def test_writability_is_proved_by_writing(tmp_path: Path) -> None:
    """An existing directory whose disk takes no more data is found out when it is opened."""
    StateDirectory.open(tmp_path)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(StateError, match="cannot be written"):
            StateDirectory.open(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    StateDirectory.open(tmp_path)


def test_a_run_has_a_directory_of_its_own(tmp_path: Path) -> None:
    """Runs are made once, are listed in order, and a path is no id of a run."""
    state = StateDirectory.open(tmp_path)
    run = state.run_directory("20261124-b")
    assert not run.exists
    run.create()
    state.run_directory("20261124-a").create()
    assert state.run_ids() == ("20261124-a", "20261124-b")
    assert {run.plan.parent, run.journal.parent, run.snapshot.parent} == {run.path}
    with pytest.raises(StateError, match="File exists"):
        run.create()
    for odd in ("..", "", "a/b", "../runs/a", ".hidden", "a" * 200):
        with pytest.raises(ConfigurationError, match="not the id of a run"):
            state.run_directory(odd)


def test_the_second_holder_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    """A lease is held once, in this process as between processes, and is free again afterwards."""
    state = StateDirectory.open(tmp_path)
    with state.lock("docker.io/a/b", now=NOW):
        told = rf"process {os.getpid()}, since 2026-11-24T04:00:00\+00:00"
        with pytest.raises(StateError, match=told) as caught, state.lock("docker.io/a/b"):
            pass
        assert "docker.io/a/b" in str(caught.value)
        with state.lock("docker.io/a/c"), state.lock("x" * 300):
            pass
    with state.lock("docker.io/a/b"):
        pass


def test_the_lease_of_a_killed_process_is_free(tmp_path: Path) -> None:
    """A process that dies with a lease leaves nothing that has to be cleaned up."""
    program = (
        "import sys, time; from pathlib import Path; from tagsweep.stores.state import StateDirectory\n"
        "with StateDirectory.open(Path(sys.argv[1])).lock('r'):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    state = StateDirectory.open(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(StateError, match=f"process {process.pid}"), state.lock("r"):
            pass
        process.kill()
    with state.lock("r"):
        pass


def test_an_unreadable_lock_file_still_locks(tmp_path: Path) -> None:
    """What stands in a lock file is only for people; the lease is the kernel's."""
    state = StateDirectory.open(tmp_path)
    with state.lock("r"):
        next(state.locks.iterdir()).write_bytes(b"\xff{")
        with pytest.raises(StateError, match="another tagsweep is sweeping r"), state.lock("r"):
            pass


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """Writing replaces the content, keeps other names clean and takes the mode that is asked for."""
    path = tmp_path / "f"
    durable.write_file(path, b"old")
    durable.write_file(path, b"new", mode=0o644)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [entry.name for entry in tmp_path.iterdir()] == ["f"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    """A link stays a link, and what it points to gets the content."""
    (tmp_path / "link").symlink_to(tmp_path / "target")
    durable.write_file(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"x"


def test_links_in_a_circle_are_a_state_error(tmp_path: Path) -> None:
    """Links that lead to each other are named, not followed for ever, and stay as they are."""
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(StateError, match="a cannot be written: Too many levels of symbolic links") as caught:
        durable.write_file(tmp_path / "a", b"x")
    assert "not a link" in caught.value.remedy
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a", "b"]


def test_every_new_directory_is_synced_into_the_one_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut after a deep directory was made does not lose one in the middle."""
    synced: list[int] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    durable.make_directory(tmp_path / "a" / "b" / "c")
    assert synced == [part.stat().st_ino for part in (tmp_path, tmp_path / "a", tmp_path / "a" / "b")]


def test_a_file_system_that_cannot_sync_directories_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where directories have no fsync (EINVAL) writing goes on; an error of the disk is told."""
    codes = [errno.EINVAL]
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(codes[0], os.strerror(codes[0]))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    durable.write_file(tmp_path / "f", b"x")
    assert (tmp_path / "f").read_bytes() == b"x"
    codes[0] = errno.EIO
    with pytest.raises(StateError, match="f cannot be written: Input/output error"):
        durable.write_file(tmp_path / "f", b"y")


def test_without_a_full_sync_the_plain_one_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Network file systems on macOS do not have its F_FULLFSYNC: there fsync must do."""
    synced: list[int] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(descriptor)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 9999, raising=False)  # no such operation on any system
    with (tmp_path / "f").open("w") as file:
        durable.sync(file.fileno())
        assert synced == [file.fileno()]


def test_a_device_is_written_to_directly() -> None:
    """``-o /dev/null`` and the like work, and a full device is a StateError."""
    durable.write_file(Path("/dev/null"), b"x")
    with pytest.raises(StateError, match="/dev/full cannot be written: No space left on device") as caught:
        durable.write_file(Path("/dev/full"), b"x")
    assert "free some space" in caught.value.remedy


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """When the disk is full in the middle, the old content is there and no temporary file is left."""
    path = tmp_path / "f"
    durable.write_file(path, b"old")
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(StateError, match="File too large"):
            durable.write_file(path, b"n" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["f"]


@pytest.mark.skipif(os.geteuid() != 0 or not sys.platform.startswith("linux"), reason="mounting needs root on Linux")
def test_a_full_file_system_is_a_state_error() -> None:
    """On a real file system without space, files, journal and databases say so and stay as they were."""
    program = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from tagsweep.model.errors import StateError
from tagsweep.stores import durable
from tagsweep.stores.ledger import Ledger
from tagsweep.stores.snapshots import SnapshotWriter
from tagsweep.stores.state import StateDirectory
from tests.unit.stores.values import GATEWAY, NOW, digest_of, raw
root = Path(sys.argv[1])
state = StateDirectory.open(root)
ledger = state.ledger()
ledger.observe(GATEWAY, {"a": digest_of(b"a")}, NOW)
writer = SnapshotWriter.create(root / "snapshot")
(root / "ballast").write_bytes(b"x" * 100_000)
def attempt(name, action):
    try:
        action()
        print(name, "went through")
    except StateError as error:
        print(name, "|", error, "|", error.remedy)
attempt("file", lambda: durable.write_file(root / "file", b"y" * 2_000_000))
attempt("ledger", lambda: ledger.observe(GATEWAY, {f"t{n}": digest_of(b"%d" % n) for n in range(30_000)}, NOW))
attempt("snapshot", lambda: writer.add(GATEWAY, [raw("z" * 1_000_000 + str(n)) for n in range(2)]))
print(sorted(ledger.first_seen(GATEWAY)))
"""
    with tempfile.TemporaryDirectory() as directory:
        mount = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tagsweep", directory], check=False, capture_output=True
        )
        if mount.returncode != 0:
            pytest.skip("this machine does not let root mount a tmpfs")
        try:
            answer = subprocess.run(
                [sys.executable, "-c", program, directory], capture_output=True, text=True, check=True
            ).stdout.splitlines()
        finally:
            subprocess.run(["umount", directory], check=True)
    assert "file cannot be written: No space left on device | free some space" in answer[0]
    assert "ledger.sqlite cannot be written: database or disk is full | free some space" in answer[1]
    assert "snapshot.partial cannot be written: database or disk is full | free some space" in answer[2]
    assert answer[3] == "['a']"
