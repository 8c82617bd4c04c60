"""Images in decoded objects: pod specs anywhere, statuses, fields of custom kinds, and what only looks like them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.sources.syntaxes.files import NotParsed
from tagsweep.sources.syntaxes.findings import Found, NoReference, Open
from tagsweep.sources.syntaxes.kubernetes import objects_in
from tagsweep.sources.syntaxes.podspec import Reading, images_in

DIGEST = "sha256:" + "a" * 64
ID = "sha256:" + "b" * 64


def short(value: object, **reading: Any) -> list[str]:
    """Return the findings as texts: =reference, ~repository|tags of an open one, !text of what is none."""
    out = []
    for each in images_in(value, Reading(embedded=objects_in, **reading)):
        match each:
            case Found():
                out.append(f"={str(each.reference).removeprefix('docker.io/')}")
            case Open():
                name = str(each.repository or each.repository_pattern).removeprefix("docker.io/")
                out.append(f"~{name}|{each.tag_pattern}")
            case NoReference():
                out.append(f"!{each.text}")
    return out


def spoken(value: object, **reading: Any) -> list[tuple[str, str]]:
    """Return spot and note of every finding."""
    found = images_in(value, Reading(embedded=objects_in, **reading))
    return [(each.at, "" if isinstance(each, NoReference) else each.note) for each in found]


def thing(kind: str, version: str = "v1", **parts: object) -> dict[str, Any]:
    """Return an object."""
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, **parts}


def container(image: object, **more: object) -> dict[str, Any]:
    """Return a pod spec with one container."""
    return {"containers": [{"name": "api", "image": image, **more}]}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (container("acme/api:1"), ["=acme/api:1"]),
        (container("acme/api"), ["=acme/api:latest"]),
        (container("postgres:17"), ["=library/postgres:17"]),
        (container(f"acme/api:1@{DIGEST}"), [f"=acme/api:1@{DIGEST}"]),
        (container(None), []),
        (container(""), []),
        (container("Acme:1"), ["!Acme:1"]),
        (container("a b"), ["!a b"]),
        (container("acme/api:$(TAG)"), ["~acme/api|.*"]),
        ({"initContainers": [{"image": "a/b:1"}]}, ["=a/b:1"]),
        ({"ephemeralContainers": [{"image": "a/b:1"}]}, ["=a/b:1"]),
        ({"deep": [[{"spec": {"x": container("a/b:1")}}]]}, ["=a/b:1"]),
        ({"volumes": [{"name": "v", "image": {"reference": "a/b:1", "pullPolicy": "Always"}}]}, ["=a/b:1"]),
        (container("a/b:1", imagePullPolicy="Always", args=["x/y:1"]), ["=a/b:1"]),
        (container("a/b:1", args=["--sidecar-image=c/d:2"]), ["=a/b:1", "=c/d:2"]),
        (container("a/b:1", command=["sh", "-c", "docker pull c/d:2"]), ["=a/b:1", "=c/d:2"]),
        (container("a/b:1", env=[{"name": "RELATED_IMAGE_X", "value": "c/d:2"}]), ["=a/b:1", "=c/d:2"]),
        (container("a/b:1", env=[{"name": "URL", "value": "c/d:2"}]), ["=a/b:1"]),
        (container("a/b:1", env=[{"name": "IMAGE_PULL_SECRET", "value": "c/d"}]), ["=a/b:1"]),
        ({"metadata": {"annotations": {"sidecar.istio.io/proxyImage": "a/proxy:1"}}}, ["=a/proxy:1"]),
        ({"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": '{"image":"a/b:1"}'}}}, []),
        ({"metadata": {"labels": {"image": "a/b:1"}, "managedFields": [{"image": "a/b:1"}]}}, []),
    ],
)
def test_pod_specs_wherever_they_are(value: object, expected: list[str]) -> None:
    """Containers of every kind, image volumes, options and variables that name images; nothing that only looks so."""
    assert short(value) == expected


@pytest.mark.parametrize(
    ("image_id", "expected"),
    [
        (f"acme/api@{DIGEST}", [f"=acme/api@{DIGEST}"]),
        (f"docker-pullable://acme/api@{DIGEST}", [f"=acme/api@{DIGEST}"]),
        (f"docker://{ID}", []),
        (ID, []),
        ("b" * 64, []),
        ("", []),
    ],
)
def test_a_status_proves_the_digest(image_id: str, expected: list[str]) -> None:
    """The imageID is a digest where it names a repository; a bare id is known to one machine only, and no reference."""
    entry = {"name": "api", "image": ID, "imageID": image_id}
    for key in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        assert short({"status": {key: [entry]}}) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"image": "a/b:1"}, ["=a/b:1"]),
        ({"imageName": "a/b:1"}, ["=a/b:1"]),
        ({"workerImage": "a/b:1"}, ["=a/b:1"]),
        ({"image_ref": "a/b:1"}, ["=a/b:1"]),
        ({"images": ["a/b:1", "c/d:2"]}, ["=a/b:1", "=c/d:2"]),
        ({"images": {"web": "a/b:1"}}, []),
        ({"image": {"name": "a/b:1"}}, ["=a/b:1"]),
        ({"image": {"repository": "a/b", "tag": "1"}}, ["=a/b:1"]),
        ({"image": {"repository": "a/b", "tag": 1.5}}, ["=a/b:1.5"]),
        ({"image": {"registry": "r.example", "repository": "a/b", "tag": "1"}}, ["=r.example/a/b:1"]),
        ({"image": {"registry": "r.example", "repository": "r.example/b", "tag": "1"}}, ["=r.example/b:1"]),
        ({"image": {"repository": "a/b", "digest": DIGEST}}, [f"=a/b@{DIGEST}"]),
        ({"image": {"repository": "a/b", "tag": "1", "sha256": "a" * 64}}, [f"=a/b:1@{DIGEST}"]),
        ({"image": {"repository": "a/b", "tag": DIGEST}}, [f"=a/b@{DIGEST}"]),
        ({"image": {"repository": "a/b", "tag": ""}}, ["~a/b|.*"]),
        ({"image": {"repository": "a/b"}}, ["~a/b|.*"]),
        ({"image": {"tag": "v1"}}, ["~.*|v1"]),
        ({"image": {"digest": DIGEST}}, [f"!{DIGEST}"]),
        ({"image": {"repository": "a/b", "tag": "{{ .Values.tag }}"}}, ["~a/b|.*"]),
        ({"image": "a/b", "tag": "1"}, ["=a/b:1"]),
        ({"image": "a/b:2", "version": "1"}, ["=a/b:2"]),
        ({"imageRepository": "a/b", "imageTag": "1"}, ["=a/b:1"]),
        ({"web": {"repository": "a/b", "tag": "1"}}, ["=a/b:1"]),
        ({"source": {"repository": "https://example.com/x.git", "tag": "1"}}, []),
        ({"source": {"repository": "git@example.com:x/y.git", "tag": "1"}}, []),
        ({"repository": "a/b"}, []),
        ({"image": "https://example.com/disk.qcow2"}, []),
        ({"image": "Some Words"}, []),
        ({"image": True}, []),
        ({"image": "ghcr.io/acme/*"}, []),
        ({"containers": [{"image": "!*:latest"}]}, ["!!*:latest"]),
        ({"osImage": "ubuntu/24:04", "diskImage": "a/b:1", "backgroundImage": "a/b:1"}, []),
        ({"imagePullSecrets": [{"name": "a/b:1"}], "imagePullPolicy": "Always"}, []),
        ({"openAPIV3Schema": {"properties": {"image": {"default": "a/b:1"}}}}, []),
        ([{"op": "replace", "path": "/spec/containers/0/image", "value": "a/b:1"}], ["=a/b:1"]),
        ({"manifest": 'kind: Pod\nimage: a/b\nargs: ["{{ x "y" }}"]\nother: c/d:1\n'}, ["=a/b:latest", "=c/d:1"]),
        ({"text": "an image: of {{ words }} that: is [no YAML\n"}, []),
        ({"patch": "- op: add\n  path: /image\n  value: a/b:1\n"}, ["=a/b:1"]),
    ],
)
def test_custom_fields_by_their_structure(spec: object, expected: list[str]) -> None:
    """A field that is called after images holds one, whole or in parts; what cannot be one is left alone."""
    assert short(thing("Widget", "acme.example/v1", spec=spec)) == expected


@pytest.mark.parametrize(
    ("value", "note"),
    [
        (thing("Deployment", spec={"replicas": 0, "template": {"spec": container("a/b:1")}}), "scaled to zero"),
        (thing("Deployment", spec={"template": {"spec": container("a/b:1")}}), ""),
        (thing("ControllerRevision", revision=3, data=container("a/b:1")), "rollback target: revision 3"),
        (thing("CronJob", spec={"schedule": "@daily", "x": container("a/b:1")}), "schedule @daily"),
        (
            thing("CronJob", spec={"schedule": "@daily", "suspend": True, "x": container("a/b:1")}, status={"a": 1}),
            "suspended, schedule @daily, has not run yet",
        ),
        (thing("Job", spec=container("a/b:1"), status={"completionTime": "2026-01-01T00:00:00Z"}), "finished"),
        (thing("Pod", spec=container("a/b:1"), status={"phase": "Failed"}), "finished"),
        (thing("Pod", spec=container("a/b:1"), status={"phase": "Running"}), ""),
    ],
)
def test_the_note_says_how_it_is_in_use(value: object, note: str) -> None:
    """Rollback targets, schedules and what has ended are told where a person would ask."""
    assert spoken(value) == [("container api", note)]


def test_a_replicaset_without_replicas_is_a_rollback_target() -> None:
    """An old ReplicaSet of a Deployment says so; one that a person made is only scaled to zero."""
    value = thing("ReplicaSet", spec={"replicas": 0, "template": {"spec": container("a/b:1")}})
    assert spoken(value) == [("container api", "scaled to zero")]
    value["metadata"]["ownerReferences"] = [{"kind": "Deployment", "name": "d", "uid": "u"}]
    assert spoken(value) == [("container api", "rollback target: ReplicaSet x has 0 replicas")]


def test_a_rename_of_kustomize_is_left_to_its_own_syntax() -> None:
    """A new name without a tag applies to the resources' tags; Flux's, which nothing else reads, is open."""
    images = [{"name": "app", "newName": "a/b"}, {"name": "c/d", "newTag": "1"}]
    assert short(thing("Component", "kustomize.config.k8s.io/v1alpha1", images=images)) == ["=c/d:1"]
    flux = thing("Kustomization", "kustomize.toolkit.fluxcd.io/v1", spec={"images": images})
    assert short(flux) == ["~a/b|.*", "=c/d:1"]


def test_schemas_and_scanned_repositories_are_no_use() -> None:
    """A CRD speaks of images, and Flux's ImageRepository only looks at one."""
    schema = {"versions": [{"schema": {"properties": {"image": "a/b:1"}}}]}
    assert short(thing("CustomResourceDefinition", "apiextensions.k8s.io/v1", spec=schema)) == []
    assert short(thing("ImageRepository", "image.toolkit.fluxcd.io/v1beta2", spec={"image": "a/b"})) == []
    assert short({"kind": "List", "apiVersion": "v1", "items": [thing("Pod", spec=container("a/b:1"))]}) == ["=a/b:1"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("Workflow", ["=a/b:1", "=a/b:2"]), ("WorkflowTemplate", ["=a/b:1", "=a/b:2", "~.*|.*"])],
)
def test_parameters_of_workflows_are_filled_in(kind: str, expected: list[str]) -> None:
    """All values that an object gives a parameter count; in a template another one may come."""
    spec = {
        "arguments": {"parameters": [{"name": "image", "value": "a/b:1"}]},
        "templates": [
            {"name": "t", "inputs": {"parameters": [{"name": "image", "default": "a/b:2"}]}},
            {"name": "u", "container": {"image": "{{inputs.parameters.image}}"}},
        ],
    }
    found = short(thing(kind, "argoproj.io/v1alpha1", spec=spec))
    assert list(dict.fromkeys(found)) == expected


def test_a_bare_tag_is_understood_by_what_runs() -> None:
    """Argo CD's tag parameter means the image that the application runs; without one it may mean any repository's."""
    helm = {"parameters": [{"name": "web.image.tag", "value": "v7"}]}
    application = thing("Application", "argoproj.io/v1alpha1", spec={"source": {"helm": helm}})
    assert short(application) == ["~.*|v7"]
    assert short({**application, "status": {"summary": {"images": ["a/b:v7"]}}}) == ["=a/b:v7"]


def test_values_of_a_chart_with_a_default_tag_leave_nothing_open() -> None:
    """Where the manifests are read as well, an empty tag is the chart's version and what stays open is left out."""
    values = {"image": {"repository": "a/b", "tag": ""}, "web": {"image": {"tag": "v1"}}, "x": {"image": "$IMAGE"}}
    assert short(values, default_tag="9", only_complete=True) == ["=a/b:9"]


def test_what_is_too_deep_is_not_dropped() -> None:
    """An object that is nested beyond reason is refused, not read half."""
    value: object = container("a/b:1")
    for _ in range(400):
        value = [value]
    with pytest.raises(NotParsed, match="too deep"):
        images_in(value)


def test_objects_that_share_parts_are_read_in_the_time_of_their_size() -> None:
    """A structure of aliases that would unfold to 2^60 parts is walked once."""
    value: Any = {"image": "a/b:1"}
    for _ in range(60):
        value = {"left": value, "right": value}
    assert short(value) == ["=a/b:1"]


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("a/b:1@${} \n", max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["image", "images", "name", "value", "repository", "tag", "digest", "containers", "metadata", "kind",
                 "apiVersion", "spec", "status", "helm", "parameters", "annotations", "items", "containerStatuses",
                 "imageID", "params", "enum", "default", "op", "path", "registry", "history", "summary", "schedules"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)  # fmt: skip


@settings(deadline=None)
@given(_json, st.sampled_from(["Deployment", "Application", "Workflow", "CronJob", "ConfigMap", "ReplicaSet", "List"]))
def test_no_object_is_too_odd(value: Any, kind: str) -> None:
    """Whatever stands in the fields that mean something, there are findings or none, and never an exception."""
    images_in(value, Reading(embedded=objects_in))
    body = value if isinstance(value, dict) else {"spec": value}
    images_in({**body, "apiVersion": "argoproj.io/v1", "kind": kind}, Reading(named=True, embedded=objects_in))


@settings(deadline=None)
@given(st.sampled_from([container("q/r:7"), {"image": {"repository": "q/r", "tag": "7"}}]), st.lists(_json, max_size=4))
def test_a_pod_spec_is_found_whatever_surrounds_it(planted: dict[str, Any], around: list[Any]) -> None:
    """What is planted beside any other values comes out."""
    assert "=q/r:7" in short({"spec": {"template": planted, "other": around}})
