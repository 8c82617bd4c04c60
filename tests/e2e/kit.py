"""The command line as a user runs it, in a directory of its own, and policies for the registries of the tests."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from tagsweep.cli.main import main
from tagsweep.model.reference import Digest
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.tensorzero import TaggedImage, TagList, load
from tests.real.servers import Server, ServerKind, find, serve

TENSORZERO: Final = Path(__file__).parents[1] / "data" / "tensorzero.json.gz"
GATEWAY: Final = "tensorzero/gateway"
SHA: Final = re.compile(r"sha-[0-9a-f]{40}")

NAMING: Final = """\
naming:
  release: {calver: ["YYYY.0M.MICRO", "YYYY.MM.MICRO"]}
  floating: {names: [latest]}
  ci-build: {regex: "sha-[0-9a-f]{7,40}"}
"""
RULES: Final = """\
rules:
  - name: ci builds
    match: {class: ci-build}
    keep: []
"""
# A child must not ignore Ctrl-C because the process that started the tests does.
_CHILD: Final = """\
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from tagsweep.cli.main import main
main()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command printed and its exit code. Nothing that a user sees may be a traceback."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Everything that was printed."""
        return self.out + self.err

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on standard output."""
        document = json.loads(self.out)
        assert isinstance(document, dict)
        assert document["schema"].startswith("tagsweep/")
        assert isinstance(document["version"], int)
        return document


class Place:
    """A user's directory: a policy, a plan, and the state of tagsweep."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.policy = directory / "tagsweep.yaml"
        self.plan = directory / "plan.json"
        self.state = directory / "state"
        self.changelog = directory / "CHANGELOG.md"

    def write(self, text: str) -> None:
        """Write the policy."""
        self.policy.write_text(text, encoding="utf-8")

    def run(self, *arguments: str, expect: int | None = 0) -> Result:
        """Run a command in this process; ``expect`` None leaves the exit code to the caller."""
        return checked(run_here([*arguments, "--state", str(self.state)]), expect)

    def make_plan(self, *options: str, expect: int | None = 0) -> Result:
        """Run ``plan`` and write the plan file."""
        return self.run("plan", "-c", str(self.policy), "-o", str(self.plan), *options, expect=expect)

    def apply(self, *options: str, expect: int | None = 0) -> Result:
        """Run ``apply`` with the plan file."""
        return self.run("apply", str(self.plan), "--yes", *options, expect=expect)

    def start_apply(self, **environment: str) -> subprocess.Popen[str]:
        """Start ``apply`` as a process of its own."""
        command = [sys.executable, "-c", _CHILD, "apply", str(self.plan), "--yes", "--state", str(self.state)]
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def last_run(self) -> dict[str, Any]:
        """Return the newest run of the history."""
        run = self.run("history", "--json").document["runs"][0]
        assert isinstance(run, dict)
        return run

    def outcomes(self) -> dict[str, str]:
        """Return how each step of the newest run ended."""
        document = self.run("history", self.last_run()["id"], "--json").document
        return {f"{one['repository']} {one['step']}": one["kind"] for one in document["outcomes"]}

    def why(self) -> dict[str, str]:
        """Return the words with which each step of the newest run ended."""
        document = self.run("history", self.last_run()["id"], "--json").document
        return {one["step"]: one["why"] for one in document["outcomes"]}


def run_here(arguments: list[str]) -> Result:
    """Run the command line in this process, as if its output went to files."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
    texts = []
    for stream in (out, err):
        stream.seek(0)
        texts.append(stream.read())
    return Result(code=code, out=texts[0], err=texts[1])


def checked(result: Result, expect: int | None) -> Result:
    """Return the result, after a look at what holds for every command."""
    assert "Traceback" not in result.text, result.text
    assert expect is None or result.code == expect, f"exit code {result.code}, not {expect}:\n{result.text}"
    return result


def finish(process: subprocess.Popen[str], expect: int) -> Result:
    """Wait for a process and return what it printed."""
    out, err = process.communicate(timeout=60)
    return checked(Result(code=process.returncode, out=out, err=err), expect)


# --- policies -----------------------------------------------------------------------------------------------------
def policy(target: str, *, rules: str = RULES, evidence: str = "evidence: none\n", more: str = "") -> str:
    """Return a policy for one target: TensorZero's naming, and no build is kept."""
    record = "record: {changelog: CHANGELOG.md}\n"
    return f'version: 1\ntargets: ["{target}"]\n{NAMING}{rules}{evidence}{record}{more}'


def decisions(planned: Result) -> dict[str, dict[str, Any]]:
    """Return the decisions of all repositories of ``plan --json`` by tag."""
    return {
        decision["tag"]: decision
        for repository in planned.document["repositories"]
        for decision in repository["decisions"]
    }


def codes(decision: Mapping[str, Any]) -> set[str]:
    """Return the codes of a decision's reasons."""
    return {reason["code"] for reason in decision["reasons"]}


def removed(planned: Result) -> set[str]:
    """Return the tags that ``plan --json`` removes."""
    return {tag for tag, decision in decisions(planned).items() if decision["verdict"] == "remove"}


# --- registries ---------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def own_server(kind: ServerKind, *, auth: str = "") -> Iterator[Server]:
    """Run a real registry that this test has for itself, with ``auth`` as in ``serve``, or skip with the reason."""
    if find(kind) is None:
        reason = f"the server {kind.value!r} is not installed here; {kind.remedy}"
        if os.environ.get("CI") == "true" and kind.obtainable:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    with serve(kind, auth=auth) as server:
        yield server


class Size(NamedTuple):
    """How many tags a list has, how many of them are builds, and how many of those share a digest with a release."""

    tags: int
    builds: int
    shared: int


WHOLE: Final = Size(tags=226, builds=107, shared=35)
PART: Final = Size(tags=26, builds=12, shared=6)
_SIZE: Final = ContextVar("size", default=WHOLE)

# The whole list takes ten times as long as its part: a test so marked sees the part in the default run, and in the run
# of the slow tests both. The numbers that its sentence names are the whole's.
both_sizes: Final = pytest.mark.usefixtures("chosen_size")


def size() -> Size:
    """Return the size of what ``gateway`` gives to this test, counted by hand."""
    return _SIZE.get()


@contextlib.contextmanager
def of_size(chosen: Size) -> Iterator[None]:
    """Let ``gateway`` give a list of this size."""
    before = _SIZE.set(chosen)
    try:
        yield
    finally:
        _SIZE.reset(before)


@cache
def _whole() -> TagList:
    return next(tags for tags in load(TENSORZERO) if tags.repository == GATEWAY)


@cache
def _built(tags: TagList) -> tuple[TaggedImage, ...]:
    return tuple(tags.images())


def gateway() -> TagList:
    """Return the tag list of tensorzero/gateway: the whole, or a part of it where the test asks for both sizes."""
    return _whole() if size() is WHOLE else part_of(_whole())


def part_of(tags: TagList, each: int = 6) -> TagList:
    """Return a part of the list, for tests that need the shapes and not the numbers: images with builds alone, with
    other tags alone, and with both, the first ``each`` of each, and the one that is ``latest``.
    """
    kinds: dict[str, set[bool]] = {}
    for record in tags.records:
        kinds.setdefault(record.image, set()).add(SHA.fullmatch(record.tag) is not None)
    chosen = {record.image for record in tags.records if record.tag == "latest"}
    for kind in ({True}, {False}, {True, False}):
        chosen.update([image for image, found in kinds.items() if found == kind][:each])
    return replace(tags, records=tuple(record for record in tags.records if record.image in chosen))


def fill(registry: FakeRegistry, tags: TagList) -> dict[str, Digest]:
    """Push every image of the list to a fake registry; return its tags."""
    found: dict[str, Digest] = {}
    for built in _built(tags):  # building them takes longer than pushing them
        registry.push(tags.repository, built.image, *built.tags)
        found.update(dict.fromkeys(built.tags, built.image.top))
    return found


def shared_with_release(tags: Mapping[str, Digest]) -> set[str]:
    """Return the builds that are on the digest of a tag that is no build."""
    others = {digest for tag, digest in tags.items() if SHA.fullmatch(tag) is None}
    return {tag for tag, digest in tags.items() if SHA.fullmatch(tag) is not None and digest in others}
