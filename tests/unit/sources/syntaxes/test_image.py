"""From a text that names an image to a reference, an open one, or neither."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.model.errors import InvalidReference
from tagsweep.model.reference import Reference, Repository
from tagsweep.sources.syntaxes.findings import Finding, Found, NoReference, Open
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.template import Value, known, readings

_DIGEST = "sha256:" + "a" * 64


def _short(findings: tuple[Finding, ...]) -> list[str]:
    """Return the findings as short texts: =reference, ~repository|tag pattern, !text."""
    out = []
    for finding in findings:
        match finding:
            case Found():
                out.append(f"={finding.reference}")
            case Open():
                out.append(f"~{finding.repository or finding.repository_pattern}|{finding.tag_pattern}")
            case NoReference():
                out.append(f"!{finding.text}")
    return out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tensorzero/gateway", ["=docker.io/tensorzero/gateway:latest"]),
        ("postgres:17", ["=docker.io/library/postgres:17"]),
        ("index.docker.io/acme/api:1", ["=docker.io/acme/api:1"]),
        (" 'acme/api:1' ", ["=docker.io/acme/api:1"]),
        ("docker://acme/api:1", ["=docker.io/acme/api:1"]),
        (f"docker-pullable://acme/api@{_DIGEST}", [f"=docker.io/acme/api@{_DIGEST}"]),
        (f"acme/api:1@{_DIGEST}", [f"=docker.io/acme/api:1@{_DIGEST}"]),
        (_DIGEST, [f"!{_DIGEST}"]),
        ("Acme/API:1", ["!Acme/API:1"]),
        ("false", ["!false"]),
        ("", []),
        ("acme/api:${TAG}", ["~docker.io/acme/api|.*"]),
        ("acme/api:$TAG", ["~docker.io/acme/api|.*"]),
        ("acme/api:$$TAG", ["~docker.io/acme/api|.*"]),
        ("acme/api:$(TAG)", ["~docker.io/acme/api|.*"]),
        ("acme/api:%TAG%", ["~docker.io/acme/api|.*"]),
        ("acme/api:@project.version@", ["~docker.io/acme/api|.*"]),
        ("acme/api:<%= tag %>", ["~docker.io/acme/api|.*"]),
        ("acme/api:${{ github.sha }}", ["~docker.io/acme/api|.*"]),
        ("acme/api:{{ .Values.tag }}", ["~docker.io/acme/api|.*"]),
        ("acme/api:{version}", ["~docker.io/acme/api|.*"]),
        ("acme/api:sha-${{ github.sha }}", [r"~docker.io/acme/api|sha\-.*"]),
        ("acme/api:${TAG:-latest}", ["=docker.io/acme/api:latest", "~docker.io/acme/api|.*"]),
        ("acme/api:${TAG-1.0}", ["=docker.io/acme/api:1.0", "~docker.io/acme/api|.*"]),
        ("acme/api:${A:-${B:-latest}}", ["=docker.io/acme/api:latest", "~docker.io/acme/api|.*"]),
        ("acme/api:${A:-x${B:-y}z}", ["=docker.io/acme/api:xyz", "~docker.io/acme/api|x.*z", "~docker.io/acme/api|.*"]),
        ("acme/api:${TAG:?say it}", ["~docker.io/acme/api|.*"]),
        ("acme/api${TAG:+:1}", ["=docker.io/acme/api:latest", "=docker.io/acme/api:1"]),
        ("acme/api:${TAG:-}", ["~docker.io/acme/api|.*"]),
        ("acme/api${SUFFIX}", ["~acme/api.*|.*"]),
        ("acme/api-${OS}:1", ["~acme/api\\-.*|1"]),
        ("${REGISTRY}/acme/api:1", ["~.*/acme/api|1"]),
        ("${REGISTRY}/acme/api", ["~.*/acme/api|latest"]),
        ("${IMAGE}", ["~.*|.*"]),
        ("localhost:5000/api:$TAG", ["~localhost:5000/api|.*"]),
        ("localhost:$PORT/api:1", ["~localhost:.*/api|1"]),
        ("acme/api@sha256:${HEX}", ["~docker.io/acme/api|.*"]),
        (f"acme/api:$TAG@{_DIGEST}", ["~docker.io/acme/api|.*", f"=docker.io/acme/api@{_DIGEST}"]),
        ("acme/api:${TAG", ["~docker.io/acme/api|.*"]),
        ("acme/api:${TAG:0:7}", ["~docker.io/acme/api|.*"]),
    ],
)
def test_every_way_of_writing_means_what_its_language_means(text: str, expected: list[str]) -> None:
    """A literal is a reference, a variable an open part, a default both, and what cannot be a name is told."""
    assert _short(read_image(text)) == expected


@pytest.mark.parametrize(
    "text",
    ["acme/api:{version}", "acme/api:<tag>", "acme/api:XXXX.XX.X", "$IMAGE", "{{ image }}:1", "Not an image", ""],
)
def test_prose_leaves_placeholders_alone(text: str) -> None:
    """In documentation a placeholder or a sentence is no image, and nobody is told of it."""
    assert read_image(text, prose=True) == ()


def test_prose_still_sees_open_tags() -> None:
    """A variable behind a real name in documentation may mean any of its tags."""
    assert _short(read_image("acme/api:$TAG", prose=True)) == ["~docker.io/acme/api|.*"]


def test_known_variables_are_filled_in() -> None:
    """A settled value gives one reference; one that may be overridden gives that and the open one."""
    text = "acme/api:${TAG:-latest}"
    assert _short(read_image(text, variables=known({"TAG": "1"}))) == ["=docker.io/acme/api:1"]
    assert _short(read_image("acme/api:$TAG", variables=known({"TAG": "1"}, settled=False))) == [
        "=docker.io/acme/api:1",
        "~docker.io/acme/api|.*",
    ]
    assert _short(read_image("$IMAGE", variables=known({"IMAGE": "acme/api:$TAG", "TAG": "2"}))) == [
        "=docker.io/acme/api:2"
    ]


def test_a_variable_that_means_itself_ends() -> None:
    """A variable defined by itself is a hole, not an endless loop."""
    (found,) = _short(read_image("acme/api:$A", variables=known({"A": "x$A"})))
    assert found.startswith("~docker.io/acme/api|x")
    assert found.endswith(".*")


def test_very_many_readings_become_one_hole() -> None:
    """A text with more combinations than anybody reads means more, never less."""
    text = "acme/api:" + "".join(f"${{V{n}:-{n}}}" for n in range(12))
    assert len(readings(text)) == 1
    assert _short(read_image(text)) == ["~docker.io/acme/api|" + ".*" * 12]


def test_several_values_are_several_references() -> None:
    """A variable that a script sets in two branches means both."""
    found = read_image("acme/api:$TAG", variables=lambda name: Value(("1", "2")) if name == "TAG" else None)
    assert _short(found) == ["=docker.io/acme/api:1", "=docker.io/acme/api:2"]


@settings(deadline=None)
@given(st.text(alphabet="ab/:@${}()<>%-.?+=[]{{}}`\"' \n#", max_size=60), st.booleans())
def test_no_text_is_too_odd(text: str, prose: bool) -> None:  # noqa: FBT001 - hypothesis passes it by name
    """Any text gives findings or none, and never an exception; what is not prose is never dropped in silence."""
    found = read_image(text, prose=prose)
    if not prose and text.strip().strip("\"'").strip():
        assert found


@settings(deadline=None)
@given(st.text(alphabet="ab${}:-x1", max_size=24))
def test_whatever_a_variable_becomes_fits_a_pattern_or_is_a_reference(tag: str) -> None:
    """With every variable set to a letter, the tag that results is found literally or fits an open reference."""
    last = readings(f"acme/api:{tag}")[-1]
    try:
        reference = Reference.parse("".join(piece if isinstance(piece, str) else "q" for piece in last))
    except InvalidReference:
        return  # nothing can run under that name
    here = Repository("docker.io", "acme/api")
    if reference.repository != here or reference.tag is None:
        return
    assert any(
        (isinstance(each, Found) and each.reference.tag == reference.tag)
        or (isinstance(each, Open) and each.repository == here and re.fullmatch(each.tag_pattern, reference.tag))
        for each in read_image(f"acme/api:{tag}")
    )
