"""What a sweep leaves of TensorZero's gateway, seen by a plain HTTP client and by the disk, not by tagsweep.

test_whole_way tells the story with tagsweep's own eyes; here nothing of it is believed.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from tagsweep.model.manifest import Manifest, RawManifest
from tagsweep.model.reference import Digest
from tagsweep.testing.storage_layout import StorageLayout
from tests.e2e.kit import (
    GATEWAY,
    SHA,
    Place,
    both_sizes,
    codes,
    decisions,
    gateway,
    own_server,
    policy,
    removed,
    shared_with_release,
    size,
)
from tests.real.interview import Interviewer
from tests.real.servers import Server, ServerKind


class Registry:
    """A registry that holds tensorzero/gateway, looked at with a plain HTTP client."""

    def __init__(self, host: str, seeded: Mapping[str, Digest], server: Server | None = None) -> None:
        self.host = host
        self.seeded = dict(seeded)
        self.server = server
        self.client = Interviewer(host)

    def tags(self) -> dict[str, Digest]:
        """Return every tag that resolves, with its digest."""
        names = self.client.tags(GATEWAY)
        assert isinstance(names, tuple), names
        replies = {name: self.client.ask("HEAD", f"{GATEWAY}/manifests/{name}") for name in names}
        return {name: Digest(reply.headers["docker-content-digest"]) for name, reply in replies.items()}

    def broken(self, digests: Iterable[Digest]) -> set[Digest]:
        """Return what of these manifests, everything below them, every config and every layer cannot be read."""
        missing: set[Digest] = set()
        blobs: set[Digest] = set()
        asked: set[Digest] = set()
        level = set(digests)
        while level:
            asked |= level
            below: set[Digest] = set()
            for digest in level:
                reply = self.client.ask("GET", f"{GATEWAY}/manifests/{digest}")
                raw = RawManifest(digest=digest, media_type=reply.headers["content-type"], data=reply.body)
                manifest = raw.parse() if reply.status == 200 else None
                if not isinstance(manifest, Manifest):
                    missing.add(digest)
                    continue
                below |= {child.digest for child in manifest.children}
                blobs |= {blob.digest for blob in manifest.blobs}
            level = below - asked
        return missing | {blob for blob in blobs if self.client.ask("GET", f"{GATEWAY}/blobs/{blob}").status != 200}

    def collect(self) -> int:
        """Run the server's own garbage collection as its manual says; return the bytes that the disk has more."""
        assert self.server is not None
        before = self.disk()
        command = [self.server.program, "garbage-collect", str(self.server.config)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        return before - self.disk()

    def disk(self) -> int:
        """Return the bytes of all blobs, manifests among them, on the server's disk."""
        assert self.server is not None
        assert self.server.root is not None
        return sum(path.stat().st_size for path in (self.server.root / "docker/registry/v2/blobs").glob("*/*/*/data"))

    def close(self) -> None:
        """Give back the connection."""
        self.client.close()


def seed_disk(root: Path) -> dict[str, Digest]:
    """Write tensorzero/gateway into the storage of a real server; return its tags."""
    layout = StorageLayout(root)
    seeded: dict[str, Digest] = {}
    for built in gateway().images():
        layout.write(GATEWAY, built.image, built.tags)
        seeded.update(dict.fromkeys(built.tags, built.image.top))
    return seeded


def seed_over_http(host: str) -> dict[str, Digest]:
    """Push tensorzero/gateway to a server that keeps everything in memory; return its tags."""
    with closing(Interviewer(host)) as client:
        seeded: dict[str, Digest] = {}
        for built in gateway().images():
            client.push(GATEWAY, built.image, *built.tags)
            seeded.update(dict.fromkeys(built.tags, built.image.top))
    return seeded


@pytest.fixture
def old() -> Iterator[Registry]:
    """Yield Debian's docker-registry, of this test alone, with tensorzero/gateway on its disk."""
    with own_server(ServerKind.DISTRIBUTION_2_8) as server:
        assert server.root is not None
        with closing(Registry(server.host, seed_disk(server.root), server)) as registry:
            yield registry


@pytest.fixture(params=[ServerKind.DISTRIBUTION_3, ServerKind.CRANE], ids=lambda kind: str(kind.value))
def single(request: pytest.FixtureRequest) -> Iterator[Registry]:
    """Yield a real registry that can remove one tag, with tensorzero/gateway in it."""
    with own_server(request.param) as server:
        seeded = seed_disk(server.root) if server.root is not None else seed_over_http(server.host)
        with closing(Registry(server.host, seeded, server)) as registry:
            yield registry


def builds(tags: Mapping[str, Digest]) -> set[str]:
    """Return the tags that CI made."""
    return {tag for tag in tags if SHA.fullmatch(tag)}


# --- where only digests can be deleted ----------------------------------------------------------------------------
@pytest.mark.real
def test_every_build_that_stays_says_why(old: Registry, place: Place) -> None:
    """35 builds stay with one reason, the releases that they share a digest with; explain says the same of each."""
    place.write(policy(f"{old.host}/{GATEWAY}"))
    planned = place.make_plan("--json")
    shared = shared_with_release(old.seeded)
    assert (len(old.seeded), len(builds(old.seeded)), len(shared)) == (226, 107, 35)
    assert removed(planned) == builds(old.seeded) - shared
    found = decisions(planned)
    for tag in shared:
        assert (found[tag]["verdict"], codes(found[tag])) == ("keep", {"shares-digest"})
        (reason,) = found[tag]["reasons"]
        assert {old.seeded[name] for name in reason["facts"]["with_tags"]} == {old.seeded[tag]}
        assert any(SHA.fullmatch(name) is None for name in reason["facts"]["with_tags"])
    reference = f"{old.host}/{GATEWAY}:{min(shared)}"
    explained = place.run("explain", reference, "-c", str(place.policy), "--json").document
    assert explained["decision"] == found[min(shared)]
    assert old.tags() == old.seeded


@both_sizes
@pytest.mark.real
def test_the_disk_frees_the_estimate_and_what_stays_is_whole(old: Registry, place: Place) -> None:
    """Swept, restored whole, swept again: then `garbage-collect` frees the estimate, and all that stays can be read."""
    place.write(policy(f"{old.host}/{GATEWAY}"))
    place.make_plan()
    place.apply()
    place.run("restore", place.last_run()["id"], "--yes")
    assert old.tags() == old.seeded
    assert old.broken(old.seeded.values()) == set()
    assert old.collect() == 0
    estimate = place.make_plan("--sizes", "--json").document["space"]
    assert estimate["before"] == old.disk()
    swept = place.apply("--json").document
    assert swept["run"]["status"] == "done"
    assert swept["space"] == estimate
    kept = old.seeded.keys() - (builds(old.seeded) - shared_with_release(old.seeded))
    assert "latest" in kept
    assert old.tags() == {tag: old.seeded[tag] for tag in kept}
    assert old.collect() == estimate["reclaimable"] > 0
    assert old.disk() == estimate["after"]
    assert old.broken(old.seeded[tag] for tag in kept) == set()
    place.run("verify")


# --- where one tag can be removed ---------------------------------------------------------------------------------
@both_sizes
@pytest.mark.real
def test_releases_that_shared_a_digest_with_a_build_are_whole(single: Registry, place: Place) -> None:
    """All 107 builds are gone, every release answers with index, children, configs and layers, and all come back."""
    place.write(policy(f"{single.host}/{GATEWAY}"))
    place.make_plan()
    place.apply()
    kept = {tag: digest for tag, digest in single.seeded.items() if tag not in builds(single.seeded)}
    assert len(single.seeded) - len(kept) == size().builds
    assert single.tags() == kept
    assert single.broken(kept.values()) == set()
    place.run("restore", place.last_run()["id"], "--yes")
    assert single.tags() == single.seeded
    assert single.broken(single.seeded.values()) == set()
