"""The documentation is run: links resolve, policies load, commands and options exist, generated pages are current."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from scripts.cli_reference import contexts, root_group
from tagsweep.app.plugins import source_factory
from tagsweep.config import parse_policy
from tagsweep.config.wire import PolicyWire
from tagsweep.http.clock import SystemClock
from tagsweep.model import errors
from tagsweep.ports import SourceContext
from tagsweep.testing.harness import Quiet
from tests.architecture.checkout import ROOT, files, shown, text

PAGES = tuple(path for path in files() if path.suffix == ".md" and "tests" not in path.parts)
FENCE = re.compile(r"^```([a-z]*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
MAKE_TARGET = re.compile(r"\bmake ([a-z][a-z-]*)")
YAML_COMMAND = re.compile(r"^[ -]*(?:run: )?(tagsweep [a-z][^\n]*)$", re.MULTILINE)
CODE_SPAN = re.compile(r"`([^`\n]+)`")


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Yield language and content of every fenced block of a page."""
    for found in FENCE.finditer(text(page)):
        yield found.group(1), found.group(2)


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return FENCE.sub("", text(page))


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower().replace("`", "")).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_relative_links_resolve(page: Path) -> None:
    """Every link to a file of this repository leads to a file or directory, and its anchor to a heading."""
    for target in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, fragment = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{shown(page)} links to {target}"
        if fragment:
            headings = re.findall(r"^#+ (.+)$", prose(file), re.MULTILINE)
            assert fragment in {anchor(heading) for heading in headings}, f"{shown(page)} links to {target}"


def yaml_blocks() -> list[tuple[str, str]]:
    """Return the place and text of every YAML block."""
    return [
        (f"{shown(page)}, block {number}", block)
        for page in PAGES
        for number, (language, block) in enumerate(blocks(page), start=1)
        if language in {"yaml", "yml"}
    ]


def policies() -> list[tuple[str, str]]:
    """Return the place and text of every YAML block that begins a policy."""
    return [(place, block) for place, block in yaml_blocks() if re.search(r"\A(?:#[^\n]*\n|\s)*version:", block)]


def test_policies_in_the_documentation_load() -> None:
    """Every policy that the documentation shows is one that tagsweep accepts."""
    shown_policies = policies()
    assert shown_policies
    for place, block in shown_policies:
        assert parse_policy(block, path=place).targets, place


PARTS = frozenset(PolicyWire.__struct_fields__)
"""The top of a policy."""
REST: dict[str, Any] = {
    "version": 1,
    "targets": ["docker.io/acme/app"],
    "rules": [{"name": "builds", "match": {"glob": "ci-*"}, "keep": []}],
    "evidence": "none",
}
"""What a part of a policy is completed with."""
SOURCES = {"kubernetes": {"context": "prod"}, "docker": {}, "git": {"path": "."}, "list": {"file": "hold.txt"}}
"""What completes evidence that names sources and does not show them."""
OTHER_YAML = (
    {"services"},  # a Compose file
    {"include"},  # GitLab's CI configuration
    {"repos"},  # hooks of pre-commit
    {"permissions", "steps"},  # a job of GitHub Actions
)


def whole(part: dict[str, Any]) -> dict[str, Any]:
    """Return a policy that has this part and, for what it refers to and does not show, something plain."""
    policy = {**REST, **part}
    classes = {one["match"]["class"] for one in policy["rules"] if "class" in one["match"]}
    if missing := classes - policy.get("naming", {}).keys():
        policy["naming"] = {**policy.get("naming", {}), **{name: {"names": [name]} for name in missing}}
    required = policy["evidence"].get("require", []) if isinstance(policy["evidence"], dict) else []
    for name in (name for name in required if "/" in name and name not in policy.get("sources", {})):
        policy["sources"] = {**policy.get("sources", {}), name: SOURCES[name.partition("/")[0]]}
    return policy


def test_parts_of_policies_in_the_documentation_load(tmp_path: Path) -> None:
    """Every block of YAML is a policy, a part of one that loads with options that its sources know, or another file
    that is named here.
    """
    context = SourceContext(base=str(tmp_path), clock=SystemClock(), progress=Quiet(), cache=str(tmp_path))
    (tmp_path / "hold.txt").touch()
    number = 0
    for place, block in yaml_blocks():
        part = yaml.safe_load(block)
        if isinstance(part, list) or "jobs" in part or set(part) in OTHER_YAML:  # steps or workflows of GitHub Actions
            continue
        if all("/" in name for name in part):  # a line of sources: that is replaced
            part = {"evidence": {"require": sorted(part)}, "sources": part}
        assert set(part) <= PARTS, f"{place}: {set(part) - PARTS}"
        policy = parse_policy(
            yaml.safe_dump(part if "rules" in part and "version" in part else whole(part)), path=place
        )
        for settings in (one for one in policy.sources if not place.startswith("examples/")):  # theirs are plugins
            source_factory(settings.kind).configure(settings, context=context)
            number += 1
    assert number > len(SOURCES)


@cache
def commands() -> dict[str, click.Command]:
    """Return every command by its name below ``tagsweep``."""
    found = {}
    for context in contexts(root_group(), "tagsweep"):
        found[context.command_path.removeprefix("tagsweep").strip()] = context.command
    return found


def options_of(command: click.Command) -> set[str]:
    """Return every spelling of every option of a command, and those that click adds."""
    spelt = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return {option for option in spelt if option.startswith("-")} | {"--help", "-h"}


def invocations(page: Path) -> Iterator[str]:
    """Yield every ``tagsweep …`` that a page tells a reader to type, in blocks and in spans of code."""
    for language, block in blocks(page):
        if language in {"sh", "bash", "console"}:
            for line in block.replace("\\\n", " ").splitlines():
                typed = line.removeprefix("$ ").strip()
                if typed.startswith("tagsweep ") and (language != "console" or line.startswith("$ ")):
                    yield typed
        if language in {"yaml", "yml"}:
            yield from YAML_COMMAND.findall(block)
    yield from (span for span in CODE_SPAN.findall(prose(page)) if span.startswith("tagsweep "))


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_commands_and_options_in_the_documentation_exist(page: Path) -> None:
    """A reader can type what the documentation shows: the command exists and knows each option."""
    everywhere = options_of(commands()[""])
    for typed in invocations(page):
        words = shlex.split(typed.partition(" | ")[0], comments=True)[1:]
        names = [word for word in words if word in commands()]
        first = next((word for word in words if not word.startswith("-")), None)
        assert first is None or names, f"{shown(page)}: {typed}: no such command"
        known = everywhere | (options_of(commands()[names[0]]) if names else set())
        given = {word.partition("=")[0] for word in words if word.startswith("-") and word != "-"}
        assert given <= known, f"{shown(page)}: {typed}: {sorted(given - known)}"


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_make_targets_in_the_documentation_exist(page: Path) -> None:
    """Every ``make …`` that a page shows is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", text(ROOT / "Makefile"), re.MULTILINE))
    typed = [span for span in CODE_SPAN.findall(prose(page)) if span.startswith("make ")]
    typed += [line for language, block in blocks(page) if language in {"sh", "console"} for line in block.splitlines()]
    assert {name for line in typed for name in MAKE_TARGET.findall(line)} <= targets


def test_the_command_line_reference_is_current() -> None:
    """docs/cli.md is what the command line says of itself now."""
    command = [sys.executable, "scripts/cli_reference.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_command_has_its_place_in_the_reference() -> None:
    """docs/cli.md has a section for every command."""
    page = text(ROOT / "docs" / "cli.md")
    assert [name for name in commands() if f"## tagsweep {name}".strip() not in page] == []


def test_the_readme_lists_the_exit_codes() -> None:
    """The README's table has exactly the exit codes of the error tree, and 0."""
    codes = {
        value.exit_code for value in vars(errors).values() if isinstance(value, type) and hasattr(value, "exit_code")
    }
    section = prose(ROOT / "README.md").partition("## Exit codes")[2].partition("\n## ")[0]
    assert {int(code) for code in re.findall(r"^\| *(\d+) *\|", section, re.MULTILINE)} == codes | {0}


def test_every_decision_record_is_listed() -> None:
    """docs/adr/README.md links to every decision record, and each has the four parts."""
    listing = text(ROOT / "docs" / "adr" / "README.md")
    records = [page for page in PAGES if page.parent == ROOT / "docs" / "adr" and page.name != "README.md"]
    for record in records:
        assert f"({record.name})" in listing, f"{record.name} is not listed"
        headings = set(re.findall(r"^## (\w+)", text(record), re.MULTILINE))
        assert {"Context", "Decision", "Alternatives", "Consequences"} <= headings, record.name


def test_every_runtime_dependency_has_its_reason() -> None:
    """docs/adr/0006-dependencies.md has a section for each runtime dependency of pyproject.toml and no other."""
    declared = re.search(r"^dependencies = \[(.*?)\]", text(ROOT / "pyproject.toml"), re.MULTILINE | re.DOTALL)
    assert declared
    names = set(re.findall(r'"([A-Za-z0-9_.-]+)', declared.group(1)))
    page = text(ROOT / "docs" / "adr" / "0006-dependencies.md")
    assert set(re.findall(r"^### (\S+)", page, re.MULTILINE)) == names
