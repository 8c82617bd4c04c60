"""The TensorZero sweep from plan to restore, on real registries and on the fake one's dialects."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tagsweep.model.reference import Digest
from tagsweep.testing.dialects import CRANE, DISTRIBUTION_2_8, DISTRIBUTION_3, Dialect
from tagsweep.testing.fake import FakeRegistry
from tests.e2e.kit import (
    GATEWAY,
    SHA,
    Place,
    both_sizes,
    codes,
    decisions,
    fill,
    gateway,
    own_server,
    policy,
    removed,
    shared_with_release,
    size,
)
from tests.e2e.seeding import seeded
from tests.real.servers import Server, ServerKind


def stored(server: Server) -> int:
    """Return the bytes of all blobs on the disk of a real distribution."""
    assert server.root is not None
    return sum(path.stat().st_size for path in (server.root / "docker/registry/v2/blobs").rglob("data"))


def present(place: Place, host: str) -> dict[str, str]:
    """Return the tags that are there now with their digests, as ``inventory`` sees them."""
    document = place.run("inventory", f"{host}/{GATEWAY}", "--json").document
    return {tag["name"]: tag["digest"] for tag in document["repositories"][0]["tags"]}


@both_sizes
@pytest.mark.real
def test_distribution_2_8_keeps_what_shares_a_release_and_frees_what_was_foretold(place: Place) -> None:
    """On Debian's registry exactly the unshared builds go, all else is whole, and the disk frees the estimate."""
    with seeded(ServerKind.DISTRIBUTION_2_8) as (server, tags):
        shared = shared_with_release(tags)
        builds = {tag for tag in tags if SHA.fullmatch(tag)}
        place.write(policy(f"{server.host}/tensorzero/*"))
        planned = place.make_plan("--sizes", "--json")
        assert removed(planned) == builds - shared
        assert len(shared) == size().shared
        for tag in shared:
            assert codes(decisions(planned)[tag]) == {"shares-digest"}
        place.apply()
        left = {tag: digest for tag, digest in tags.items() if tag not in builds - shared}
        assert present(place, server.host) == left
        before = stored(server)
        assert server.config is not None
        subprocess.run([server.program, "garbage-collect", str(server.config)], check=True, capture_output=True)
        assert before - stored(server) == planned.document["space"]["reclaimable"]
        place.run("verify")
        assert present(place, server.host) == left


@both_sizes
@pytest.mark.real
def test_restore_on_distribution_2_8_before_and_after_its_collection(place: Place) -> None:
    """Before collection every tag comes back with its old digest; after it, all are told as collected, none half."""
    with seeded(ServerKind.DISTRIBUTION_2_8) as (server, tags):
        place.write(policy(f"{server.host}/{GATEWAY}"))
        place.make_plan()
        place.apply()
        place.run("restore", place.last_run()["id"], "--yes")
        assert present(place, server.host) == tags
        place.make_plan()
        place.apply()
        left = present(place, server.host)
        assert server.config is not None
        subprocess.run([server.program, "garbage-collect", str(server.config)], check=True, capture_output=True)
        restored = place.run("restore", place.last_run()["id"], "--yes", "--json", expect=3)
        assert {outcome["kind"] for outcome in restored.document["outcomes"]} == {"collected"}
        assert present(place, server.host) == left


@both_sizes
@pytest.mark.real
def test_trap_t7_verify_finds_what_an_unsafe_collection_destroyed(place: Place) -> None:
    """T7: doctor warns of -m on 2.x; where an operator used it all the same, verify says what is broken (exit 7)."""
    with seeded(ServerKind.DISTRIBUTION_2_8) as (server, _):
        place.write(policy(f"{server.host}/{GATEWAY}"))
        assert "Never use -m" in " ".join(place.run("doctor", "-c", str(place.policy)).out.split())
        place.make_plan()
        place.apply()
        place.run("verify")
        assert server.config is not None
        subprocess.run([server.program, "garbage-collect", "-m", str(server.config)], check=True, capture_output=True)
        damaged = place.run("verify", "--json", expect=7)
        assert len(damaged.document["damage"]) > 0
        assert place.last_run()["status"] == "damaged"


@both_sizes
@pytest.mark.real
def test_distribution_3_removes_every_build_and_nothing_else(place: Place) -> None:
    """Where one tag can be removed, all builds go, releases that share their digest stay whole, and all come back."""
    with seeded(ServerKind.DISTRIBUTION_3) as (server, tags):
        sweep_and_restore(place, server.host, tags)


@both_sizes
@pytest.mark.real
def test_crane_removes_every_build_and_nothing_else(place: Place, tmp_path: Path) -> None:
    """The same on go-containerregistry's registry, filled by copying from a fake one with crane itself."""
    with FakeRegistry(DISTRIBUTION_3) as source, own_server(ServerKind.CRANE) as server:
        tags = fill(source, gateway())
        command = [server.program, "copy", "--all-tags", f"{source.host}/{GATEWAY}", f"{server.host}/{GATEWAY}"]
        subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
        sweep_and_restore(place, server.host, tags)


@both_sizes
@pytest.mark.parametrize(
    "dialect", [DISTRIBUTION_3, pytest.param(CRANE, marks=pytest.mark.slow)], ids=lambda dialect: str(dialect.name)
)
def test_a_dialect_with_single_tag_deletion_removes_every_build(place: Place, dialect: Dialect) -> None:
    """The fake registry with those dialects behaves the same."""
    with FakeRegistry(dialect) as registry:
        tags = fill(registry, gateway())
        sweep_and_restore(place, registry.host, tags)


@both_sizes
def test_a_registry_that_deletes_by_digest_only_is_asked_once_a_tag(place: Place) -> None:
    """Without sizes a first plan costs at most a request a tag and a constant; a second one fetches no manifest."""
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        tags = fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}"))
        place.make_plan()
        assert len(registry.requests) <= len(tags) + 10
        registry.clear_log()
        place.make_plan()
        # Probing asks for a tag that is not there, and makes sure of its absence by GET: that fetches no manifest.
        assert not [
            request
            for request in registry.requests
            if request.method == "GET" and "/manifests/" in request.target and request.status != 404
        ]
        assert len(registry.requests) <= len(tags) + 10


def sweep_and_restore(place: Place, host: str, tags: dict[str, Digest]) -> None:
    """Sweep all builds, check that nothing else is gone and that everything kept is whole, and take it back."""
    builds = {tag for tag in tags if SHA.fullmatch(tag)}
    assert len(builds) == size().builds
    place.write(policy(f"{host}/{GATEWAY}"))
    assert removed(place.make_plan("--json")) == builds
    place.apply()
    assert present(place, host) == {tag: digest for tag, digest in tags.items() if tag not in builds}
    place.run("verify")
    place.run("restore", place.last_run()["id"], "--yes")
    assert present(place, host) == tags
