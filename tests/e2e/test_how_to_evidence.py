"""docs/how-to/evidence.md, followed word for word with real parts: API server, Podman, git and a registry."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from tests.e2e.kit import SHA, own_server
from tests.e2e.named_hosts import Behind, named_hosts
from tests.e2e.test_how_to import APP, fill, home, page
from tests.e2e.walk import Shell, follow
from tests.real import kube, podman
from tests.real.interview import Interviewer
from tests.real.kube_objects import pod_spec, template, thing
from tests.real.servers import ServerKind
from tests.unit.sources.gitkit import Repo

HOST = "registry.example.com"
pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,  # starts a cluster, and a dozen processes
    pytest.mark.skipif(bool(kube.missing()), reason=f"needs {', '.join(kube.missing())}; {kube.REMEDY}"),
    pytest.mark.skipif(bool(podman.missing()), reason=podman.missing()),
]


@contextmanager
def cluster(directory: Path, image: str) -> Iterator[Path]:
    """Run an API server with one deployment of ``image``, and give a kubeconfig that may read it."""
    with kube.serve_cluster() as running:
        running.namespace("shop")
        deployment = thing("Deployment", "app", "shop", "apps/v1", spec=template("app", pod_spec(image)))
        running.create(deployment, "deployments")
        yield running.kubeconfig(directory, {"token": kube.token_of("admin")})


@contextmanager
def engine(image: str) -> Iterator[Path]:
    """Run Podman with one container of ``image``, and give its socket."""
    directory = Path(tempfile.mkdtemp(prefix="tagsweep-"))  # a short path: sockets have a limit
    try:
        with podman.podman_service(directory) as service:
            service.import_image(image, "app")
            service.run("run", "--detach", "--name", "builder", image, "sleep", "600")
            yield service.socket
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def repository(directory: Path) -> Path:
    """Make the repository that deploys the example, and return it."""
    directory.mkdir()
    repo = Repo.create(directory / "deploy")

    def compose(tag: str) -> str:
        return f"services:\n  app: {{image: '{HOST}/{APP}:{tag}'}}\n"

    repo.commit(
        {
            "compose.yml": compose("${TAG}"),
            "tests/compose.yml": compose("${CANDIDATE}"),
            "jobs/compose.yml": compose("2024.${RELEASE}"),
        }
    )
    return repo.path


def undecided(text: str) -> int:
    """Return how many tags a plan shows as undecided."""
    return sum(int(number) for number in re.findall(r"\bundecided +([0-9]+)", text))


def test_the_page_can_be_followed(tmp_path: Path) -> None:
    """docs/how-to/evidence.md: from a source with a gap to a plan that removes all builds but those that run."""
    work = home(tmp_path)
    with ExitStack() as stack:
        server = stack.enter_context(own_server(ServerKind.DISTRIBUTION_2_8))
        asker = stack.enter_context(closing(Interviewer(server.host)))
        before = fill(asker.push)
        builds = sorted(tag for tag in before if SHA.fullmatch(tag))
        alone = [one for one in builds if all(SHA.fullmatch(tag) for tag in before if before[tag] == before[one])]
        deployed, built = alone[-2:]
        kubeconfig = stack.enter_context(cluster(tmp_path, f"{HOST}/{APP}:{deployed}"))
        socket = stack.enter_context(engine(f"{HOST}/{APP}:{built}"))
        environment = stack.enter_context(named_hosts(tmp_path / "proxy", {HOST: Behind(server.host)}))
        source = repository(tmp_path / "srv")
        mine = ["git", "config", "--file", str(work.parent / ".gitconfig")]
        subprocess.run([*mine, f"url.file://{source}.insteadOf", "https://github.com/acme/deploy"], check=True)
        here = {"KUBECONFIG": str(kubeconfig), "DOCKER_HOST": f"unix://{socket}", "NO_PROXY": "127.0.0.1"}
        typed = follow(page("evidence.md"), work, Shell({**environment, **here, "no_proxy": "127.0.0.1"}))
    gap, closed, open_plan, explained, read_plan, watched, plan, checked = (one.text for one in typed)
    assert "production" in gap
    assert "gap" not in closed
    assert undecided(open_plan) == len(builds) - 2  # two are known to run
    assert "there is nothing to remove" in open_plan
    assert "compose.yml" in explained
    assert undecided(read_plan) == 0
    kept = " ".join(plan.split())
    assert f"ci-build {len(builds)} remove {len(alone) - 2} rule" in kept
    assert f"{deployed[:11]}…: in use by kubernetes/prod" in kept
    assert f"{built[:11]}…: in use by docker/build-host" in kept
    assert "and the policy protects whatever fits" in kept
    assert "3 places in use" in watched  # the deployment, and the container by its name and by its digest
    # Podman's image was made there, and never pushed: its digest is none of the registry's, as its source's page says.
    broken = " ".join(checked.partition("broken")[2].split())
    assert "container builder" in broken
    assert "Deployment" not in broken.partition("protecting")[0]
