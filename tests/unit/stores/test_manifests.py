"""The cache of manifests: what comes out has the digest that was asked for, and its loss costs requests only."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tagsweep.model.errors import StateError
from tagsweep.model.manifest import RawManifest
from tagsweep.model.reference import Digest
from tagsweep.stores.manifests import ConfigFacts, ManifestCache
from tests.unit.stores.values import NOW, digest_of, raw


def test_manifests_come_back_byte_for_byte(tmp_path: Path) -> None:
    """More than one batch is found again after reopening, and what is not there is left out."""
    manifests = [raw(f"manifest {n} ✓") for n in range(1200)]
    with ManifestCache.open(tmp_path / "c") as cache:
        cache.put(manifests)
        cache.put(manifests[:3])
    with ManifestCache.open(tmp_path / "c") as cache:
        wanted = [one.digest for one in manifests] + [digest_of(b"absent"), manifests[0].digest]
        assert cache.get(wanted) == {one.digest: one for one in manifests}
        assert cache.get([]) == {}


def test_bytes_with_another_digest_are_not_taken(tmp_path: Path) -> None:
    """A manifest that does not have its digest, or one that cannot be checked, is not remembered."""
    wrong = RawManifest(digest=digest_of(b"other"), media_type="m", data=b"data")
    odd = RawManifest(digest=Digest("blake3:" + "0" * 64), media_type="m", data=b"data")
    with ManifestCache.open(tmp_path / "c") as cache:
        cache.put([wrong, odd])
        assert cache.get([wrong.digest, odd.digest]) == {}


def test_a_damaged_entry_is_dropped_and_can_be_stored_again(tmp_path: Path) -> None:
    """An entry whose bytes changed on disk is as if it were not there, and makes room for the good one."""
    good, other = raw("good"), raw("other")
    with ManifestCache.open(tmp_path / "c") as cache:
        cache.put([good, other])
        with cache.database.transaction() as connection:
            connection.execute("UPDATE manifests SET data = ? WHERE digest = ?", (b"evil", good.digest))
        assert cache.get([good.digest, other.digest]) == {other.digest: other}
        cache.put([good])
        assert cache.get([good.digest]) == {good.digest: good}


def test_facts_of_configs_come_back(tmp_path: Path) -> None:
    """Times and labels are remembered; facts that cannot be read are as if they were not there."""
    one, two, three = digest_of(b"1"), digest_of(b"2"), digest_of(b"3")
    facts = {
        one: ConfigFacts(created=NOW + timedelta(microseconds=7), labels={"b": "2", "a": "✓"}),
        two: ConfigFacts(),
        three: ConfigFacts(labels={"x": "y"}),
    }
    with ManifestCache.open(tmp_path / "c") as cache:
        cache.put_configs(facts)
        assert cache.configs([one, two, three, digest_of(b"4")]) == facts
        with cache.database.transaction() as connection:
            connection.execute("UPDATE configs SET facts = '{\"created\": 5}' WHERE digest = ?", (three,))
        assert set(cache.configs([one, two, three])) == {one, two}


def test_facts_that_changed_on_disk_are_not_believed(tmp_path: Path) -> None:
    """One wrong digit would make an image ten years older: such facts are as if they were not there."""
    one, two = digest_of(b"1"), digest_of(b"2")
    with ManifestCache.open(tmp_path / "c") as cache:
        cache.put_configs({one: ConfigFacts(created=NOW), two: ConfigFacts(created=NOW)})
        with cache.database.transaction() as connection:
            connection.execute("UPDATE configs SET facts = replace(facts, '2026', '2016') WHERE digest = ?", (one,))
        assert set(cache.configs([one, two])) == {two}
        cache.put_configs({one: ConfigFacts(created=NOW)})
        assert cache.configs([one])[one].created == NOW


@pytest.mark.parametrize("data", [b"no database" * 100, b"SQLite format 3\0" + b"\xff" * 4000], ids=["text", "header"])
def test_a_damaged_file_is_replaced(data: bytes, tmp_path: Path) -> None:
    """A cache that cannot be read begins anew without anybody being asked."""
    (tmp_path / "c").write_bytes(data)
    with ManifestCache.open(tmp_path / "c") as cache:
        assert cache.get([digest_of(b"a")]) == {}
        cache.put([raw("a")])
    with ManifestCache.open(tmp_path / "c") as cache:
        assert len(cache.get([digest_of(b"a")])) == 1


uses: list[tuple[str, Callable[[ManifestCache], object]]] = [
    ("get", lambda cache: cache.get([raw(f"m{n}").digest for n in range(0, 2000, 7)])),
    ("put", lambda cache: cache.put([raw(f"n{n}") for n in range(2000)])),
    ("configs", lambda cache: cache.configs([raw(f"m{n}").digest for n in range(0, 2000, 7)])),
    ("put_configs", lambda cache: cache.put_configs({raw(f"n{n}").digest: ConfigFacts() for n in range(2000)})),
]


@pytest.mark.parametrize("use", [row[1] for row in uses], ids=[row[0] for row in uses])
def test_damage_that_is_met_later_is_healed(use: Callable[[ManifestCache], object], tmp_path: Path) -> None:
    """A cache that turns out to be damaged while it is open is replaced by an empty one, and the work goes on."""
    path = tmp_path / "c"
    with ManifestCache.open(path) as cache:
        cache.put([raw(f"m{n}") for n in range(2000)])
        cache.put_configs({raw(f"m{n}").digest: ConfigFacts() for n in range(2000)})
    with ManifestCache.open(path) as cache:
        data = path.read_bytes()
        path.write_bytes(data[:4096] + b"\xaa" * (len(data) - 4096))
        use(cache)
        cache.put([raw("after")])
        assert cache.get([raw("after").digest, raw("m0").digest]) == {raw("after").digest: raw("after")}
    with ManifestCache.open(path) as cache:
        assert cache.get([raw("after").digest]) != {}


def test_an_entry_that_is_no_bytes_is_damaged(tmp_path: Path) -> None:
    """Damage can turn bytes into text or nothing at all: the entry is dropped, and nothing breaks."""
    with ManifestCache.open(tmp_path / "c") as cache:
        cache.put([raw("a"), raw("b")])
        with cache.database.transaction() as connection:
            connection.execute("UPDATE manifests SET data = 'a' WHERE digest = ?", (raw("a").digest,))
        assert set(cache.get([raw("a").digest, raw("b").digest])) == {raw("b").digest}


def test_a_file_that_cannot_be_replaced_is_a_state_error(tmp_path: Path) -> None:
    """A directory in the place of the cache is named."""
    (tmp_path / "c").mkdir()
    with pytest.raises(StateError, match="c cannot be opened"):
        ManifestCache.open(tmp_path / "c")


def test_many_threads_use_one_cache(tmp_path: Path) -> None:
    """Threads that read and write at the same time get whole answers."""
    manifests = [raw(f"m{n}") for n in range(80)]
    missing: list[Digest] = []

    with ManifestCache.open(tmp_path / "c") as cache:

        def work(part: list[RawManifest]) -> None:
            for one in part:
                cache.put([one])
                if cache.get([one.digest]) != {one.digest: one}:
                    missing.append(one.digest)

        threads = [threading.Thread(target=work, args=(manifests[n::4],)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert missing == []


def test_two_processes_can_have_the_cache_open(tmp_path: Path) -> None:
    """A second connection sees what the first has stored."""
    with ManifestCache.open(tmp_path / "c") as first, ManifestCache.open(tmp_path / "c") as second:
        first.put([raw("a")])
        assert set(second.get([digest_of(b"a")])) == {digest_of(b"a")}
        second.put([raw("b")])
        assert set(first.get([digest_of(b"b")])) == {digest_of(b"b")}


def test_a_locked_cache_is_a_state_error(tmp_path: Path) -> None:
    """Another program that holds the file for itself is told of, not waited for without end."""
    with ManifestCache.open(tmp_path / "c") as cache:
        cache.database.connection.execute("PRAGMA busy_timeout = 0")
        other = sqlite3.connect(tmp_path / "c", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError, match="in use by another tagsweep"):
            cache.put([raw("a")])
        other.close()
