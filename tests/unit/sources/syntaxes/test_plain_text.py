"""Any text: what can only be meant as an image, and what only looks alike."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.sources.syntaxes.plain_text import find
from tagsweep.sources.syntaxes.shape import looks_like_image
from tests.unit.sources.syntaxes.planted import short

_DIGEST = "sha256:" + "e" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see team/api:1.2.", ["1 =docker.io/team/api:1.2"]),
        ("x\n(ghcr.io/team/api:1)", ["2 =ghcr.io/team/api:1"]),
        ("localhost:5000/api:1", ["1 =localhost:5000/api:1"]),
        (f"postgres@{_DIGEST}", [f"1 =docker.io/library/postgres@{_DIGEST}"]),
        (f'"team/api:1@{_DIGEST}",', [f"1 =docker.io/team/api:1@{_DIGEST}"]),
        ("image=team/api:1", ["1 =docker.io/team/api:1"]),
        ("team/api:$TAG", ["1 ~docker.io/team/api|.*"]),
        ("team/api:sha-${{ github.sha }}", ["1 ~docker.io/team/api|sha\\-.*"]),
        ("team/a:1,team/b:2;team/c:3", ["1 =docker.io/team/a:1", "1 =docker.io/team/b:2", "1 =docker.io/team/c:3"]),
    ],
)
def test_full_names_are_found(text: str, expected: list[str]) -> None:
    """A path with a tag and a name with a digest are images wherever they stand."""
    assert [short(finding) for finding in find(text)] == expected


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/team/api:1",
        "git@github.com:team/api.git",
        "src/main.py:12",
        "src/main.rs:12:5",
        "a: b",
        "key:value",
        "localhost:8080",
        "12:30:45",
        "2024/05/01:12",
        "C:/Users/x:y",
        "C:\\a\\b:c",
        "x[a/b:c]",
        ">=1.0,<2",
        "./data/db:/var/lib",
        "data/db:/var/lib",
        "data/config:ro",
        "application/json:x",
        "github.com/acme/api:main",
        "//pkg/path:target",
        "@repo//pkg:target",
        "team/api:.+",
        "team/api:v1.*",
        "^team/api:$",
        "team/api:{version}",
        "team/api:<tag>",
        "team/api:XXXX.XX.X",
        "10.0.0.0/8:80",
        "refs/heads/a:refs/heads/b",
        "Team/Api:1",
        "s3://bucket/key:1",
    ],
)
def test_what_looks_alike_is_not_told(text: str) -> None:
    """Addresses, files with lines, times, mounts, ratios, expressions and placeholders are no references."""
    assert list(find(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "ghcr\\\\.io/dexidp/dex:v(?<currentValue>\\\\d+)",
        "ghcr.io/dexidp/dex:v(?<currentValue>.*)",
        "ghcr.io/dexidp/dex:v\\d+",
        "//line pkg/logql/jsonexpr/jsonexpr.y:56",
    ],
)
def test_expressions_and_lines_of_grammars_are_no_images(text: str) -> None:
    """What goes on as a regular expression, or is a source file with a line, only looks like an image."""
    assert list(find(text)) == []


@settings(deadline=None)
@given(st.text(alphabet="ab/:@.${}<>[]1-_\\ \n", max_size=80))
def test_no_text_is_too_odd(text: str) -> None:
    """Any text is read."""
    for finding in find(text):
        assert finding.line >= 1
    looks_like_image(text)
