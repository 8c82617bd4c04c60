"""Workflows and actions of GitHub."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tagsweep.sources.syntaxes.files import File
from tagsweep.sources.syntaxes.github_actions import SYNTAX
from tagsweep.sources.syntaxes.github_expressions import expressions
from tagsweep.sources.syntaxes.template import known
from tests.unit.sources.syntaxes.planted import found, mangled, survives

PATH = ".github/workflows/ci.yml"

WORKFLOW = """\
name: CI
on:
  workflow_dispatch:
    inputs:
      runner_tag: {default: "22", type: string}
      database:
        type: choice
        options: [postgres, mysql]
env:
  COMMIT_TAG: sha-${{ github.sha }}
  REGISTRY_IMAGE: ghcr.io/acme/cache
jobs:
  test:
    runs-on: ubuntu-latest
    container:
      image: node:${{ inputs.runner_tag }}
    strategy:
      matrix:
        image: ["debian:12", "debian:13"]
        include:
          - image: ubuntu:24.04
    services:
      db:
        image: ${{ inputs.database }}:17
      cache:
        image: ${{ matrix.image == 'debian:12' && 'redis:7' || 'valkey:8' }}
    steps:
      - uses: actions/checkout@v4
      - uses: docker://alpine:3.20
        with: {args: echo}
      - name: Pull
        run: |
          docker pull tensorzero/gateway-dev:sha-${{ github.sha }}
          docker pull tensorzero/ui-dev:${{ env.COMMIT_TAG }}
          docker pull tensorzero/e2e:$COMMIT_TAG
      - run: docker run --rm ${{ matrix.image }} true
      - run: docker run --rm tensorzero/fixtures:$STEP_TAG
        env:
          STEP_TAG: "9"
      - id: pick
        run: |
          echo "tag=v7" >> "$GITHUB_OUTPUT"
          echo "LATER_TAG=sha-${{ github.sha }}" >> $GITHUB_ENV
      - run: docker pull acme/later:$LATER_TAG
      - run: docker pull acme/picked:${{ steps.pick.outputs.tag }}
  lint:
    container: golangci/golangci-lint:v1.60
    steps:
      - run: docker pull acme/unset:$NOWHERE
"""


def test_a_workflow_gives_every_image_on_its_line() -> None:
    """Containers, services, steps by image and commands are found with the variables of their scopes."""
    assert found(SYNTAX, PATH, WORKFLOW) == [
        "16 =docker.io/library/node:22",
        "16 ~docker.io/library/node|.*",
        "24 =docker.io/library/postgres:17",
        "24 =docker.io/library/mysql:17",
        "26 =docker.io/library/redis:7",
        "26 =docker.io/library/valkey:8",
        "29 =docker.io/library/alpine:3.20",
        r"33 ~docker.io/tensorzero/gateway-dev|sha\-.*",
        r"34 ~docker.io/tensorzero/ui-dev|sha\-.*",
        r"35 ~docker.io/tensorzero/e2e|sha\-.*",
        "36 =docker.io/library/debian:12",
        "36 =docker.io/library/debian:13",
        "36 =docker.io/library/ubuntu:24.04",
        "37 =docker.io/tensorzero/fixtures:9",
        r"44 ~docker.io/acme/later|sha\-.*",
        "45 =docker.io/acme/picked:v7",
        "47 =docker.io/golangci/golangci-lint:v1.60",
        "49 ~docker.io/acme/unset|.*",
    ]


PUBLISH = """\
on: push
jobs:
  publish:
    runs-on: ubuntu-latest
    steps:
      - uses: docker/setup-buildx-action@v3
        with:
          driver-opts: |
            image=moby/buildkit:v0.16.0
            network=host
      - id: meta
        uses: docker/metadata-action@v5
        with:
          images: tensorzero/gateway
      - uses: docker/build-push-action@v6
        with:
          tags: |
            tensorzero/gateway:sha-${{ github.sha }}
            ghcr.io/acme/gateway:edge,ghcr.io/acme/gateway:next
          cache-from: |
            type=registry,ref=acme/cache:build
            type=gha
          cache-to: type=registry,ref=acme/cache:build,mode=max
          build-contexts: |
            base=docker-image://debian:12-slim
            local=./base
          build-args: |
            BASE_IMAGE=python:3.12
            PROFILE=release
          labels: ${{ steps.meta.outputs.labels }}
      - uses: docker/build-push-action@v6
        with:
          tags: ${{ steps.meta.outputs.tags }}
      - uses: docker/build-push-action@v6
        with:
          tags: tensorzero/ui
          outputs: type=image,push-by-digest=true,name-canonical=true
      - uses: aquasecurity/trivy-action@0.28.0
        with:
          image-ref: acme/scanned:1.0
      - uses: google-github-actions/deploy-cloudrun@v2
        with:
          image: europe-docker.pkg.dev/acme/app/web:7
"""


def test_what_actions_are_given_is_told_for_what_it_is() -> None:
    """Published names, caches, contexts and build arguments carry their note; names that no step knows are no use."""
    assert found(SYNTAX, PATH, PUBLISH) == [
        "9 =docker.io/moby/buildkit:v0.16.0 (build argument)",
        r"18 ~docker.io/tensorzero/gateway|sha\-.* (published by the workflow)",
        "19 =ghcr.io/acme/gateway:edge (published by the workflow)",
        "19 =ghcr.io/acme/gateway:next (published by the workflow)",
        "21 =docker.io/acme/cache:build (build cache)",
        "23 =docker.io/acme/cache:build (build cache)",
        "25 =docker.io/library/debian:12-slim (build context)",
        "28 =docker.io/library/python:3.12 (build argument)",
        "40 =docker.io/acme/scanned:1.0",
        "43 =europe-docker.pkg.dev/acme/app/web:7",
    ]


def test_an_action_names_the_image_that_it_runs_in() -> None:
    """A container action is its image, one built here is none, and a composite one has steps."""
    docker = "name: a\nruns:\n  using: docker\n  image: docker://ghcr.io/acme/action:2\n"
    built = "name: a\nruns:\n  using: docker\n  image: Dockerfile\n"
    composite = (
        "inputs:\n  tag: {default: '5'}\nruns:\n  using: composite\n  steps:\n"
        "    - run: docker pull acme/tool:${{ inputs.tag }}\n      shell: bash\n"
    )
    assert found(SYNTAX, "tools/action.yml", docker) == ["4 =ghcr.io/acme/action:2"]
    assert found(SYNTAX, "tools/action.yml", built) == []
    assert found(SYNTAX, "tools/action.yml", composite) == ["6 =docker.io/acme/tool:5", "6 ~docker.io/acme/tool|.*"]


def test_a_list_behind_a_script_and_a_heredoc_are_read() -> None:
    """Images listed over several lines behind a script, and values written by a heredoc, are found."""
    text = (
        "on: push\njobs:\n  k3d:\n    steps:\n      - run: |\n"
        "          ./ci/docker-pull-with-retry.sh \\\n"
        "            tensorzero/gateway-dev:sha-${{ github.sha }} \\\n"
        "            tensorzero/ui-dev:sha-${{ github.sha }}\n"
        "          cat > over.yaml <<EOF\n"
        "          gateway:\n"
        "            image:\n"
        "              repository: tensorzero/gateway\n"
        "              tag: sha-${{ github.sha }}\n"
        "          EOF\n"
    )
    findings = [line.split(" ", 1)[1] for line in found(SYNTAX, PATH, text)]
    assert findings == [
        r"~docker.io/tensorzero/gateway-dev|sha\-.*",
        r"~docker.io/tensorzero/ui-dev|sha\-.*",
        r"~docker.io/tensorzero/gateway|sha\-.*",
    ]


def test_needed_outputs_are_followed_to_the_job_that_has_them() -> None:
    """An image that another job's script decides is found where that job echoes it."""
    text = (
        "on: push\njobs:\n  pick:\n    outputs:\n      image: ${{ steps.choose.outputs.image }}\n    steps:\n"
        '      - id: choose\n        run: echo "image=acme/chosen:3" >> $GITHUB_OUTPUT\n'
        "  use:\n    needs: pick\n    container: ${{ needs.pick.outputs.image }}\n"
    )
    assert "11 =docker.io/acme/chosen:3" in found(SYNTAX, PATH, text)


def test_an_unknown_input_can_be_anything() -> None:
    """A container that the caller names is open, as any image may be meant."""
    text = "on: {workflow_call: {inputs: {image: {type: string}}}}\njobs:\n  a:\n    container: ${{ inputs.image }}\n"
    assert found(SYNTAX, PATH, text) == ["4 ~.*|.*"]


def test_an_input_with_options_for_one_event_only_is_open() -> None:
    """Options of a form say nothing about what a calling workflow gives."""
    text = (
        "on:\n  workflow_dispatch: {inputs: {v: {type: choice, options: ['1', '2']}}}\n"
        "  workflow_call: {inputs: {v: {type: string}}}\njobs:\n  a:\n    container: acme/api:${{ inputs.v }}\n"
    )
    assert found(SYNTAX, PATH, text) == [
        "6 =docker.io/acme/api:1",
        "6 =docker.io/acme/api:2",
        "6 ~docker.io/acme/api|.*",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "on: push\njobs:\n  a:\n    steps:\n      - uses: actions/checkout@v4\n      - run: make test\n",
        "on: push\njobs:\n  a:\n    services:\n      db:\n        image: ''\n",
        "on: push\njobs: []\n",
        "on: push\njobs:\n  a:\n    uses: ./.github/workflows/other.yml\n    with:\n      is_dev: true\n",
    ],
)
def test_what_names_no_image_gives_nothing(text: str) -> None:
    """Actions by name, empty services and called workflows are no images."""
    assert found(SYNTAX, PATH, text) == []


@pytest.mark.parametrize(
    ("path", "text", "claimed"),
    [
        (".github/workflows/a.yaml", "", True),
        (".forgejo/workflows/a.yml", "", True),
        ("sub/.gitea/workflows/a.yml", "", True),
        ("templates/ci.yml", "on: push\njobs:\n  a:\n    runs-on: x\n", True),
        (".github/dependabot.yml", "version: 2\n", False),
        ("docs/runs-on.md", "runs-on: x", False),
    ],
)
def test_workflows_are_known_by_place_and_form(path: str, text: str, claimed: bool) -> None:  # noqa: FBT001 - a table
    """A workflow is claimed where the forges look for it, and elsewhere by what only workflows have."""
    assert SYNTAX.claims(File(path, text)) is claimed


@pytest.mark.parametrize(
    ("expression", "texts", "settled"),
    [
        ("'it''s'", ("it's",), True),
        ("env.A", ("1",), True),
        ("env['A']", ("1",), True),
        ("inputs.x || 'latest'", ("latest",), False),
        ("'a' || env.A", ("a",), True),
        ("inputs.dev && 'dev' || 'prod'", ("dev", "prod"), True),
        ("format('{0}:{1}', 'acme/api', env.A)", ("acme/api:${{ env.A }}",), True),
        ("(env.A)", ("1",), True),
    ],
)
def test_expressions_come_out_as_their_texts(expression: str, texts: tuple[str, ...], settled: bool) -> None:  # noqa: FBT001 - a table
    """Literals, paths, alternatives, conditions and format give the texts that they can be."""
    value = expressions(known({"env.A": "1"}))(expression)
    assert value is not None
    assert (value.texts, value.settled) == (texts, settled)


@pytest.mark.parametrize("expression", ["github.sha", "fromJSON(env.A)", "", "((((", "env.A == '1'", "format()", "'"])
def test_other_expressions_are_not_known(expression: str) -> None:
    """What cannot be worked out here stays open."""
    assert expressions(known({"env.A": "1"}))(expression) is None


@settings(deadline=None)
@given(mangled(WORKFLOW + PUBLISH))
def test_no_workflow_is_too_odd(text: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(SYNTAX, PATH, text)


@settings(deadline=None)
@given(mangled("a || b && format('{0}', env['x']) == ''"))
def test_no_expression_is_too_odd(text: str) -> None:
    """Any text between the braces means something or nothing."""
    expressions(known({"env.x": "1", "a": "2"}))(text)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ("{tool-image: ghcr.io/a/tool, tool-version: '4.1'}", ["6 =ghcr.io/a/tool:4.1"]),
        (
            "{tool-image: ghcr.io/a/tool, tool-version: '4@sha256:" + "e" * 64 + "'}",
            ["6 =ghcr.io/a/tool:4@sha256:" + "e" * 64],
        ),
        ("{image: a/tool, image-tag: '${{ inputs.tag }}'}", ["6 ~docker.io/a/tool|.*"]),
        ("{image: 'a/tool:1', image-tag: '2'}", ["6 =docker.io/a/tool:1"]),
        ("{image: a/tool, other-version: '2'}", ["6 =docker.io/a/tool:latest"]),
    ],
)
def test_the_version_of_an_image_may_be_an_input_of_its_own(inputs: str, expected: list[str]) -> None:
    """Actions that run an image take name and version apart; what is whole or stands alone is read as it is."""
    text = f"on: push\njobs:\n  a:\n    steps:\n      - uses: acme/action@v1\n        with: {inputs}\n"
    assert found(SYNTAX, ".github/workflows/a.yml", text) == expected
