"""Kustomizations."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tagsweep.sources.syntaxes.files import File
from tagsweep.sources.syntaxes.kustomize import SYNTAX
from tagsweep.sources.syntaxes.scan import scan
from tests.unit.sources.syntaxes.planted import found, mangled, short, survives

KUSTOMIZATION = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - deployment.yaml
images:
  - name: tensorzero/gateway
    newTag: 2026.4.1 # {"$imagepolicy": "flux-system:gateway:tag"}
  - name: api
    newName: ghcr.io/acme/api
    newTag: "1.10"
  - name: acme/pinned
    digest: sha256:@@
  - name: acme/renamed
    newName: ghcr.io/acme/renamed
  - name: acme/untouched
patches:
  - patch: |-
      - op: replace
        path: /spec/template/spec/containers/0/image
        value: acme/json:3
  - target: {kind: Deployment}
    patch: |
      spec:
        template:
          spec:
            containers:
              - name: a
                image: acme/merge:4
helmCharts:
  - name: web
    repo: oci://ghcr.io/acme/charts
    version: 1.2.3
    valuesInline:
      image: {repository: acme/web, tag: "5"}
""".replace("@@", "e" * 64)

DEPLOYMENT = (
    "spec:\n  containers:\n    - image: acme/renamed:7\n    - image: 'acme/renamed:8'\n    - image: acme/renamed2:9\n"
)


def test_a_kustomization_gives_every_image_on_its_line() -> None:
    """What images become, patches and the values of charts are found; a rename keeps the tags of the resources."""
    others = {"overlay/deployment.yaml": DEPLOYMENT}
    assert found(SYNTAX, "overlay/kustomization.yaml", KUSTOMIZATION, others) == [
        "7 =docker.io/tensorzero/gateway:2026.4.1 (set by image policy flux-system:gateway:tag)",
        "10 =ghcr.io/acme/api:1.10",
        f"12 =docker.io/acme/pinned@sha256:{'e' * 64}",
        "14 =ghcr.io/acme/renamed:7 (renamed)",
        "14 =ghcr.io/acme/renamed:8 (renamed)",
        "15 ~docker.io/acme/untouched|.* (renamed)",
        "20 =docker.io/acme/json:3",
        "28 =docker.io/acme/merge:4",
        "30 =ghcr.io/acme/charts/web:1.2.3 (chart)",
        "34 =docker.io/acme/web:5",
    ]


def test_a_rename_of_what_cannot_be_seen_is_open() -> None:
    """Where a resource is not in the tree, the renamed image can have any tag."""
    text = "resources: ['https://example.org/app', base]\nimages:\n  - {name: acme/api, newName: ghcr.io/acme/api}\n"
    others = {"base/kustomization.yaml": "resources: [d.yaml]\n", "base/d.yaml": "image: acme/api:1\n"}
    assert found(SYNTAX, "kustomization.yml", text, others) == ["3 ~ghcr.io/acme/api|.* (renamed)"]


def test_a_rename_looks_into_bases() -> None:
    """The tags of a base's resources are those of the renamed image; without a tag it is the latest."""
    text = "resources: [../base]\nimages:\n  - {name: acme/api, newName: ghcr.io/acme/api}\n"
    others = {"base/kustomization.yaml": "resources: [d.yaml]\n", "base/d.yaml": "image: acme/api\n"}
    assert found(SYNTAX, "prod/kustomization.yaml", text, others) == ["3 =ghcr.io/acme/api:latest (renamed)"]


def test_a_base_that_contains_itself_ends() -> None:
    """Kustomizations that name each other are read a few levels deep and then are open."""
    text = "resources: [../b]\nimages:\n  - {name: acme/api, newName: x/api}\n"
    others = {"b/kustomization.yaml": "resources: [../a]\n"}
    assert found(SYNTAX, "a/kustomization.yaml", text, others) == ["3 ~docker.io/x/api|.* (renamed)"]


def test_a_kustomization_of_flux_replaces_images_too() -> None:
    """Flux's own Kustomization has its images in the spec."""
    text = (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nspec:\n  images:\n"
        "    - name: acme/api\n      newTag: v3\n"
    )
    assert found(SYNTAX, "clusters/prod/apps.yaml", text) == ["6 =docker.io/acme/api:v3"]


@pytest.mark.parametrize(
    ("path", "text", "claimed"),
    [
        ("a/kustomization.yaml", "", True),
        ("a/Kustomization", "", True),
        ("a/b.yaml", "kind: Component\n", True),
        ("a/b.yaml", "kind: Deployment\n", False),
    ],
)
def test_kustomizations_are_known_by_name_and_kind(path: str, text: str, claimed: bool) -> None:  # noqa: FBT001 - a table
    """A kustomization is claimed by its name, a component or one of Flux's by its kind."""
    assert SYNTAX.claims(File(path, text)) is claimed


@settings(deadline=None)
@given(mangled(KUSTOMIZATION), mangled(DEPLOYMENT))
def test_no_kustomization_is_too_odd(text: str, resource: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(SYNTAX, "kustomization.yaml", text, {"deployment.yaml": resource})


COMPONENT = """\
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component  # shared
images:
  - name: acme/api
    newName: registry.example/acme/api
  - name: acme/ui
    newTag: "2"
"""


def test_a_component_of_any_name_loses_nothing_between_two_syntaxes() -> None:
    """The pod reader leaves images without a tag to Kustomize's: a comment behind the kind does not hide them."""
    result = scan(File("shared.yaml", COMPONENT))
    assert result.problems == ()
    assert sorted(short(each) for each in result.findings) == [
        "5 ~registry.example/acme/api|.* (renamed)",
        "7 =docker.io/acme/ui:2",
    ]


def test_a_kustomization_within_another_object_is_read_too() -> None:
    """Kustomize's syntax does not look into a ConfigMap, so there an image without a tag is open."""
    inner = "".join(f"    {line}\n" for line in COMPONENT.splitlines())
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\ndata:\n  k.yaml: |\n{inner}"
    texts = {short(each).partition(" ")[2] for each in scan(File("map.yaml", text)).findings}
    assert any(each.startswith("~registry.example/acme/api|.*") for each in texts)
    assert "=docker.io/acme/ui:2" in texts
