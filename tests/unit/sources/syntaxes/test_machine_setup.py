"""systemd units, quadlets, Ansible, makefiles and files of variables."""

from __future__ import annotations

from hypothesis import given, settings

from tagsweep.sources.syntaxes import ansible, env_file, makefile, quadlet
from tagsweep.sources.syntaxes.files import File
from tests.unit.sources.syntaxes.planted import found, mangled, survives

CONTAINER = """\
[Unit]
Description=see team/description
[Container]
# Image=team/comment
Image=team/quadlet:1
Exec=serve --x \\
  --y
Volume=data.volume:/data
Mount=type=image,source=team/mounted:2,destination=/m
"""
SERVICE = """\
[Service]
Environment="TAG=3" OTHER=x
ExecStartPre=-/usr/bin/docker pull team/api:${TAG}
ExecStart=/usr/bin/docker run --rm --name %n \\
  -p 80:80 \\
  team/web:%i serve
ExecStop=/usr/bin/docker stop web
[Install]
WantedBy=multi-user.target
"""


def test_units_give_every_image_on_its_line() -> None:
    """Quadlets name images by key, services by their commands; a unit's specifier is open."""
    assert found(quadlet.SYNTAX, "etc/web.container", CONTAINER) == [
        "5 =docker.io/team/quadlet:1",
        "9 =docker.io/team/mounted:2 (volume)",
    ]
    assert found(quadlet.SYNTAX, "etc/web.service", SERVICE) == ["3 =docker.io/team/api:3", "6 ~docker.io/team/web|.*"]
    assert found(quadlet.SYNTAX, "etc/web.image", "[Image]\nImage=quay.io/a/b:1\nImageTag=localhost/b:2\n") == [
        "2 =quay.io/a/b:1",
        "3 =localhost/b:2",
    ]
    assert found(quadlet.SYNTAX, "etc/x.container", "[Container]\nImage=base.image\n") == []
    dropped = "[Service]\nExecStart=\nExecStart=podman run a/b:1\n"
    assert found(quadlet.SYNTAX, "etc/web.service.d/x.conf", dropped) == ["3 =docker.io/a/b:1"]


def test_an_environment_file_may_say_otherwise() -> None:
    """A value of ``Environment=`` is not settled where a file is read as well."""
    text = "[Service]\nEnvironment=TAG=1\nEnvironmentFile=/etc/x\nExecStart=docker run a/b:${TAG}\n"
    assert found(quadlet.SYNTAX, "x.service", text) == ["4 =docker.io/a/b:1", "4 ~docker.io/a/b|.*"]


PLAYBOOK = """\
- hosts: web
  vars:
    tag: "1"
    app_image: team/variable
  tasks:
    - name: api
      community.docker.docker_container:
        name: api
        image: "team/api:{{ tag }}"
        volumes: ["/a:/b"]
    - name: default
      docker_container:
        image: "{{ registry | default('registry.example') }}/x:{{ release | default('2') }}"
    - name: pulled
      docker_image: {name: team/pulled, tag: "3", source: pull}
    - podman_image:
        name: quay.io/team/podman
    - name: loop
      docker_container:
        image: "team/{{ item }}:4"
      loop: [one, two]
    - name: loop of mappings
      docker_container:
        image: "{{ item.image }}"
      with_items:
        - {name: a, image: "team/mapped:5"}
    - docker_container: name=x image=team/short:6
    - name: shell
      shell: |
        docker pull team/shell:7
    - name: network
      docker_network: {name: team}
"""


def test_a_playbook_gives_every_image_on_its_line() -> None:
    """Modules, loops, defaults of Jinja, commands and variables are read; no value of Ansible is ever settled."""
    assert found(ansible.SYNTAX, "playbooks/web.yml", PLAYBOOK) == [
        "4 =docker.io/team/variable:latest",
        "9 =docker.io/team/api:1",
        "9 ~docker.io/team/api|.*",
        "13 =registry.example/x:2",
        "13 ~registry.example/x|.*",
        "13 ~.*/x|2",
        "13 ~.*/x|.*",
        "15 =docker.io/team/pulled:3",
        "17 =quay.io/team/podman:latest",
        "20 =docker.io/team/one:4",
        "20 =docker.io/team/two:4",
        "24 =docker.io/team/mapped:5",
        "26 =docker.io/team/mapped:5",
        "27 =docker.io/team/short:6",
        "30 =docker.io/team/shell:7",
    ]


def test_a_role_knows_its_defaults() -> None:
    """A task finds the variables of its role."""
    others = {"roles/web/defaults/main.yml": "web_tag: '8'\n"}
    text = '- docker_container:\n    image: "a/b:{{ web_tag }}"\n'
    assert found(ansible.SYNTAX, "roles/web/tasks/main.yml", text, others) == [
        "2 =docker.io/a/b:8",
        "2 ~docker.io/a/b|.*",
    ]


MAKEFILE = """\
TAG ?= 1
REGISTRY := registry.example
IMAGE = $(REGISTRY)/team/app:$(TAG)
SHA := $(shell git rev-parse HEAD)
POSTGRES_IMAGE ?= postgres:17
LONG = a \\
  b

build: deps
\t@docker build -t $(IMAGE) .
\tdocker push team/sha:$(SHA)
\t-docker run \\
\t\t-p 80:80 \\
\t\tteam/run:2
\tfor i in a b; do docker pull team/$$i:3; done

deps: ; docker pull team/inline:4
"""


def test_a_makefile_gives_every_image_on_its_line() -> None:
    """Recipes are shell scripts with make's variables; ``?=`` may be something else, ``!=`` and functions are open."""
    assert found(makefile.SYNTAX, "Makefile", MAKEFILE) == [
        "3 =registry.example/team/app:1",
        "3 ~registry.example/team/app|.*",
        "5 =docker.io/library/postgres:17",
        "10 =registry.example/team/app:1",
        "10 ~registry.example/team/app|.*",
        "11 ~docker.io/team/sha|.*",
        "14 =docker.io/team/run:2",
        "15 =docker.io/team/a:3",
        "15 =docker.io/team/b:3",
        "17 =docker.io/team/inline:4",
    ]


def test_a_justfile_is_read_alike() -> None:
    """A justfile's recipes are indented by spaces and its variables stand in braces."""
    text = 'tag := "1"\nbuild:\n    docker pull a/b:{{ tag }}\n'
    assert found(makefile.SYNTAX, "justfile", text) == ["3 =docker.io/a/b:1"]


def test_variables_that_mean_each_other_end() -> None:
    """A circle of variables is a hole."""
    text = "A = $(B)$(B)\nB = $(A)$(A)\nx:\n\tdocker pull a/b:$(A)\n"
    (only,) = found(makefile.SYNTAX, "Makefile", text)
    assert only.startswith("4 ~docker.io/a/b|")


ENV = """\
# API_IMAGE=team/comment:1
API_IMAGE=team/api:1
export WEB_IMAGE="team/web:2"  # why
DB_IMAGE=postgres
DB_IMAGE_TAG=17
IMAGE_NAME=team/name
IMAGE_TAG=4
OTHER=team/shape:3
BASE_IMAGE=${REGISTRY}/base:5
HOST=localhost:8080
URL=https://example.com/a/b:1
DISK_IMAGE=/var/lib/x.img
LOGO_IMAGE=logo.png
PATHS=a/b:/c/d
"""


def test_a_file_of_variables_gives_every_image_on_its_line() -> None:
    """Images are found by name or shape, with a tag that is kept beside; addresses, paths and pictures are not."""
    assert found(env_file.SYNTAX, "deploy/.env", ENV) == [
        "2 =docker.io/team/api:1",
        "3 =docker.io/team/web:2",
        "4 =docker.io/library/postgres:17",
        "6 =docker.io/team/name:4",
        "8 =docker.io/team/shape:3",
        "9 ~.*/base|5",
    ]


def test_files_of_variables_are_known_by_name() -> None:
    """``.env`` and what is named after it."""
    names = {".env": True, ".env.example": True, "prod.env": True, ".envrc": False, "environment.py": False}
    assert {name: env_file.SYNTAX.claims(File(name, "")) for name in names} == names


@settings(deadline=None)
@given(mangled(SERVICE))
def test_no_unit_is_too_odd(text: str) -> None:
    """Any text is read."""
    survives(quadlet.SYNTAX, "x.service", text)
    survives(quadlet.SYNTAX, "x.container", text)


@settings(deadline=None)
@given(mangled(PLAYBOOK))
def test_no_playbook_is_too_odd(text: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(ansible.SYNTAX, "playbooks/web.yml", text)


@settings(deadline=None)
@given(mangled(MAKEFILE))
def test_no_makefile_is_too_odd(text: str) -> None:
    """Any text is read."""
    survives(makefile.SYNTAX, "Makefile", text)


@settings(deadline=None)
@given(mangled(ENV))
def test_no_file_of_variables_is_too_odd(text: str) -> None:
    """Any text is read."""
    survives(env_file.SYNTAX, ".env", text)
