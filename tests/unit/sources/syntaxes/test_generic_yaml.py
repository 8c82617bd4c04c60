"""YAML and JSON of no special format: image keys, parts beside each other, and texts in texts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tagsweep.sources.syntaxes.files import File
from tagsweep.sources.syntaxes.generic_yaml import SYNTAX
from tagsweep.sources.syntaxes.scan import scan
from tests.unit.sources.syntaxes.planted import found, mangled, short, survives

YAML = """\
api:
  image: team/api
web: {image: "team/web:${TAG:-1}"}
split:
  image: {registry: registry.example, repository: team/split, tag: "1.10"}
empty:
  image:
    repository: team/empty
    tag: ""
beside: {image: team/beside, tag: 3}
digest: {repository: team/digest, tag: v1, digest: "sha256:DIGEST"}
renamed: {name: team/renamed, newTag: "5"}
images: [nginx, team/listed:1]
mapped:
  images: {one: team/mapped:1, two: two}
sidecar_image: team/sidecar:1
runner: docker://team/runner:1
anything: team/shape:1
script: |
  set -e
  docker run team/script:1
json: '[{"name": "x", "image": "team/json:1"}]'
hub: {hub: docker.io/istio, image: proxyv2, tag: 1.2.3}
picture: {image: /static/logo.png, og_image: team/x, image_url: "https://example.com/a/b:1"}
package: {repository: "github:acme/api", version: 1.2.3, homepage: "https://example.com/a/b"}
regex: {pattern: "team/api:.+", image: "team/api:.+"}
words: {image: "A picture of a cat", note: "either/or: both"}
""".replace("DIGEST", "b" * 64)


def test_yaml_gives_every_image_on_its_line() -> None:
    """Keys, parts, lists, shapes and embedded texts are found; pictures, addresses and expressions are not."""
    assert found(SYNTAX, "conf/settings.yaml", YAML) == [
        "2 =docker.io/team/api:latest",
        "3 =docker.io/team/web:1",
        "3 ~docker.io/team/web|.*",
        "5 =registry.example/team/split:1.10",
        "8 ~docker.io/team/empty|.*",
        "10 =docker.io/team/beside:3",
        f"11 =docker.io/team/digest:v1@sha256:{'b' * 64}",
        "12 =docker.io/team/renamed:5",
        "13 =docker.io/library/nginx:latest",
        "13 =docker.io/team/listed:1",
        "15 =docker.io/team/mapped:1",
        "16 =docker.io/team/sidecar:1",
        "17 =docker.io/team/runner:1",
        "18 =docker.io/team/shape:1",
        "21 =docker.io/team/script:1",
        "22 =docker.io/team/json:1",
        "23 =docker.io/istio/proxyv2:1.2.3",
    ]


def test_json_is_read_with_tabs_and_comments() -> None:
    """JSON as editors write it, which YAML's reader refuses, is read with its lines."""
    text = '{\n\t// why\n\t"image": "team/api:1",\n\t"other": {"dockerImage": "postgres:17"},\n}\n'
    assert found(SYNTAX, "conf/x.json", text) == ["3 =docker.io/team/api:1", "4 =docker.io/library/postgres:17"]


def test_json_five_is_read() -> None:
    """Bare keys and single quotes are read as well."""
    assert found(SYNTAX, "x.json5", "{\n  image: 'team/api:1',\n}\n") == ["2 =docker.io/team/api:1"]


def test_a_template_of_yaml_is_read_line_by_line() -> None:
    """What a template language keeps from being YAML still has its image lines read."""
    text = '{% for x in y %}\napi:\n  image: team/api:{{ tag }}\n  - image: "team/web"  # why\n{% endfor %}\n'
    assert found(SYNTAX, "x.yaml", text) == ["3 ~docker.io/team/api|.*", "4 =docker.io/team/web:latest"]


def test_broken_yaml_is_a_problem_and_still_read() -> None:
    """A file that is neither YAML nor a template says so, and what its lines name is not lost."""
    scanned = scan(File("x.yaml", "a: [\nimage: team/api\n"), (SYNTAX,))
    assert scanned.problems
    assert [short(finding) for finding in scanned.findings] == ["2 =docker.io/team/api:latest"]


@pytest.mark.parametrize("path", ["compose.yml", ".github/workflows/a.yml", "package-lock.json", "a.py"])
def test_what_has_a_format_of_its_own_is_left_to_it(path: str) -> None:
    """A file that another syntax claims is not read a second time with less knowledge."""
    assert not SYNTAX.claims(File(path, "services:\n  a:\n    image: a/b\non: push\njobs: {}\n"))


@pytest.mark.parametrize("piece", ["[", "{", "- ", "{{", "? "])
def test_what_nests_without_end_is_said_to(piece: str) -> None:
    """Text that nests deeper than anybody writes is not parsed, instead of ending the process."""
    scanned = scan(File("x.yaml", f"image: a/b:1\nx: {piece * 30000}"), (SYNTAX,))
    assert "1 =docker.io/a/b:1" in [short(finding) for finding in scanned.findings]


@settings(deadline=None)
@given(mangled(YAML))
def test_no_yaml_is_too_odd(text: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(SYNTAX, "x.yaml", text)
    survives(SYNTAX, "x.json", text)


def test_the_expression_by_which_an_updater_finds_an_image_is_none() -> None:
    """A regular expression with named groups is about images, and names none of them."""
    text = '{"image": "a/b:1", "matchStrings": ["ghcr\\\\.io/acme/dex:v(?<currentValue>\\\\d+).*# depName=acme/dex"]}'
    assert found(SYNTAX, "renovate.json5", text) == ["1 =docker.io/a/b:1"]
