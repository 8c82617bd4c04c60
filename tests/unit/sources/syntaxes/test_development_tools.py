"""Skaffold, Tilt, Earthly and development containers."""

from __future__ import annotations

from hypothesis import given, settings

from tagsweep.sources.syntaxes import devcontainer, earthfile, skaffold, tilt
from tests.unit.sources.syntaxes.planted import found, mangled, survives

SKAFFOLD = """\
apiVersion: skaffold/v4beta6
kind: Config
build:
  artifacts:
    - image: team/app
      context: app
      docker:
        dockerfile: Dockerfile
        buildArgs:
          BASE: team/base:2
        cacheFrom: ["team/cache:1"]
    - image: team/pinned:1
      buildpacks:
        builder: gcr.io/buildpacks/builder:v1
deploy:
  helm:
    releases:
      - name: web
        remoteChart: oci://ghcr.io/team/charts/web
        version: 1.2.3
        setValues:
          image.repository: team/values
          image.tag: "4"
        setValueTemplates:
          other.image: "{{.IMAGE_FULLY_QUALIFIED_team_app}}"
verify:
  - name: check
    container:
      image: team/check:5
"""


def test_skaffold_gives_every_image_on_its_line() -> None:
    """An artifact's tag is made up by Skaffold, so any of its repository may be meant; the rest is as it is written."""
    others = {"app/Dockerfile": "ARG BASE=team/default:1\nFROM $BASE\n"}
    assert found(skaffold.SYNTAX, "skaffold.yaml", SKAFFOLD, others) == [
        "5 ~docker.io/team/app|.* (built and tagged by Skaffold)",
        "10 =docker.io/team/base:2 (build argument)",
        "11 =docker.io/team/cache:1 (build cache)",
        "12 =docker.io/team/pinned:1 (built and tagged by Skaffold)",
        "14 =gcr.io/buildpacks/builder:v1 (built from it)",
        "19 =ghcr.io/team/charts/web:1.2.3 (chart)",
        "22 =docker.io/team/values:4",
        "25 ~.*|.*",
        "29 =docker.io/team/check:5",
    ]


TILTFILE = """\
# docker_build('team/comment', '.')
docker_build('team/app', '.', dockerfile='a/Dockerfile')
docker_build(
    ref="team/other",
    context='.',
)
custom_build('team/custom:1', 'docker build -t team/command:2 .', ['.'])
image = 'team/image'
k8s_kind('App', image_json_path='{.spec.image}')
tag = '7'
x = f'team/formatted:{tag}'
y = 'team/percent:%s' % tag
local('docker pull team/local')
text = '''
see team/shape:3 in a/b
'''
"""


def test_a_tiltfile_gives_every_image_on_its_line() -> None:
    """What Tilt builds has a tag of Tilt's own; names, shapes and commands in texts are found."""
    assert found(tilt.SYNTAX, "Tiltfile", TILTFILE) == [
        "2 ~docker.io/team/app|tilt\\-.* (built by Tilt)",
        "4 ~docker.io/team/other|tilt\\-.* (built by Tilt)",
        "7 =docker.io/team/custom:1 (built by Tilt)",
        "7 =docker.io/team/command:2",
        "8 =docker.io/team/image:latest",
        "11 ~docker.io/team/formatted|.*",
        "12 ~docker.io/team/percent|.*",
        "13 =docker.io/team/local:latest",
        "15 =docker.io/team/shape:3",
    ]


EARTHFILE = """\
VERSION 0.8
ARG --global TAG=1
FROM team/base:$TAG

build:
    FROM +deps
    FROM golang:1.23
    COPY +deps/x .
    SAVE ARTIFACT x

image:
    FROM DOCKERFILE .
    FROM github.com/acme/x+target
    SAVE IMAGE --push team/app:2 \\
        team/app:latest
    SAVE IMAGE --cache-from=team/cache:1

test:
    LOCALLY
    WITH DOCKER --pull team/pulled:3 --load local:x=+image
        RUN docker run team/run:4
    END
"""


def test_an_earthfile_gives_every_image_on_its_line() -> None:
    """Bases, saved, pulled and run images are found; targets are none."""
    assert found(earthfile.SYNTAX, "Earthfile", EARTHFILE) == [
        "3 =docker.io/team/base:1",
        "3 ~docker.io/team/base|.*",
        "7 =docker.io/library/golang:1.23",
        "14 =docker.io/team/app:2 (built here)",
        "15 =docker.io/team/app:latest (built here)",
        "16 =docker.io/team/cache:1 (build cache)",
        "20 =docker.io/team/pulled:3",
        "21 =docker.io/team/run:4",
    ]


def test_a_variable_of_an_earthfile_may_hold_a_target() -> None:
    """A default that is a target is no image; what else may be given stays open."""
    text = 'VERSION 0.8\nARG BASE=./x+build\nFROM $BASE\nFROM "team/quoted":"1"\n'
    assert found(earthfile.SYNTAX, "Earthfile", text) == ["3 ~.*|.*", "4 =docker.io/team/quoted:1"]


DEVCONTAINER = """\
{
  // a comment
  "name": "x",
  "image": "team/dev:${localEnv:TAG:1}",
  "build": {
    "dockerfile": "Dockerfile",
    "args": {"BASE": "team/base:2"},
    "cacheFrom": ["team/cache:1"]
  },
  "dockerComposeFile": "compose.yml",
  "features": {
    "ghcr.io/devcontainers/features/node:1": {},
    "./local": {},
    "old": {}
  },
  "runArgs": ["--init"],
  "postCreateCommand": "docker pull team/after:3",
  "initializeCommand": {"a": ["docker", "pull", "team/first:4"]},
  "customizations": {"vscode": {"extensions": ["a.b"]}},
}
"""


def test_a_development_container_gives_every_image_on_its_line() -> None:
    """The image, the build, features from registries and the commands are found; local features are not."""
    others = {".devcontainer/Dockerfile": "ARG BASE\nFROM $BASE\n"}
    assert found(devcontainer.SYNTAX, ".devcontainer/devcontainer.json", DEVCONTAINER, others) == [
        "4 =docker.io/team/dev:1",
        "4 ~docker.io/team/dev|.*",
        "7 =docker.io/team/base:2 (build argument)",
        "8 =docker.io/team/cache:1 (build cache)",
        "12 =ghcr.io/devcontainers/features/node:1 (feature)",
        "17 =docker.io/team/after:3",
        "18 =docker.io/team/first:4",
    ]


def test_a_lock_of_features_pins_digests() -> None:
    """The lock file's digests are references."""
    digest = "d" * 64
    text = f'{{"features": {{"ghcr.io/a/f:1": {{\n"version": "1.2", "resolved": "ghcr.io/a/f@sha256:{digest}"}}}}}}'
    assert found(devcontainer.SYNTAX, "devcontainer-lock.json", text) == [
        "1 =ghcr.io/a/f:1 (feature)",
        f"2 =ghcr.io/a/f@sha256:{digest} (feature)",
    ]


@settings(deadline=None)
@given(mangled(SKAFFOLD))
def test_no_skaffold_file_is_too_odd(text: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(skaffold.SYNTAX, "skaffold.yaml", text)


@settings(deadline=None)
@given(mangled(TILTFILE))
def test_no_tiltfile_is_too_odd(text: str) -> None:
    """Any text is read."""
    survives(tilt.SYNTAX, "Tiltfile", text)


@settings(deadline=None)
@given(mangled(EARTHFILE))
def test_no_earthfile_is_too_odd(text: str) -> None:
    """Any text is read."""
    survives(earthfile.SYNTAX, "Earthfile", text)


@settings(deadline=None)
@given(mangled(DEVCONTAINER))
def test_no_development_container_is_too_odd(text: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(devcontainer.SYNTAX, ".devcontainer/devcontainer.json", text)


def test_a_comment_behind_an_instruction_of_an_earthfile_is_no_image() -> None:
    """Comments stand on lines of their own and behind instructions; a command in a tag is one word."""
    text = (
        "VERSION 0.8\nbuild:\n  FROM a/b:1\n  SAVE IMAGE --push a/c:1 # should exist\n  SAVE IMAGE a/d:$(cat version)\n"
    )
    assert found(earthfile.SYNTAX, "Earthfile", text) == [
        "3 =docker.io/a/b:1",
        "4 =docker.io/a/c:1 (built here)",
        "5 ~docker.io/a/d|.* (built here)",
    ]
