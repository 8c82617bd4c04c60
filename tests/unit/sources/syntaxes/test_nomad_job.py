"""Nomad jobs in HCL and JSON."""

from __future__ import annotations

from hypothesis import given, settings

from tagsweep.sources.syntaxes.nomad_job import SYNTAX
from tests.unit.sources.syntaxes.planted import found, mangled, survives

JOB = """\
variable "tag" {
  type    = string
  default = "1"
}
locals {
  registry = "registry.example"
}
job "web" {
  datacenters = ["dc1"]
  group "web" {
    task "api" {
      driver = "docker"
      config {
        image = "team/api:${var.tag}"
        ports = ["http"]
      }
    }
    task "side" {
      driver = "podman"
      config { image = "${local.registry}/side:2" }
    }
    task "pack" {
      config {
        image = "team/pack:[[ .tag ]]"
      }
    }
    task "plain" {
      driver = "exec"
      config { command = "/bin/a:b" }
    }
  }
}
"""
JSON = """\
{"Job": {"ID": "web", "TaskGroups": [{"Tasks": [
  {"Name": "api", "Driver": "docker", "Config": {"image": "team/api:3"}}
]}]}}
"""


def test_a_job_gives_every_image_on_its_line() -> None:
    """Tasks' images are found with variables, locals and templates of Levant."""
    assert found(SYNTAX, "web.nomad.hcl", JOB) == [
        "14 =docker.io/team/api:1",
        "14 ~docker.io/team/api|.*",
        "20 =registry.example/side:2",
        "24 ~docker.io/team/pack|.*",
    ]
    assert found(SYNTAX, "web.json", JSON) == ["2 =docker.io/team/api:3"]


@settings(deadline=None)
@given(mangled(JOB))
def test_no_job_is_too_odd(text: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(SYNTAX, "web.nomad", text)
    survives(SYNTAX, "web.json", text)
