"""Helm values whose chart is elsewhere."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tagsweep.sources.syntaxes.files import File
from tagsweep.sources.syntaxes.helm_values import SYNTAX
from tagsweep.sources.syntaxes.image_split import splits, texts
from tagsweep.sources.syntaxes.yamlnodes import Pairs, documents
from tests.unit.sources.syntaxes.planted import Files, found, mangled, survives

VALUES = """\
image:
  repository: tensorzero/gateway
  tag: sha-1a2b3c # {"$imagepolicy": "flux-system:gateway:tag"}
api:
  image:
    tag: v2
web:
  image: {repository: acme/web}
hub: docker.io/acme
workerImage: acme/worker
workerImageTag: "5"
proxy:
  repository: acme/proxy
  pullPolicy: Always
images:
  tags:
    db: docker.io/acme/db:6
args: ["--reloader=quay.io/acme/reloader:7", "quay.io/acme/arg:8"]
service: {name: web, port: 80}
backgroundImage: /img/picture.png
"""

RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: gateway}
spec:
  chart: {spec: {chart: gateway, version: 1.x}}
  values:
    gateway:
      image:
        repository: tensorzero/gateway
        tag: 2026.4.1 # {"$imagepolicy": "flux-system:gw:tag"}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
spec:
  url: oci://ghcr.io/acme/manifests
  ref: {tag: prod}
"""

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
spec:
  source:
    repoURL: ghcr.io/acme/charts
    chart: api
    targetRevision: 1.2.3
    helm:
      parameters:
        - {name: image.repository, value: acme/param}
        - name: image.tag
          value: "9"
      values: |
        worker:
          image:
            repository: acme/worker
            tag: w1
      valuesObject:
        web: {image: {repository: acme/web, tag: w2}}
"""


def test_a_values_file_gives_what_it_says_and_leaves_the_rest_open() -> None:
    """A repository without a tag and a tag without a repository are open; a policy's comment is the note."""
    assert found(SYNTAX, "clusters/prod/api-values.yaml", VALUES) == [
        "3 =docker.io/tensorzero/gateway:sha-1a2b3c (set by image policy flux-system:gateway:tag)",
        "6 ~.*|v2",
        "8 ~docker.io/acme/web|.*",
        "11 =docker.io/acme/worker:5",
        "13 ~docker.io/acme/proxy|.*",
        "17 =docker.io/acme/db:6",
        "18 =quay.io/acme/reloader:7",
        "18 =quay.io/acme/arg:8",
    ]


def test_values_within_a_release_of_flux() -> None:
    """HelmRelease values, and a bundle kept in a registry, are found."""
    assert found(SYNTAX, "apps/gateway.yaml", RELEASE) == [
        "10 =docker.io/tensorzero/gateway:2026.4.1 (set by image policy flux-system:gw:tag)",
        "15 =ghcr.io/acme/manifests:prod (chart or bundle)",
    ]


def test_values_within_an_application_of_argo_cd() -> None:
    """Parameters, values as text and as an object, and a chart kept in a registry are found."""
    assert found(SYNTAX, "apps/api.yaml", APPLICATION) == [
        "6 =ghcr.io/acme/charts/api:1.2.3 (chart)",
        "12 =docker.io/acme/param:9",
        "17 =docker.io/acme/worker:w1",
        "19 =docker.io/acme/web:w2",
    ]


def test_values_within_other_objects() -> None:
    """k3s HelmCharts and helmfile releases hold values as well."""
    chart = "kind: HelmChart\nspec:\n  valuesContent: |-\n    image:\n      repository: acme/k3s\n      tag: '1'\n"
    helmfile = (
        "releases:\n  - name: a\n    chart: acme/a\n    values:\n      - image: {repository: acme/file, tag: '2'}\n"
    )
    assert found(SYNTAX, "k3s.yaml", chart) == ["6 =docker.io/acme/k3s:1"]
    assert found(SYNTAX, "helmfile.yaml", helmfile) == ["5 =docker.io/acme/file:2"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image: {registry: ghcr.io, repository: acme/a, tag: '1'}", ["ghcr.io/acme/a:1"]),
        ("image: {registry: ghcr.io, repository: ghcr.io/acme/a, tag: '1'}", ["ghcr.io/acme/a:1"]),
        ("image: {registry: ghcr.io, repository: quay.io/a, tag: '1'}", ["ghcr.io/quay.io/a:1", "quay.io/a:1"]),
        ("image: {repository: acme/a, tag: '', digest: 'sha256:ab'}", ["acme/a@sha256:ab"]),
        ("image: {repository: acme/a, tag: '1', digest: 'sha256:ab'}", ["acme/a:1@sha256:ab"]),
        ("image: {repository: acme/a, tag: '1', sha: " + "d" * 64 + "}", ["acme/a:1@sha256:" + "d" * 64]),
        ("image: {repository: 'acme/a:2'}", ["acme/a:2"]),
        ("image: {repository: acme/a, tag: 'sha256:ab'}", ["acme/a@sha256:ab"]),
        ("image: {name: acme/a, version: '3'}", ["acme/a:3"]),
        ("image: acme/a\ntag: '4'", ["acme/a:4"]),
        ("image: acme/a", ["acme/a:latest"]),
        ("hub: ghcr.io/acme\nimage: pilot\ntag: '5'", ["ghcr.io/acme/pilot:5"]),
        ("apiImage: acme/a\napiTag: '6'", ["acme/a:6"]),
        ("apiRepository: acme/a\napiTag: '7'", ["acme/a:7"]),
        ("image_repository: acme/a\nimage_tag: '8'", ["acme/a:8"]),
        ("imageTag: '9'", ["{{ repository of the chart }}:9"]),
        ("tag: '10'", ["{{ repository of the chart }}:10"]),
        ("image: {pullPolicy: Always}", []),
        ("image: null", []),
        ("git: {repository: acme/config}", []),
        ("repository: 'https://charts.acme.io'", []),
        ("config: {name: acme/a}", []),
        ("osImage: ubuntu/22.04", []),
    ],
)
def test_ways_of_writing_an_image_in_parts(text: str, expected: list[str]) -> None:
    """Each custom of charts is understood, and what is no image is not taken for one."""
    (root,) = documents(text)
    assert isinstance(root, Pairs)
    assert [each for split in splits(root) for each in texts(split)] == expected


@pytest.mark.parametrize(
    ("path", "text", "claimed"),
    [
        ("prod/values.yaml", "", True),
        ("prod/values-eu.yml", "", True),
        ("prod/api_values.yaml", "", True),
        ("values/prod.yaml", "", True),
        ("a.yaml", "kind: HelmRelease\n", True),
        ("a.yaml", "kind: Deployment\n", False),
        ("a.yaml", "x: 1\nreleases:\n  - chart: a\n", True),
        ("a.yaml", "releases: [1.0]\n", False),
        ("chart/values.yaml", "", False),
        ("values.txt", "", False),
    ],
)
def test_values_are_known_by_name_outside_of_charts(path: str, text: str, claimed: bool) -> None:  # noqa: FBT001 - a table
    """A values file within a chart is the chart's; elsewhere it is claimed by its name, objects by their kind."""
    assert SYNTAX.claims(File(path, text, Files({"chart/Chart.yaml": "name: c\n"}))) is claimed


@settings(deadline=None)
@given(mangled(VALUES), mangled(RELEASE + "---\n" + APPLICATION))
def test_no_values_are_too_odd(values: str, release: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(SYNTAX, "values.yaml", values)
    survives(SYNTAX, "release.yaml", release)
