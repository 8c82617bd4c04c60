"""Bake files: targets with tags, contexts, caches, matrices and arguments."""

from __future__ import annotations

from hypothesis import given, settings

from tagsweep.sources.syntaxes.bake import SYNTAX
from tests.unit.sources.syntaxes.planted import found, mangled, survives

BAKE = """\
variable "TAG" {
  default = "latest"
}
variable "REGISTRY" {}
group "default" {
  targets = ["app"]
}
target "app" {
  context = "app"
  dockerfile = "Dockerfile"
  tags = ["team/app:${TAG}", "${REGISTRY}/app:1"]
  contexts = {
    base = "docker-image://alpine:3.20"
    src  = "https://example.com/x.git"
  }
  args = {
    BASE = "team/base:2"
  }
  cache-from = ["type=registry,ref=team/cache:1", "type=gha"]
  cache-to = [{ type = "registry", ref = "team/cache:2" }]
}
target "many" {
  name = "many-${kind}"
  matrix = {
    kind = ["one", "two"]
  }
  tags = ["team/many:${kind}", tagged("x")]
}
"""
OTHERS = {"app/Dockerfile": "ARG BASE=team/default:1\nFROM ${BASE}\n"}


def test_a_bake_file_gives_every_image_on_its_line() -> None:
    """Defaults are open as well, a matrix gives each of its values, and a function stays open."""
    assert found(SYNTAX, "docker-bake.hcl", BAKE, OTHERS) == [
        "11 =docker.io/team/app:latest (built here)",
        "11 ~docker.io/team/app|.* (built here)",
        "11 ~.*/app|1 (built here)",
        "13 =docker.io/library/alpine:3.20 (build context)",
        "17 =docker.io/team/base:2 (build argument)",
        "19 =docker.io/team/cache:1 (build cache)",
        "20 =docker.io/team/cache:2 (build cache)",
        "27 =docker.io/team/many:one (built here)",
        "27 =docker.io/team/many:two (built here)",
        "27 ~.*|.* (built here)",
    ]


JSON = """\
{
  "variable": {"TAG": {"default": "1"}},
  "target": {
    "app": {
      "tags": ["team/app:${TAG}"],
      "cache-from": ["team/cache:1"]
    }
  }
}
"""


def test_json_is_the_same() -> None:
    """Bake's JSON is read as its HCL."""
    assert found(SYNTAX, "docker-bake.json", JSON) == [
        "5 =docker.io/team/app:1 (built here)",
        "5 ~docker.io/team/app|.* (built here)",
        "6 =docker.io/team/cache:1 (build cache)",
    ]


@settings(deadline=None)
@given(mangled(BAKE))
def test_no_bake_file_is_too_odd(text: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(SYNTAX, "docker-bake.hcl", text, OTHERS)


@settings(deadline=None)
@given(mangled(JSON))
def test_no_json_is_too_odd(text: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(SYNTAX, "docker-bake.json", text)
