"""Every deliberate mistake in a driver is noticed by the shipped DriverSuite.

The mistakes are made in this process: the code of the functions that an edit changes is put in the place of theirs, and
taken out again.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

from tagsweep.model.errors import TagsweepError
from tagsweep.testing.driver_suite import DriverSuite
from tests.conformance.driver_mutants import MUTANTS, DriverMutant, Edit
from tests.conformance.mutant_registries import registry

PACKAGE = Path(__file__).parents[2] / "src" / "tagsweep"
NOTICED = (AssertionError, TagsweepError, pytest.fail.Exception)
LEAST = 24


def test_mutants_are_named_once_and_still_apply() -> None:
    """Each mutant's snippets occur exactly once in their files, and it names a test that the suite has."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= LEAST
    for mutant in MUTANTS:
        assert callable(getattr(DriverSuite, mutant.test))
        for edit in mutant.edits:
            text = (PACKAGE / edit.file).read_text(encoding="utf-8")
            assert text.count(edit.original) == 1, f"{mutant.name} no longer applies to {edit.file}"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_suite_notices_the_mutant(mutant: DriverMutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The named test passes for the driver as it is, and fails for the mutant, against the same registry."""
    with monkeypatch.context() as patch:
        assert passes(mutant, patch), f"{mutant.test} says nothing about {mutant.registry}"
    with monkeypatch.context() as patch:
        make_mistakes(mutant.edits, patch)
        try:
            passed = passes(mutant, patch)
        except NOTICED:
            return
    assert passed is None, f"{mutant.test} does not notice it"  # None: skipped, so nothing was noticed either
    pytest.fail(f"{mutant.test} is skipped for it")


def passes(mutant: DriverMutant, patch: pytest.MonkeyPatch) -> bool | None:
    """Run the test with each of its parameters; None where all of them are skipped. What it raises is let through."""
    test = getattr(DriverSuite, mutant.test)
    ran = None
    for parameters in parameters_of(test):
        with registry(mutant.registry, patch) as harness:
            driver = harness.connect()
            given = {"harness": harness, "driver": driver, **parameters}
            try:
                test(
                    DriverSuite(),
                    **{name: given[name] for name in inspect.signature(test).parameters if name != "self"},
                )
                ran = True
            except pytest.skip.Exception:
                continue
            finally:
                driver.close()
    return ran


def parameters_of(test: Callable[..., None]) -> Iterator[dict[str, Any]]:
    """Yield what ``parametrize`` gives to a test."""
    columns = []
    for mark in getattr(test, "pytestmark", []):
        names, values = mark.args
        columns.append([{names: value} for value in values])
    for combination in itertools.product(*columns):
        yield {name: value for given in combination for name, value in given.items()}


def make_mistakes(edits: tuple[Edit, ...], patch: pytest.MonkeyPatch) -> None:
    """Put the code of the edited files into the functions of their modules, until ``patch`` is undone."""
    for file in {edit.file: None for edit in edits}:
        text = (PACKAGE / file).read_text(encoding="utf-8")
        for edit in edits:
            if edit.file == file:
                text = text.replace(edit.original, edit.replacement)
        module = importlib.import_module("tagsweep." + file.removesuffix(".py").replace("/", "."))
        mistaken = ModuleType(module.__name__)
        exec(compile(text, file, "exec"), mistaken.__dict__)  # noqa: S102 - our own code, with a mistake in it
        code = dict(functions_in(mistaken))
        for name, function in functions_in(module):
            patch.setattr(function, "__code__", code[name].__code__)
        for name, value in vars(mistaken).items():
            # Constants of builtin types: what is equal stays, so that only an edited one changes.
            if isinstance(value, frozenset | dict) and not name.startswith("__") and vars(module)[name] != value:
                patch.setattr(module, name, value)


def functions_in(module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    """Yield the functions that a module defines, and the methods of its classes."""
    for name, value in vars(module).items():
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            yield name, value
        elif isinstance(value, type) and value.__module__ == module.__name__:
            for method, found in vars(value).items():
                inner = getattr(found, "__func__", None) or getattr(found, "fget", None) or found
                if isinstance(inner, FunctionType) and inner.__module__ == module.__name__:
                    yield f"{name}.{method}", inner
