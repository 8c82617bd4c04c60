"""Builds of Google Cloud Build."""

from __future__ import annotations

from hypothesis import given, settings

from tagsweep.sources.syntaxes.cloudbuild import SYNTAX
from tests.unit.sources.syntaxes.planted import found, mangled, survives

BUILD = """\
substitutions:
  _TAG: "5"
steps:
  - id: build
    name: gcr.io/cloud-builders/docker:24
    args: [build, -t, "europe-docker.pkg.dev/$PROJECT_ID/app/web:$_TAG", .]
  - name: gcr.io/cloud-builders/docker:24
    entrypoint: bash
    args:
      - -c
      - |
        docker pull acme/one:1
        docker pull acme/two:$_TAG
  - name: gcr.io/kaniko-project/executor:v1
    args:
      - --destination=acme/kaniko:2
      - --cache-repo=acme/cache
  - name: node:22
    script: |
      #!/bin/sh
      docker pull acme/script:3
images:
  - acme/published:$SHORT_SHA
"""


def test_a_build_gives_every_image_on_its_line() -> None:
    """The images of steps, what their arguments name and what is published are found."""
    assert found(SYNTAX, "deploy/cloudbuild.yaml", BUILD) == [
        "5 =gcr.io/cloud-builders/docker:24",
        r"6 ~europe\-docker\.pkg\.dev/.*/app/web|5",
        r"6 ~europe\-docker\.pkg\.dev/.*/app/web|.*",
        "7 =gcr.io/cloud-builders/docker:24",
        "12 =docker.io/acme/one:1",
        "13 =docker.io/acme/two:5",
        "13 ~docker.io/acme/two|.*",
        "14 =gcr.io/kaniko-project/executor:v1",
        "16 =docker.io/acme/kaniko:2 (published by the build)",
        "17 =docker.io/acme/cache:latest (build cache)",
        "18 =docker.io/library/node:22",
        "21 =docker.io/acme/script:3",
        "23 ~docker.io/acme/published|.* (published by the build)",
    ]


def test_a_build_in_json_is_one_too() -> None:
    """The same form in JSON is read."""
    text = '{"steps": [\n{"name": "gcr.io/cloud-builders/git:1", "args": ["clone"]}]}\n'
    assert found(SYNTAX, "ci.json", text) == ["2 =gcr.io/cloud-builders/git:1"]


@settings(deadline=None)
@given(mangled(BUILD))
def test_no_build_is_too_odd(text: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(SYNTAX, "cloudbuild.yaml", text)
