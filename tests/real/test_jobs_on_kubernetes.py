"""The generated CronJobs on a real API server, and the page about them, typed into kubectl."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tagsweep.model.schedule import Schedule
from tagsweep.report.jobs import Job, kubernetes
from tests.e2e.walk import Save, Shell, follow, steps
from tests.real.kube import Cluster, Refusal, token_of

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
COLLECTIONS = {
    "ServiceAccount": "/api/v1/namespaces/tagsweep-job/serviceaccounts",
    "ConfigMap": "/api/v1/namespaces/tagsweep-job/configmaps",
    "PersistentVolumeClaim": "/api/v1/namespaces/tagsweep-job/persistentvolumeclaims",
    "CronJob": "/apis/batch/v1/namespaces/tagsweep-job/cronjobs",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}


@pytest.mark.real
def test_the_api_server_takes_every_object_and_knows_every_field(kube_cluster: Cluster) -> None:
    """With strict validation, which refuses fields that it does not know, all objects are created."""
    schedule = Schedule(cron="0 4 1 1,4,7,10 *", written="quarterly", time_zone="Europe/Berlin")
    job = Job(
        policy="tagsweep.yaml",
        text="version: 1\n",
        schedule=schedule,
        utc_cron="0 3 1 1,4,7,10 *",
        package="tagsweep",
        image="registry.example.com/tagsweep:1",
        program="/usr/bin/tagsweep",
        secrets=("SLACK_URL",),
        in_cluster=True,
    )
    own = kube_cluster.namespace("tagsweep-job")  # the one of the page is another test's
    written = kubernetes.files(job)[kubernetes.PATH].replace("namespace: tagsweep\n", f"namespace: {own}\n")
    for one in yaml.safe_load_all(written):
        path = f"{COLLECTIONS[one['kind']]}?fieldValidation=Strict"
        kube_cluster.ask("POST", path, one)
    stored = kube_cluster.ask("GET", COLLECTIONS["CronJob"])
    spec = {one["metadata"]["name"]: one["spec"] for one in stored["items"]}
    assert (spec["tagsweep-plan"]["timeZone"], spec["tagsweep-plan"]["suspend"]) == ("Europe/Berlin", False)
    assert spec["tagsweep-sweep"]["suspend"] is True
    assert spec["tagsweep-plan"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"][0]["action"] == "FailJob"
    stored["items"][0]["spec"]["jobTemplate"]["spec"]["tries"] = 2
    again = {**stored["items"][0], "apiVersion": "batch/v1", "kind": "CronJob"}
    again["metadata"] = {"name": "tagsweep-other", "namespace": own}
    with pytest.raises(Refusal, match="unknown field"):
        kube_cluster.ask("POST", f"{COLLECTIONS['CronJob']}?fieldValidation=Strict", again)


@pytest.mark.real
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs the kubectl program")
def test_the_page_can_be_followed_word_for_word(kube_cluster: Cluster, tmp_path: Path) -> None:
    """Each command of docs/how-to/kubernetes.md does what the page says: the approval is a job that sweeps, and the way
    back is a job that restores.
    """
    directory = tmp_path / "work"
    directory.mkdir()
    (policy,) = (one for one in steps(page("github-actions.md")) if isinstance(one, Save))
    (directory / policy.name).write_text(policy.text, encoding="utf-8")
    kubeconfig = kube_cluster.kubeconfig(tmp_path, {"token": token_of("admin")})
    follow(page("kubernetes.md"), directory, Shell({"KUBECONFIG": str(kubeconfig), "NO_PROXY": "127.0.0.1"}))
    jobs = kube_cluster.ask("GET", "/apis/batch/v1/namespaces/tagsweep/jobs")["items"]
    containers = {one["metadata"]["name"]: one["spec"]["template"]["spec"]["containers"][0] for one in jobs}
    assert "--plan=/var/lib/tagsweep/plan.json" in containers["approved-1"]["args"]
    back = containers["back-1"]
    assert (back["args"][0], back["args"][2:]) == ("restore", ["--yes", "--state=/var/lib/tagsweep/state"])
    assert back["volumeMounts"] == containers["approved-1"]["volumeMounts"]


def page(name: str) -> str:
    """Return the text of a how-to page."""
    return (HOW_TO / name).read_text(encoding="utf-8")
