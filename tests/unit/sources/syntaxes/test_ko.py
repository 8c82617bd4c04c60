"""Configurations of ko and act."""

from __future__ import annotations

from hypothesis import given, settings

from tagsweep.sources.syntaxes import act, ko
from tests.unit.sources.syntaxes.planted import found, mangled, survives

KO = """\
defaultBaseImage: cgr.dev/chainguard/static
baseImageOverrides:
  github.com/acme/app/cmd/web: acme/base:1
  github.com/acme/app/cmd/tool: debian:12@sha256:@@
builds:
  - id: main
""".replace("@@", "b" * 64)

ACT = """\
# -P ubuntu-18.04=node:12
-P ubuntu-latest=catthehacker/ubuntu:act-latest
--platform self=-self-hosted
--container-architecture linux/amd64
"""


def test_ko_gives_its_base_images() -> None:
    """The default base image and every override are found."""
    assert found(ko.SYNTAX, "src/.ko.yaml", KO) == [
        "1 =cgr.dev/chainguard/static:latest",
        "3 =docker.io/acme/base:1",
        f"4 =docker.io/library/debian:12@sha256:{'b' * 64}",
    ]


def test_act_gives_its_runners() -> None:
    """The image of each platform is found; the machine itself and comments are none."""
    assert found(act.SYNTAX, ".actrc", ACT) == ["2 =docker.io/catthehacker/ubuntu:act-latest"]


@settings(deadline=None)
@given(mangled(KO), mangled(ACT))
def test_no_configuration_is_too_odd(first: str, second: str) -> None:
    """Any text is read or said to be unreadable."""
    survives(ko.SYNTAX, ".ko.yaml", first)
    survives(act.SYNTAX, ".actrc", second)
