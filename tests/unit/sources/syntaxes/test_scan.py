"""Reading one file by all the syntaxes that claim it: nothing is lost, nothing said twice, no exception."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.sources.syntaxes import plain_text
from tagsweep.sources.syntaxes.files import File, NotParsed, Syntax
from tagsweep.sources.syntaxes.findings import Finding, Found
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.scan import all_syntaxes, claimed, scan
from tagsweep.sources.syntaxes.shape import shapes_in

_TEXT = "image: registry.example/acme/api:1\n"


def syntax(name: str, extract: Callable[[File], Iterable[Finding]], *, claims: bool = True) -> Syntax:
    return Syntax(name, lambda _: claims, extract)


def says(*texts: str) -> Callable[[File], Iterable[Finding]]:
    return lambda _: [each for text in texts for each in read_image(text, line=1)]


def parses_nothing(_: File) -> Iterable[Finding]:
    raise NotParsed("line 1: no")


def fails(_: File) -> Iterable[Finding]:
    yield from read_image("acme/early:1", line=1)
    raise ZeroDivisionError


def names(findings: Iterable[Finding]) -> list[str]:
    return [str(each.reference) for each in findings if isinstance(each, Found)]


def test_every_syntax_that_claims_a_file_reads_it() -> None:
    """What two syntaxes find is put together, and the same thing on the same line is said once."""
    found = scan(File("x", _TEXT), (syntax("a", says("acme/a:1", "acme/b:1")), syntax("b", says("acme/b:1"))))
    assert names(found.findings) == ["docker.io/acme/a:1", "docker.io/acme/b:1"]
    assert found.problems == ()


def test_a_file_that_is_claimed_and_read_is_no_plain_text() -> None:
    """Where a syntax understood a file, its answer counts, also when it is that there is nothing."""
    assert scan(File("x", _TEXT), (syntax("a", says()),)).findings == ()


def test_a_file_that_nobody_claims_is_plain_text() -> None:
    """Everything with the full shape of a reference is found."""
    assert names(scan(File("x", _TEXT), ()).findings) == ["registry.example/acme/api:1"]
    assert names(scan(File("x", _TEXT), (syntax("a", says("acme/a:1"), claims=False),)).findings) == [
        "registry.example/acme/api:1"
    ]


def test_a_file_that_cannot_be_parsed_is_plain_text_and_told() -> None:
    """The problem is told, and plain text and other syntaxes give what they can."""
    found = scan(File("x", _TEXT), (syntax("a", parses_nothing), syntax("b", says("acme/b:1"))))
    assert set(names(found.findings)) == {"docker.io/acme/b:1", "registry.example/acme/api:1"}
    assert found.problems == ("a: line 1: no",)


def test_a_malformed_file_that_says_nothing_about_images_is_no_problem() -> None:
    """Broken files are common in test data; where no word is about images nothing can be lost."""
    found = scan(
        File("x", "a: [\nsee registry-less acme/x/y:1\n".replace("registry-less ", "")), (syntax("a", parses_nothing),)
    )
    assert found.problems == ()
    assert names(found.findings) == ["docker.io/acme/x/y:1"]
    for word in ("IMAGE: x", "From x", "containers:", "Docker", "newTag: 1", "repository: x"):
        assert scan(File("x", f"a: [\n{word}\n"), (syntax("a", parses_nothing),)).problems


def test_a_fault_of_ours_hides_nothing_and_stops_nothing() -> None:
    """An exception in a syntax is told as a fault; the file is read as plain text and by the other syntaxes."""

    def bad_claims(_: File) -> bool:
        raise KeyError

    for broken in (syntax("a", fails), Syntax("a", bad_claims, says())):
        found = scan(File("x", _TEXT), (broken, syntax("b", says("acme/b:1"))))
        assert {"docker.io/acme/b:1", "registry.example/acme/api:1"} <= set(names(found.findings))
        assert "a fault of tagsweep" in found.problems[0]
        assert claimed(File("x", _TEXT), (broken,))


def test_whether_a_file_is_claimed() -> None:
    """A file is claimed if any syntax claims it."""
    assert not claimed(File("x", ""), ())
    assert not claimed(File("x", ""), (syntax("a", says(), claims=False),))
    assert claimed(File("x", ""), (syntax("a", says(), claims=False), syntax("b", says())))


def test_all_syntaxes_have_names_of_their_own() -> None:
    """Every module in the list has a syntax, and no two have the same name."""
    found = [each.name for each in all_syntaxes()]
    assert len(set(found)) == len(found)


_PATHS = st.sampled_from(
    [
        "compose.yaml",
        "Dockerfile",
        "a/b.yml",
        ".github/workflows/x.yml",
        "README.md",
        "x.tf",
        "x.sh",
        "values.yaml",
        "x",
    ]
)
_PIECES = st.sampled_from(
    ["image: ", "FROM ", "acme/api", ":", "${TAG:-1}", "\n", "  ", "- ", "{{", "}}", "services:\n", "@"]
)


@settings(deadline=None)
@given(path=_PATHS, text=st.one_of(st.text(max_size=200), st.lists(_PIECES, max_size=40).map("".join)))
def test_no_text_makes_any_syntax_fail(path: str, text: str) -> None:
    """Whatever is in a file, under whatever name, reading it raises nothing and meets no fault of ours."""
    found = scan(File(path, text))
    assert not [problem for problem in found.problems if "a fault of tagsweep" in problem]


_BITS = st.sampled_from(["a", "b.c", "/", ":", "@sha256:", "a" * 64, "$T", " ", "\n", "5000", "A", "-", "_", "[", "1"])


@settings(deadline=None)
@given(text=st.lists(_BITS, max_size=25).map("".join))
def test_looking_for_a_beginning_first_loses_no_shape(text: str) -> None:
    """Plain text finds exactly what looking at each line would find."""
    slowly = [each for line in text.splitlines() for shape in shapes_in(line) for each in read_image(shape, prose=True)]
    assert names(plain_text.extract(File("x", text))) == names(slowly)


@pytest.mark.parametrize("path", ["compose.yaml", "Dockerfile", "README.md", "x.json", "x.sh"])
def test_an_empty_file_names_nothing(path: str) -> None:
    """Nothing is found in nothing."""
    assert scan(File(path, "")).findings == ()
