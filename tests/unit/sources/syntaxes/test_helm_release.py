"""Helm's releases: every revision with what it names, and what is broken told without being believed."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.sources.syntaxes.files import NotParsed
from tagsweep.sources.syntaxes.findings import Found, Open
from tagsweep.sources.syntaxes.helm_release import MOST_BYTES, read_release

POD = "apiVersion: v1\nkind: Pod\nmetadata: {{name: {0}}}\nspec: {{containers: [{{name: c, image: {1}}}]}}\n"


def packed(release: object, *, in_secret: bool = True) -> str:
    """Return a release as Helm stores it."""
    data = release if isinstance(release, bytes) else json.dumps(release).encode()
    text = base64.b64encode(gzip.compress(data, mtime=0))
    return (base64.b64encode(text) if in_secret else text).decode()


def release(**parts: Any) -> dict[str, Any]:
    """Return a release with these parts."""
    return {"name": "web", "version": 3, "info": {"status": "deployed"}, **parts}


def found(**parts: Any) -> list[tuple[str, str, str]]:
    """Return text, spot and note of what a release names."""
    out = []
    for each in read_release(packed(release(**parts))).findings:
        assert isinstance(each, Found | Open)
        assert each.line == 0
        text = str(each.reference) if isinstance(each, Found) else f"~{each.text}"
        out.append((text.removeprefix("docker.io/"), each.at, each.note))
    return out


def test_manifest_hooks_values_and_the_charts_list_are_read() -> None:
    """Everything that a revision names comes out once, with where it stands."""
    chart = {
        "metadata": {"appVersion": "9", "annotations": {"artifacthub.io/images": "- {name: x, image: 'a/listed:1'}"}},
        "values": {"image": {"repository": "a/default", "tag": ""}, "off": {"image": {"repository": "a/off"}}},
        "templates": [{"name": "t", "data": "aW1hZ2U6IGEvbmV2ZXI6MQ=="}],
    }
    assert found(
        manifest=f"---\n{POD.format('p', 'a/one:1')}---\n{POD.format('q', 'a/two:1')}",
        hooks=[{"name": "h", "manifest": POD.format("h", "a/hook:1")}],
        chart=chart,
        config={"image": {"tag": "5"}, "off": None},
    ) == [
        ("a/one:1", "Pod p, container c", "revision 3, deployed"),
        ("a/two:1", "Pod q, container c", "revision 3, deployed"),
        ("a/hook:1", "Pod h, container c", "revision 3, deployed; hook"),
        ("a/default:5", "", "revision 3, deployed; in the values"),
        ("a/listed:1", "field image", "revision 3, deployed; listed by the chart"),
    ]


def test_an_empty_tag_in_the_values_is_the_charts_version() -> None:
    """Values that name a repository and no tag mean appVersion, and never every tag."""
    chart = {"metadata": {"appVersion": "9"}, "values": {"image": {"repository": "a/b", "tag": ""}}}
    assert found(chart=chart) == [("a/b:9", "", "revision 3, deployed; in the values")]
    assert found(chart={**chart, "metadata": {}}) == []


@pytest.mark.parametrize(
    ("status", "superseded"),
    [("deployed", False), ("pending-upgrade", False), ("superseded", True), ("failed", True), ("uninstalled", True)],
)
def test_every_other_revision_is_a_rollback_target(status: str, superseded: bool) -> None:  # noqa: FBT001 - a parameter of pytest's
    """What is not the revision that is meant to run says that it is one to go back to."""
    parsed = read_release(packed(release(info={"status": status}, manifest=POD.format("p", "a/b:1"))))
    assert (parsed.name, parsed.revision, parsed.superseded) == ("web", 3, superseded)
    (finding,) = parsed.findings
    assert isinstance(finding, Found)
    assert ("rollback target" in finding.note) is superseded


def test_a_manifest_that_is_no_yaml_in_one_part_gives_the_others() -> None:
    """One broken document is read as plain text, and those around it as what they are."""
    text = f"{POD.format('p', 'a/one:1')}---\n{{{{ broken\nimage: a/broken:1\n---\n{POD.format('q', 'a/two:1')}"
    assert [entry[0] for entry in found(manifest=text)] == ["a/one:1", "a/broken:1", "a/two:1"]


def test_a_broken_manifest_that_speaks_of_images_is_told() -> None:
    """Which template it came from is said; one in which no image can be is not worth a word."""
    source = "---\n# Source: web/templates/d.yaml\n{{ broken\nimage: broken\n"
    (problem,) = read_release(packed(release(manifest=source))).problems
    assert problem.startswith("a manifest in it (web/templates/d.yaml) is no YAML: line ")
    assert read_release(packed(release(manifest="{{ broken\nname: x\n"))).problems == ()
    assert read_release(packed(release(manifest=POD.format("p", "a/b:1")))).problems == ()


def test_both_ways_of_storage_are_unpacked() -> None:
    """A Secret encodes once more than a ConfigMap."""
    assert read_release(packed(release(), in_secret=False), in_secret=False).name == "web"
    assert read_release(packed(release())).name == "web"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("%", "not base64"),
        (base64.b64encode(b"%").decode(), "not base64"),
        (packed(b"no json"), "not the JSON"),
        (packed([]), "not the JSON"),
        (packed({"name": 3}), "not the JSON"),
        (packed({}), "no name or revision"),
        (packed(b"[" * 100_000), "not the JSON"),
        (base64.b64encode(base64.b64encode(gzip.compress(b"{}" * 50, mtime=0)[:-9])).decode(), "cut off"),
        (base64.b64encode(base64.b64encode(b"\x1f\x8b\x08" + b"x" * 40)).decode(), "broken"),
    ],
)
def test_what_is_broken_says_why(data: str, why: str) -> None:
    """Each way in which a release can be broken is told in a few words."""
    with pytest.raises(NotParsed, match=why):
        read_release(data)


def test_a_bomb_is_not_unpacked() -> None:
    """What unpacks to more than is reasonable is refused before it is in memory."""
    bomb = gzip.compress(b"\0" * (MOST_BYTES + 1), compresslevel=9)
    assert len(bomb) < MOST_BYTES / 500
    with pytest.raises(NotParsed, match="unpacks to more than"):
        read_release(base64.b64encode(base64.b64encode(bomb)).decode())


_json = st.recursive(
    st.none() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(_json, st.sampled_from(["manifest", "hooks", "chart", "config", "info", "version", "name"]))
def test_no_release_is_too_odd(value: object, key: str) -> None:
    """A release with anything in any field is read or not parsed."""
    try:
        parsed = read_release(packed(release(**{key: value})))
    except NotParsed:
        return
    assert parsed.name


@settings(deadline=None)
@given(st.text(max_size=80) | st.binary(max_size=80).map(lambda data: base64.b64encode(data).decode()))
def test_no_data_is_too_odd(data: str) -> None:
    """Data that is no release is not parsed."""
    with pytest.raises(NotParsed):
        read_release(data)
