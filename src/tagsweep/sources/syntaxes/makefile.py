"""Makefiles: the recipes as shell scripts, with the variables that the file sets, and images kept in variables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tagsweep.sources.syntaxes import env_file, shell
from tagsweep.sources.syntaxes.env_file import Setting
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.template import Value, Variables

_NAMED: Final = re.compile(
    r"(?:gnu)?makefile(?:[._-].*)?|.*\.(?:mk|mak|make)|justfile|\.justfile|.*\.just|taskfile\.mk"
)
_SET: Final = re.compile(
    r"[ ]*(?:export\s+|override\s+|set\s+)*([A-Za-z_][A-Za-z0-9_.-]*)\s*(\?=|:::?=|:=|\+=|!=|=)\s*(.*)", re.DOTALL
)
_LONGEST_RULE: Final = 4096
_USE: Final = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)|\$\{([A-Za-z_][A-Za-z0-9_.-]*)\}")
_JUST: Final = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_-]*)\s*\}\}")


def claims(file: File) -> bool:
    """Tell whether the file is a makefile (or a justfile, which is read alike)."""
    return _NAMED.fullmatch(file.name) is not None


def extract(file: File) -> Iterator[Finding]:
    """Yield what recipes run and variables hold."""
    just = "just" in file.name
    values, settings, script = _parts(file.text, just=just)
    variables = _variables(values)
    yield from env_file.images_in(settings, variables)
    yield from shell.find(script, line=1, variables=variables)


def _parts(text: str, *, just: bool) -> tuple[dict[str, list[tuple[str, str]]], dict[str, Setting], str]:
    """Return the variables with their operators, those that may hold images, and the recipes at their lines."""
    values: dict[str, list[tuple[str, str]]] = {}
    settings: dict[str, Setting] = {}
    script: list[str] = []
    continued = recipe = False
    pending, first = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        in_recipe = recipe if continued else line.startswith("\t") or (just and line.startswith((" ", "\t")))
        script.append(_recipe(line, just=just, first=not continued) if in_recipe else "")
        joined = f"{pending} {line.strip()}" if continued and not recipe else line
        first = first if continued and not recipe else number
        recipe, continued = in_recipe, line.rstrip().endswith("\\")
        if in_recipe:
            continue
        if continued:
            pending = joined.rstrip()[:-1]
            continue
        found = _SET.fullmatch(joined)
        if found is not None:
            name, operator, value = (
                found[1],
                found[2],
                re.sub(r"(?:^|\s)#.*$", "", found[3]).strip().strip("\"'" if just else ""),
            )
            values.setdefault(name, []).append((operator, value))
            settings[name] = Setting(value, first)
        elif ";" in joined[:_LONGEST_RULE] and (inline := re.match(r"[^\t#=;:]*:[^=;]*;(.*)", line)) is not None:
            script[-1] = _recipe(inline[1], just=just, first=True)
    return values, settings, "\n".join(script)


def _recipe(line: str, *, just: bool, first: bool) -> str:
    """Return a recipe's line without make's marks, which only the first line of a command can have."""
    text = re.sub(r"^(\s*)[@+-]+\s*", r"\1", line) if first else line
    return _JUST.sub(r"${\1}", text) if just else text


def _variables(values: dict[str, list[tuple[str, str]]]) -> Variables:
    """Return what make knows: ``?=`` leaves it to the environment, ``!=`` and functions are open."""

    def look_up(name: str) -> Value | None:
        given = values.get(name)
        if given is None:
            return None
        if any(operator == "!=" for operator, _ in given):
            return None
        settled = any(operator != "?=" for operator, _ in given)
        texts = tuple(dict.fromkeys(_before(name, text) for _, text in given))
        return Value(tuple(part for text in texts for part in _words(text)), settled=settled)

    return look_up


def _words(text: str) -> tuple[str, ...]:
    return (text,) if "$(" in text or not text else tuple(text.split())


def _before(name: str, text: str) -> str:
    """Return a value whose use of its own name stands for what the environment has, and not for itself."""
    return _USE.sub(lambda found: f"${{{name}_before}}" if name in {found[1], found[2]} else found[0], text)


SYNTAX: Final = Syntax(name="makefile", claims=claims, extract=extract)
