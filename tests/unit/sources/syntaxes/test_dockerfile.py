"""Dockerfiles: bases, stages, arguments, mounts, heredocs and directives."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tagsweep.sources.syntaxes.dockerfile import SYNTAX, find
from tagsweep.sources.syntaxes.files import File
from tests.unit.sources.syntaxes.planted import found, mangled, short, survives

DOCKERFILE = r"""# syntax=docker/dockerfile:1.7
# check=skip=all
ARG TAG=latest
ARG EMPTY
ARG REGISTRY=registry.example
ARG STAGE=base
FROM --platform=$BUILDPLATFORM team/gateway:${TAG} AS base
from ${REGISTRY}/team/lower:1 as low
# FROM team/comment:1
RUN --mount=type=bind,from=team/mount:1,target=/x \
    # a comment in between
    --mount=type=cache,target=/c \

    echo hello && \
    docker pull team/inside:1
COPY --from=ghcr.io/astral-sh/uv:0.9.27 /uv /bin/
COPY --from=BASE /a /b
COPY --from=0 /a /b
COPY --chown=a:b --from=team/copied /a /b
ADD --from=low /a /b
FROM base
FROM scratch
FROM team/open:$EMPTY
FROM ${STAGE}
ONBUILD COPY --from=team/trigger:1 /a /b
RUN <<EOF
podman pull team/heredoc:1
EOF
FROM team/pinned:1@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa AS last
LABEL org.opencontainers.image.source="https://example.com/a/b:1"
"""


def test_a_dockerfile_gives_every_image_on_its_line() -> None:
    """Stages, numbers, ``scratch`` and comments are no images; a default is one, and open as well."""
    assert found(SYNTAX, "api/Dockerfile", DOCKERFILE) == [
        "1 =docker.io/docker/dockerfile:1.7 (Dockerfile frontend)",
        "7 =docker.io/team/gateway:latest",
        "7 ~docker.io/team/gateway|.*",
        "8 =registry.example/team/lower:1",
        "8 ~.*/team/lower|1",
        "10 =docker.io/team/mount:1",
        "15 =docker.io/team/inside:1",
        "16 =ghcr.io/astral-sh/uv:0.9.27",
        "19 =docker.io/team/copied:latest",
        "23 ~docker.io/team/open|.*",
        "24 ~.*|.* (a build stage by default)",
        "25 =docker.io/team/trigger:1",
        "27 =docker.io/team/heredoc:1",
        f"29 =docker.io/team/pinned:1@sha256:{'a' * 64}",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a/b", ["1 =docker.io/a/b:latest"]),
        ("\ufeffFROM a/b\r\nFROM c/d\r\n", ["1 =docker.io/a/b:latest", "2 =docker.io/c/d:latest"]),
        ("FROM \\\n  --platform=linux/amd64 \\\n  a/b:1 AS x", ["3 =docker.io/a/b:1"]),
        ("# escape=`\nFROM `\n  a/b:1\nRUN dir c:\\\nFROM c/d:1", ["3 =docker.io/a/b:1", "5 =docker.io/c/d:1"]),
        ("ARG A=1\nARG A=2\nFROM a/b:$A", ["3 =docker.io/a/b:2", "3 ~docker.io/a/b|.*"]),
        (
            "ARG A=1\nFROM a/b:$A\nARG A=3\nFROM c/d:$A",
            [
                "2 =docker.io/a/b:1",
                "2 ~docker.io/a/b|.*",
                "4 =docker.io/c/d:1",
                "4 ~docker.io/c/d|.*",
            ],
        ),
        ("ARG A=a/b B=2\nFROM $A:$B", ["2 =docker.io/a/b:2", "2 ~docker.io/a/b|.*", "2 ~.*|2", "2 ~.*|.*"]),
        ("ARG A=${A:-1}\nFROM a/b:$A", ["2 =docker.io/a/b:1", "2 ~docker.io/a/b|.*"]),
        ("ARG A\nFROM a/b:${A:-1}", ["2 =docker.io/a/b:1", "2 ~docker.io/a/b|.*"]),
        ("FROM {{ base }}:1", ["1 ~.*|1"]),
        ("FROM a/b:1 AS a\nCOPY --from=a . .\nFROM a", ["1 =docker.io/a/b:1"]),
        ("FROM --platform=$TARGETPLATFORM a/b:1", ["1 =docker.io/a/b:1"]),
        ('FROM "a/b:1"', ["1 =docker.io/a/b:1"]),
        ("FROM A/B:1", ["1 !A/B:1"]),
        ("RUN ls a/b:c", []),
        (
            "RUN <<A cat <<B\ndocker pull a/b:1\nA\nFROM no/no\nB\nFROM c/d",
            ["2 =docker.io/a/b:1", "6 =docker.io/c/d:latest"],
        ),
        ("ENV X=a/b:1", ["1 =docker.io/a/b:1"]),
        ('CMD ["docker", "run", "a/b"]', []),
        ("", []),
    ],
)
def test_dockerfiles_mean_what_they_mean(text: str, expected: list[str]) -> None:
    """Continuations, escapes, arguments and quotes are read as the builder reads them."""
    assert found(SYNTAX, "Dockerfile", text) == expected


def test_given_arguments_are_settled() -> None:
    """What a build gives for an argument stands in the place of its default."""
    text = "ARG A=1\nFROM a/b:$A\nCOPY --from=shared x y\n"
    assert [short(each) for each in find(text, line=11, arguments={"A": "2"}, contexts=["shared"])] == [
        "12 =docker.io/a/b:2"
    ]


@pytest.mark.parametrize(
    ("name", "claimed"),
    [
        ("Dockerfile", True),
        ("Dockerfile.dev", True),
        ("Dockerfile1", True),
        ("Dockerfile20", True),
        ("dockerfiles", False),
        ("api.Dockerfile", True),
        ("api.dockerfile", True),
        ("Containerfile", True),
        ("Containerfile.base", True),
        ("Dockerfile-alpine.template", True),
        ("dockerfile.md", False),
        ("dockerfile_test.go", False),
        ("Dockerfile.dockerignore", False),
        ("docker.txt", False),
    ],
)
def test_dockerfiles_are_known_by_name(name: str, claimed: bool) -> None:  # noqa: FBT001 - a table
    """The usual names are claimed, programs and documents about them are not."""
    assert SYNTAX.claims(File(f"x/{name}", "FROM a")) is claimed


@settings(deadline=None)
@given(mangled(DOCKERFILE))
def test_no_dockerfile_is_too_odd(text: str) -> None:
    """Any text is read."""
    survives(SYNTAX, "Dockerfile", text)
