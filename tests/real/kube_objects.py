"""One object of every kind that can hold an image, each with references that occur nowhere else."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.real.kube import Cluster, Refusal, until

CUSTOM = {
    "argoproj.io": ("Rollout", "Workflow", "CronWorkflow", "WorkflowTemplate", "Application", "ApplicationSet"),
    "serving.knative.dev": ("Service", "Revision", "Configuration"),
    "tekton.dev": ("Task", "PipelineRun"),
    "keda.sh": ("ScaledJob",),
    "apps.kruise.io": ("CloneSet",),
    "helm.toolkit.fluxcd.io": ("HelmRelease",),
    "kustomize.toolkit.fluxcd.io": ("Kustomization",),
    "image.toolkit.fluxcd.io": ("ImagePolicy", "ImageRepository"),
    "acme.example": ("Widget",),
}
"""Groups with their kinds that are served as custom resources, all in version v1."""


@dataclass(frozen=True, kw_only=True)
class Planted:
    """An object with the references that must come out of it; those with an open tag are written ``repo:*``."""

    thing: dict[str, Any]
    plural: str
    references: tuple[str, ...]
    status: dict[str, Any] = field(default_factory=dict)


class Images:
    """References that occur once each."""

    def __init__(self, team: str) -> None:
        self.team = team
        self.made: list[str] = []

    def tag(self, what: str) -> str:
        """Return a new reference by tag."""
        return self._new(f"registry.example/{self.team}/{what}:v{len(self.made)}")

    def digest(self, what: str) -> str:
        """Return a new reference by digest."""
        return self._new(f"registry.example/{self.team}/{what}@sha256:{len(self.made) + 1:064x}")

    def split(self, what: str) -> tuple[str, str]:
        """Return repository and tag of a new reference."""
        repository, _, tag = self.tag(what).rpartition(":")
        return repository, tag

    def _new(self, text: str) -> str:
        self.made.append(text)
        return text


def plural_of(kind: str) -> str:
    """Return the plural under which a kind is served."""
    return kind.lower()[:-1] + "ies" if kind.endswith("y") else f"{kind.lower()}s"


def serve_custom(cluster: Cluster) -> None:
    """Define the custom resources and wait until they are served. Their schemas speak of images without using any."""
    for group, kinds in CUSTOM.items():
        for kind in kinds:
            plural = plural_of(kind)
            schema = {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": True,
                "properties": {
                    "spec": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                        "properties": {
                            "operand": {
                                "type": "object",
                                "properties": {"image": {"type": "string", "default": "registry.example/schema/no:1"}},
                            }
                        },
                    }
                },
            }
            crd = {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": f"{plural}.{group}", "annotations": {"api-approved.kubernetes.io": "unapproved"}},
                "spec": {
                    "group": group,
                    "scope": "Namespaced",
                    "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
                    "versions": [
                        {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
                    ],
                },
            }
            try:
                cluster.create(crd, "customresourcedefinitions")
            except Refusal as refusal:
                if refusal.status != 409:
                    raise
    for group, kinds in CUSTOM.items():
        for kind in kinds:
            path = f"/apis/{group}/v1/{plural_of(kind)}?limit=1"
            until(partial(cluster.ask, "GET", path))


def thing(kind: str, name: str, namespace: str, version: str = "v1", **parts: object) -> dict[str, Any]:
    """Return an object with these parts beside its name."""
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, **parts}


def pod_spec(*images: str) -> dict[str, Any]:
    """Return a pod spec with one container for each image."""
    return {"containers": [{"name": f"c{index}", "image": image} for index, image in enumerate(images)]}


def template(app: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Return selector and pod template for a workload."""
    return {
        "selector": {"matchLabels": {"app": app}},
        "template": {"metadata": {"labels": {"app": app}}, "spec": spec},
    }


def built_in(images: Images, namespace: str) -> Iterator[Planted]:
    """Yield one object of every kind of Kubernetes itself."""
    main, init, volume, status, index = (
        images.tag("pod"), images.tag("init"), images.tag("volume"), images.digest("running"), images.digest("inited"),
    )  # fmt: skip
    spec = pod_spec(main)
    spec["initContainers"] = [{"name": "init", "image": init}]
    spec["volumes"] = [{"name": "data", "image": {"reference": volume}}]
    yield Planted(
        thing=thing("Pod", "single", namespace, spec=spec),
        plural="pods",
        references=(main, init, volume, status, index),
        status={
            "containerStatuses": [_container("c0", main, f"docker-pullable://{status}")],
            "initContainerStatuses": [_container("init", init, index)],
        },
    )
    old = images.tag("docker-runtime")
    yield Planted(
        thing=thing("Pod", "old-runtime", namespace, spec=pod_spec(old)),
        plural="pods",
        references=(old,),
        status={"containerStatuses": [_container("c0", f"sha256:{7:064x}", f"docker://sha256:{7:064x}")]},
    )
    for kind, plural in (("Deployment", "deployments"), ("DaemonSet", "daemonsets"), ("StatefulSet", "statefulsets")):
        used = images.tag(kind.lower())
        extra: dict[str, Any] = {"serviceName": "s"} if kind == "StatefulSet" else {}
        body = {**template(kind.lower(), pod_spec(used)), **extra}
        yield Planted(thing=thing(kind, "app", namespace, "apps/v1", spec=body), plural=plural, references=(used,))
    used = images.digest("replicaset")
    owned = thing("ReplicaSet", "app-1", namespace, "apps/v1", spec={"replicas": 0, **template("rs", pod_spec(used))})
    owned["metadata"]["ownerReferences"] = [
        {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app", "uid": "u-1", "controller": True}
    ]
    yield Planted(thing=owned, plural="replicasets", references=(used,))
    used = images.tag("controllerrevision")
    data = {"spec": {"template": {"spec": pod_spec(used)}}}
    revision = thing("ControllerRevision", "app-1", namespace, "apps/v1", revision=1, data=data)
    yield Planted(thing=revision, plural="controllerrevisions", references=(used,))
    used = images.tag("replicationcontroller")
    body = template("rc", pod_spec(used)) | {"selector": {"app": "rc"}}
    yield Planted(
        thing=thing("ReplicationController", "app", namespace, spec=body),
        plural="replicationcontrollers",
        references=(used,),
    )
    used = images.tag("podtemplate")
    body = {"metadata": {"labels": {"a": "b"}}, "spec": pod_spec(used)}
    yield Planted(
        thing=thing("PodTemplate", "app", namespace, template=body), plural="podtemplates", references=(used,)
    )
    used = images.tag("job")
    job = {"template": {"spec": {**pod_spec(used), "restartPolicy": "Never"}}}
    yield Planted(thing=thing("Job", "app", namespace, "batch/v1", spec=job), plural="jobs", references=(used,))
    used = images.digest("cronjob")
    job = {"template": {"spec": {**pod_spec(used), "restartPolicy": "Never"}}}
    yield Planted(
        thing=thing(
            "CronJob", "monthly", namespace, "batch/v1", spec={"schedule": "0 3 1 * *", "jobTemplate": {"spec": job}}
        ),
        plural="cronjobs",
        references=(used,),
        status={"lastScheduleTime": "2025-12-01T03:00:00Z"},
    )


def custom(images: Images, namespace: str) -> Iterator[Planted]:
    """Yield objects of custom kinds, as their projects document them."""

    def one(group: str, kind: str, references: tuple[str, ...], **parts: object) -> Planted:
        return Planted(
            thing=thing(kind, f"{kind.lower()}-x", namespace, f"{group}/v1", **parts),
            plural=plural_of(kind),
            references=references,
        )

    used = images.tag("rollout")
    yield one("argoproj.io", "Rollout", (used,), spec=template("r", pod_spec(used)))
    yield from _argo_workflows(images, one)
    yield from _argo_cd(images, one)
    used, running = images.tag("knative"), images.digest("knative-revision")
    yield one("serving.knative.dev", "Service", (used,), spec={"template": {"spec": pod_spec(used)}})
    yield one(
        "serving.knative.dev", "Revision", (running,), spec={},
        status={"containerStatuses": [{"name": "user", "imageDigest": running}]},
    )  # fmt: skip
    step, sidecar = images.tag("tekton-step"), images.tag("tekton-sidecar")
    tekton = {"steps": [{"name": "build", "image": step}], "sidecars": [{"name": "db", "image": sidecar}]}
    yield one("tekton.dev", "Task", (step, sidecar), spec=tekton)
    used = images.tag("tekton-run")
    task = {"steps": [{"name": "s", "image": "$(params.builder)"}]}
    run = {"params": [{"name": "builder", "value": used}], "pipelineSpec": {"tasks": [{"name": "t", "taskSpec": task}]}}
    yield one("tekton.dev", "PipelineRun", (used,), spec=run)
    used = images.tag("keda")
    yield one("keda.sh", "ScaledJob", (used,), spec={"jobTargetRef": {"template": {"spec": pod_spec(used)}}})
    used = images.tag("kruise")
    yield one("apps.kruise.io", "CloneSet", (used,), spec=template("k", pod_spec(used)))
    yield from _flux(images, one)
    text, (repository, tag), worker = images.tag("widget"), images.split("widget-split"), images.tag("widget-worker")
    operand = images.digest("operand").partition("@")
    yield one(
        "acme.example", "Widget",
        (text, f"{repository}:{tag}", worker, "".join(operand), "registry.example/widget/open:*"),
        spec={
            "image": text,
            "ui": {"image": {"repository": repository, "tag": tag}},
            "workerImage": worker,
            "proxy": {"repository": operand[0], "digest": operand[2]},
            "open": {"image": {"repository": "registry.example/widget/open"}},
            "osImage": "Ubuntu 24.04",
            "backgroundImage": "https://example.com/a.png",
            "imagePullPolicy": "Always",
            "nothing": {"image": None},
        },
    )  # fmt: skip


def _argo_workflows(images: Images, one: Any) -> Iterator[Planted]:
    container, script, given = images.tag("workflow"), images.tag("workflow-script"), images.tag("workflow-given")
    spec = {
        "arguments": {"parameters": [{"name": "image", "value": given}]},
        "templates": [
            {"name": "a", "container": {"image": container}},
            {"name": "b", "script": {"image": script, "source": "print()"}},
            {"name": "c", "container": {"image": "{{workflow.parameters.image}}"}},
        ],
    }
    yield one("argoproj.io", "Workflow", (container, script, given), spec=spec)
    used = images.tag("cronworkflow")
    workflow = {"templates": [{"name": "a", "container": {"image": used}}]}
    yield one("argoproj.io", "CronWorkflow", (used,), spec={"schedule": "@daily", "workflowSpec": workflow})
    used = images.tag("workflowtemplate")
    yield one(
        "argoproj.io", "WorkflowTemplate", (used,),
        spec={"templates": [{"name": "a", "containerSet": {"containers": [{"name": "x", "image": used}]}}]},
    )  # fmt: skip


def _argo_cd(images: Images, one: Any) -> Iterator[Planted]:
    live, (repository, tag), (inner, inner_tag), (past, past_tag), kustomized = (
        images.tag("argocd-live"), images.split("argocd-parameters"), images.split("argocd-values"),
        images.split("argocd-history"), images.tag("argocd-kustomize"),
    )  # fmt: skip
    yield one(
        "argoproj.io", "Application",
        (live, f"{repository}:{tag}", f"{inner}:{inner_tag}", f"{past}:{past_tag}", kustomized),
        spec={
            "source": {
                "helm": {
                    "parameters": _parameters(repository, tag),
                    "values": f"image:\n  repository: {inner}\n  tag: {inner_tag}\n",
                },
                "kustomize": {"images": [f"acme/base={kustomized}"]},
            }
        },
        status={
            "summary": {"images": [live]},
            "history": [{"id": 1, "source": {"helm": {"parameters": _parameters(past, past_tag)}}}],
        },
    )  # fmt: skip
    repository, tag = images.split("applicationset")
    source = {"helm": {"valuesObject": {"image": {"repository": repository, "tag": tag}}}}
    spec = {"template": {"metadata": {"name": "x"}, "spec": {"source": source}}}
    yield one("argoproj.io", "ApplicationSet", (f"{repository}:{tag}",), spec=spec)


def _flux(images: Images, one: Any) -> Iterator[Planted]:
    repository, tag = images.split("helmrelease")
    values = {"image": {"repository": repository, "tag": tag}}
    yield one("helm.toolkit.fluxcd.io", "HelmRelease", (f"{repository}:{tag}",), spec={"values": values})
    repository, tag = images.split("flux-kustomization")
    spec = {"images": [{"name": "app", "newName": repository, "newTag": tag}]}
    yield one("kustomize.toolkit.fluxcd.io", "Kustomization", (f"{repository}:{tag}",), spec=spec)
    (repository, tag), latest = images.split("latestref"), images.tag("latestimage")
    status = {"latestRef": {"name": repository, "tag": tag}, "latestImage": latest}
    yield one(
        "image.toolkit.fluxcd.io", "ImagePolicy", (f"{repository}:{tag}", latest), spec={"policy": {}}, status=status
    )
    yield one("image.toolkit.fluxcd.io", "ImageRepository", (), spec={"image": "registry.example/scanned/only"})


def _parameters(repository: str, tag: str) -> list[dict[str, str]]:
    return [{"name": "image.repository", "value": repository}, {"name": "image.tag", "value": tag}]


def _container(name: str, image: str, image_id: str) -> dict[str, Any]:
    return {"name": name, "image": image, "imageID": image_id, "ready": True, "restartCount": 0}


def helm_release(name: str, revision: int, status: str, manifest: str, **more: object) -> str:
    """Return a release as Helm packs it for a ConfigMap; a Secret encodes it once more."""
    release = {
        "name": name,
        "version": revision,
        "namespace": "x",
        "info": {"status": status},
        "manifest": manifest,
        **more,
    }
    return base64.b64encode(gzip.compress(json.dumps(release).encode(), mtime=0)).decode()


def helm_object(storage: str, name: str, namespace: str, revision: int, packed: str) -> dict[str, Any]:
    """Return the Secret or ConfigMap in which Helm keeps a revision."""
    data = base64.b64encode(base64.b64encode(base64.b64decode(packed))).decode() if storage == "Secret" else packed
    made = thing(storage, f"sh.helm.release.v1.{name}.v{revision}", namespace, data={"release": data})
    made["metadata"]["labels"] = {"owner": "helm", "name": name, "version": str(revision)}
    if storage == "Secret":
        made["type"] = "helm.sh/release.v1"
    return made


def plant(cluster: Cluster, planted: Planted) -> Mapping[str, Any]:
    """Create one object in the cluster."""
    made: Mapping[str, Any] = cluster.create(planted.thing, planted.plural, status=planted.status or None)
    return made
