"""Pipelines of Drone and Woodpecker."""

from __future__ import annotations

from hypothesis import given, settings

from tagsweep.sources.syntaxes.drone import SYNTAX
from tests.unit.sources.syntaxes.planted import found, mangled, survives

DRONE = """\
kind: pipeline
type: docker
name: default
environment:
  TAG: "3"
steps:
  - name: test
    image: golang:1.23
    commands:
      - docker pull acme/one:$TAG
      - go test
  - name: publish
    image: plugins/docker:20
    settings:
      registry: ghcr.io
      repo: ghcr.io/acme/app
      tags: [latest, "${DRONE_TAG}"]
      cache_from: ghcr.io/acme/app:cache
services:
  - name: db
    image: postgres:17
---
kind: secret
name: token
"""

WOODPECKER = """\
matrix:
  GO: ["1.22", "1.23"]
steps:
  build:
    image: golang:${GO}
    commands:
      - docker pull acme/two:2
services:
  cache:
    image: redis:7
"""


def test_a_drone_pipeline_gives_every_image_on_its_line() -> None:
    """Steps, services, commands and what plugins publish or cache are found."""
    assert found(SYNTAX, ".drone.yml", DRONE) == [
        "8 =docker.io/library/golang:1.23",
        "10 =docker.io/acme/one:3",
        "13 =docker.io/plugins/docker:20",
        "17 =ghcr.io/acme/app:latest (published by the pipeline)",
        "17 ~ghcr.io/acme/app|.* (published by the pipeline)",
        "18 =ghcr.io/acme/app:cache (build cache)",
        "21 =docker.io/library/postgres:17",
    ]


def test_a_woodpecker_pipeline_gives_every_image_on_its_line() -> None:
    """Steps as a mapping and every value of a matrix are found."""
    assert found(SYNTAX, ".woodpecker/build.yaml", WOODPECKER) == [
        "5 =docker.io/library/golang:1.22",
        "5 =docker.io/library/golang:1.23",
        "7 =docker.io/acme/two:2",
        "10 =docker.io/library/redis:7",
    ]


def test_a_plugin_publishes_under_each_of_its_names() -> None:
    """Several repositories and tags in one text are each with each."""
    text = "steps:\n  - name: p\n    image: x/y:1\n    settings:\n      repo: a/b,quay.io/a/b\n      tags: v1,v2\n"
    assert found(SYNTAX, ".woodpecker.yml", text) == [
        "3 =docker.io/x/y:1",
        "6 =docker.io/a/b:v1 (published by the pipeline)",
        "6 =docker.io/a/b:v2 (published by the pipeline)",
        "6 =quay.io/a/b:v1 (published by the pipeline)",
        "6 =quay.io/a/b:v2 (published by the pipeline)",
    ]


@settings(deadline=None)
@given(mangled(DRONE + WOODPECKER))
def test_no_pipeline_is_too_odd(text: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(SYNTAX, ".drone.yml", text)
