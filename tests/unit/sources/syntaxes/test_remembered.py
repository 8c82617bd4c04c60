"""What is remembered to save time: bounded, and never another answer than the one that was asked for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.sources.syntaxes.files import File, NotParsed
from tagsweep.sources.syntaxes.helm import SYNTAX as HELM
from tagsweep.sources.syntaxes.kubernetes_kinds import without_schemas
from tagsweep.sources.syntaxes.recent import Recent
from tagsweep.sources.syntaxes.yamlnodes import Items, Node, Pairs, Scalar, documents
from tests.unit.sources.syntaxes.planted import Files, short

SCHEMA = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec: {description: image}\n"
POD = "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: c, image: a/b:1}]}\n"


def _plain(node: Node) -> object:
    match node:
        case Scalar():
            return node.value
        case Items():
            return [_plain(entry) for entry in node.entries]
        case Pairs():
            return {key: _plain(entry) for key, entry in node.entries.items()}


@settings(deadline=None)
@given(st.lists(st.integers(0, 12), max_size=60), st.integers(1, 30))
def test_what_is_remembered_is_bounded_and_right(keys: list[int], most: int) -> None:
    """Every answer is that of its key, and what is made anew is only what was let go."""
    made: list[int] = []

    def make(key: int) -> int:
        made.append(key)
        return key * key

    recent: Recent[int, int] = Recent(most, lambda key, _: key)
    for key in keys:
        assert recent.of(key, lambda key=key: make(key)) == key * key  # type: ignore[misc] # the default binds it
    assert set(made) == set(keys)


def test_the_last_used_is_held_the_longest() -> None:
    """What is asked for again stays; what was asked for before all others goes; even too large a thing is held once."""
    made: list[str] = []
    recent: Recent[str, str] = Recent(3, lambda key, _: len(key))

    def ask(key: str) -> None:
        def make() -> str:
            made.append(key)
            return key

        recent.of(key, make)

    for key in ("a", "b", "c", "a", "d", "a", "b", "large thing", "large thing"):
        ask(key)
    assert made == ["a", "b", "c", "d", "b", "large thing"]


def test_yaml_that_cannot_be_parsed_is_refused_each_time() -> None:
    """The reason is remembered as an answer is, and raised anew."""
    reasons = []
    for _ in range(2):
        with pytest.raises(NotParsed) as caught:
            documents("a: [1\nb: 2\n")
        reasons.append(str(caught.value))
    assert reasons[0] == reasons[1]
    assert reasons[0].startswith("line 2")


def test_anchors_aliases_and_merges_are_followed() -> None:
    """An alias is what its anchor names, what is written wins over what is merged, and nothing contains itself."""
    (node,) = documents(
        "base: &b {a: 1, x: 2}\nmore:\n  <<: *b\n  x: 3\nlist: &l [*b, *l]\n? [complex]\n: &c 4\nlast: *c\n"
    )
    assert _plain(node) == {
        "base": {"a": "1", "x": "2"},
        "more": {"a": "1", "x": "3"},
        "list": [{"a": "1", "x": "2"}, []],
        "last": "4",
    }


@pytest.mark.parametrize("text", ["[" * 5000, "- " * 5000, "{a: " * 5000, "- *nowhere"])
def test_yaml_that_nests_too_deep_is_refused(text: str) -> None:
    """The parser does not go deeper than any file of a person does, and no alias leads nowhere."""
    with pytest.raises(NotParsed):
        documents(text)


def test_definitions_of_resources_leave_the_lines_of_all_else() -> None:
    """A definition becomes empty lines wherever it stands; an object that only speaks of one is kept."""
    text = f"{POD}---\n{SCHEMA}--- # next\n{POD}---\nkind: List\nof: CustomResourceDefinition\n"
    kept = without_schemas(text)
    assert kept.count("\n") == text.count("\n")
    assert kept.count("a/b:1") == 2
    assert "apiextensions" not in kept
    assert kept.splitlines()[8:11] == POD.splitlines()
    assert without_schemas(POD) is POD


def test_a_chart_that_changes_is_read_anew() -> None:
    """What is remembered of a chart holds for its texts: another revision of the same path has its own version."""
    answers = []
    for version in ("1.0", "2.0", "1.0"):
        texts = {
            "c/Chart.yaml": f"name: c\nappVersion: '{version}'\n",
            "c/values.yaml": "image: {repository: acme/api}\n",
            "c/templates/d.yaml": "image: other/side:{{ .Chart.AppVersion }}\n",
        }
        file = File("c/templates/d.yaml", texts["c/templates/d.yaml"], Files(texts))
        answers.append([short(each) for each in HELM.extract(file)])
    assert answers == [[f"1 =docker.io/other/side:{version}"] for version in ("1.0", "2.0", "1.0")]
