"""Pipelines of GitLab."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tagsweep.sources.syntaxes.files import File
from tagsweep.sources.syntaxes.gitlab_ci import SYNTAX
from tests.unit.sources.syntaxes.planted import Files, found, mangled, survives

PIPELINE = """\
variables:
  NODE_TAG: "22"
  DESCRIBED:
    value: "3.20"
    options: ["3.20", "3.21"]

default:
  image: node:$NODE_TAG
  services:
    - postgres:17
    - name: redis:7
      alias: cache

include:
  - local: ci/deploy.yml

.base: &base
  image: $BASE_IMAGE
  before_script:
    - docker pull acme/base:1

build:
  extends: .base
  variables:
    BASE_IMAGE: acme/builder:4
  script:
    - docker build -t $CI_REGISTRY_IMAGE:$CI_COMMIT_REF_SLUG .
    - |
      docker pull acme/block:2
      docker run --rm acme/block:3 true
  services: !reference [.shared, services]

.shared:
  services:
    - name: docker:27-dind

matrix:
  parallel:
    matrix:
      - PYTHON: ["3.11", "3.12"]
  image: python:$PYTHON

referred:
  image: !reference [matrix, image]

entry:
  image:
    name: alpine:$DESCRIBED
    entrypoint: [""]

pages:
  image: registry.gitlab.com/acme/pages@sha256:@@
  script: echo done
""".replace("@@", "a" * 64)


def test_a_pipeline_gives_every_image_on_its_line() -> None:
    """Images, services and commands are found; a variable's value is one reading and the open one another."""
    assert found(SYNTAX, ".gitlab-ci.yml", PIPELINE) == [
        "8 =docker.io/library/node:22",
        "8 ~docker.io/library/node|.*",
        "10 =docker.io/library/postgres:17",
        "11 =docker.io/library/redis:7",
        "18 =docker.io/acme/builder:4",
        "18 ~.*|.*",
        "20 =docker.io/acme/base:1",
        "25 =docker.io/acme/builder:4",
        "27 ~.*|.*",
        "29 =docker.io/acme/block:2",
        "30 =docker.io/acme/block:3",
        "35 =docker.io/library/docker:27-dind",
        "41 =docker.io/library/python:3.11",
        "41 =docker.io/library/python:3.12",
        "41 ~docker.io/library/python|.*",
        "48 =docker.io/library/alpine:3.20",
        "48 =docker.io/library/alpine:3.21",
        "48 ~docker.io/library/alpine|.*",
        f"52 =registry.gitlab.com/acme/pages@sha256:{'a' * 64}",
    ]


def test_an_included_file_has_the_variables_of_the_root() -> None:
    """A file that the pipeline includes is one too, whatever its name, and sees the variables of the root."""
    root = "variables: {TAG: '5'}\ninclude:\n  - local: ci/deploy.yml\n"
    text = "deploy:\n  image: acme/deploy:$TAG\n"
    others = {".gitlab-ci.yml": root}
    assert found(SYNTAX, "ci/deploy.yml", text, others) == ["2 =docker.io/acme/deploy:5", "2 ~docker.io/acme/deploy|.*"]


def test_component_inputs_have_defaults() -> None:
    """An input of a component is its default, or what the including pipeline gives."""
    text = "spec:\n  inputs:\n    tag: {default: '1'}\n---\njob:\n  image: acme/tool:$[[ inputs.tag ]]\n"
    assert found(SYNTAX, "templates/x.gitlab-ci.yml", text) == [
        "6 =docker.io/acme/tool:1",
        "6 ~docker.io/acme/tool|.*",
    ]


@pytest.mark.parametrize(
    ("path", "claimed"),
    [
        (".gitlab-ci.yml", True),
        ("a/.gitlab-ci.yml", True),
        (".gitlab/ci/a.yml", True),
        ("a.yml", False),
        ("a.md", False),
    ],
)
def test_pipelines_are_known_by_name(path: str, claimed: bool) -> None:  # noqa: FBT001 - a table
    """A pipeline is claimed by its name or directory."""
    assert SYNTAX.claims(File(path, "", Files())) is claimed


@pytest.mark.parametrize(
    "text", ["stages: [build]\n", "build:\n  script: [make]\n", "cache:\n  key: image\n", "a: [b]\n"]
)
def test_what_names_no_image_gives_nothing(text: str) -> None:
    """Stages, caches and plain commands are no images."""
    assert found(SYNTAX, ".gitlab-ci.yml", text) == []


def test_very_many_values_are_one_open_reference() -> None:
    """A variable with more values than anybody reads means any tag, and jobs that extend each other end."""
    jobs = "".join(f"j{n}: {{extends: j{n + 1}, variables: {{TAG: 'v{n}'}}}}\n" for n in range(300))
    text = f"{jobs}j300: {{extends: j0}}\n.base:\n  image: acme/api:$TAG\n"
    assert found(SYNTAX, ".gitlab-ci.yml", text) == ["303 ~docker.io/acme/api|.*"]


@settings(deadline=None)
@given(mangled(PIPELINE))
def test_no_pipeline_is_too_odd(text: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(SYNTAX, ".gitlab-ci.yml", text)
