"""The ways in which TensorZero's repository names images: one row for each (section A.5 of what is known of it)."""

from __future__ import annotations

import pytest

from tagsweep.sources.syntaxes.files import File
from tagsweep.sources.syntaxes.scan import scan
from tests.unit.sources.syntaxes.planted import Files, short

_COMPOSE = "services:\n  one:\n    image: {}\n"
_ROWS = {
    "no tag in Compose": (
        "examples/quickstart/docker-compose.yml",
        _COMPOSE.format("tensorzero/gateway"),
        ["3 =docker.io/tensorzero/gateway:latest"],
    ),
    "no tag in fenced YAML": (
        "docs/quickstart.mdx",
        '# Begin\n\n```yaml title="docker-compose.yml"\nservices:\n  ui:\n    image: tensorzero/ui\n```\n',
        ["6 =docker.io/tensorzero/ui:latest"],
    ),
    "literal tag": (
        "examples/db/docker-compose.yml",
        _COMPOSE.format("tensorzero/postgres:17"),
        ["3 =docker.io/tensorzero/postgres:17"],
    ),
    "literal tag in a snapshot": (
        "examples/k8s/tests/__snapshot__/gateway_test.yaml.snap",
        "matches:\n  1: |\n    image: tensorzero/gateway:2026.4.1\n",
        ["3 =docker.io/tensorzero/gateway:2026.4.1"],
    ),
    "variable with a default": (
        "ui/fixtures/docker-compose.yml",
        _COMPOSE.format("tensorzero/gateway:${TENSORZERO_GATEWAY_TAG:-latest}"),
        ["3 =docker.io/tensorzero/gateway:latest", "3 ~docker.io/tensorzero/gateway|.*"],
    ),
    "nested default": (
        "ui/fixtures/docker-compose-common.yml",
        _COMPOSE.format("tensorzero/mock-provider-api:${TENSORZERO_MOCK_TAG:-${TENSORZERO_COMMIT_TAG:-latest}}"),
        ["3 =docker.io/tensorzero/mock-provider-api:latest", "3 ~docker.io/tensorzero/mock-provider-api|.*"],
    ),
    "variable without a default": (
        "crates/e2e/docker-compose.yml",
        _COMPOSE.format("tensorzero/gateway-e2e:${TENSORZERO_COMMIT_TAG}"),
        ["3 ~docker.io/tensorzero/gateway-e2e|.*"],
    ),
    "shell in a workflow": (
        ".github/workflows/e2e.yml",
        (
            "on: push\njobs:\n  e2e:\n    runs-on: ubuntu-latest\n    steps:\n"
            "      - run: docker pull tensorzero/gateway-dev:sha-${{ github.sha }}\n"
        ),
        ["6 ~docker.io/tensorzero/gateway-dev|sha\\-.*"],
    ),
    "a list behind a script's name": (
        ".github/workflows/e2e.yml",
        (
            "on: push\njobs:\n  e2e:\n    runs-on: ubuntu-latest\n    steps:\n      - run: |\n"
            "          ci/docker-pull-with-retry.sh \\\n"
            "            tensorzero/fixtures:sha-${{ github.sha }} \\\n"
            "            tensorzero/live-tests:sha-${{ github.sha }}\n"
            "          docker tag tensorzero/fixtures:sha-${{ github.sha }} tensorzero/fixtures:latest\n"
            "          k3d image import tensorzero/gateway-dev:sha-${{ github.sha }} -c one\n"
        ),
        [
            "8 ~docker.io/tensorzero/fixtures|sha\\-.*",
            "9 ~docker.io/tensorzero/live-tests|sha\\-.*",
            "10 ~docker.io/tensorzero/fixtures|sha\\-.*",
            "10 =docker.io/tensorzero/fixtures:latest",
            "11 ~docker.io/tensorzero/gateway-dev|sha\\-.*",
        ],
    ),
    "Helm values in a heredoc": (
        ".github/workflows/k3d.yml",
        (
            "on: push\njobs:\n  k3d:\n    runs-on: ubuntu-latest\n    steps:\n      - run: |\n"
            "          cat > values.yaml <<EOF\n"
            "          gateway:\n"
            "            image:\n"
            "              repository: tensorzero/gateway\n"
            "              tag: sha-${{ github.sha }}\n"
            "          EOF\n"
        ),
        ["10 ~docker.io/tensorzero/gateway|sha\\-.*"],
    ),
    "argument of a Dockerfile": (
        "examples/autopilot/docker/Dockerfile",
        "ARG GATEWAY_TAG=latest\nFROM tensorzero/gateway:${GATEWAY_TAG}\n",
        ["2 =docker.io/tensorzero/gateway:latest", "2 ~docker.io/tensorzero/gateway|.*"],
    ),
    "COPY from an image and from a stage": (
        "gateway/Dockerfile",
        (
            "FROM rust:1.90 AS builder\nCOPY --from=ghcr.io/astral-sh/uv:0.9.27 /uv /bin/\n"
            "FROM debian:trixie-slim\nCOPY --from=builder /app /app\n"
        ),
        [
            "1 =docker.io/library/rust:1.90",
            "2 =ghcr.io/astral-sh/uv:0.9.27",
            "3 =docker.io/library/debian:trixie-slim",
        ],
    ),
    "continued command in documentation": (
        "docs/deploy.mdx",
        (
            "```bash\ndocker run \\\n  --name gateway \\\n  -v $(pwd)/config:/app/config:ro \\\n  -p 3000:3000 \\\n"
            "  tensorzero/gateway \\\n  --default-config\n```\n"
        ),
        ["6 =docker.io/tensorzero/gateway:latest"],
    ),
    "placeholders in documentation": (
        "RELEASE_GUIDE.md",
        (
            "Run `docker pull tensorzero/gateway:{version}`, tag tensorzero/gateway:XXXX.XX.X.\n\n"
            "```\ndocker push tensorzero/gateway:{version}\ndocker push tensorzero/ui:<version>\n```\n"
        ),
        [],
    ),
    "development container": (
        "recipes/sft/.devcontainer/devcontainer.json",
        (
            '{\n  // for notebooks\n  "image": "mcr.microsoft.com/devcontainers/python:3.11",\n'
            '  "features": {\n    "ghcr.io/devcontainers/features/node:1": {},\n  },\n}\n'
        ),
        ["3 =mcr.microsoft.com/devcontainers/python:3.11", "5 =ghcr.io/devcontainers/features/node:1 (feature)"],
    ),
    "regular expression in a unit test of Helm": (
        "examples/k8s/tests/gateway_test.yaml",
        (
            "suite: gateway\ntests:\n  - it: has an image\n    asserts:\n      - matchRegex:\n"
            '          path: spec.template.spec.containers[0].image\n          pattern: "tensorzero/gateway:.+"\n'
        ),
        [],
    ),
}


@pytest.mark.parametrize(("path", "text", "expected"), _ROWS.values(), ids=_ROWS.keys())
def test_each_way_of_writing_has_its_meaning(path: str, text: str, expected: list[str]) -> None:
    """Each row of the section gives exactly what it means, whatever other syntaxes there are."""
    scanned = scan(File(path, text, Files({path: text})))
    assert scanned.problems == ()
    assert sorted(map(short, scanned.findings)) == sorted(expected)
