"""The generated CronJobs on a real API server: every field is known to it, and nothing is left out."""

from __future__ import annotations

import pytest
import yaml

from tagsweep.model.schedule import Schedule
from tagsweep.report.jobs import Job, kubernetes
from tests.real.kube import Cluster, Refusal

COLLECTIONS = {
    "ServiceAccount": "/api/v1/namespaces/tagsweep/serviceaccounts",
    "ConfigMap": "/api/v1/namespaces/tagsweep/configmaps",
    "PersistentVolumeClaim": "/api/v1/namespaces/tagsweep/persistentvolumeclaims",
    "CronJob": "/apis/batch/v1/namespaces/tagsweep/cronjobs",
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
    kube_cluster.namespace("tagsweep")
    for one in yaml.safe_load_all(kubernetes.files(job)[kubernetes.PATH]):
        path = f"{COLLECTIONS[one['kind']]}?fieldValidation=Strict"
        kube_cluster.ask("POST", path, one)
    stored = kube_cluster.ask("GET", COLLECTIONS["CronJob"])
    spec = {one["metadata"]["name"]: one["spec"] for one in stored["items"]}
    assert (spec["tagsweep-plan"]["timeZone"], spec["tagsweep-plan"]["suspend"]) == ("Europe/Berlin", False)
    assert spec["tagsweep-sweep"]["suspend"] is True
    assert spec["tagsweep-plan"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"][0]["action"] == "FailJob"
    stored["items"][0]["spec"]["jobTemplate"]["spec"]["tries"] = 2
    again = {**stored["items"][0], "apiVersion": "batch/v1", "kind": "CronJob"}
    again["metadata"] = {"name": "tagsweep-other", "namespace": "tagsweep"}
    with pytest.raises(Refusal, match="unknown field"):
        kube_cluster.ask("POST", f"{COLLECTIONS['CronJob']}?fieldValidation=Strict", again)
