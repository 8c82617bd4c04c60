"""Base images that Bazel pulls."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.sources.syntaxes.bazel import SYNTAX
from tagsweep.sources.syntaxes.files import File
from tagsweep.sources.syntaxes.findings import Found, Open

DIGEST = "sha256:" + "c" * 64
MODULE = f"""
oci.pull(
    name = "base",
    digest = "{DIGEST}",
    image = "gcr.io/acme/base",
    platforms = ["linux/amd64"],  # (both)
)
oci.pull(name = "by_tag", image = 'acme/tools', tag = "1.2")
container_pull(name = "old", registry = "quay.io", repository = "acme/old", tag = "3")
oci_pull(name = "open", image = "acme/open", tag = TAG)
oci.pull(name = "nothing")
go_deps.module(path = "github.com/acme/api", version = "v1")
"""


def test_each_pull_names_its_image() -> None:
    """By digest, by tag, in rules_docker's parts; a variable is open, and other calls name nothing."""
    file = File("MODULE.bazel", MODULE)
    assert SYNTAX.claims(file)
    found = list(SYNTAX.extract(file))
    assert [(str(each.reference), each.line) for each in found if isinstance(each, Found)] == [
        (f"gcr.io/acme/base@{DIGEST}", 2),
        ("docker.io/acme/tools:1.2", 8),
        ("quay.io/acme/old:3", 9),
    ]
    (entry,) = [each for each in found if isinstance(each, Open)]
    assert (str(entry.repository), entry.tag_pattern, entry.line) == ("docker.io/acme/open", ".*", 10)


@pytest.mark.parametrize(
    ("path", "text"), [("main.go", MODULE), ("MODULE.bazel", "bazel_dep(name = 'x')"), ("a/WORKSPACE", "")]
)
def test_other_files_are_left_alone(path: str, text: str) -> None:
    """Files of other names, and Bazel's that pull nothing, are not claimed."""
    assert not SYNTAX.claims(File(path, text))


@settings(deadline=None)
@given(st.text(max_size=80), st.integers(min_value=0, max_value=len(MODULE)))
def test_no_text_is_too_odd(noise: str, at: int) -> None:
    """A module that was damaged anywhere gives findings or none, and never an exception."""
    list(SYNTAX.extract(File("MODULE.bazel", MODULE[:at] + noise + MODULE[at:])))
    list(SYNTAX.extract(File("MODULE.bazel", MODULE[:at] + noise)))
