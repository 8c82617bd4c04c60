"""Manifests in files: every image with its line, in YAML of many documents, JSON, lists, and text inside of them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.sources.syntaxes.files import File, NotParsed
from tagsweep.sources.syntaxes.findings import Found, NoReference, Open
from tagsweep.sources.syntaxes.kubernetes import SYNTAX
from tagsweep.sources.syntaxes.scan import scan

MANIFEST = """\
# the whole application
apiVersion: apps/v1
kind: Deployment
metadata:
  name: gateway
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: |
      {"spec": {"containers": [{"image": "acme/never:1"}]}}
spec:
  template:
    spec:
      initContainers:
        - {name: migrate, image: "acme/migrate:1.10"}
      containers:
        - name: api
          image: ghcr.io/acme/api@sha256:AAAA
          args: [--sidecar-image=acme/sidecar:3]
        - name: web
          image: acme/web:${TAG}
        - name: later
          image: null
      volumes:
        - name: model
          image:
            reference: acme/model:2
---
apiVersion: v1
kind: ConfigMap
metadata: {name: values}
data:
  values.yaml: |
    web:
      image:
        repository: acme/values
        tag: "7"
  template: |-
    apiVersion: v1
    kind: Pod
    metadata: {name: inner}
    spec: {containers: [{name: c, image: acme/inner:1}]}
  run.sh: |
    #!/bin/sh
    exec docker run acme/script:5
---
apiVersion: v1
kind: List
items:
  - apiVersion: batch/v1
    kind: CronJob
    metadata: {name: nightly}
    spec:
      schedule: "0 3 * * *"
      jobTemplate: {spec: {template: {spec: {containers: [{name: job, image: acme/job:1}]}}}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.acme.example}
spec: {versions: [{schema: {openAPIV3Schema: {properties: {image: {default: "acme/schema:1"}}}}}]}
---
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
images:
  - name: acme/base
    newName: acme/renamed
    newTag: v3
patches:
  - patch: |-
      - op: replace
        path: /spec/template/spec/containers/0/image
        value: acme/patched:1
""".replace("AAAA", "a" * 64)


@dataclass(frozen=True)
class Files:
    """A tree of texts."""

    texts: dict[str, str]

    def read(self, path: str) -> str | None:
        """Return the text of a file."""
        return self.texts.get(path)

    def paths(self, directory: str) -> Sequence[str]:
        """Return the paths below a directory."""
        return sorted(path for path in self.texts if path.startswith(directory))


def found(text: str, path: str = "deploy/app.yaml") -> list[tuple[int, str, str, str]]:
    """Return line, text, spot and note of every finding."""
    out = []
    for each in SYNTAX.extract(File(path, text)):
        match each:
            case Found():
                out.append((each.line, str(each.reference).removeprefix("docker.io/"), each.at, each.note))
            case Open():
                out.append((each.line, f"~{each.text}", each.at, each.note))
            case NoReference():
                out.append((each.line, f"!{each.text}", each.at, each.why))
    return out


def test_everything_that_is_planted_comes_out_with_its_line() -> None:
    """N references planted in a realistic file are exactly N, each on its line, also those within texts."""
    assert found(MANIFEST) == [
        (13, "acme/migrate:1.10", "Deployment gateway, init container migrate", ""),
        (16, f"ghcr.io/acme/api@sha256:{'a' * 64}", "Deployment gateway, container api", ""),
        (17, "acme/sidecar:3", "Deployment gateway, container api, argument", ""),
        (19, "~acme/web:${TAG}", "Deployment gateway, container web", ""),
        (25, "acme/model:2", "Deployment gateway, volume model", ""),
        (35, "acme/values:7", "ConfigMap values", ""),
        (40, "acme/inner:1", "Pod inner, container c", ""),
        (43, "acme/script:5", "ConfigMap values", ""),
        (53, "acme/job:1", "CronJob nightly, container job", "schedule 0 3 * * *"),
        (65, "acme/renamed:v3", "Component", ""),
        (70, "acme/patched:1", "Component, patch of /spec/template/spec/containers/0/image", ""),
    ]


def test_json_is_read_in_the_same_way() -> None:
    """A manifest in JSON, on one line or many, gives its images."""
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "c", "image": "acme/api:1"}]}}
    assert found(json.dumps(pod), "pod.json") == [(1, "acme/api:1", "Pod, container c", "")]
    assert found(json.dumps(pod, indent=2), "pod.json") == [(8, "acme/api:1", "Pod, container c", "")]


def test_tags_stay_as_they_are_written() -> None:
    """What YAML would make a number is a tag: 1.10 is not 1.1, and 010 not 8."""
    text = "apiVersion: v1\nkind: W\nspec:\n  image: {repository: a/b, tag: 1.10}\n  c: {repository: a/b, tag: 010}\n"
    assert [entry[1] for entry in found(text)] == ["a/b:1.10", "a/b:010"]


def test_anchors_and_merges_are_followed() -> None:
    """What an alias brings in is in use on the line where it is written, and what overrides it as well."""
    text = (
        "apiVersion: v1\nkind: W\nbase: &base {repository: a/b, tag: '1'}\n"
        "image: {<<: *base, tag: '2'}\nother: {image: *base}\n"
    )
    assert [entry[:2] for entry in found(text)] == [(3, "a/b:1"), (4, "a/b:2")]


@pytest.mark.parametrize(
    ("path", "text", "claimed"),
    [
        ("a.yaml", "apiVersion: v1\nkind: Pod\n", True),
        ("a.yml", "- apiVersion: v1\n  kind: Pod\n", True),
        ("a.yml", "- metadata: {}\n  kind: Pod\n  apiVersion: v1\n", False),
        ("a.yml", "{apiVersion: v1, kind: Pod}\n", True),
        ("values.yaml", "image: {repository: a/b}\nextra:\n  - apiVersion: v1\n    kind: Pod\n", False),
        ("values.yaml", "kind: Deployment\nrules:\n  apiVersion: v1\n", False),
        ("values.yaml", "image: {repository: a/b}\n# apiVersion: v1\n# kind: Pod\n", False),
        ("a.json", '{"apiVersion":"v1","kind":"Pod"}', True),
        ("a.yaml", "kind: Pod\n", False),
        ("a.yaml", "myapiVersion: v1\nkind: Pod\n", False),
        ("a.md", "apiVersion: v1\nkind: Pod\n", False),
        ("chart/templates/a.yaml", "apiVersion: v1\nkind: Pod\n", False),
        ("chart/charts/sub/templates/tests/a.yaml", "apiVersion: v1\nkind: Pod\n", False),
        ("other/templates/a.yaml", "apiVersion: v1\nkind: Pod\n", True),
    ],
)
def test_files_with_a_version_and_a_kind_are_claimed(path: str, text: str, claimed: bool) -> None:  # noqa: FBT001 - a parameter of pytest's
    """YAML and JSON with both are manifests; templates of a chart belong to the chart."""
    tree = Files({"chart/Chart.yaml": "name: c", "chart/charts/sub/Chart.yaml": "name: s"})
    assert SYNTAX.claims(File(path, text, tree)) is claimed


def test_a_template_that_is_no_yaml_is_read_as_plain_text() -> None:
    """What is filled in before it is YAML is not parsed, and its literal images are still found."""
    text = "apiVersion: v1\nkind: Pod\nspec:\n{{- if .x }}\n  image: acme/api:1\n{{- end }}\n"
    with pytest.raises(NotParsed):
        found(text)
    result = scan(File("a.yaml", text), [SYNTAX])
    assert [str(each.reference) for each in result.findings if isinstance(each, Found)] == ["docker.io/acme/api:1"]
    assert result.problems[0].startswith("kubernetes: ")


@settings(deadline=None)
@given(st.data())
def test_no_change_of_a_manifest_is_too_odd(data: st.DataObject) -> None:
    """A manifest with a part cut out, put in or exchanged is read or not parsed, and nothing else is raised."""
    start = data.draw(st.integers(0, len(MANIFEST)))
    end = data.draw(st.integers(start, min(len(MANIFEST), start + 40)))
    put = data.draw(st.text(alphabet="{}[]:-|>&*!%@#'\" \n\tab1$\0\x85", max_size=6))
    with contextlib.suppress(NotParsed):
        found(MANIFEST[:start] + put + MANIFEST[end:])


@settings(deadline=None)
@given(st.text(max_size=200))
def test_no_text_is_too_odd(text: str) -> None:
    """Any text behind a version and a kind is read or not parsed."""
    with contextlib.suppress(NotParsed):
        found(f"apiVersion: v1\nkind: Pod\nspec: {text}")
