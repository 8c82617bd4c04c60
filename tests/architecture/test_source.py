"""What the source looks like everywhere: size, docstrings, where errors live, and words that must not occur."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

from tagsweep.model import errors
from tests.architecture.checkout import ROOT, SOURCE, files, imports, module_name, shown, text, tree, under

MOST_LINES = 400
CODE = (*under("src"), *under("tests"), *under("scripts"), *under("bench"))
# Put together here, so that this file does not contain what it looks for.
WORKPLACE = (
    re.compile(r"\." + "library"),
    re.compile("farm" + "-studio"),
    re.compile(r"(?<![\w.])/" + "work/"),
    re.compile(r"\.\./" + "shared"),
    re.compile("/" + "root/(lab|brief)"),
)
UNFINISHED = re.compile(r"\b(" + "TO" + "DO|FIX" + "ME|XX" + r"X)\b")


@pytest.mark.parametrize("path", under("src"), ids=shown)
def test_files_stay_short(path: Path) -> None:
    """No file of the package is longer than 400 lines."""
    assert len(text(path).splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", under("tests"), ids=shown)
def test_every_test_says_what_behaviour_it_holds(path: Path) -> None:
    """Each test function has a docstring that states the behaviour, so that a failure reads as a broken promise."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            assert ast.get_docstring(node), f"{shown(path)}:{node.lineno} {node.name} has no docstring"


@pytest.mark.parametrize("path", under("src"), ids=shown)
def test_every_module_opens_with_its_law(path: Path) -> None:
    """Each module says in its first line what lives in it."""
    assert not tree(path).body or ast.get_docstring(tree(path))


def test_a_dry_run_is_a_wrapper_and_never_a_branch() -> None:
    """No code asks whether this is a dry run: a read-only driver cannot delete, whoever calls it."""
    asks = re.compile(r"\bif\b[^\n]*\bdry_?run\b", re.IGNORECASE)
    assert [shown(path) for path in under("src") if asks.search(text(path))] == []


def test_errors_are_defined_in_one_tree() -> None:
    """Every exception class of the package is defined in model/errors.py; other modules only raise them."""
    known = {name for name, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, BaseException)}
    known |= {"BaseException", "Exception", "ValueError", "RuntimeError", "OSError", "KeyError", "LookupError"}
    strays = [
        f"{shown(path)}:{node.lineno} {node.name}"
        for path in under("src")
        if path != SOURCE / "model" / "errors.py" and not path.is_relative_to(SOURCE / "testing")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef)
        and {base.id if isinstance(base, ast.Name) else getattr(base, "attr", "") for base in node.bases} & known
    ]
    assert strays == []


def test_tests_use_real_parts() -> None:
    """No test replaces a part of tagsweep by a mock: registries are real or fake servers on real sockets."""
    assert [place for path in under("tests") for place in mocks_in(path)] == []


def mocks_in(path: Path) -> list[str]:
    """Return where a test file imports a mock library, or lets pytest's monkeypatch replace something of tagsweep."""
    ours = {
        alias.asname or alias.name
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tagsweep")
        for alias in node.names
    }
    mocks = [f"{shown(path)}: {name}" for name in imports(path) if name in {"mock", "unittest.mock", "pytest_mock"}]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setattr":
            target = node.args[0] if node.args else None
            named = isinstance(target, ast.Constant) and str(target.value).startswith("tagsweep")
            if named or (isinstance(target, ast.Name) and target.id in ours):
                mocks.append(f"{shown(path)}:{node.lineno}")
    return mocks


CODES = r"(?:: [A-Z]+[0-9]+(?:, [A-Z]+[0-9]+)*|\[[a-z, -]+\])"
EXCEPTION = re.compile(rf"# (?:noqa|type: ignore|pragma: no cover){CODES}?(.*)")
REASON = re.compile(r"[ #(-]*(?!(?:as above|the same|likewise)$)[A-Za-z0-9`…].*")


def test_every_exception_says_why_on_its_line() -> None:
    """Whatever a checker of types or style is told to let pass has its reason in words on the same line."""
    bare = [
        f"{shown(path)}:{number}: {line.strip()}"
        for path in CODE
        for number, line in enumerate(text(path).splitlines(), start=1)
        if (found := EXCEPTION.search(line)) and not REASON.fullmatch(found[1])
    ]
    assert bare == []


def test_nothing_is_left_unfinished() -> None:
    """No code carries a marker of unfinished work."""
    assert [shown(path) for path in CODE if UNFINISHED.search(text(path))] == []


def test_no_file_names_the_place_it_was_made_in() -> None:
    """No file of the repository names a path or host of anyone's machine."""
    found = []
    for path in files():
        try:
            content = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # pictures and compressed data
        found += [f"{shown(path)}: {word.pattern}" for word in WORKPLACE if word.search(content)]
    assert found == []


def test_every_layer_of_the_house_is_there() -> None:
    """The package consists of the layers that docs/architecture.md describes, each a package with a docstring."""
    layers = {"model", "core", "http", "drivers", "sources", "stores", "config", "report", "app", "cli", "testing"}
    there = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert there == layers
    page = text(ROOT / "docs" / "architecture.md")
    assert [name for name in sorted(layers) if f"`{name}`" not in page] == []


def test_module_names_are_nouns_of_the_thing_in_them() -> None:
    """No module is a drawer for anything: there are no utils, helpers, common or misc."""
    drawers = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager"}
    assert [name for path in under("src") if (name := module_name(path)).rpartition(".")[2] in drawers] == []
