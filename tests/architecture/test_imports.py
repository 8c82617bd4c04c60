"""Who may know whom: the layers, the purity of model and core, and what the package may import from outside."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.checkout import ROOT, SOURCE, imports, module_name, shown, text, tree, under

IMPURE = {"os", "time", "socket", "random", "logging", "pathlib", "subprocess", "threading", "secrets", "sqlite3"}
READS_A_CLOCK = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today")}
MODULE_OF = {"PyYAML": "yaml"}
ONLY_IN_TESTING = {"pytest", "hypothesis"}


def pure_files() -> tuple[Path, ...]:
    """Return the files that must not reach outside themselves."""
    return (*under("src", "tagsweep", "model"), *under("src", "tagsweep", "core"), SOURCE / "ports.py")


@pytest.mark.parametrize("path", pure_files(), ids=shown)
def test_model_and_core_import_nothing_that_reaches_outside(path: Path) -> None:
    """Model, core and ports import no clock, environment, file, network, process, thread, randomness or log."""
    assert {name.partition(".")[0] for name in imports(path)} & IMPURE == set()


@pytest.mark.parametrize("path", pure_files(), ids=shown)
def test_model_and_core_read_no_clock(path: Path) -> None:
    """The instant is always an argument: no ``datetime.now`` and its like, and no ``open`` or ``print``."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute):
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            assert (owner, node.attr) not in READS_A_CLOCK, f"{shown(path)}:{node.lineno} reads a clock"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "print", "input"}, f"{shown(path)}:{node.lineno} calls {node.func.id}"


def test_imports_go_one_way() -> None:
    """The contracts of pyproject.toml hold: each layer imports only layers below it, and siblings never meet."""
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([linter, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_the_demo_uses_the_testing_kit() -> None:
    """``tagsweep.testing`` is for plugin authors: nothing that runs in production imports it, not even lazily."""
    users = {
        module_name(path)
        for path in under("src", "tagsweep")
        for name in imports(path)
        if name.startswith("tagsweep.testing") and not module_name(path).startswith("tagsweep.testing")
    }
    assert {user for user in users if not user.startswith("tagsweep.cli.demo")} == set()


def test_third_party_imports_are_declared_dependencies() -> None:
    """The package imports only the standard library, itself and what pyproject.toml declares; the testing kit may
    also import pytest and Hypothesis, which whoever tests a plugin has.
    """
    declared = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]["dependencies"]
    names = [re.split(r"[<>=!~ \[;]", dependency)[0] for dependency in declared]
    allowed = {MODULE_OF.get(name, name) for name in names} | {"tagsweep", *sys.stdlib_module_names}
    for path in under("src", "tagsweep"):
        extra = ONLY_IN_TESTING if path.is_relative_to(SOURCE / "testing") else set()
        assert {name.partition(".")[0] for name in imports(path)} - allowed - extra == set(), shown(path)
