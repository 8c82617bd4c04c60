"""Configurations of CircleCI."""

from __future__ import annotations

from hypothesis import given, settings

from tagsweep.sources.syntaxes.circleci import SYNTAX
from tests.unit.sources.syntaxes.planted import found, mangled, survives

CONFIG = """\
version: 2.1
orbs:
  node: circleci/node@5.1
parameters:
  go: {type: string, default: "1.23"}
executors:
  default:
    parameters:
      tag: {type: string, default: "22.1"}
    docker:
      - image: cimg/node:<< parameters.tag >>
        auth: {username: x}
  vm:
    machine:
      image: ubuntu-2204:2024.01.1
jobs:
  build:
    docker:
      - image: cimg/go:<< pipeline.parameters.go >>
      - image: &pg cimg/postgres:17.1
        environment: {POSTGRES_USER: a}
    environment:
      TAG: v3
    steps:
      - checkout
      - setup_remote_docker
      - run: docker pull acme/short:1
      - run:
          name: Long
          command: |
            docker run --rm acme/long:$TAG true
            docker push acme/long:$CIRCLE_SHA1
      - when:
          condition: true
          steps:
            - run: docker pull acme/when:2
  matrix:
    parameters:
      os: {type: enum, enum: ["12", "13"], default: "12"}
    docker:
      - image: debian:<< parameters.os >>
    steps: [checkout]
workflows:
  main:
    jobs:
      - build
      - matrix:
          matrix:
            parameters:
              os: ["12", "13"]
"""


def test_a_configuration_gives_every_image_on_its_line() -> None:
    """Docker executors and commands are found; machine images and orbs are none."""
    assert found(SYNTAX, ".circleci/config.yml", CONFIG) == [
        "11 =docker.io/cimg/node:22.1",
        "11 ~docker.io/cimg/node|.*",
        "19 =docker.io/cimg/go:1.23",
        "19 ~docker.io/cimg/go|.*",
        "20 =docker.io/cimg/postgres:17.1",
        "27 =docker.io/acme/short:1",
        "31 =docker.io/acme/long:v3",
        "32 ~docker.io/acme/long|.*",
        "36 =docker.io/acme/when:2",
        "41 =docker.io/library/debian:12",
        "41 =docker.io/library/debian:13",
        "41 ~docker.io/library/debian|.*",
    ]


def test_an_orb_kept_in_parts_is_read() -> None:
    """The file of one executor of an orb is read as such."""
    text = "docker:\n  - image: acme/orb:1\n"
    assert found(SYNTAX, "src/.circleci/executors/default.yml", text) == ["2 =docker.io/acme/orb:1"]


@settings(deadline=None)
@given(mangled(CONFIG))
def test_no_configuration_is_too_odd(text: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(SYNTAX, ".circleci/config.yml", text)
