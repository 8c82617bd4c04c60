"""Following a how-to page word for word: its files are written, its commands run, in order, in an empty directory.

A block ``sh`` is what the reader types, and of a block ``console`` what stands after a ``$``. A block after "Save this
as `NAME`" is a file; one after "Replace the line `LINE` of `NAME`" takes that line's place, as deep as it stood. Other
blocks are for reading. A command that does not end with 0 says so in its comment: ``# exits with 3``. ``RUN`` is the
last run's id.

Whoever follows types with one of two hands: ``Shell`` starts each command as a reader does, ``Here`` calls the command
line in this process, which is quicker.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent
from typing import Protocol, assert_never

import pytest

from tests.e2e.kit import run_here

_BLOCK = re.compile(
    r"(?P<before>(?:(?!^ *```)[^\n]*\n)*?)^ *```(?P<language>[a-z]*)[^\n]*\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
_SAVE = re.compile(r"[Ss]ave\s+(?:this|it)\s+as\s+`([^`]+)`[^`]*\Z")
_REPLACE = re.compile(r"[Rr]eplace\s+the\s+line\s+`([^`]+)`\s+(?:of|in)\s+`([^`]+)`[^`]*\Z")
_EXIT = re.compile(r"#.*\bexits with ([0-9]+)\b")
_PROMPT = re.compile(r"^\$ (.*\n)", re.MULTILINE)
_EXPORT = re.compile(r"export (\w+)=(\S+)")


@dataclass(frozen=True, slots=True)
class Save:
    """A file of the page."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Replace:
    """A line of a file that the page has replaced."""

    name: str
    line: str
    text: str


@dataclass(frozen=True, slots=True)
class Type:
    """A command of the page, in one line or several, and the code with which it has to end."""

    command: str
    ends_with: int = 0


@dataclass(frozen=True, slots=True)
class Typed:
    """A command that was run, and what it printed."""

    command: str
    text: str


class Hand(Protocol):
    """What types: it runs a command in a directory and returns its exit code and everything that it printed."""

    def type(self, command: str, directory: Path) -> tuple[int, str]:
        """Run one command."""


def steps(page: str) -> Iterator[Save | Replace | Type]:
    """Yield what the page has its reader do, in order."""
    for block in _BLOCK.finditer(page):
        before, text = block["before"], dedent(block["text"])
        if found := _SAVE.search(before):
            yield Save(found[1], text)
        elif found := _REPLACE.search(before):
            yield Replace(found[2], found[1], text)
        elif block["language"] == "sh":
            yield from _commands(text)
        elif block["language"] == "console":
            yield from _commands("".join(_PROMPT.findall(text)))


def _commands(block: str) -> Iterator[Type]:
    for line in block.replace("\\\n", "").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            code = _EXIT.search(line)
            yield Type(line, int(code[1]) if code else 0)


def follow(page: str, directory: Path, hand: Hand) -> list[Typed]:
    """Do what the page says in ``directory``, and return what was typed; the first surprise fails the test."""
    done = []
    for step in steps(page):
        match step:
            case Save():
                (directory / step.name).parent.mkdir(parents=True, exist_ok=True)
                (directory / step.name).write_text(step.text, encoding="utf-8")
            case Replace():
                _replace(directory / step.name, step)
            case Type():
                code, text = hand.type(step.command, directory)
                assert "Traceback" not in text, text
                assert code == step.ends_with, f"{step.command} ended with {code}:\n{text}"
                done.append(Typed(step.command, text))
            case _:
                assert_never(step)
    assert done, "the page has nothing to type"
    return done


def _replace(path: Path, step: Replace) -> None:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    places = [number for number, line in enumerate(lines) if line.rstrip("\n") == step.line]
    assert len(places) == 1, f"{step.name} has the line {step.line!r} {len(places)} times"
    lines[places[0]] = indent(step.text, step.line[: len(step.line) - len(step.line.lstrip())])
    path.write_text("".join(lines), encoding="utf-8")


class Shell:
    """Types into a shell that has this tagsweep, no docker, and of the environment only what it is given."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)

    def type(self, command: str, directory: Path) -> tuple[int, str]:
        """Run one command with bash; what it exports holds for the next ones too."""
        if exported := _EXPORT.fullmatch(command):
            self._environment[exported[1]] = exported[2]
            return 0, ""
        tools = directory.parent / "tools"
        tools.mkdir(exist_ok=True)
        for name, text in _TOOLS.items():
            tool = tools / name
            tool.write_text(text, encoding="utf-8")
            tool.chmod(0o755)
        here = {"HOME": str(directory.parent), "LANG": "C.UTF-8", "TMPDIR": str(directory.parent), **self._environment}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command.replace("RUN", '"$(last-run)"')],
            cwd=directory,
            env={"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", **here},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


class Here:
    """Types ``tagsweep`` into this process; of the shell it knows ``< FILE`` and comments."""

    def __init__(self, patch: pytest.MonkeyPatch, state: Path) -> None:
        self._patch = patch
        self._state = state

    def type(self, command: str, directory: Path) -> tuple[int, str]:
        """Run one command of tagsweep, in the directory."""
        self._patch.chdir(directory)
        self._patch.setenv("TAGSWEEP_STATE", str(self._state))
        program, *words = shlex.split(command, comments=True)
        assert program == "tagsweep", command
        if "RUN" in words:
            history = run_here(["history", "--json"])
            words[words.index("RUN")] = json.loads(history.out)["runs"][0]["id"]
        if "<" in words:
            at = words.index("<")
            self._patch.setattr("sys.stdin", io.StringIO((directory / words[at + 1]).read_text(encoding="utf-8")))
            del words[at : at + 2]
        result = run_here(words)
        return result.code, result.text


_PYTHON = shlex.quote(sys.executable)
# What `docker login` leaves behind, where there is no docker: the credentials in its file.
_DOCKER = f"""#!{sys.executable}
import base64, json, pathlib, sys
assert sys.argv[1] == "login" and "--password-stdin" in sys.argv, sys.argv
rest = [one for one in sys.argv[2:] if one != "--password-stdin"]
user = rest[rest.index("--username") + 1]
hosts = [one for one in rest if not one.startswith("--") and one != user]
host = hosts[0] if hosts else "https://index.docker.io/v1/"
file = pathlib.Path.home() / ".docker" / "config.json"
file.parent.mkdir(exist_ok=True)
auth = base64.b64encode((user + ":" + sys.stdin.read().strip()).encode()).decode()
file.write_text(json.dumps(dict(auths={{host: dict(auth=auth)}})))
print("Login Succeeded")
"""
_LAST_RUN = f"""#!/bin/sh
tagsweep history --json | {_PYTHON} -c 'import json, sys; print(json.load(sys.stdin)["runs"][0]["id"])'
"""
_TOOLS = {
    "tagsweep": f'#!/bin/sh\nexec {_PYTHON} -m tagsweep "$@"\n',
    "docker": _DOCKER,
    "last-run": _LAST_RUN,
}
