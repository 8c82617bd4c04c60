"""Buildspecs of AWS CodeBuild."""

from __future__ import annotations

from hypothesis import given, settings

from tagsweep.sources.syntaxes.codebuild import SYNTAX
from tests.unit.sources.syntaxes.planted import found, mangled, survives

BUILDSPEC = """\
version: 0.2
env:
  variables:
    TAG: "6"
phases:
  pre_build:
    commands:
      - docker pull acme/base:1
  build:
    commands:
      - docker build -t acme/app:$TAG .
    finally:
      - docker push acme/app:$CODEBUILD_RESOLVED_SOURCE_VERSION
batch:
  build-list:
    - identifier: a
      env: {image: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ci:2"}
    - identifier: b
      env: {image: "aws/codebuild/standard:7.0"}
"""


def test_a_buildspec_gives_every_image_on_its_line() -> None:
    """Commands of all phases and the images of batches are found; the service's own images are in no registry."""
    assert found(SYNTAX, "buildspec.yml", BUILDSPEC) == [
        "8 =docker.io/acme/base:1",
        "11 =docker.io/acme/app:6",
        "11 ~docker.io/acme/app|.*",
        "13 ~docker.io/acme/app|.*",
        "17 =123456789012.dkr.ecr.eu-west-1.amazonaws.com/ci:2",
    ]


@settings(deadline=None)
@given(mangled(BUILDSPEC))
def test_no_buildspec_is_too_odd(text: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(SYNTAX, "buildspec.yml", text)
