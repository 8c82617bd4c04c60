"""Pipelines and tasks of Concourse."""

from __future__ import annotations

from hypothesis import given, settings

from tagsweep.sources.syntaxes.concourse import SYNTAX
from tests.unit.sources.syntaxes.planted import found, mangled, survives

PIPELINE = """\
resource_types:
  - name: slack
    type: registry-image
    source: {repository: acme/slack-resource}
resources:
  - name: app
    type: registry-image
    source:
      repository: ghcr.io/acme/app
      tag: "2"
  - name: versioned
    type: registry-image
    source:
      repository: acme/versioned
      semver_constraint: "1.x"
  - name: code
    type: git
    source: {uri: "https://github.com/acme/app"}
jobs:
  - name: test
    plan:
      - task: unit
        config:
          platform: linux
          image_resource:
            type: registry-image
            source: {repository: golang, tag: ((go_tag))}
          params: {TAG: "4"}
          run:
            path: sh
            args:
              - -ec
              - |
                docker pull acme/one:1
                docker pull acme/two:$TAG
"""


def test_a_pipeline_gives_every_image_on_its_line() -> None:
    """Resources, their types, task images and commands are found; without a tag it is the latest."""
    assert found(SYNTAX, "ci/pipeline.yml", PIPELINE) == [
        "4 =docker.io/acme/slack-resource:latest",
        "9 =ghcr.io/acme/app:2",
        "14 ~docker.io/acme/versioned|.*",
        "27 ~docker.io/library/golang|.*",
        "34 =docker.io/acme/one:1",
        "35 =docker.io/acme/two:4",
        "35 ~docker.io/acme/two|.*",
    ]


@settings(deadline=None)
@given(mangled(PIPELINE))
def test_no_pipeline_is_too_odd(text: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(SYNTAX, "ci/pipeline.yml", text)
