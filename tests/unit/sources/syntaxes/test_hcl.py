"""The reader of HCL: blocks, attributes, texts, heredocs, lists, objects and expressions, each with its line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.sources.syntaxes import hcl
from tagsweep.sources.syntaxes.files import NotParsed
from tagsweep.sources.syntaxes.yamlnodes import Items, Node, Pairs, Scalar
from tests.unit.sources.syntaxes.planted import mangled

TEXT = """\
# comment
resource "kind" "name" {
  text   = "a ${var.b["c"]} \\"d\\""  // comment
  number = 1.5
  flag   = true
  list   = ["a", "b", /* x */ local.c]
  object = { a = "1", "b" : 2
    c = [{ d = "e" }]
  }
  here = <<-EOT
    one
    two
  EOT
  choice = var.x == "" ? "one" : "two"
  call   = format("%s:%s", "a", var.tag)
  json   = jsonencode([{ image = "x" }])
  nested "label" {
    inner = "i"
  }
  nested "label" {
    inner = "j"
  }
}
"""


def _plain(node: Node) -> object:
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return [_plain(entry) for entry in node.entries]
    return {key: _plain(value) for key, value in node.entries.items()}


def test_a_file_is_read_as_a_tree() -> None:
    """Every construct comes out as the tree that the module describes."""
    body = hcl.parse(TEXT)
    assert _plain(body) == {
        "resource": [
            {
                "kind": {
                    "name": {
                        "text": 'a ${var.b["c"]} "d"',
                        "number": "1.5",
                        "flag": "true",
                        "list": ["a", "b", "${local.c}"],
                        "object": {"a": "1", "b": "2", "c": [{"d": "e"}]},
                        "here": "    one\n    two",
                        "choice": ["one", "two"],
                        "call": "a:${var.tag}",
                        "json": [{"image": "x"}],
                        "nested": [{"label": {"inner": "i"}}, {"label": {"inner": "j"}}],
                    }
                }
            }
        ]
    }


def test_lines_are_those_of_the_file() -> None:
    """A text, a heredoc and a value in an object know the line on which they begin."""
    (resource,) = hcl.parse(TEXT).items("resource")
    assert isinstance(resource, Pairs)
    block = resource.pairs("kind", "name")
    lines = {key: value.line for key, value in block.entries.items()}
    assert (lines["text"], lines["here"], lines["call"], lines["json"]) == (3, 11, 15, 16)
    (inner,) = block.items("object", "c")
    assert isinstance(inner, Pairs)
    assert inner.entries["d"].line == 8


def test_what_is_no_hcl_is_said() -> None:
    """A text without any attribute or block is not parsed; odd pieces among others are stepped over."""
    with pytest.raises(NotParsed):
        hcl.parse("%%% ???")
    assert _plain(hcl.parse('%%\na = "b"\n')) == {"a": "b"}


@settings(deadline=None)
@given(st.one_of(mangled(TEXT), st.text(alphabet='a={}[]"$<-\n(),:?', max_size=60)))
def test_no_text_is_too_odd(text: str) -> None:
    """Any text is read to its end or said to be no HCL."""
    try:
        hcl.parse(text)
    except NotParsed as error:
        assert str(error)  # noqa: PT017 - either outcome is right, and the reason must be there


def test_deep_nesting_ends() -> None:
    """Brackets without end are read to some depth."""
    for piece in ("[", "{", "a {", "(", 'f("${', "a ? "):
        hcl.parse(f"a = {piece * 3000}")
