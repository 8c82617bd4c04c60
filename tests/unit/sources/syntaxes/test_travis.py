"""Builds of Travis CI."""

from __future__ import annotations

from hypothesis import given, settings

from tagsweep.sources.syntaxes.travis import SYNTAX
from tests.unit.sources.syntaxes.planted import found, mangled, survives

BUILD = """\
language: generic
services: [docker]
env:
  global:
    - REPO=acme/app
  jobs:
    - TAG=1 DIST="bookworm"
    - TAG=2
before_install:
  - docker pull postgres:17
script:
  - docker run --rm $REPO:$TAG make
  - docker pull acme/unset:$NOWHERE
jobs:
  include:
    - stage: deploy
      script: docker push $REPO:latest
"""


def test_a_build_gives_every_image_on_its_line() -> None:
    """Commands of all phases and jobs are found with every value of the matrix."""
    assert found(SYNTAX, ".travis.yml", BUILD) == [
        "10 =docker.io/library/postgres:17",
        "12 =docker.io/acme/app:1",
        "12 =docker.io/acme/app:2",
        "13 ~docker.io/acme/unset|.*",
        "17 =docker.io/acme/app:latest",
    ]


@settings(deadline=None)
@given(mangled(BUILD))
def test_no_build_is_too_odd(text: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(SYNTAX, ".travis.yml", text)
