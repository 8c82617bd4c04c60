"""The Kubernetes source against a real API server: every kind, restricted rights, pages, and ways of logging in."""

from __future__ import annotations

import base64
import json
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tagsweep.model.usage import UsageReport
from tagsweep.sources.kube.client import KubeClient
from tagsweep.sources.kube.credentials import Credentials
from tagsweep.sources.kube.kubeconfig import Kubeconfig
from tagsweep.sources.kube.listing import PagedList
from tagsweep.sources.kubernetes import KubernetesSource
from tagsweep.sources.syntaxes.kubernetes import values_in
from tagsweep.testing.harness import InstantClock, Quiet
from tagsweep.testing.source_suite import NOW, SECRET, source_context, source_settings
from tests.real.kube import USERS, Cluster, Refusal, token_of, until
from tests.real.kube_objects import (
    CUSTOM,
    Images,
    Planted,
    built_in,
    custom,
    helm_object,
    helm_release,
    plant,
    plural_of,
    pod_spec,
    serve_custom,
    thing,
)
from tests.real.servers import CHECKOUT

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def cluster(kube_cluster: Cluster) -> Cluster:
    """The API server with the custom resources that the tests use."""
    serve_custom(kube_cluster)
    return kube_cluster


def collect(cluster: Cluster, directory: Path, *, user: str = "admin", **options: object) -> UsageReport:
    """Return what the source answers as this user."""
    path = cluster.kubeconfig(directory, {"token": token_of(user)})
    return source_of(path, directory, **options).collect(NOW)


def source_of(kubeconfig: Path, directory: Path, **options: object) -> KubernetesSource:
    """Return the source with this kubeconfig."""
    settings = source_settings("kubernetes", kubeconfig=str(kubeconfig), **options)
    return KubernetesSource.configure(settings, context=source_context(directory))


def names(report: UsageReport) -> set[str]:
    """Return every reference of a report, open ones as ``repository:*``."""
    return {str(usage.reference) for usage in report.usages} | {f"{entry.repository}:*" for entry in report.unresolved}


def test_every_kind_gives_every_planted_reference(cluster: Cluster, tmp_path: Path) -> None:
    """N references planted in N ways, custom resources included, are exactly N in the answer, which is complete."""
    namespace = cluster.namespace("every-kind")
    images = Images("kinds")
    planted: list[Planted] = [*built_in(images, namespace), *custom(images, namespace)]
    for each in planted:
        plant(cluster, each)
    report = collect(cluster, tmp_path, namespaces=[namespace])
    assert report.coverage.complete, report.coverage.gaps
    assert names(report) == {reference for each in planted for reference in each.references}
    assert report.invalid == ()
    assert report.examined == len(planted)
    places = {str(usage.reference): (usage.where, usage.note) for usage in report.usages}
    assert places[next(made for made in images.made if "/replicaset@" in made)] == (
        "prod/every-kind/Deployment app, container c0",
        "rollback target: ReplicaSet app-1 has 0 replicas",
    )
    assert places[next(made for made in images.made if "/cronjob@" in made)] == (
        "prod/every-kind/CronJob monthly, container c0",
        "schedule 0 3 1 * *, last 2025-12-01T03:00:00Z",
    )


def test_the_whole_cluster_is_read_by_default(cluster: Cluster, tmp_path: Path) -> None:
    """Without namespaces every namespace is read."""
    image = "registry.example/anywhere/app:1"
    namespace = cluster.namespace("anywhere")
    cluster.create(thing("Pod", "p", namespace, spec=pod_spec(image)), "pods")
    report = collect(cluster, tmp_path)
    assert image in names(report)
    assert report.coverage.complete, report.coverage.gaps


def test_helm_keeps_old_revisions_in_secrets_and_configmaps(cluster: Cluster, tmp_path: Path) -> None:
    """Every revision that Helm keeps counts, in both kinds of storage, with hooks, values and the chart's own list."""
    namespace = cluster.namespace("helm")
    chart = {
        "metadata": {
            "appVersion": "9",
            "annotations": {"artifacthub.io/images": "- name: a\n  image: registry.example/helm/listed:1\n"},
        },
        "values": {"image": {"repository": "registry.example/helm/values", "tag": ""}, "none": {"repository": "x/y"}},
    }
    hooks = [{"name": "h", "manifest": _job("registry.example/helm/hook:1")}]
    first = helm_release("web", 1, "superseded", _job("registry.example/helm/web:1"), hooks=hooks, chart=chart)
    second = helm_release("web", 2, "deployed", _job("registry.example/helm/web:2"))
    third = helm_release("old", 1, "superseded", _job("registry.example/helm/configmap:1"))
    cluster.create(helm_object("Secret", "web", namespace, 1, first), "secrets")
    cluster.create(helm_object("Secret", "web", namespace, 2, second), "secrets")
    cluster.create(helm_object("ConfigMap", "old", namespace, 1, third), "configmaps")
    secret = thing("Secret", "other", namespace, stringData={"release": "registry.example/helm/never:1"})
    cluster.create(secret, "secrets")
    report = collect(cluster, tmp_path, namespaces=[namespace])
    assert report.coverage.complete, report.coverage.gaps
    assert {str(usage.reference): (usage.where, usage.note) for usage in report.usages} == {
        "registry.example/helm/web:1": (
            "prod/helm/Helm release web, Job j, container c0",
            "revision 1, superseded: rollback target",
        ),
        "registry.example/helm/hook:1": (
            "prod/helm/Helm release web, Job j, container c0",
            "revision 1, superseded: rollback target; hook",
        ),
        "registry.example/helm/values:9": (
            "prod/helm/Helm release web",
            "revision 1, superseded: rollback target; in the values",
        ),
        "registry.example/helm/listed:1": (
            "prod/helm/Helm release web, field image",
            "revision 1, superseded: rollback target; listed by the chart",
        ),
        "registry.example/helm/web:2": ("prod/helm/Helm release web, Job j, container c0", "revision 2, deployed"),
        "registry.example/helm/configmap:1": (
            "prod/helm/Helm release old, Job j, container c0",
            "revision 1, superseded: rollback target",
        ),
    }


def test_a_broken_release_is_a_gap_that_names_it(cluster: Cluster, tmp_path: Path) -> None:
    """A release that cannot be unpacked makes the coverage partial, and the others are read."""
    namespace = cluster.namespace("helm-broken")
    good = helm_release("good", 1, "deployed", _job("registry.example/helm/good:1"))
    cluster.create(helm_object("Secret", "good", namespace, 1, good), "secrets")
    cluster.create(helm_object("Secret", "bad", namespace, 1, good[:40]), "secrets")
    report = collect(cluster, tmp_path, namespaces=[namespace])
    assert names(report) == {"registry.example/helm/good:1"}
    assert report.coverage.gaps == (
        "prod: secrets helm-broken/sh.helm.release.v1.bad.v1 cannot be read: it is cut off",
    )
    cluster.ask("DELETE", f"/api/v1/namespaces/{namespace}/secrets/sh.helm.release.v1.bad.v1")


def _job(image: str) -> str:
    return json.dumps({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": pod_spec(image)})


def test_without_rights_every_kind_is_named(cluster: Cluster, tmp_path: Path) -> None:
    """Whoever may list pods only gets the pods, and a gap for each other kind with the remedy."""
    namespace = cluster.namespace("limited")
    image = "registry.example/limited/app:1"
    cluster.create(thing("Pod", "p", namespace, spec=pod_spec(image)), "pods")
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
    _grant(cluster, "limited-pods", "limited", [rule])
    report = collect(cluster, tmp_path, user="limited", namespaces=[namespace])
    assert names(report) == {image}
    gaps = "\n".join(report.coverage.gaps)
    for kind in ("deployments.apps", "secrets", "cronjobs.batch", "rollouts.argoproj.io", "widgets.acme.example"):
        assert f"give the right to list {kind} (ClusterRole tagsweep-reader" in gaps
    assert all(gap.startswith("prod: /api") and "answers 403" in gap for gap in report.coverage.gaps)
    assert "/pods answers" not in gaps


def test_the_documented_role_is_sufficient(cluster: Cluster, tmp_path: Path) -> None:
    """With the ClusterRole of the examples only a group that it does not name is a gap, which skip or a rule closes."""
    (role,) = values_in((CHECKOUT / "examples" / "kubernetes" / "tagsweep-reader.yaml").read_text(encoding="utf-8"))
    _grant(cluster, "tagsweep-reader", "readers", role["rules"])
    (gap,) = collect(cluster, tmp_path, user="reader").coverage.gaps
    assert "give the right to list widgets.acme.example" in gap
    assert "or write skip: ['widgets.acme.example']" in gap
    skipping = collect(cluster, tmp_path, user="reader", skip=["widgets.acme.example"])
    assert skipping.coverage.complete, skipping.coverage.gaps
    rule = {"apiGroups": ["acme.example"], "resources": ["*"], "verbs": ["list"]}
    _grant(cluster, "acme-reader", "readers", [rule])
    report = collect(cluster, tmp_path, user="reader")
    assert report.coverage.complete, report.coverage.gaps
    assert names(report) == names(collect(cluster, tmp_path))


def _grant(cluster: Cluster, name: str, group: str, rules: list[Any]) -> None:
    """Give a group of users these rights, and wait until the server has understood."""
    version = "rbac.authorization.k8s.io/v1"
    role = {"apiVersion": version, "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}
    cluster.create(role, "clusterroles")
    cluster.create(
        {
            "apiVersion": version,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}],
        },
        "clusterrolebindings",
    )
    user = next(user for user, of in USERS.items() if of == group)
    group_name, resource = rules[-1]["apiGroups"][0], rules[-1]["resources"][0]
    if resource == "*":
        resource = plural_of(CUSTOM[group_name][0])
    path = f"/apis/{group_name}/v1/{resource}" if group_name else f"/api/v1/{resource}"
    until(lambda: cluster.ask("GET", f"{path}?limit=1", user=user))


def test_a_token_without_any_right_is_a_gap(cluster: Cluster, tmp_path: Path) -> None:
    """A token that the server does not know gives one gap for the cluster, and the token is not in it."""
    path = cluster.kubeconfig(tmp_path, {"token": SECRET})
    report = source_of(path, tmp_path).collect(NOW)
    (gap,) = report.coverage.gaps
    assert "answers 401" in gap
    assert SECRET not in repr(report)


def test_a_namespace_that_is_not_there_is_a_gap(cluster: Cluster, tmp_path: Path) -> None:
    """A misspelt namespace is told, because its lists would be empty without an error."""
    report = collect(cluster, tmp_path, namespaces=["every-kin"])
    assert report.coverage.gaps == ("prod: there is no namespace every-kin; correct the option namespaces:",)


@pytest.mark.slow
def test_many_pods_are_read_in_pages_with_bounded_memory(cluster: Cluster, tmp_path: Path) -> None:
    """10,000 pods of twenty workloads are twenty entries, and never more than a few pages are in memory."""
    namespace = cluster.namespace("many")
    pods = [_stored_pod(namespace, number) for number in range(10_000)]
    size = sum(len(json.dumps(pod)) for pod in pods)
    cluster.store("pods", pods)
    del pods
    path = cluster.kubeconfig(tmp_path, {"token": token_of("admin")})
    source = source_of(path, tmp_path, namespaces=[namespace], page_size=250)
    tracemalloc.start()
    try:
        report = source.collect(NOW)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.examined == 10_000
    assert {usage.note for usage in report.usages} == {"500 pods"}
    assert len(report.usages) == 40
    assert peak < size / 2, f"{peak} of {size} bytes"
    print(f"{size} bytes of pods, at most {peak} bytes in memory")  # noqa: T201 (shown with -s, for the documentation)
    cluster.drop(f"pods/{namespace}")


def _stored_pod(namespace: str, number: int) -> dict[str, Any]:
    """Return a pod as the API server stores it, of a size that is usual, one of 500 under its owner."""
    owner = f"app-{number % 20}"
    image, digest = f"registry.example/many/{owner}:1", f"registry.example/many/{owner}@sha256:{number % 20:064x}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"p{number}",
            "namespace": namespace,
            "uid": f"uid-{number}",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {f"note-{index}": "x" * 100 for index in range(40)},
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": owner, "controller": True}
            ],
        },
        "spec": pod_spec(image),
        "status": {"phase": "Running", "containerStatuses": [{"name": "c0", "image": image, "imageID": digest}]},
    }


def test_a_list_that_is_gone_begins_anew(cluster: Cluster, tmp_path: Path) -> None:
    """When etcd is compacted between two pages, the list is read again from its start and nothing counts twice."""
    namespace = cluster.namespace("compacted")
    cluster.store("pods", [_stored_pod(namespace, number) for number in range(60)])
    access = Kubeconfig([cluster.kubeconfig(tmp_path, {"token": token_of("admin")})]).access("prod")
    clock = InstantClock()
    client = KubeClient(access, Credentials(access, now=clock.now), clock=clock, progress=Quiet())
    seen: list[str] = []
    restarts: list[int] = []

    def each(pod: dict[str, Any]) -> None:
        if not restarts and len(seen) == 20:  # the second page has come: the third is asked for in a new world
            cluster.create(thing("ConfigMap", "written-meanwhile", namespace), "configmaps")
            cluster.compact()
        seen.append(pod["metadata"]["name"])

    def restart() -> None:
        restarts.append(len(seen))
        seen.clear()

    try:
        PagedList(client, f"/api/v1/namespaces/{namespace}/pods", page_size=20).read(each=each, restart=restart)
    finally:
        client.close()
    assert restarts == [40]
    assert len(seen) == len(set(seen)) == 60


@pytest.fixture
def one_pod(cluster: Cluster) -> str:
    """A namespace with one pod, whose image is always the same."""
    try:
        namespace = cluster.namespace("login")
    except Refusal:
        return "login"
    cluster.create(thing("Pod", "p", namespace, spec=pod_spec("registry.example/login/app:1")), "pods")
    return namespace


def ways_of_logging_in(cluster: Cluster, directory: Path) -> dict[str, dict[str, Any]]:
    """Return users of a kubeconfig, each with the same rights and another way to prove who they are."""
    certificate, key = cluster.directory / "client.crt", cluster.directory / "client.key"
    token_file = directory / "token"
    token_file.write_text(f"{token_of('admin')}\n", encoding="ascii")
    token = {"token": token_of("admin"), "expirationTimestamp": "2030-01-01T00:00:00Z"}
    issued = {"clientCertificateData": certificate.read_text(), "clientKeyData": key.read_text()}
    return {
        "token": {"token": token_of("admin")},
        "token file": {"tokenFile": "token"},
        "certificate files": {"client-certificate": str(certificate), "client-key": str(key)},
        "certificate data": {
            "client-certificate-data": base64.b64encode(certificate.read_bytes()).decode(),
            "client-key-data": base64.b64encode(key.read_bytes()).decode(),
        },
        "exec with a token": _plugin(directory, "token", token),
        "exec with a certificate": _plugin(directory, "certificate", issued),
    }


def _plugin(directory: Path, name: str, status: dict[str, str]) -> dict[str, Any]:
    version = "client.authentication.k8s.io/v1"
    answer = json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status})
    program = directory / f"plugin-{name}"
    program.write_text(f"#!/bin/sh\necho run >>{directory}/ran-{name}\ncat <<'END'\n{answer}\nEND\n", encoding="utf-8")
    program.chmod(0o755)
    return {"exec": {"apiVersion": version, "command": f"./plugin-{name}", "interactiveMode": "Never"}}


@pytest.mark.parametrize("way", range(6))
def test_every_way_of_logging_in(cluster: Cluster, one_pod: str, tmp_path: Path, way: int) -> None:
    """Tokens, token files, certificates in files and inline, and exec plugins that issue either, all work."""
    user = list(ways_of_logging_in(cluster, tmp_path).values())[way]
    source = source_of(cluster.kubeconfig(tmp_path, user), tmp_path, namespaces=[one_pod])
    report = source.collect(NOW)
    assert names(report) == {"registry.example/login/app:1"}
    assert report.coverage.complete, report.coverage.gaps
    assert source.collect(NOW) == report
    for ran in tmp_path.glob("ran-*"):
        assert ran.read_text() == "run\n", "a plugin is asked again only when its credentials expire"


@pytest.mark.parametrize(
    ("cluster_settings", "complete"),
    [
        ({"tls-server-name": "kube.lab.example"}, True),
        ({"tls-server-name": "other.lab.example"}, False),
        ({"certificate-authority": None}, False),
        ({"certificate-authority": None, "insecure-skip-tls-verify": True}, True),
    ],
)
def test_the_servers_certificate_is_checked(
    cluster: Cluster,
    one_pod: str,
    tmp_path: Path,
    cluster_settings: dict[str, object],
    complete: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    """The certificate must be of the named CA and host, unless the kubeconfig says in words not to look."""
    path = cluster.kubeconfig(tmp_path, {"token": token_of("admin")}, **cluster_settings)
    report = source_of(path, tmp_path, namespaces=[one_pod]).collect(NOW)
    assert report.coverage.complete is complete, report.coverage.gaps
    assert names(report) == ({"registry.example/login/app:1"} if complete else set())
    if not complete:
        assert "certificate is not trusted" in report.coverage.gaps[0]
        assert "in the kubeconfig" in report.coverage.gaps[0]


def test_in_a_pod_the_service_account_speaks(cluster: Cluster, one_pod: str, tmp_path: Path) -> None:
    """Without a kubeconfig the mounted token is used and read again, and the source's own name is the cluster's."""
    account = thing("ServiceAccount", "sweeper", one_pod)
    cluster.create(account, "serviceaccounts")
    group = f"system:serviceaccounts:{one_pod}"
    rule = {"apiGroups": ["", "apps", "batch"], "resources": ["*"], "verbs": ["list"]}
    version = "rbac.authorization.k8s.io/v1"
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "all"}
    subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}]
    cluster.create(thing("Role", "all", one_pod, version, rules=[rule]), "roles")
    cluster.create(thing("RoleBinding", "all", one_pod, version, roleRef=reference, subjects=subjects), "rolebindings")
    path = f"/api/v1/namespaces/{one_pod}/serviceaccounts/sweeper/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    token = cluster.ask("POST", path, body)["status"]["token"]
    (tmp_path / "ca.crt").write_bytes((cluster.directory / "ca.pem").read_bytes())
    _, _, port = cluster.url.rpartition(":")
    custom_groups = [f"*.{group}" for group in CUSTOM]
    source = replace(
        KubernetesSource.configure(
            source_settings("kubernetes", namespaces=[one_pod], skip=custom_groups), context=source_context(tmp_path)
        ),
        environ={"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": port},
        mounted=str(tmp_path),
    )
    (tmp_path / "token").write_text("an old one", encoding="ascii")
    assert "answers 401" in source.collect(NOW).coverage.gaps[0]
    (tmp_path / "token").write_text(token, encoding="ascii")
    until(lambda: source.collect(NOW).coverage.complete or None)
    report = source.collect(NOW)
    assert [usage.where for usage in report.usages] == ["test/login/Pod p, container c0"]
