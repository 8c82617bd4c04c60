"""Compose files: services, builds, interpolation, and the files that they name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tagsweep.sources.syntaxes.compose import SYNTAX
from tagsweep.sources.syntaxes.files import File
from tests.unit.sources.syntaxes.planted import found, mangled, survives

COMPOSE = """\
x-app: &app
  image: team/common
  restart: always
services:
  one:
    <<: *app
    environment:
      RUNNER_IMAGE: team/runner:5
      TZ: Europe/Berlin
    command: ["--image", "team/command:1"]
    volumes: ["./data/x:/y:ro", "cache/db:/var/lib"]
  two:
    image: ${REGISTRY:-docker.io}/team/two:${TWO_TAG:?say it}
    profiles: [debug]
    env_file: other.env
  three:
    image: team/three:${SETTLED}
    build:
      context: sub
      dockerfile: Dockerfile.dev
      args:
        BASE: team/other:${SETTLED}
      cache_from:
        - type=registry,ref=team/cache:1
        - type=local,src=/tmp/x
        - team/cache:2
      cache_to: ["type=registry,ref=team/cache:3,mode=max"]
      additional_contexts:
        alpine: docker-image://alpine:3.20
        sources: ../common
      tags: ["team/tagged:1"]
  four:
    build: ./four
  five:
    build:
      additional_contexts: ["base=docker-image://team/context:1"]
      dockerfile_inline: |
        FROM team/inline:1 AS stage
        COPY --from=stage /a /b
        COPY --from=base /a /b
        COPY --from=team/tool:2 /a /b
  six:
    extends: {file: common.yml, service: base}
  seven:
    extends: {service: two}
  eight:
    image: busybox
    volumes:
      - type: image
        source: team/volume:1
        target: /v
include:
  - inc/compose.yml
  - path: [other/compose.yml]
    env_file: other/its.env
models:
  small:
    model: ai/small:1B
configs:
  page:
    content: "see team/ignored:1"
"""
OTHERS = {
    "deploy/.env": "# settled\nSETTLED=7\nexport EMPTY=\nQUOTED='x'  # comment\nLATER=${SETTLED}-b\n",
    "deploy/other.env": "TWO_TAG=wrong\n",
    "deploy/sub/Dockerfile.dev": "ARG BASE=team/base:1\nFROM ${BASE}\nFROM team/plain:1\n",
    "deploy/common.yml": "services:\n  base:\n    image: team/extended:${SETTLED}\n",
    "deploy/inc/compose.yml": "services:\n  z:\n    image: team/included:${SETTLED}-${OWN}\n",
    "deploy/inc/.env": "OWN=5\nSETTLED=ignored\n",
    "deploy/other/compose.yml": "services:\n  y:\n    image: team/elsewhere:${THEIRS}\n",
    "deploy/other/its.env": "THEIRS=6\n",
}


def test_a_project_gives_every_image_on_its_line() -> None:
    """Images, builds with their arguments, caches, contexts, tags, extended and included files are found, once each."""
    assert found(SYNTAX, "deploy/compose.yaml", COMPOSE, OTHERS) == [
        "2 =docker.io/team/common:latest",
        "8 =docker.io/team/runner:5",
        "10 =docker.io/team/command:1",
        "13 ~docker.io/team/two|.*",
        "13 ~.*/team/two|.*",
        "17 =docker.io/team/three:7 (built here)",
        "22 =docker.io/team/other:7 (build argument)",
        "24 =docker.io/team/cache:1 (build cache)",
        "26 =docker.io/team/cache:2 (build cache)",
        "27 =docker.io/team/cache:3 (build cache)",
        "29 =docker.io/library/alpine:3.20 (build context)",
        "31 =docker.io/team/tagged:1 (built here)",
        "36 =docker.io/team/context:1 (build context)",
        "38 =docker.io/team/inline:1",
        "41 =docker.io/team/tool:2",
        "43 =docker.io/team/extended:7",
        "47 =docker.io/library/busybox:latest",
        "50 =docker.io/team/volume:1 (volume)",
        "53 =docker.io/team/included:7-5",
        "54 =docker.io/team/elsewhere:6",
        "58 =docker.io/ai/small:1B (model)",
    ]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("a/b:$SETTLED", ["3 =docker.io/a/b:7"]),
        ("a/b:${SETTLED-1}", ["3 =docker.io/a/b:7"]),
        ("a/b:${SETTLED:+x}", ["3 =docker.io/a/b:x"]),
        ("a/b:${EMPTY:-1}", ["3 =docker.io/a/b:1"]),
        ("a/b:${QUOTED}", ["3 =docker.io/a/b:x"]),
        ("a/b:${LATER}", ["3 =docker.io/a/b:7-b"]),
        ("a/b:${NOWHERE}", ["3 ~docker.io/a/b|.*"]),
        ("a/b:${NOWHERE:-${SETTLED}}", ["3 =docker.io/a/b:7", "3 ~docker.io/a/b|.*"]),
        ("a/b:${NOWHERE?}", ["3 ~docker.io/a/b|.*"]),
        ("A/B", ["3 !A/B"]),
        ("localhost:5000/a/b", ["3 =localhost:5000/a/b:latest"]),
        ('"a/b:1.10"', ["3 =docker.io/a/b:1.10"]),
        ("a/b@sha256:" + "c" * 64, [f"3 =docker.io/a/b@sha256:{'c' * 64}"]),
        ("~", []),
    ],
)
def test_interpolation_knows_what_dot_env_settles(image: str, expected: list[str]) -> None:
    """A value of ``.env`` is filled in; a default is also open, unless the variable is settled."""
    text = f"services:\n  one:\n    image: {image}\n"
    assert found(SYNTAX, "deploy/docker-compose.yml", text, OTHERS) == expected


@pytest.mark.parametrize(
    ("path", "text", "claimed"),
    [
        ("compose.yml", "services: {}\n", True),
        ("docker-compose.override.yaml", "services:\n  a:\n    image: x\n", True),
        ("ui/docker-compose-common.yml", "services:\n  a:\n    image: x\n", True),
        ("stack.prod.yml", "services:\n  a:\n    image: x\n", True),
        ("infra/anything.yaml", "version: '3'\nservices:\n  a:\n    build: .\n", True),
        ("anything.yaml", "services:\n  - image: x\n", False),
        ("anything.yaml", "services:\n  a:\n    port: 1\n", False),
        ("compose.py", "services:\n  a:\n    image: x\n", False),
        ("composer.json", "{}", False),
    ],
)
def test_compose_files_are_known_by_name_or_shape(path: str, text: str, claimed: bool) -> None:  # noqa: FBT001 - a table
    """The usual names, and any YAML with services that have an image or a build."""
    assert SYNTAX.claims(File(path, text)) is claimed


def test_files_that_include_each_other_end() -> None:
    """A circle of includes and extends is read a few rounds and no more."""
    text = "include: [compose.yml]\nservices:\n  a:\n    extends: {file: compose.yml, service: a}\n  b: {image: a/b}\n"
    assert "5 =docker.io/a/b:latest" in found(SYNTAX, "compose.yml", text)


@settings(deadline=None)
@given(mangled(COMPOSE))
def test_no_compose_file_is_too_odd(text: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(SYNTAX, "deploy/compose.yaml", text, OTHERS)
