"""Pipelines of Bitbucket."""

from __future__ import annotations

from hypothesis import given, settings

from tagsweep.sources.syntaxes.bitbucket import SYNTAX
from tests.unit.sources.syntaxes.planted import found, mangled, survives

PIPELINE = """\
image: node:22
definitions:
  services:
    db:
      image: postgres:17
    cache:
      image:
        name: registry.acme.io/redis:7
        username: $USER
  steps:
    - step: &lint
        name: Lint
        image: acme/lint:1
        script: [make lint]
pipelines:
  default:
    - step: *lint
    - parallel:
        - step:
            image: {name: "acme/test:2"}
            services: [docker, db]
            script:
              - docker pull acme/script:3
              - pipe: docker://acme/pipe:4
              - pipe: atlassian/aws-s3-deploy:1.1.0
                variables: {A: b}
  custom:
    release:
      - variables:
          - name: TAG
            default: "9"
      - step:
          script:
            - docker pull acme/custom:$TAG
"""


def test_a_pipeline_gives_every_image_on_its_line() -> None:
    """Images of the pipeline, its steps and services, pipes by image and commands are found."""
    assert found(SYNTAX, "bitbucket-pipelines.yml", PIPELINE) == [
        "1 =docker.io/library/node:22",
        "5 =docker.io/library/postgres:17",
        "8 =registry.acme.io/redis:7",
        "13 =docker.io/acme/lint:1",
        "20 =docker.io/acme/test:2",
        "23 =docker.io/acme/script:3",
        "24 =docker.io/acme/pipe:4",
        "34 =docker.io/acme/custom:9",
        "34 ~docker.io/acme/custom|.*",
    ]


def test_a_pipe_names_its_image() -> None:
    """The description of a pipe names the image that it runs in."""
    assert found(SYNTAX, "pipe.yml", "name: x\nimage: acme/pipe:1.0\n") == ["2 =docker.io/acme/pipe:1.0"]


@settings(deadline=None)
@given(mangled(PIPELINE))
def test_no_pipeline_is_too_odd(text: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(SYNTAX, "bitbucket-pipelines.yml", text)
