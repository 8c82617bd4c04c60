"""Pipelines of Buildkite."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tagsweep.sources.syntaxes.buildkite import SYNTAX
from tagsweep.sources.syntaxes.files import File
from tests.unit.sources.syntaxes.planted import found, mangled, survives

PIPELINE = """\
env:
  TAG: "4"
steps:
  - label: ":hammer: build"
    commands:
      - docker build -t tensorzero/gateway-dev:ci-sha-$${SHORT} .
      - docker pull acme/env:$TAG
    plugins:
      - docker#v5.12.0:
          image: "node:22"
          workdir: /app
      - docker-compose#v5.4.1:
          run: app
          cache-from: app:acme/app:cache
          push:
            - app:acme/app:${BUILDKITE_BUILD_NUMBER}
  - group: tests
    steps:
      - label: "go {{matrix}}"
        command: go test
        image: acme/agent:2
        matrix: ["1.22", "1.23"]
        plugins:
          docker#v5.12.0:
            image: "golang:{{matrix}}"
  - wait
  - label: pods
    plugins:
      - kubernetes:
          podSpec: {}
      - kubernetes#v1:
          podSpec:
            containers:
              - image: alpine:3.20
"""


def test_a_pipeline_gives_every_image_on_its_line() -> None:
    """Plugins, steps and commands are found, in groups and over a matrix."""
    assert found(SYNTAX, ".buildkite/pipeline.yml", PIPELINE) == [
        r"6 ~docker.io/tensorzero/gateway-dev|ci\-sha\-.*",
        "7 =docker.io/acme/env:4",
        "10 =docker.io/library/node:22",
        "14 =docker.io/acme/app:cache (build cache)",
        "16 ~docker.io/acme/app|.* (published by the pipeline)",
        "21 =docker.io/acme/agent:2",
        "25 =docker.io/library/golang:1.22",
        "25 =docker.io/library/golang:1.23",
        "34 =docker.io/library/alpine:3.20",
    ]


@pytest.mark.parametrize(
    ("path", "text", "claimed"),
    [
        ("buildkite.yml", "", True),
        (".buildkite/a/b.yaml", "", True),
        ("ci/x.yml", "steps:\n  - plugins:\n      - docker#v5.1:\n          image: a\n", True),
        ("ci/x.yml", "steps:\n  - run: a\n", False),
    ],
)
def test_pipelines_are_known_by_place_and_form(path: str, text: str, claimed: bool) -> None:  # noqa: FBT001 - a table
    """A pipeline is claimed where Buildkite looks, and elsewhere by its versioned plugins."""
    assert SYNTAX.claims(File(path, text)) is claimed


@settings(deadline=None)
@given(mangled(PIPELINE))
def test_no_pipeline_is_too_odd(text: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(SYNTAX, ".buildkite/pipeline.yml", text)
