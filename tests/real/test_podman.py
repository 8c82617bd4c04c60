"""The docker source against a real engine: podman's Docker-compatible API, with images from a real registry."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tagsweep.sources.docker.source import DockerSource
from tagsweep.testing.source_suite import NOW, SourceSuite, source_context, source_settings
from tests.e2e.kit import Place, policy, removed
from tests.real.podman import OBTAINABLE, Podman, missing, podman_service
from tests.real.servers import Server

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def service() -> Iterator[Podman]:
    """Podman with its API on a socket, one for this module; skipped with the reason where there is none."""
    reason = missing()
    if reason and os.environ.get("CI") == "true" and OBTAINABLE:
        pytest.fail(reason, pytrace=False)
    if reason:
        pytest.skip(reason)
    directory = Path(tempfile.mkdtemp(prefix="ts-"))
    try:
        with podman_service(directory) as podman:
            podman.import_image("localhost/base:1", "base")
            yield podman
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def podman(service: Podman) -> Iterator[Podman]:
    """Podman without containers, before the test and after it."""
    yield service
    service.run("rm", "--all", "--force", "--time", "0")


def _source(podman: Podman, **options: object) -> DockerSource:
    settings = source_settings("docker", host=f"unix://{podman.socket}", **options)
    return DockerSource.configure(settings, context=source_context())


class PodmanEnvironment:
    """Containers made from local names."""

    resolves = False

    def __init__(self, podman: Podman, broken: Path) -> None:
        self._podman = podman
        self._broken = broken
        self._answers = True

    def plant(self, texts: Sequence[str]) -> None:
        """Give the image these names and make a container of each; a digest that no registry gave cannot be planted."""
        for number, text in enumerate(text for text in texts if "@" not in text):
            self._podman.run("tag", "localhost/base:1", text)
            self._podman.run("create", "--name", f"c{number}", text, "sleep", "60")

    def break_it(self) -> None:
        """Look at a socket that is not there."""
        self._answers = False

    def source(self) -> DockerSource:
        """Return the source."""
        if self._answers:
            return _source(self._podman)
        settings = source_settings("docker", host=f"unix://{self._broken}")
        return DockerSource.configure(settings, context=source_context())


@pytest.mark.slow
class TestSuite(SourceSuite):
    """The suite against podman, as far as an engine can hold what it plants."""

    how_many = 1  # the first is by tag: an engine knows a digest only of what it pulled or pushed

    @pytest.fixture
    def environment(self, podman: Podman, tmp_path: Path) -> PodmanEnvironment:
        """Return the environment."""
        return PodmanEnvironment(podman, tmp_path / "absent.sock")


def _digest_in(host: str, repository: str, tag: str) -> str:
    """Return the digest that the registry has for the tag."""
    connection = HTTPConnection(host, timeout=20)
    accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
    connection.request("HEAD", f"/v2/{repository}/manifests/{tag}", headers={"Accept": accept})
    digest = connection.getresponse().headers["Docker-Content-Digest"]
    connection.close()
    return digest


@pytest.mark.slow
def test_containers_of_pulled_images_are_in_use_by_tag_and_by_digest(podman: Podman, docker_registry: Server) -> None:
    """Running, stopped and created containers are found, with the very digest that the registry has."""
    digests = {}
    for mark in ("one", "two", "three"):
        name = f"{docker_registry.host}/podman/{mark}:v1"
        podman.import_image(name, mark)
        podman.run("push", "--tls-verify=false", name)
        podman.run("rmi", name)
        podman.run("pull", "--tls-verify=false", name)
        digests[mark] = _digest_in(docker_registry.host, f"podman/{mark}", "v1")
    podman.run("run", "--detach", "--name", "running", f"{docker_registry.host}/podman/one:v1", "sleep", "600")
    podman.run("run", "--name", "done", f"{docker_registry.host}/podman/two:v1", "sleep", "0")
    by_digest = f"{docker_registry.host}/podman/three@{digests['three']}"
    podman.run("create", "--name", "next", by_digest, "sleep", "1")
    report = _source(podman).collect(NOW)
    assert report.coverage.complete, report.coverage.gaps
    told = {(str(usage.reference), usage.where.partition("container ")[2], usage.note) for usage in report.usages}
    base = f"{docker_registry.host}/podman"
    assert told == {
        (f"{base}/one:v1", "running", "running"),
        (f"{base}/one@{digests['one']}", "running", "running"),
        (f"{base}/two:v1", "done", "stopped"),
        (f"{base}/two@{digests['two']}", "done", "stopped"),
        (by_digest, "next", "created"),
    }


def test_a_tag_that_moved_on_stays_in_use_by_the_digest_that_runs(podman: Podman, docker_registry: Server) -> None:
    """The container runs the older image: its digest is in use although the tag is on another one now."""
    name = f"{docker_registry.host}/podman/moved:latest"
    digests = []
    for mark in ("older", "newer"):
        podman.import_image(name, mark)
        podman.run("push", "--tls-verify=false", name)
        podman.run("rmi", name)
        podman.run("pull", "--tls-verify=false", name)
        digests.append(_digest_in(docker_registry.host, "podman/moved", "latest"))
        if mark == "older":
            podman.run("run", "--detach", "--name", "old", name, "sleep", "600")
    assert digests[0] != digests[1]
    report = _source(podman).collect(NOW)
    assert report.coverage.complete, report.coverage.gaps
    told = {str(usage.reference) for usage in report.usages}
    repository = f"{docker_registry.host}/podman/moved"
    assert f"{repository}@{digests[0]}" in told
    assert f"{repository}@{digests[1]}" not in told
    stored = {str(usage.reference) for usage in _source(podman, images="all").collect(NOW).usages}
    assert f"{repository}@{digests[1]}" in stored


def test_a_container_by_image_id_is_named_by_what_the_engine_knows(podman: Podman) -> None:
    """A container that was made from an id is in use under the names of its image."""
    identity = podman.run("image", "inspect", "--format", "{{.Id}}", "localhost/base:1")
    podman.run("create", "--name", "by-id", identity, "sleep", "1")
    report = _source(podman).collect(NOW)
    assert "localhost/base:1" in {str(usage.reference) for usage in report.usages}
    assert report.coverage.complete


def test_a_build_that_only_a_container_runs_by_digest_is_kept(
    podman: Podman, docker_registry: Server, tmp_path: Path
) -> None:
    """A plan keeps the tag whose digest a container runs, removes the other one, and removes nothing without podman."""
    repository = f"{docker_registry.host}/podman/planned"
    for mark in ("sha-1111111", "sha-2222222"):
        podman.import_image(f"{repository}:{mark}", mark)
        podman.run("push", "--tls-verify=false", f"{repository}:{mark}")
        podman.run("rmi", f"{repository}:{mark}")
    digest = _digest_in(docker_registry.host, "podman/planned", "sha-1111111")
    podman.run("pull", "--tls-verify=false", f"{repository}@{digest}")
    podman.run("run", "--detach", "--name", "by-digest", f"{repository}@{digest}", "sleep", "600")
    place = Place(tmp_path)
    sources = "sources:\n  docker/here: {host: 'unix://%s'}\nlimits: {max_percent: 100, keep_at_least: 0}\n"
    evidence = "evidence: {require: [docker/here]}\n"
    place.write(policy(repository, evidence=evidence, more=sources % podman.socket))
    planned = place.make_plan("--json")
    assert removed(planned) == {"sha-2222222"}
    assert "container by-digest" in place.run("explain", f"{repository}:sha-1111111", "-c", str(place.policy)).text
    place.write(policy(repository, evidence=evidence, more=sources % (tmp_path / "absent.sock")))
    refused = place.make_plan("--json", expect=None)
    assert removed(refused) == set()
    assert "there is no socket" in refused.text
