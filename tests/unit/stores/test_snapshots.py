"""Snapshots: sealed means complete and on disk; not sealed means that nothing was deleted."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tagsweep.model.errors import StateError
from tagsweep.model.manifest import RawManifest
from tagsweep.stores.snapshots import Snapshot, SnapshotCounts, SnapshotWriter
from tests.unit.stores.values import GATEWAY, UI, digest_of, raw

SHARED, OWN, UNTAGGED = raw("shared"), raw("own"), raw("untagged ✓")


def sealed(path: Path) -> SnapshotCounts:
    """Write a snapshot of two repositories that share a manifest."""
    with SnapshotWriter.create(path) as writer:
        writer.add(GATEWAY, [SHARED, OWN])
        writer.add(GATEWAY, [SHARED, UNTAGGED])
        writer.tags(GATEWAY, {"latest": SHARED.digest, "sha-1": OWN.digest})
        writer.add(UI, [SHARED])
        writer.tags(UI, {"latest": SHARED.digest})
        return writer.seal()


def test_everything_comes_back(tmp_path: Path) -> None:
    """Repositories, tags and manifests with their media types are there, bytes counted once."""
    size = len(SHARED.data) + len(OWN.data) + len(UNTAGGED.data)
    assert sealed(tmp_path / "s") == SnapshotCounts(repositories=2, manifests=3, tags=3, bytes=size)
    with Snapshot.open(tmp_path / "s") as snapshot:
        assert snapshot.repositories() == (GATEWAY, UI)
        assert snapshot.tags(GATEWAY) == {"latest": SHARED.digest, "sha-1": OWN.digest}
        expected = sorted([SHARED, OWN, UNTAGGED], key=lambda one: one.digest)
        assert list(snapshot.manifests(GATEWAY)) == expected
        assert snapshot.digests(UI) == (SHARED.digest,)
        assert snapshot.manifest(OWN.digest) == OWN
        assert snapshot.verify().manifests == 3
        with pytest.raises(StateError, match="has no manifest"):
            snapshot.manifest(digest_of(b"absent"))


def test_a_sealed_snapshot_is_one_file(tmp_path: Path) -> None:
    """After sealing nothing but the snapshot is left, and plain SQLite can read it."""
    sealed(tmp_path / "s")
    assert [entry.name for entry in tmp_path.iterdir()] == ["s"]
    connection = sqlite3.connect(tmp_path / "s")
    rows = connection.execute("select tag from tags join repositories on id = repository where path like '%ui'")
    assert rows.fetchall() == [("latest",)]
    connection.close()


def test_an_unsealed_snapshot_is_told_apart(tmp_path: Path) -> None:
    """Where a run was interrupted before its snapshot was whole, the error says that it deleted nothing."""
    with SnapshotWriter.create(tmp_path / "s") as writer:
        writer.add(GATEWAY, [SHARED])
    with pytest.raises(StateError, match="not finished, so the run deleted nothing"):
        Snapshot.open(tmp_path / "s")
    with pytest.raises(StateError, match="there is no snapshot"):
        Snapshot.open(tmp_path / "t")
    assert sealed(tmp_path / "s").manifests == 3


def test_killed_before_the_seal_leaves_no_snapshot(tmp_path: Path) -> None:
    """A process that is killed while it writes leaves nothing under the final name, and a new try begins anew."""
    program = f"""
import os, signal
from pathlib import Path
from tagsweep.stores.snapshots import SnapshotWriter
from tests.unit.stores.values import GATEWAY, raw
writer = SnapshotWriter.create(Path({str(tmp_path / "s")!r}))
writer.add(GATEWAY, [raw(str(n)) for n in range(100)])
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    assert not (tmp_path / "s").exists()
    assert sealed(tmp_path / "s").manifests == 3


def test_a_second_snapshot_of_a_run_is_refused(tmp_path: Path) -> None:
    """What undo needs is never overwritten."""
    sealed(tmp_path / "s")
    before = (tmp_path / "s").read_bytes()
    with pytest.raises(StateError, match="is there already"):
        SnapshotWriter.create(tmp_path / "s")
    assert (tmp_path / "s").read_bytes() == before


def test_bytes_with_another_digest_are_refused(tmp_path: Path) -> None:
    """A manifest that could not be put back under its digest stops the run before it deletes."""
    wrong = RawManifest(digest=digest_of(b"other"), media_type="m", data=b"data")
    with SnapshotWriter.create(tmp_path / "s") as writer, pytest.raises(StateError, match="do not have that digest"):
        writer.add(GATEWAY, [OWN, wrong])


def test_a_tag_without_its_manifest_cannot_be_sealed(tmp_path: Path) -> None:
    """Sealing refuses a snapshot from which a tag could not be restored, whatever other repositories have."""
    with SnapshotWriter.create(tmp_path / "s") as writer:
        writer.add(UI, [SHARED])
        writer.tags(GATEWAY, {"latest": SHARED.digest})
        with pytest.raises(StateError, match="gateway:latest, but not its manifest"):
            writer.seal()
    assert not (tmp_path / "s").exists()


def test_damage_is_told_when_it_is_read(tmp_path: Path) -> None:
    """A manifest that changed on disk is never handed out."""
    sealed(tmp_path / "s")
    connection = sqlite3.connect(tmp_path / "s")
    connection.execute("UPDATE manifests SET data = ? WHERE digest = ?", (b"evil", OWN.digest))
    connection.commit()
    connection.close()
    with Snapshot.open(tmp_path / "s") as snapshot:
        assert snapshot.manifest(SHARED.digest) == SHARED
        for read in (lambda: snapshot.manifest(OWN.digest), lambda: list(snapshot.manifests(GATEWAY)), snapshot.verify):
            with pytest.raises(StateError, match="is damaged"):
                read()


def test_another_file_is_no_snapshot(tmp_path: Path) -> None:
    """A file that is no snapshot is refused with its path and is not written to."""
    path = tmp_path / "s"
    for data in (b"", b"text" * 100):
        path.write_bytes(data)
        with pytest.raises(StateError, match="snapshot"):
            Snapshot.open(path)
        assert path.read_bytes() == data


def test_an_open_snapshot_cannot_be_changed(tmp_path: Path) -> None:
    """Reading is read-only."""
    sealed(tmp_path / "s")
    with (
        Snapshot.open(tmp_path / "s") as snapshot,
        pytest.raises(StateError, match="cannot be written"),
        snapshot.database.transaction() as connection,
    ):
        connection.execute("DELETE FROM tags")


def test_a_member_without_its_manifest_is_told(tmp_path: Path) -> None:
    """A manifest that belongs to a repository and is not there is missing, even if no tag is on it."""
    sealed(tmp_path / "s")
    connection = sqlite3.connect(tmp_path / "s")
    connection.execute("DELETE FROM manifests WHERE digest = ?", (UNTAGGED.digest,))
    connection.commit()
    connection.close()
    with (
        Snapshot.open(tmp_path / "s") as snapshot,
        pytest.raises(StateError, match=f"has no manifest {UNTAGGED.digest}"),
    ):
        snapshot.verify()


def test_a_directory_of_another_user_is_a_state_error(tmp_path: Path) -> None:
    """Where the directory may not be looked into, reading and writing say so with the path."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        for use in (Snapshot.open, SnapshotWriter.create):
            with pytest.raises(StateError, match=r"s cannot be (read|created): Permission denied"):
                use(closed / "s")
    finally:
        os.seteuid(user)
