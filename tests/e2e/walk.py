"""Following a how-to page word for word: its files are written, its commands run, in order, in an empty directory.

A block ``sh`` is what the reader types. A block after "Save this as `NAME`" is a file; one after "Replace the line
`LINE` of `NAME`" takes that line's place. Other blocks are for reading. An HTML comment before a block of commands says
what they end with, if it is not 0: ``<!-- exit 3 -->``. ``RUN`` is the last run's id.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

_BLOCK = re.compile(
    r"(?P<before>(?:(?!^```)[^\n]*\n)*?)^```(?P<language>[a-z]*)[^\n]*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_SAVE = re.compile(r"[Ss]ave\s+(?:this|it)\s+as\s+`([^`]+)`[^`]*\Z")
_REPLACE = re.compile(r"[Rr]eplace\s+the\s+line\s+`([^`]+)`\s+(?:of|in)\s+`([^`]+)`[^`]*\Z")
_EXIT = re.compile(r"<!-- exit ([0-9]+) -->\s*\Z")


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
    """Commands of the page."""

    commands: str
    ends_with: int


@dataclass(frozen=True, slots=True)
class Typed:
    """Commands that were run, and what they printed."""

    commands: str
    code: int
    text: str


def steps(page: str) -> Iterator[Save | Replace | Type]:
    """Yield what the page has its reader do, in order."""
    for block in _BLOCK.finditer(page):
        before, text = block["before"], block["text"]
        if found := _SAVE.search(before):
            yield Save(found[1], text)
        elif found := _REPLACE.search(before):
            yield Replace(found[2], found[1], text)
        elif block["language"] == "sh":
            code = _EXIT.search(before)
            yield Type(text, int(code[1]) if code else 0)


def follow(page: Path, directory: Path, environment: Mapping[str, str]) -> list[Typed]:
    """Do what the page says in ``directory``, and return what was typed; the first surprise fails the test."""
    done = []
    for step in steps(page.read_text(encoding="utf-8")):
        match step:
            case Save():
                (directory / step.name).parent.mkdir(parents=True, exist_ok=True)
                (directory / step.name).write_text(step.text, encoding="utf-8")
            case Replace():
                _replace(directory / step.name, step)
            case Type():
                done.append(_type(step, directory, environment))
            case _:
                assert_never(step)
    assert done, f"{page.name} has nothing to type"
    return done


def _replace(path: Path, step: Replace) -> None:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    places = [number for number, line in enumerate(lines) if line.rstrip("\n") == step.line]
    assert len(places) == 1, f"{step.name} has the line {step.line!r} {len(places)} times"
    lines[places[0]] = step.text
    path.write_text("".join(lines), encoding="utf-8")


def _type(step: Type, directory: Path, environment: Mapping[str, str]) -> Typed:
    tools = directory.parent / "tools"
    tools.mkdir(exist_ok=True)
    for name, text in _TOOLS.items():
        tool = tools / name
        tool.write_text(text, encoding="utf-8")
        tool.chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    here = {"HOME": str(directory.parent), "LANG": "C.UTF-8", "TMPDIR": str(directory.parent), **environment}
    script = step.commands.replace("RUN", '"$(last-run)"')
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=directory,
        env={"PATH": path, **here},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    text = done.stdout + done.stderr
    assert "Traceback" not in text, text
    assert done.returncode == step.ends_with, f"{step.commands} ended with {done.returncode}:\n{text}"
    return Typed(step.commands, done.returncode, text)


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
