"""Every deliberate mistake in the core is noticed by the tests that stand for its law."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.mutants import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "tagsweep"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with a copy of the package, to be put first on the path."""
    directory = tmp_path_factory.mktemp("mutants")
    shutil.copytree(PACKAGE, directory / "tagsweep", ignore=shutil.ignore_patterns("__pycache__"))
    return directory


def run_tests(tests: tuple[str, ...], copy: Path) -> subprocess.CompletedProcess[str]:
    """Run ``tests`` with the copy in place of the package."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-o", "addopts=", *tests]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600)


def test_mutants_are_named_once_and_still_apply() -> None:
    """Each mutant's snippet occurs exactly once in its file, so that none is silently a copy of the original."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    for mutant in MUTANTS:
        text = (PACKAGE / "core" / mutant.file).read_text(encoding="utf-8")
        assert text.count(mutant.original) == 1, f"{mutant.name} no longer applies to {mutant.file}"
        compile(text.replace(mutant.original, mutant.replacement), mutant.file, "exec")


def test_the_unchanged_copy_passes(copy: Path) -> None:
    """Without a mutant the same tests pass on the copy, and it is the copy that they import."""
    where = "import tagsweep; print(tagsweep.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    found = subprocess.run([sys.executable, "-c", where], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.startswith(str(copy))
    result = run_tests(tuple(sorted({test for mutant in MUTANTS for test in mutant.tests})), copy)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_mutant_is_noticed(mutant: Mutant, copy: Path) -> None:
    """Tests fail, by an assertion and not because nothing could be imported or collected."""
    file = copy / "tagsweep" / "core" / mutant.file
    original = file.read_text(encoding="utf-8")
    file.write_text(original.replace(mutant.original, mutant.replacement), encoding="utf-8")
    try:
        result = run_tests(mutant.tests, copy)
    finally:
        file.write_text(original, encoding="utf-8")
    assert result.returncode == 1, f"{mutant.law}: {mutant.tests} do not notice it\n{result.stdout}"
