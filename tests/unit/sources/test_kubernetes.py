"""The Kubernetes source against an API server that answers as badly as real ones do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tagsweep.model.errors import ConfigurationError
from tagsweep.model.usage import UsageReport
from tagsweep.sources.kubernetes import KubernetesSource
from tagsweep.testing.harness import Quiet
from tagsweep.testing.source_suite import (
    NOW,
    SECRET,
    SourceEnvironment,
    SourceSuite,
    source_context,
    source_settings,
)
from tests.real.kube_objects import helm_object, helm_release
from tests.unit.sources.kube.fake_cluster import Answer, FakeCluster, answer, fake_cluster, status

PODS = "/api/v1/pods"


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    """A cluster of this test's own."""
    with fake_cluster() as cluster:
        yield cluster


class Environment:
    """A cluster that the suite fills and breaks."""

    resolves = True

    def __init__(self, cluster: FakeCluster, directory: Path) -> None:
        self._cluster = cluster
        self._directory = directory
        cluster.token = SECRET

    def plant(self, texts: Sequence[str]) -> None:
        """Put every third image into a pod, the others into Deployments and old ReplicaSets."""
        for number, text in enumerate(texts):
            thing = workload(f"app-{number}", text)
            place = (PODS, "/apis/apps/v1/deployments", "/apis/apps/v1/replicasets")[number % 3]
            self._cluster.lists.setdefault(place, []).append(pod(f"p-{number}", text) if place == PODS else thing)
        self._cluster.lists.setdefault("/apis/apps/v1/deployments", []).append({"metadata": {"name": "empty"}})

    def break_it(self) -> None:
        """Refuse the token from now on, and quote it."""
        self._cluster.answers[PODS] = [status(403, f"token {SECRET} may not list pods")]
        self._cluster.answers["/apis/apps/v1"] = [status(503, "the server is currently unable to handle the request")]

    def source(self) -> KubernetesSource:
        """Return the source with a token."""
        return configured(self._cluster.kubeconfig(self._directory, {"token": SECRET}), self._directory)


class TestKubernetes(SourceSuite):
    """The suite."""

    @pytest.fixture
    def environment(self, cluster: FakeCluster, tmp_path: Path) -> SourceEnvironment:
        """Return a cluster of the test's own."""
        return Environment(cluster, tmp_path)


def pod(name: str, image: str, *, owner: str = "") -> dict[str, Any]:
    """Return a pod as a list has it: without its kind."""
    metadata: dict[str, Any] = {"name": name, "namespace": "web", "uid": f"uid-{name}"}
    if owner:
        metadata["ownerReferences"] = [{"kind": "ReplicaSet", "name": owner, "uid": f"uid-{owner}", "controller": True}]
    return {"metadata": metadata, "spec": {"containers": [{"name": "api", "image": image}]}}


def workload(name: str, image: str, **metadata: object) -> dict[str, Any]:
    """Return a workload with one container."""
    spec = {"template": {"spec": {"containers": [{"name": "api", "image": image}]}}}
    return {"metadata": {"name": name, "namespace": "web", "uid": f"uid-{name}", **metadata}, "spec": spec}


def configured(kubeconfig: Path, base: Path, **options: object) -> KubernetesSource:
    """Return the source with this kubeconfig."""
    settings = source_settings("kubernetes", kubeconfig=str(kubeconfig), **options)
    return KubernetesSource.configure(settings, context=source_context(base))


def collect(cluster: FakeCluster, directory: Path, **options: object) -> UsageReport:
    """Return what the source answers."""
    return configured(cluster.kubeconfig(directory), directory, **options).collect(NOW)


def gaps(cluster: FakeCluster, directory: Path, **options: object) -> tuple[str, ...]:
    """Return the gaps of the answer."""
    return collect(cluster, directory, **options).coverage.gaps


def test_pods_are_put_together_under_the_owner_that_a_person_knows(cluster: FakeCluster, tmp_path: Path) -> None:
    """Pods of a ReplicaSet of a Deployment are one entry with their number; another image beside it is another."""
    owner = [{"kind": "Deployment", "name": "gateway", "uid": "uid-gateway", "controller": True}]
    cluster.lists["/apis/apps/v1/replicasets"] = [
        workload("gateway-1", "acme/api:1", ownerReferences=owner),
        workload("gateway-0", "acme/api:0", ownerReferences=owner) | {"status": {"replicas": 0}},
    ]
    cluster.lists["/apis/apps/v1/replicasets"][1]["spec"]["replicas"] = 0
    cluster.lists[PODS] = [pod(f"p{number}", "acme/api:1", owner="gateway-1") for number in range(7)]
    cluster.lists[PODS].append(pod("single", "acme/api:1"))
    report = collect(cluster, tmp_path, page_size=3)
    assert [(str(usage.reference), usage.where, usage.note) for usage in report.usages] == [
        ("docker.io/acme/api:1", "prod/web/Deployment gateway, container api", "7 pods"),
        (
            "docker.io/acme/api:0",
            "prod/web/Deployment gateway, container api",
            "rollback target: ReplicaSet gateway-0 has 0 replicas",
        ),
        ("docker.io/acme/api:1", "prod/web/Pod single, container api", "1 pod"),
    ]
    assert report.examined == 10
    assert report.unit == "objects"


def test_owners_that_own_each_other_end(cluster: FakeCluster, tmp_path: Path) -> None:
    """A circle of owners gives an entry and no endless loop."""
    for here, there in (("a", "b"), ("b", "a")):
        owner = [{"kind": "ReplicaSet", "name": there, "uid": f"uid-{there}", "controller": True}]
        thing = workload(here, "acme/api:1", ownerReferences=owner)
        cluster.lists.setdefault("/apis/apps/v1/replicasets", []).append(thing)
    assert len(collect(cluster, tmp_path).usages) in {1, 2}


def test_what_holds_no_images_is_not_asked_for(cluster: FakeCluster, tmp_path: Path) -> None:
    """Events, services, metrics and leases are not listed, nor nodes unless an option says so."""
    cluster.groups["metrics.k8s.io"] = {"v1beta1": {"pods": "PodMetrics"}}
    cluster.groups["coordination.k8s.io"] = {"v1": {"leases": "Lease"}}
    cluster.lists["/api/v1/nodes"] = [
        {"metadata": {"name": "n1"}, "status": {"images": [{"names": ["acme/cached:1", "<none>@<none>"]}]}}
    ]
    assert collect(cluster, tmp_path).usages == ()
    asked = set(cluster.paths())
    assert asked == {
        "/api/v1", "/apis", "/apis/apps/v1", "/apis/apps/v1/deployments", "/apis/apps/v1/replicasets",
        "/api/v1/pods", "/api/v1/podtemplates", "/api/v1/replicationcontrollers", "/api/v1/secrets",
        "/api/v1/configmaps",
    }  # fmt: skip
    helm = [query for path, query, _ in cluster.requests if path in {"/api/v1/secrets", "/api/v1/configmaps"}]
    assert all(query["labelSelector"] == "owner=helm" for query in helm)
    (usage,) = collect(cluster, tmp_path, node_images=True).usages
    assert (str(usage.reference), usage.where) == ("docker.io/acme/cached:1", "prod/Node n1, field names")


def test_each_resource_is_listed_once(cluster: FakeCluster, tmp_path: Path) -> None:
    """Of several versions the preferred one is listed, others only for what they alone have, old groups likewise."""
    cluster.groups = {
        "acme.example": {"v2": {"widgets": "Widget"}, "v1": {"widgets": "Widget", "gadgets": "Gadget"}},
        "extensions": {"v1beta1": {"deployments": "Deployment", "odd": "Odd"}},
        "apps": {"v1": {"deployments": "Deployment"}},
    }
    assert gaps(cluster, tmp_path) == ()
    listed = [path for path in cluster.paths() if path.count("/") == 4]
    assert sorted(listed) == [
        "/apis/acme.example/v1/gadgets",
        "/apis/acme.example/v2/widgets",
        "/apis/apps/v1/deployments",
        "/apis/extensions/v1beta1/odd",
    ]


def test_a_group_that_does_not_answer_is_a_gap(cluster: FakeCluster, tmp_path: Path) -> None:
    """A broken aggregated API makes the coverage partial, names the group, and can be skipped in words."""
    cluster.groups["broken.example"] = {"v1": {"things": "Thing"}}
    cluster.answers["/apis/broken.example/v1"] = [status(503, "no endpoints")]
    (gap,) = gaps(cluster, tmp_path)
    assert gap.startswith("prod: /apis/broken.example/v1 answers 503 (no endpoints); ")
    assert "skip: ['*.broken.example']" in gap
    assert gaps(cluster, tmp_path, skip=["*.broken.example"]) == ()


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (status(401, "no"), "give the right to list deployments.apps"),
        (status(403, "no"), "give the right to list deployments.apps"),
        (status(404, "no"), "announced and not served"),
        (status(405, "no"), "or write skip: ['deployments.apps']"),
        (status(500, "etcdserver: request timed out"), "etcdserver: request timed out"),
        (status(504, "slow"), "slow"),
        (status(410, "gone"), "gone"),
        (Answer(200, b"<html>"), "not JSON"),
        (Answer(200, b"[" * 100_000), "not JSON"),
        (Answer(200, b"[]"), "no list"),
        (Answer(200, b'{"items": 3}'), "no list"),
        (answer({"items": [], "metadata": {"continue": "same"}}), "same page again"),
    ],
)
def test_a_list_that_fails_is_a_gap_that_names_it(
    cluster: FakeCluster, tmp_path: Path, sent: Answer, words: str
) -> None:
    """Whatever a list answers that is none, the coverage is partial, and all others are read."""
    cluster.answers["/apis/apps/v1/deployments"] = [sent]
    cluster.lists[PODS] = [pod("p", "acme/api:1")]
    report = collect(cluster, tmp_path)
    (gap,) = report.coverage.gaps
    assert gap.startswith("prod: /apis/apps/v1/deployments ")
    assert words in gap
    assert len(report.usages) == 1


def test_a_short_failure_is_no_gap(cluster: FakeCluster, tmp_path: Path) -> None:
    """429, 500 and 503 that pass are asked again."""
    good = answer({"metadata": {}, "items": [pod("p", "acme/api:1")]})
    for sent in (Answer(429, b"", {"Retry-After": "1"}), status(500, "x"), status(503, "x")):
        cluster.answers[PODS] = [sent, good]
        report = collect(cluster, tmp_path)
        assert report.coverage.complete, report.coverage.gaps
        assert len(report.usages) == 1


def test_a_list_that_is_gone_begins_anew_and_counts_once(cluster: FakeCluster, tmp_path: Path) -> None:
    """After a 410 what was counted of that list is forgotten before it is read again."""
    first = answer({"metadata": {"continue": "2"}, "items": [pod("p1", "acme/api:1"), pod("p2", "acme/api:1")]})
    second = answer({"metadata": {}, "items": [pod("p1", "acme/api:1")]})
    cluster.answers[PODS] = [first, status(410, "too old"), second]
    (usage,) = collect(cluster, tmp_path).usages
    assert usage.where == "prod/web/Pod p1, container api"
    assert usage.note == "1 pod"


def test_what_was_read_before_an_error_is_in_use(cluster: FakeCluster, tmp_path: Path) -> None:
    """When the second page fails, the first one counts, and the coverage is partial."""
    first = answer({"metadata": {"continue": "1"}, "items": [pod("p1", "acme/api:1")]})
    cluster.answers[PODS] = [first, status(403, "no longer")]
    report = collect(cluster, tmp_path)
    assert len(report.usages) == 1
    assert len(report.coverage.gaps) == 1


def test_a_redirect_takes_no_token_elsewhere(cluster: FakeCluster, tmp_path: Path) -> None:
    """A redirect is a gap, and the other host is never asked."""
    with fake_cluster() as other:
        cluster.answers[PODS] = [Answer(307, b"", {"Location": f"{other.url}/api/v1/pods"})]
        path = cluster.kubeconfig(tmp_path, {"token": SECRET})
        (gap,) = configured(path, tmp_path).collect(NOW).coverage.gaps
        assert "a redirect, which is not followed" in gap
        assert other.requests == []


def test_a_cluster_that_is_gone_is_one_gap_and_others_are_read(cluster: FakeCluster, tmp_path: Path) -> None:
    """Of two contexts the one that does not answer is a gap, and what the other has is in use."""
    cluster.lists[PODS] = [pod("p", "acme/api:1")]
    text = cluster.kubeconfig(tmp_path).read_text(encoding="utf-8")
    more = text.replace('"prod"', '"gone"').replace(cluster.url, "http://127.0.0.1:1").replace('"c"', '"d"')
    (tmp_path / "more").write_text(more, encoding="utf-8")
    settings = source_settings("kubernetes", contexts=["gone", "prod", "absent"])
    source = KubernetesSource.configure(settings, context=source_context(tmp_path))
    environ = {"KUBECONFIG": f"{tmp_path}/none:{tmp_path}/kubeconfig:{tmp_path}/more"}
    source.environ = environ
    report = source.collect(NOW)
    assert [usage.where for usage in report.usages] == ["prod/web/Pod p, container api"]
    gone, absent = report.coverage.gaps
    assert "no connection to http://127.0.0.1:1" in gone
    assert "no context 'absent'; name one that is there (gone, prod)" in absent


def test_a_namespace_is_read_alone(cluster: FakeCluster, tmp_path: Path) -> None:
    """With namespaces only their lists are asked for, and what has no namespace is not."""
    cluster.answers["/api/v1/namespaces/web"] = [answer({"kind": "Namespace"})]
    cluster.answers["/api/v1/namespaces/..%2Fx"] = [status(404, "not found")]
    cluster.lists["/api/v1/namespaces/web/pods"] = [pod("p", "acme/api:1")]
    cluster.lists[PODS] = [pod("q", "acme/other:1")]
    report = collect(cluster, tmp_path, namespaces=["web", "../x"], node_images=True)
    assert [str(usage.reference) for usage in report.usages] == ["docker.io/acme/api:1"]
    assert report.coverage.gaps == ("prod: there is no namespace ../x; correct the option namespaces:",)
    assert not {"/api/v1/pods", "/api/v1/nodes"} & set(cluster.paths())


def test_helm_releases_that_are_none_are_told_by_name(cluster: FakeCluster, tmp_path: Path) -> None:
    """What is labelled as Helm's and cannot be read is a gap each, of many only the first ones in full."""
    for number in range(25):
        thing = {"metadata": {"name": f"r{number}", "namespace": "web"}, "data": {"release": "%%%"}}
        cluster.lists.setdefault("/api/v1/secrets", []).append(thing)
    cluster.lists["/api/v1/configmaps"] = [{"metadata": {"name": "x", "namespace": "web"}}]
    found = gaps(cluster, tmp_path)
    assert "prod: secrets web/r0 cannot be read: it is not base64" in found
    assert "prod: 5 more secrets cannot be read" in found
    assert "prod: configmaps web/x cannot be read: it is labelled owner=helm and holds no release" in found
    assert len(found) == 22


def test_a_release_whose_manifest_is_no_yaml_is_a_gap_that_names_it(cluster: FakeCluster, tmp_path: Path) -> None:
    """The gap says which revision of which release, where, what is wrong and what to do; what it names still counts."""
    good = "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a, image: 'acme/api:1'}]}\n"
    broken = "# Source: web/templates/d.yaml\nimage: acme/api:2\n  - : {{ x\n"
    first = helm_release("web", 3, "superseded", f"{good}---\n{broken}")
    cluster.lists["/api/v1/secrets"] = [helm_object("Secret", "web", "shop", 3, first)]
    report = collect(cluster, tmp_path)
    (gap,) = report.coverage.gaps
    told = "prod: Helm release web in shop, revision 3: a manifest in it (web/templates/d.yaml) is no YAML: line "
    assert gap.startswith(told)
    assert gap.endswith("; upgrade or uninstall the release, or delete that revision if nobody goes back to it")
    assert {str(usage.reference) for usage in report.usages} == {"docker.io/acme/api:1", "docker.io/acme/api:2"}


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/api/v1", {}, "/api/v1 answers without a list of resources"),
        ("/api/v1", {"resources": [{"kind": "Pod"}]}, "/api/v1 answers without a list of resources"),
        ("/api/v1", {"resources": []}, "/api/v1 announces no pods"),
        ("/apis", {"kind": "Status"}, "/apis answers without a list of groups"),
        ("/apis", {"groups": ["apps"]}, "/apis answers without a list of groups"),
        ("/apis", {"groups": [{"name": "apps", "versions": []}]}, "the group apps has no version"),
        ("/apis/apps/v1", {"resources": None}, "/apis/apps/v1 answers without a list of resources"),
        (PODS, {"items": ["a pod"]}, "/api/v1/pods answers with something that is no list of objects"),
        (PODS, {"items": [], "metadata": ["next"]}, "/api/v1/pods answers with something that is no list of objects"),
        (PODS, {"items": [], "metadata": {"continue": 2}}, "/api/v1/pods answers with something that is no list"),
    ],
)
def test_what_is_not_in_the_form_of_kubernetes_is_no_empty_cluster(
    cluster: FakeCluster, tmp_path: Path, path: str, body: object, words: str
) -> None:
    """A good status with another document, as proxies send it, is a gap: it does not mean that there is nothing."""
    cluster.answers[path] = [answer(body)]
    assert any(words in gap for gap in gaps(cluster, tmp_path))


def test_an_object_that_is_nested_too_deep_is_a_gap(cluster: FakeCluster, tmp_path: Path) -> None:
    """An object that cannot be walked to its end is named."""
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"a": deep}
    cluster.lists["/apis/apps/v1/deployments"] = [{"metadata": {"name": "deep", "namespace": "web"}, "spec": deep}]
    assert gaps(cluster, tmp_path) == ("prod: deployments.apps web/deep cannot be read: nested too deep",)


def test_an_unchecked_certificate_is_said(cluster: FakeCluster, tmp_path: Path) -> None:
    """A kubeconfig that says not to check the certificate is followed, and a person is told each time."""
    path = cluster.kubeconfig(tmp_path, cluster={"insecure-skip-tls-verify": True})
    context = source_context(tmp_path)
    source = KubernetesSource.configure(source_settings("kubernetes", kubeconfig=str(path)), context=context)
    source.collect(NOW)
    assert isinstance(context.progress, Quiet)
    assert context.progress.notes == [
        "kubernetes/test: the certificate of prod is not checked (insecure-skip-tls-verify in the kubeconfig)"
    ]


def test_plain_http_is_refused_unless_said_in_words(cluster: FakeCluster, tmp_path: Path) -> None:
    """A server elsewhere without TLS gets no token, unless the policy says so."""
    path = cluster.kubeconfig(tmp_path, {"token": SECRET})
    path.write_text(path.read_text().replace(cluster.url, "http://cluster.invalid"), encoding="utf-8")
    (gap,) = configured(path, tmp_path).collect(NOW).coverage.gaps
    assert "without encryption" in gap
    (gap,) = configured(path, tmp_path, plain_http=True).collect(NOW).coverage.gaps
    assert "Could not resolve host: cluster.invalid" in gap


@pytest.mark.parametrize(
    "options",
    [
        {"context": "a", "contexts": ["b"]},
        {"namespaces": []},
        {"page_size": 0},
        {"timeout": "60"},
        {"skip": 3},
        {"node_images": "yes"},
        {"kontext": "a"},
    ],
)
def test_wrong_options_are_told(options: dict[str, object]) -> None:
    """Contradicting, empty, wrong and unknown options are configuration errors that name the source."""
    with pytest.raises(ConfigurationError, match="kubernetes/test"):
        KubernetesSource.configure(source_settings("kubernetes", **options), context=source_context())


def test_no_kubeconfig_at_all_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    """Outside of a cluster without a kubeconfig the error says where one is looked for."""
    source = KubernetesSource.configure(source_settings("kubernetes"), context=source_context(tmp_path))
    source.environ = {"HOME": str(tmp_path)}
    with pytest.raises(ConfigurationError, match="no kubeconfig") as caught:
        source.collect(NOW)
    assert "KUBECONFIG" in caught.value.remedy


def test_a_proxy_of_the_kubeconfig_is_used(cluster: FakeCluster, tmp_path: Path) -> None:
    """With proxy-url the cluster is asked through it, and its password is in no message."""
    cluster.lists[PODS] = [pod("p", "acme/api:1")]
    proxy = cluster.url.replace("http://", f"http://user:{SECRET}@")
    behind = {"server": "http://127.0.0.1:1", "proxy-url": proxy}
    report = configured(cluster.kubeconfig(tmp_path, cluster=behind), tmp_path).collect(NOW)
    assert len(report.usages) == 1
    behind["proxy-url"] = f"http://user:{SECRET}@127.0.0.1:1"
    broken = configured(cluster.kubeconfig(tmp_path, cluster=behind), tmp_path)
    (gap,) = broken.collect(NOW).coverage.gaps
    assert SECRET not in gap + repr(broken)


def test_a_refused_token_of_a_plugin_is_fetched_anew(cluster: FakeCluster, tmp_path: Path) -> None:
    """When the server refuses what a plugin issued, the plugin is asked once more before that is a gap."""
    version = "client.authentication.k8s.io/v1"
    good = json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": {"token": SECRET}})
    (tmp_path / "plugin").write_text(
        f"#!/bin/sh\nif [ -e {tmp_path}/ran ]; then echo '{good}'; else echo '{good}' | sed s/{SECRET}/stale/; fi\n"
        f"touch {tmp_path}/ran\n",
        encoding="utf-8",
    )
    (tmp_path / "plugin").chmod(0o755)
    cluster.token = SECRET
    user = {"exec": {"apiVersion": version, "command": "./plugin"}}
    report = configured(cluster.kubeconfig(tmp_path, user), tmp_path).collect(NOW)
    assert report.coverage.complete, report.coverage.gaps
    assert SECRET not in repr(report)


def test_a_server_that_vanishes_midway_is_not_waited_for_kind_by_kind(cluster: FakeCluster, tmp_path: Path) -> None:
    """After two lists without an answer the others are not tried, and the report says how many are missing."""
    for number in range(20):
        cluster.groups[f"g{number}.example"] = {"v1": {"things": "Thing"}}
        cluster.answers[f"/apis/g{number}.example/v1/things"] = [
            Answer(200, b"", {"Content-Length": "100", "Connection": "close"})
        ]
    found = gaps(cluster, tmp_path)
    assert len(found) == 3
    assert found[-1].endswith("more lists were not asked for any more")
