"""Terraform: resources, encoded JSON, variables, locals, Helm releases and state."""

from __future__ import annotations

from hypothesis import given, settings

from tagsweep.sources.syntaxes.terraform import SYNTAX
from tests.unit.sources.syntaxes.planted import found, mangled, survives

MAIN = """\
terraform {
  required_providers { docker = { source = "kreuzwerker/docker" } }
}
variable "tag" {
  default = "1"
}
locals {
  repository = "registry.example/team"
  image      = "${local.repository}/local:${var.tag}"
}
resource "docker_image" "web" {
  name = "team/web:${var.tag}"
}
resource "docker_container" "web" {
  name  = "web"
  image = docker_image.web.image_id
}
resource "docker_container" "cache" {
  image = "redis"
}
resource "aws_ecs_task_definition" "api" {
  container_definitions = jsonencode([
    { name = "api", image = "${aws_ecr_repository.api.repository_url}:${var.tag}" },
    { name = "side", image = local.image },
  ])
}
resource "aws_ecs_task_definition" "old" {
  container_definitions = <<EOF
[
  {"name": "old", "image": "team/old:${var.release}"}
]
EOF
}
resource "aws_lambda_function" "f" {
  image_uri = var.blue ? "team/blue:1" : "team/green:2"
}
resource "kubernetes_deployment" "k" {
  spec {
    template {
      spec {
        container {
          image = "team/kube:3"
        }
      }
    }
  }
}
resource "helm_release" "r" {
  chart      = "web"
  repository = "oci://ghcr.io/team/charts"
  version    = "1.2.3"
  set {
    name  = "image.repository"
    value = "team/set"
  }
  set {
    name  = "image.tag"
    value = "4"
  }
  values = [yamlencode({ image = { repository = "team/encoded", tag = "5" } })]
}
resource "hcloud_server" "vm" {
  image = "ubuntu-24.04"
}
resource "google_compute_instance" "vm" {
  boot_disk {
    initialize_params {
      image = "debian-cloud/debian-12"
    }
  }
}
module "m" {
  source          = "./modules/m"
  container_image = "team/module:6"
}
resource "cloud" "format" {
  image = format("%s/f:%s", local.repository, "7")
}
"""


def test_configuration_gives_every_image_on_its_line() -> None:
    """Images of containers are found with their variables; those of machines and of other resources are not."""
    assert found(SYNTAX, "infra/main.tf", MAIN) == [
        "9 =registry.example/team/local:1",
        "9 ~registry.example/team/local|.*",
        "12 =docker.io/team/web:1",
        "12 ~docker.io/team/web|.*",
        "19 =docker.io/library/redis:latest",
        "23 ~.*|1",
        "23 ~.*|.*",
        "24 =registry.example/team/local:1",
        "24 ~registry.example/team/local|.*",
        "30 ~docker.io/team/old|.*",
        "35 =docker.io/team/blue:1",
        "35 =docker.io/team/green:2",
        "42 =docker.io/team/kube:3",
        "49 =ghcr.io/team/charts/web:1.2.3 (chart)",
        "54 =docker.io/team/set:4",
        "60 =docker.io/team/encoded:5",
        "74 =docker.io/team/module:6",
        "77 =registry.example/team/f:7",
    ]


def test_variables_of_the_directory_are_known() -> None:
    """Defaults in other files are known and open, what ``terraform.tfvars`` says is settled."""
    others = {
        "infra/variables.tf": 'variable "a" {\n  default = "1"\n}\nvariable "b" {}\nvariable "c" { default = "x" }\n',
        "infra/terraform.tfvars": 'b = "2"\n',
        "infra/prod.tfvars": 'c = "3"\n',
        "infra/deeper/variables.tf": 'variable "d" { default = "4" }\n',
    }
    text = 'module "x" {\n  image = ["t/a:${var.a}", "t/b:${var.b}", "t/c:${var.c}", "t/d:${var.d}"]\n}\n'
    assert found(SYNTAX, "infra/x.tf", text, others) == [
        "2 =docker.io/t/a:1",
        "2 ~docker.io/t/a|.*",
        "2 =docker.io/t/b:2",
        "2 =docker.io/t/c:3",
        "2 =docker.io/t/c:x",
        "2 ~docker.io/t/c|.*",
        "2 ~docker.io/t/d|.*",
    ]


def test_values_of_variables_are_images_by_name_or_shape() -> None:
    """A file of values has images under names that say so."""
    text = 'image = "team/a:1"\nregion = "eu-west-1"\nimages = { web = "team/b:2" }\nurl = "https://x.example/a/b:1"\n'
    assert found(SYNTAX, "prod.tfvars", text) == ["1 =docker.io/team/a:1", "3 =docker.io/team/b:2"]


def test_a_machine_runs_what_its_texts_say() -> None:
    """A machine's own image is none of a registry, what its start script and declaration run is."""
    text = (
        'resource "google_compute_instance" "vm" {\n  image = "debian-cloud/debian-12"\n  startup = <<-EOT\n'
        "    #!/bin/bash\n    docker run -d team/started:1\n  EOT\n  declaration = <<EOT\nspec:\n  containers:\n"
        "    - image: team/declared:2\nEOT\n}\n"
    )
    assert found(SYNTAX, "vm.tf", text) == ["5 =docker.io/team/started:1", "10 =docker.io/team/declared:2"]


STATE = """\
{
  "version": 4,
  "resources": [
    {"type": "docker_image", "name": "web", "instances": [
      {"attributes": {
        "name": "team/web:1",
        "image_id": "sha256:aaaa",
        "repo_digest": "team/web@sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
      }}]},
    {"type": "aws_ecs_task_definition", "name": "api", "instances": [
      {"attributes": {
        "container_definitions": "[{\\"image\\": \\"team/api:2\\", \\"name\\": \\"api\\"}]"
      }}]},
    {"type": "aws_lambda_function", "name": "f", "instances": [
      {"attributes": {
        "image_uri": "team/f:3"
      }}]},
    {"type": "hcloud_server", "name": "vm", "instances": [
      {"attributes": {
        "image": "team/vm:4"
      }}]}
  ]
}
"""


def test_a_state_gives_every_image_on_its_line() -> None:
    """What a state's resources run is found, also in JSON within a text; a machine's image is not."""
    assert found(SYNTAX, "terraform.tfstate", STATE) == [
        "6 =docker.io/team/web:1",
        f"8 =docker.io/team/web@sha256:{'c' * 64}",
        "12 =docker.io/team/api:2",
        "16 =docker.io/team/f:3",
    ]


@settings(deadline=None)
@given(mangled(MAIN))
def test_no_configuration_is_too_odd(text: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(SYNTAX, "infra/main.tf", text)


@settings(deadline=None)
@given(mangled(STATE))
def test_no_state_is_too_odd(text: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(SYNTAX, "terraform.tfstate", text)
