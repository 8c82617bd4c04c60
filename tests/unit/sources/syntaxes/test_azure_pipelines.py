"""Pipelines of Azure DevOps."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tagsweep.sources.syntaxes.azure_pipelines import SYNTAX
from tagsweep.sources.syntaxes.files import File
from tests.unit.sources.syntaxes.planted import found, mangled, survives

PIPELINE = """\
parameters:
  - name: goTag
    default: "1.23"
  - name: os
    values: ["12", "13"]
variables:
  apiTag: v4
  listed: x
pool:
  vmImage: ubuntu-24.04
resources:
  containers:
    - container: linux
      image: ubuntu:22.04
    - container: pg
      image: postgres:17
    - container: acr
      type: ACR
      registry: acmeregistry
      repository: team/app
jobs:
  - job: alias
    container: linux
    services:
      db: pg
      cache: redis:7
    steps:
      - script: |
          docker pull acme/one:1
          docker pull acme/api:$(apiTag)
      - bash: docker run --rm acme/two:2 true
  - job: direct
    container:
      image: golang:${{ parameters.goTag }}
      options: --user 0
  - job: text
    container: debian:${{ parameters.os }}
    steps:
      - task: Docker@2
        inputs:
          command: buildAndPush
          containerRegistry: connection
          repository: acme/built
          tags: |
            $(Build.BuildId)
            edge
      - task: Bash@3
        inputs:
          targetType: inline
          script: docker pull acme/task:$(apiTag)
      - task: AzureWebAppContainer@1
        inputs:
          containers: acme.azurecr.io/web:5
"""


def test_a_pipeline_gives_every_image_on_its_line() -> None:
    """Containers, resources, services, tasks and scripts are found; names of resources and machines are none."""
    assert found(SYNTAX, "azure-pipelines.yml", PIPELINE) == [
        "14 =docker.io/library/ubuntu:22.04",
        "16 =docker.io/library/postgres:17",
        "20 ~acmeregistry.azurecr.io/team/app|.*",
        "26 =docker.io/library/redis:7",
        "29 =docker.io/acme/one:1",
        "30 =docker.io/acme/api:v4",
        "31 =docker.io/acme/two:2",
        "34 =docker.io/library/golang:1.23",
        "34 ~docker.io/library/golang|.*",
        "37 =docker.io/library/debian:12",
        "37 =docker.io/library/debian:13",
        "45 ~.*/acme/built|.* (published by the pipeline)",
        "46 ~.*/acme/built|edge (published by the pipeline)",
        "50 =docker.io/acme/task:v4",
        "53 =acme.azurecr.io/web:5",
    ]


def test_a_variable_that_a_script_sets_anew_is_open() -> None:
    """A value that a logging command may replace is one reading and the open one another."""
    text = (
        "variables:\n- name: tag\n  value: '1'\nsteps:\n"
        '- script: echo "##vso[task.setvariable variable=tag]2"\n- script: docker pull acme/api:$(tag)\n'
    )
    assert found(SYNTAX, ".azuredevops/a.yml", text) == ["6 =docker.io/acme/api:1", "6 ~docker.io/acme/api|.*"]


@pytest.mark.parametrize(
    ("path", "text", "claimed"),
    [
        ("azure-pipelines.release.yml", "", True),
        ("build/ci.yml", "pool:\n  vmImage: windows-latest\n", True),
        ("build/ci.yml", "steps:\n- task: Docker@2\n", True),
        ("build/ci.yml", "steps:\n- run: make\n", False),
    ],
)
def test_pipelines_are_known_by_name_and_form(path: str, text: str, claimed: bool) -> None:  # noqa: FBT001 - a table
    """A pipeline is claimed by its name, and elsewhere by its tasks and agents."""
    assert SYNTAX.claims(File(path, text)) is claimed


@settings(deadline=None)
@given(mangled(PIPELINE))
def test_no_pipeline_is_too_odd(text: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(SYNTAX, "azure-pipelines.yml", text)
