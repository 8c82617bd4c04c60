"""What is in use stays, wherever it is in use: a real registry, a real API server, a real git repository."""

from __future__ import annotations

import contextlib
import json
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tagsweep.model.reference import Digest
from tagsweep.testing import images
from tests.e2e.kit import Place, codes, decisions, own_server, policy, removed
from tests.real.interview import Interviewer
from tests.real.kube import Cluster, token_of
from tests.real.kube_objects import helm_object, helm_release, pod_spec, template, thing
from tests.real.servers import ServerKind

pytestmark = pytest.mark.real

REPOSITORY = "acme/gateway"
WAYS = ("pod", "platform", "replicaset", "helm", "compose", "cronjob")
"""One build for each way of being in use; two more are in use nowhere."""


def build(number: int) -> str:
    """Return the tag of a build, shaped as CI makes them."""
    return f"sha-{number:040x}"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A registry, a cluster and a repository in which six builds of eight are in use, each in another way."""

    place: Place
    host: str
    cluster: Cluster
    namespace: str
    tags: dict[str, Digest]

    @property
    def name(self) -> str:
        """The repository's full name."""
        return f"{self.host}/{REPOSITORY}"

    def write(self, *, user: str = "admin", more: str = "", require: str = "kubernetes/prod, git/deploy") -> None:
        """Write the policy, asking the cluster as this user."""
        kubeconfig = self.cluster.kubeconfig(self.place.directory, {"token": token_of(user)})
        sources = (
            "sources:\n"
            f"  kubernetes/prod: {{kubeconfig: {kubeconfig}, context: prod, namespaces: [{self.namespace}]{more}}}\n"
            "  git/deploy: {path: deploy, refs: [main, 'release/*']}\n"
        )
        self.place.write(policy(self.name, evidence=f"evidence: {{require: [{require}]}}\n", more=sources))

    def explain(self, tag: str) -> str:
        """Return what ``explain`` says of a tag, with its lines joined."""
        result = self.place.run("explain", f"{self.name}:{tag}", "-c", str(self.place.policy))
        return " ".join(result.out.split())


def git(directory: Path, *arguments: str) -> None:
    """Run git in a directory as nobody in particular."""
    command = ["git", "-c", "user.name=deploy", "-c", "user.email=deploy@example.org", "-C", str(directory), *arguments]
    subprocess.run(command, check=True, capture_output=True)


def deploy(directory: Path, text: str) -> None:
    """Make a repository whose release branch alone has a Compose file with this text."""
    directory.mkdir()
    git(directory, "init", "-q", "-b", "main")
    (directory / "README.md").write_text("nothing here\n", encoding="utf-8")
    git(directory, "add", ".")
    git(directory, "commit", "-q", "-m", "begin")
    git(directory, "switch", "-q", "-c", "release/1")
    (directory / "compose.yml").write_text(text, encoding="utf-8")
    git(directory, "add", ".")
    git(directory, "commit", "-q", "-m", "deploy")
    git(directory, "switch", "-q", "main")


def run_in_cluster(cluster: Cluster, namespace: str, name: str, tags: dict[str, str], child: Digest) -> None:
    """Put five builds in use: by digest, by a platform's digest, for rollback twice, and in a job that is not due."""

    def container(image_id: str, image: str) -> dict[str, Any]:
        return {
            "containerStatuses": [{"name": "c0", "image": image, "imageID": image_id, "ready": True, "restartCount": 0}]
        }

    for pod, digest in (("gateway", tags["pod"].partition("@")[2]), ("arm", child)):
        made = thing("Pod", pod, namespace, spec=pod_spec(f"{name}:latest"))
        cluster.create(made, "pods", status=container(f"{name}@{digest}", f"{name}:latest"))
    now = {"replicas": 1, **template("gateway", pod_spec(f"{name}:latest"))}
    deployment = cluster.create(thing("Deployment", "gateway", namespace, "apps/v1", spec=now), "deployments")
    spec = {"replicas": 0, **template("gateway", pod_spec(f"{name}:{tags['replicaset']}"))}
    old = thing("ReplicaSet", "gateway-5d4f", namespace, "apps/v1", spec=spec)
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "gateway", "uid": deployment["metadata"]["uid"]}
    old["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
    cluster.create(old, "replicasets")
    for revision in (1, 2, 3):
        tag = tags["helm"] if revision == 1 else "latest"
        status = "deployed" if revision == 3 else "superseded"
        rendered = thing("Pod", "x", namespace, spec=pod_spec(f"{name}:{tag}"))
        manifest = json.dumps(rendered)  # which is YAML too
        packed = helm_release("gateway", revision, status, manifest)
        cluster.create(helm_object("Secret", "gateway", namespace, revision, packed), "secrets")
    job = {"spec": {"template": {"spec": {**pod_spec(f"{name}:{tags['cronjob']}"), "restartPolicy": "Never"}}}}
    cron = thing("CronJob", "monthly", namespace, "batch/v1", spec={"schedule": "0 4 1 * *", "jobTemplate": job})
    cluster.create(cron, "cronjobs", status={"lastScheduleTime": "2026-01-01T04:00:00Z"})


@pytest.fixture
def stage(place: Place, kube_cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Yield the stage with everything planted."""
    with ExitStack() as held:
        server = held.enter_context(own_server(ServerKind.DISTRIBUTION_2_8))
        asker = held.enter_context(contextlib.closing(Interviewer(server.host)))
        tags: dict[str, Digest] = {}
        for number in range(len(WAYS) + 2):
            image = images.multi_platform(f"build {number}")
            asker.push(REPOSITORY, image, build(number))
            tags[build(number)] = image.top
        release = images.multi_platform("release")
        asker.push(REPOSITORY, release, "2026.1.1", "latest")
        name = f"{server.host}/{REPOSITORY}"
        arm = images.multi_platform("build 1").children[1].digest
        namespace = kube_cluster.namespace(f"use-{zlib.crc32(request.node.name.encode())}")
        named = {way: build(number) for number, way in enumerate(WAYS)}
        run_in_cluster(kube_cluster, namespace, name, {**named, "pod": f"{name}@{tags[build(0)]}"}, arm)
        deploy(place.directory / "deploy", f"services:\n  gateway:\n    image: {name}:{named['compose']}\n")
        stage = Stage(place=place, host=server.host, cluster=kube_cluster, namespace=namespace, tags=tags)
        stage.write()
        yield stage


def test_each_way_of_being_in_use_keeps_its_build_and_explain_says_where(stage: Stage) -> None:
    """Hazards 33 and 37, traps T15 and T16: six builds in use in six ways stay, two go, and each reason says where."""
    planned = stage.place.make_plan("--json")
    assert removed(planned) == {build(6), build(7)}
    kept = decisions(planned)
    assert all("in-use" in codes(kept[build(number)]) for number in range(len(WAYS)))
    said = {way: stage.explain(build(number)) for number, way in enumerate(WAYS)}
    assert f"{stage.namespace}/Pod gateway" in said["pod"]
    assert "by digest" in said["pod"]
    assert f"{stage.namespace}/Pod arm" in said["platform"]
    assert "a platform of it" in said["platform"]
    assert f"{stage.namespace}/Deployment gateway" in said["replicaset"]
    assert "rollback target" in said["replicaset"]
    assert "gateway" in said["helm"]
    assert "revision 1" in said["helm"] or "v1" in said["helm"]
    assert "release/1:compose.yml:3" in said["compose"]
    assert f"{stage.namespace}/CronJob monthly" in said["cronjob"]
    assert "2026-01-01" in said["cronjob"]
    stage.place.apply()
    left = stage.place.run("inventory", stage.name, "--json").document["repositories"][0]["tags"]
    assert {tag["name"] for tag in left} == {build(number) for number in range(6)} | {"2026.1.1", "latest"}


def test_a_user_without_rights_leaves_everything_where_it_is(stage: Stage) -> None:
    """A cluster that may be seen in part only removes nothing, exits with 4, and says which right is missing."""
    stage.write(user="limited")
    refused = stage.place.make_plan(expect=4)
    assert "configmaps is forbidden" in " ".join(refused.text.split())
    assert "ClusterRole tagsweep-reader" in " ".join(refused.text.split())
    assert removed(stage.place.make_plan("--json", expect=4)) == set()
    assert not stage.place.plan.exists()
    assert "partial" in stage.place.run("usage", "-c", str(stage.place.policy), expect=4).text


@pytest.mark.parametrize("broken", ["git", pytest.param("kubernetes", marks=pytest.mark.slow)])
def test_a_source_that_fails_removes_nothing_and_names_the_remedy(stage: Stage, broken: str) -> None:
    """Hazard 35: an absent repository or a cluster that does not answer leaves every build undecided, and ends in 4."""
    if broken == "git":
        subprocess.run(["rm", "-rf", str(stage.place.directory / "deploy")], check=True)
    else:
        text = stage.place.policy.read_text(encoding="utf-8")
        config = stage.place.directory / "kubeconfig"
        config.write_text(config.read_text(encoding="utf-8").replace(stage.cluster.url, "https://127.0.0.1:1"))
        stage.place.write(text)
    planned = stage.place.make_plan("--json", expect=4)
    assert removed(planned) == set()
    assert codes(decisions(planned)[build(7)]) >= {"evidence-missing"}
    result = stage.place.run("usage", "-c", str(stage.place.policy), expect=4)
    assert f"{broken}/" in result.text


def test_a_source_that_fails_at_apply_stops_the_plan(stage: Stage) -> None:
    """A plan that was made with complete evidence is refused with 4 where a source no longer answers."""
    stage.place.make_plan()
    subprocess.run(["rm", "-rf", str(stage.place.directory / "deploy")], check=True)
    refused = stage.place.apply(expect=4)
    assert "git/deploy" in refused.text
    left = stage.place.run("inventory", stage.name, "--json").document["repositories"][0]["tags"]
    assert len(left) == len(WAYS) + 4


def test_what_came_into_use_after_the_plan_stays(stage: Stage) -> None:
    """Hazard 34: usage is read fresh at apply, and a build that somebody deployed meanwhile is skipped."""
    stage.place.make_plan()
    late = thing("Pod", "late", stage.namespace, spec=pod_spec(f"{stage.name}:{build(7)}"))
    stage.cluster.create(late, "pods")
    result = stage.place.apply(expect=3)
    assert "came into use" in " ".join(result.text.split())
    left = stage.place.run("inventory", stage.name, "--json").document["repositories"][0]["tags"]
    names = {tag["name"] for tag in left}
    assert build(7) in names
    assert build(6) not in names


def test_what_was_scaled_away_is_remembered(stage: Stage) -> None:
    """A build that ran yesterday and is nowhere today stays as long as the policy remembers, and says since when."""
    stage.write(more=", remember: 90d")
    job = thing("Pod", "short", stage.namespace, spec=pod_spec(f"{stage.name}:{build(6)}"))
    stage.cluster.create(job, "pods")
    assert removed(stage.place.make_plan("--json")) == {build(7)}
    stage.cluster.ask("DELETE", f"/api/v1/namespaces/{stage.namespace}/pods/short?gracePeriodSeconds=0")
    assert removed(stage.place.make_plan("--json")) == {build(7)}
    assert "last seen" in stage.explain(build(6))
    stage.write()
    assert removed(stage.place.make_plan("--json")) == {build(6), build(7)}
