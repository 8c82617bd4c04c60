"""A run that was taken back: verification knows what a restore put there again, and holds it to what was kept."""

from __future__ import annotations

import contextlib
import fcntl
import sqlite3

import pytest

from tagsweep.testing.dialects import DISTRIBUTION_2_8, DISTRIBUTION_3, Dialect
from tagsweep.testing.fake import FakeRegistry
from tests.e2e.kit import GATEWAY, Place, both_sizes, fill, gateway, policy, removed

both = pytest.mark.parametrize("dialect", [DISTRIBUTION_2_8, DISTRIBUTION_3], ids=lambda dialect: str(dialect.name))


def swept(place: Place, registry: FakeRegistry) -> set[str]:
    """Sweep the gateway and return the tags that went."""
    place.write(policy(f"{registry.host}/{GATEWAY}"))
    gone = removed(place.make_plan("--json"))
    place.apply()
    return gone


@both_sizes
@both
def test_verification_after_a_restore_is_well_and_says_what_was_put_back(place: Place, dialect: Dialect) -> None:
    """Tags, children and referrers that a restore put back are no failure; the record tells of them."""
    with FakeRegistry(dialect) as registry:
        fill(registry, gateway())
        gone = swept(place, registry)
        run = place.last_run()["id"]
        place.run("restore", run, "--yes")
        document = place.run("verify", run, "--json").document
        assert document["ok"]
        assert {finding["subject"] for finding in document["restored"]} == gone
        assert document["leftovers"] == document["damage"] == document["moved"] == []
        assert document["tags"] + len(gone) == len(registry.tags(GATEWAY))
        assert f"put back ({len(gone)})" in place.run("verify", run).out
        assert "were put back by a restore of this run" in place.changelog.read_text(encoding="utf-8")
        assert place.last_run()["status"] == "restored"


@both_sizes
@both
def test_what_nobody_restored_and_is_there_again_stays_a_failure(place: Place, dialect: Dialect) -> None:
    """After a restore of one tag, another one that somebody pushed again is still told as there (exit 3)."""
    with FakeRegistry(dialect) as registry:
        tags = fill(registry, gateway())
        one, other, *_ = sorted(swept(place, registry))
        run = place.last_run()["id"]
        place.run("restore", run, f"{registry.host}/{GATEWAY}:{one}", "--yes")
        built = next(built for built in gateway().images() if other in built.tags)
        assert built.image.top == tags[other]
        registry.push(GATEWAY, built.image, other)
        document = place.run("verify", run, "--json", expect=3).document
        assert [finding["subject"] for finding in document["restored"]] == [one]
        assert other in {finding["subject"] for finding in document["leftovers"]}
        assert one not in {finding["subject"] for finding in document["leftovers"]}


@both_sizes
def test_what_was_put_back_must_work(place: Place) -> None:
    """A restored tag that lost a manifest since is damage, as with a kept tag (exit 7)."""
    with FakeRegistry(DISTRIBUTION_3) as registry:
        fill(registry, gateway())
        one = min(swept(place, registry))
        run = place.last_run()["id"]
        place.run("restore", run, "--yes")
        built = next(built for built in gateway().images() if one in built.tags)
        child = built.image.children[0].digest
        registry.remove_manifest(GATEWAY, child)
        document = place.run("verify", run, "--json", expect=7).document
        assert document["damage"]


@both_sizes
def test_a_restored_tag_that_a_later_run_removed_is_no_failure(place: Place) -> None:
    """The first run's verification does not ask for what the second one removed rightly."""
    with FakeRegistry(DISTRIBUTION_3) as registry:
        fill(registry, gateway())
        swept(place, registry)
        first = place.last_run()["id"]
        place.run("restore", first, "--yes")
        place.make_plan()
        place.apply()
        document = place.run("verify", first, "--json").document
        assert document["ok"]
        assert document["restored"] == []


@both_sizes
def test_a_restore_waits_for_nobody_and_disturbs_nobody(place: Place) -> None:
    """While another tagsweep works on the repository, nothing is put back and the reason is told (exit 6)."""
    with FakeRegistry(DISTRIBUTION_3) as registry:
        fill(registry, gateway())
        swept(place, registry)
        run = place.last_run()["id"]
        before = registry.tags(GATEWAY)
        (lock,) = (place.state / "locks").iterdir()
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            place.run("restore", run, "--yes", expect=6)
        assert registry.tags(GATEWAY) == before
        place.run("restore", run, "--yes")


def spoil(place: Place, statement: str) -> None:
    """Change the snapshot of the last run behind tagsweep's back."""
    snapshot = place.state / "runs" / place.last_run()["id"] / "snapshot.sqlite"
    with contextlib.closing(sqlite3.connect(snapshot)) as database, database:
        assert database.execute(statement).rowcount > 0


@both_sizes
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM tags",
        "DELETE FROM repositories",
        "UPDATE manifests SET data = 'x' WHERE digest = (SELECT min(digest) FROM tags)",
    ],
)
def test_a_damaged_snapshot_gives_back_what_it_has_whole(place: Place, statement: str) -> None:
    """What the snapshot lost is told tag by tag (exit 3), the rest comes back; the plan knows what was on what."""
    with FakeRegistry(DISTRIBUTION_3) as registry:
        before = fill(registry, gateway())
        gone = swept(place, registry)
        spoil(place, statement)
        run = place.last_run()["id"]
        restored = place.run("restore", run, "--yes", "--json", expect=None)
        failed = {one["tag"]: one["why"] for one in restored.document["outcomes"] if one["kind"] == "failed"}
        assert set(failed.values()) <= {"its bytes are not in the snapshot, or damaged there"}
        assert {one["tag"] for one in restored.document["outcomes"]} == gone
        assert registry.tags(GATEWAY) == {tag: digest for tag, digest in before.items() if tag not in failed}
        lost = {"DELETE FROM tags": 0, "DELETE FROM repositories": len(gone)}.get(statement, 1)
        assert len(failed) == lost
        assert restored.code == (3 if failed else 0)
