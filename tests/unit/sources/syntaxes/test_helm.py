"""Helm charts among their files."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.sources.syntaxes.files import File
from tagsweep.sources.syntaxes.helm import SYNTAX, is_template
from tagsweep.sources.syntaxes.scan import scan
from tests.unit.sources.syntaxes.planted import Files, found, mangled, short, survives

CHART = """\
apiVersion: v2
name: tensorzero
version: 1.0.0
appVersion: "2026.4.1"
"""

VALUES = """\
nameOverride: ""
gateway:
  replicaCount: 1
  image:
    repository: tensorzero/gateway
    tag: "" # the chart's appVersion where it is empty
    pullPolicy: IfNotPresent
ui:
  image:
    repository: tensorzero/ui
    tag: "2026.3.0"
sidecar:
  image: "acme/sidecar:1"
  resources: {}
metrics:
  image:
    registry: quay.io
    repository: acme/metrics
    tag: null
pinned:
  image: {repository: acme/pinned, digest: "sha256:@@", tag: v2}
short:
  imageRepository: acme/short
  imageTag: 3
number:
  image: {repository: acme/number, tag: 1.10}
initImages:
  - acme/init:4
  - acme/init:5
source:
  git: {repository: "https://github.com/acme/config"}
nodeSelector: {}
""".replace("@@", "c" * 64)

TEMPLATE = """\
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      initContainers:
        - name: wait
          image: busybox:1.36
      containers:
        - name: gateway
          image: "{{ .Values.gateway.image.repository }}:{{ .Values.gateway.image.tag | default .Chart.AppVersion }}"
        - name: helper
          image: {{ include "tensorzero.image" . }}
        - name: fixed
          image: "acme/fixed:{{ .Values.fixedTag }}"
        - name: set
          image: "acme/set:{{ .Values.ui.image.tag }}"
        - name: printed
          image: {{ printf "%s:%s" "acme/printed" (.Values.gateway.image.tag | default "9") | quote }}
        # image: acme/commented:1
        - name: branch
          image: {{ if .Values.debug }}acme/debug:1{{ else }}acme/release:1{{ end }}
      {{- $tag := .Values.ui.image.tag | default .Chart.AppVersion }}
        - name: assigned
          image: "acme/assigned:{{ $tag }}"
          imagePullPolicy: {{ .Values.gateway.image.pullPolicy }}
"""

TREE = {"deploy/chart/Chart.yaml": CHART, "deploy/chart/values.yaml": VALUES}


def test_values_with_the_version_of_the_chart() -> None:
    """Each split image is put together on its line; an empty or null tag is the chart's appVersion."""
    assert found(SYNTAX, "deploy/chart/values.yaml", VALUES, TREE) == [
        "5 =docker.io/tensorzero/gateway:2026.4.1",
        "11 =docker.io/tensorzero/ui:2026.3.0",
        "13 =docker.io/acme/sidecar:1",
        "18 =quay.io/acme/metrics:2026.4.1",
        f"21 =docker.io/acme/pinned:v2@sha256:{'c' * 64}",
        "24 =docker.io/acme/short:3",
        "26 =docker.io/acme/number:1.10",
        "26 =docker.io/acme/number:1.1",
        "28 =docker.io/acme/init:4",
        "29 =docker.io/acme/init:5",
    ]


def test_templates_add_what_the_values_do_not_say() -> None:
    """Literal images, and those put together with values, are found; what the values name is not told again."""
    assert found(SYNTAX, "deploy/chart/templates/gateway.yaml", TEMPLATE, TREE) == [
        "8 =docker.io/library/busybox:1.36",
        "15 ~docker.io/acme/fixed|.*",
        "17 =docker.io/acme/set:2026.3.0",
        "19 =docker.io/acme/printed:9",
        "22 =docker.io/acme/debug:1",
        "22 =docker.io/acme/release:1",
        "25 =docker.io/acme/assigned:2026.3.0",
    ]


def test_an_open_helper_is_told_where_no_values_name_an_image() -> None:
    """A chart without image values says in its template that the image is not known."""
    others = {"c/Chart.yaml": CHART, "c/values.yaml": "a: b\n"}
    text = 'containers:\n  - image: {{ include "x.image" . }}\n  - image: "{{ .Values.image }}"\n'
    assert found(SYNTAX, "c/templates/x.yaml", text, others) == ["2 ~.*|.*", "3 ~.*|.*"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('{{ .Values.a | default "x" }}', "=docker.io/acme/api:x"),
        ('{{ default "x" .Values.a }}', "=docker.io/acme/api:x"),
        ('{{ default "x" .Values.b }}', "=docker.io/acme/api:b1"),
        ("{{ coalesce .Values.a .Values.b }}", "=docker.io/acme/api:b1"),
        ('{{ required "say it" .Values.b }}', "=docker.io/acme/api:b1"),
        ("{{ .Values.b | toString | trim }}", "=docker.io/acme/api:b1"),
        ('{{ printf "v%s" .Chart.AppVersion }}', "=docker.io/acme/api:v2026.4.1"),
        ("v{{ $.Chart.AppVersion }}", "=docker.io/acme/api:v2026.4.1"),
        ("{{ .Chart.Version }}", "=docker.io/acme/api:1.0.0"),
        ("{{ tpl .Values.b . }}", "=docker.io/acme/api:b1"),
        ("{{ .Values.b | sha256sum }}", "~docker.io/acme/api|.*"),
        ("{{ .Values.missing }}", "~docker.io/acme/api|.*"),
        ('{{ index .Values "b" }}', "~docker.io/acme/api|.*"),
        ("{{ if .Values.x }}1{{ else }}2{{ end }}", "=docker.io/acme/api:1 =docker.io/acme/api:2"),
    ],
)
def test_expressions_of_templates_are_worked_out(expression: str, expected: str) -> None:
    """Defaults, formats and the chart's fields come out; functions that are not known stay open."""
    others = {"c/Chart.yaml": CHART, "c/values.yaml": "a: ''\nb: b1\n"}
    findings = found(SYNTAX, "c/templates/x.yaml", f"image: 'acme/api:{expression}'\n", others)
    assert " ".join(line.removeprefix("1 ") for line in findings) == expected


def test_override_files_are_read_over_the_values() -> None:
    """An override of one half takes the other from the chart; what it leaves alone is not told again."""
    text = (
        "gateway:\n  image:\n    tag: sha-1\nui:\n  image: {repository: ghcr.io/acme/ui}\n"
        "foreign:\n  image: {repository: acme/foreign}\nmetrics:\n  image: {tag: '7'}\n"
    )
    for path in ("values-prod.yaml", "ci/kind-values.yaml", "env/prod.yaml", "values/prod.yaml", "prod.values.yml"):
        assert found(SYNTAX, f"deploy/chart/{path}", text, TREE) == [
            "3 =docker.io/tensorzero/gateway:sha-1",
            "5 =ghcr.io/acme/ui:2026.3.0",
            "7 ~docker.io/acme/foreign|.*",
            "9 =quay.io/acme/metrics:7",
        ]


def test_a_global_registry_may_stand_before_each() -> None:
    """With a global registry both the chart's own and the global form are found."""
    text = "global:\n  imageRegistry: mirror.acme.io\nimage: {registry: docker.io, repository: acme/api, tag: '1'}\n"
    assert found(SYNTAX, "c/values.yaml", text, {"c/Chart.yaml": CHART}) == [
        "3 =docker.io/acme/api:1",
        "3 =mirror.acme.io/acme/api:1",
    ]


def test_subcharts_are_read_with_the_values_of_their_parent() -> None:
    """What a parent sets of a subchart is completed by that chart's own values and version."""
    parent = (
        "name: p\nversion: 1.0.0\nappVersion: '1'\ndependencies:\n"
        "  - {name: db, version: 2.0.0, repository: 'file://../db', alias: store}\n"
        "  - {name: packed, version: 3.0.0, repository: 'https://charts.acme.io'}\n"
    )
    values = (
        "image: {repository: acme/parent}\nstore:\n  image: {repository: ghcr.io/acme/db}\n"
        "web:\n  image:\n    tag: w2\npacked:\n  image:\n    tag: p3\n"
    )
    others = {
        "p/Chart.yaml": parent,
        "p/charts/web/Chart.yaml": "name: web\nversion: 1.0.0\nappVersion: w1\n",
        "p/charts/web/values.yaml": "image:\n  repository: acme/web\n  tag: ''\n",
        "db/Chart.yaml": "name: db\nversion: 2.0.0\nappVersion: d1\n",
        "db/values.yaml": "image:\n  repository: acme/db\n",
    }
    assert found(SYNTAX, "p/values.yaml", values, others) == [
        "1 =docker.io/acme/parent:1",
        "3 =ghcr.io/acme/db:d1",
        "6 =docker.io/acme/web:w2",
        "9 ~.*|p3",
    ]
    assert found(SYNTAX, "p/charts/web/values.yaml", others["p/charts/web/values.yaml"], others) == [
        "2 =docker.io/acme/web:w1"
    ]


def test_a_version_that_templates_dress_is_found_dressed_too() -> None:
    """Where a template puts a v before the appVersion, both forms are in use."""
    others = {
        "c/Chart.yaml": CHART,
        "c/templates/_helpers.tpl": '{{ .Values.image.tag | default (printf "v%s" .Chart.AppVersion) }}\n',
    }
    assert found(SYNTAX, "c/values.yaml", "image:\n  repository: acme/api\n", others) == [
        "2 =docker.io/acme/api:2026.4.1",
        "2 =docker.io/acme/api:v2026.4.1",
    ]


def test_without_an_app_version_the_tag_is_open() -> None:
    """A chart that says no appVersion leaves the tag open."""
    others = {"c/Chart.yaml": "name: c\nversion: 1.0.0\n"}
    assert found(SYNTAX, "c/values.yaml", "image:\n  repository: acme/api\n", others) == ["2 ~docker.io/acme/api|.*"]


def test_charts_in_registries_are_references() -> None:
    """A dependency kept in a registry is one, exact or open; images listed for Artifact Hub are as well."""
    text = CHART + (
        "dependencies:\n"
        "  - name: common\n    version: 2.1.0\n    repository: oci://ghcr.io/acme/charts\n"
        "  - name: ranged\n    version: ^1.0.0\n    repository: oci://ghcr.io/acme/charts\n"
        "  - name: web\n    version: 1.0.0\n    repository: https://charts.acme.io\n"
        "annotations:\n  artifacthub.io/images: |\n    - name: api\n      image: acme/api:5\n"
    )
    assert found(SYNTAX, "c/Chart.yaml", text) == [
        "7 =ghcr.io/acme/charts/common:2.1.0 (chart)",
        "10 ~ghcr.io/acme/charts/ranged|.* (chart)",
        "18 =docker.io/acme/api:5",
    ]


def test_a_packaged_chart_is_told() -> None:
    """A package beside the chart, which is not read, is not passed over in silence."""
    assert found(SYNTAX, "c/Chart.yaml", CHART, {"c/charts/web-1.0.0.tgz": ""}) == ["0 !charts/web-1.0.0.tgz"]


def test_snapshots_are_literal_and_patterns_of_unit_tests_are_none() -> None:
    """What a snapshot shows was rendered; a pattern is no reference, an expected text is one."""
    snapshot = (
        "renders:\n  1: |\n    spec:\n      containers:\n"
        "        - image: tensorzero/gateway:2026.4.1\n          name: a\n"
    )
    test = (
        "suite: gateway\ntemplates: [gateway.yaml]\ntests:\n  - it: uses the version\n    set:\n"
        "      gateway.image.tag: ''\n    asserts:\n"
        '      - matchRegex: {path: "spec.containers[0].image", pattern: "tensorzero/gateway:.+"}\n'
        "      - equal:\n          path: spec.containers[0].image\n          value: tensorzero/gateway:1.2\n"
        "      - equal: {path: spec.replicas, value: 1}\n"
    )
    assert found(SYNTAX, "c/tests/__snapshot__/a_test.yaml.snap", snapshot) == [
        "5 =docker.io/tensorzero/gateway:2026.4.1"
    ]
    assert found(SYNTAX, "deploy/chart/tests/gateway_test.yaml", test, TREE) == [
        "11 =docker.io/tensorzero/gateway:1.2 (expected by a test)"
    ]


@pytest.mark.parametrize(
    ("path", "claimed", "template"),
    [
        ("deploy/chart/values.yaml", True, False),
        ("deploy/chart/templates/a.yaml", True, True),
        ("deploy/chart/templates/sub/b.yaml", True, True),
        ("deploy/chart/templates/_helpers.tpl", True, True),
        ("deploy/chart/Chart.lock", True, False),
        ("deploy/other/values.yaml", False, False),
        ("deploy/other/templates/a.yaml", False, False),
        ("deploy/chart/README.md", False, False),
        ("deploy/chart/dashboards/a.yaml", False, False),
    ],
)
def test_a_chart_is_known_by_its_description(path: str, claimed: bool, template: bool) -> None:  # noqa: FBT001 - a table
    """Files are a chart's where there is a Chart.yaml above them."""
    file = File(path, "", Files({**TREE, path: ""}))
    assert (SYNTAX.claims(file), is_template(file)) == (claimed, template)


@settings(deadline=None)
@given(mangled(VALUES), mangled(TEMPLATE), mangled(CHART), st.sampled_from(["values.yaml", "values-x.yaml"]))
def test_no_chart_is_too_odd(values: str, template: str, chart: str, name: str) -> None:
    """Whatever the files of a chart are, each is read or said to be unreadable."""
    others = {"c/Chart.yaml": chart, "c/values.yaml": values, "c/templates/a.yaml": template}
    survives(SYNTAX, f"c/{name}", values, others)
    survives(SYNTAX, "c/templates/a.yaml", template, others)
    survives(SYNTAX, "c/Chart.yaml", chart, others)
    survives(SYNTAX, "c/tests/__snapshot__/x.snap", template, others)


def test_templates_of_a_subchart_see_what_the_parent_sets() -> None:
    """An image that only the parent's values name is not open in the subchart's template."""
    others = {
        "Chart.yaml": CHART,
        "values.yaml": "crds:\n  image: {repository: acme/crds, tag: '1'}\n",
        "charts/crds/Chart.yaml": "name: crds\nversion: 1.0.0\n",
    }
    text = 'a:\n  image: "{{ $root.Values.image.repository }}:{{ $root.Values.image.tag }}"\n'
    assert found(SYNTAX, "charts/crds/templates/job.yaml", text, others) == []
    assert found(SYNTAX, "values.yaml", others["values.yaml"], others) == ["2 =docker.io/acme/crds:1"]


def test_manifests_within_values_are_read() -> None:
    """Objects that values carry as text name images on lines of their own, templates among them."""
    text = "extra:\n  - |\n    kind: Job\n    image: acme/job:1\n  - |\n    image: acme/other:{{ .Values.tag }}\n"
    assert found(SYNTAX, "c/values.yaml", text, {"c/Chart.yaml": CHART}) == [
        "4 =docker.io/acme/job:1",
        "6 ~docker.io/acme/other|.*",
    ]


def test_what_the_chart_fills_in_is_not_open_to_another_syntax() -> None:
    """Of a chart's values only the chart's reading counts, whatever else in them looks like another format."""
    text = "image: {repository: acme/api}\ningress:\n  hosts: [a]\napiVersion: v1\nkind: x\n"
    file = File("c/values.yaml", text, Files({"c/Chart.yaml": CHART, "c/values.yaml": text}))
    assert [short(finding) for finding in scan(file).findings] == ["1 =docker.io/acme/api:2026.4.1"]
