"""An apply that ends in the middle, in every way in which that happens, and the same command again.

What counts is the end: tags, manifests, how each step ended, one record; all as if nothing had happened.
"""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tagsweep.model.reference import Digest
from tagsweep.stores.journal import read_journal
from tagsweep.testing.dialects import DISTRIBUTION_2_8, DISTRIBUTION_3, Dialect
from tagsweep.testing.fake import FakeRegistry, LoggedRequest
from tagsweep.testing.images import cosign_signature, cosign_tag
from tagsweep.testing.tensorzero import shaped
from tests.e2e.kit import GATEWAY, Place, finish, policy

SLOW = pytest.mark.slow
SHARES = [0.02, 0.45, 0.97, *(pytest.param(share, marks=SLOW) for share in (0.15, 0.3, 0.6, 0.75))]
DIALECTS = [DISTRIBUTION_2_8, pytest.param(DISTRIBUTION_3, marks=SLOW)]
BOTH = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: str(dialect.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Everything that a finished sweep leaves."""

    tags: Mapping[str, Digest]
    manifests: frozenset[Digest]
    outcomes: Mapping[str, str]
    status: str
    removed: int
    counts: Mapping[str, int]
    entries: int


def seed(registry: FakeRegistry) -> None:
    """Fill the registry with half a year of the gateway, whose newest and oldest builds are signed."""
    tags = shaped(until=datetime(2026, 1, 1, tzinfo=UTC), months=6, commits_per_month=2)[0]
    for built in tags.images():
        registry.push(GATEWAY, built.image, *built.tags)
        if built.tags[0].startswith("sha-"):
            registry.push(GATEWAY, cosign_signature(built.image.top), cosign_tag(built.image.top))


def prepare(place: Place, registry: FakeRegistry, more: str = "") -> frozenset[str]:
    """Fill, plan, and return what a request of the sweep's own deletions has in its target."""
    seed(registry)
    place.write(policy(f"{registry.host}/{GATEWAY}", more=more))
    planned = place.make_plan("--json").document["repositories"][0]
    return frozenset(step.get("digest") or f"/{step['tag']}" for step in planned["steps"])


def end(place: Place, registry: FakeRegistry) -> End:
    """Return how it ended; the port of the registry is no part of it."""
    run = place.last_run()
    return End(
        tags=registry.tags(GATEWAY),
        manifests=frozenset(registry.manifests(GATEWAY)),
        outcomes={key.partition(" ")[2]: kind for key, kind in place.outcomes().items()},
        status=run["status"],
        removed=run["removed_tags"],
        counts=run["counts"],
        entries=place.changelog.read_text(encoding="utf-8").count("### Registry sweep"),
    )


@cache
def uninterrupted(dialect: Dialect) -> tuple[End, int]:
    """Return the end of a sweep that nothing interrupts, and how many requests it sent: the same for every test."""
    with TemporaryDirectory(prefix="tagsweep-uninterrupted-") as name, FakeRegistry(dialect) as registry:
        place = Place(Path(name))
        prepare(place, registry)
        registry.clear_log()
        place.apply()
        requests = len(registry.requests)
        return end(place, registry), requests


def perform(registry: FakeRegistry, request: LoggedRequest) -> None:
    """Do what a DELETE asks by the back door: its answer will reach nobody."""
    name = request.target.rpartition("/")[2]
    if not name.startswith("sha256:"):
        registry.remove_tag(GATEWAY, name)
        return
    for tag, digest in registry.tags(GATEWAY).items():
        if digest == name:
            registry.remove_tag(GATEWAY, tag)
    registry.remove_manifest(GATEWAY, Digest(name))


class AtRequest:
    """A hook that does ``act`` once, at the ``number``-th request that ``fits``; until ``arm`` nothing is counted."""

    def __init__(
        self, number: int, act: Callable[[subprocess.Popen[str], LoggedRequest], None], fits: frozenset[str] | None
    ) -> None:
        self.left = number
        self.done = False
        self._act = act
        self._fits = fits
        self._child: subprocess.Popen[str] | None = None

    def arm(self, child: subprocess.Popen[str]) -> None:
        """Begin to count."""
        self._child = child

    def __call__(self, request: LoggedRequest) -> None:
        """Count, and act when it is time."""
        own = self._fits is None or (request.method == "DELETE" and any(each in request.target for each in self._fits))
        if self.done or not own:
            return
        self.left -= 1
        if self.left <= 0 and self._child is not None:
            self.done = True
            self._act(self._child, request)


def run_with(place: Place, registry: FakeRegistry, hook: AtRequest, expect: int) -> str:
    """Run apply as a process of its own under the hook; return what it said on standard error."""
    registry.on_request = hook
    child = place.start_apply()
    hook.arm(child)
    result = finish(child, expect)
    registry.on_request = None
    assert hook.done
    return result.err


def journal(place: Place) -> Path:
    """Return the journal of the one run."""
    (path,) = (place.state / "runs").glob("*/journal.jsonl")
    return path


def kill(child: subprocess.Popen[str], _request: LoggedRequest) -> None:
    """End the process as the out-of-memory killer does."""
    child.kill()
    child.wait()


@BOTH
@pytest.mark.parametrize("share", SHARES)
def test_killed_at_any_request(place: Place, dialect: Dialect, share: float) -> None:
    """`kill -9` after any share of the requests (rights, snapshot, deletions, verification): the end is the same."""
    expected, requests = uninterrupted(dialect)
    assert (expected.status, expected.entries) == ("done", 1)
    with FakeRegistry(dialect) as registry:
        prepare(place, registry)
        run_with(place, registry, AtRequest(int(requests * share), kill, None), -signal.SIGKILL)
        place.apply()
        assert end(place, registry) == expected
        place.apply(expect=5)


@BOTH
@pytest.mark.parametrize("number", [1, pytest.param(4, marks=SLOW), 20])
def test_killed_just_after_the_registry_deleted(place: Place, dialect: Dialect, number: int) -> None:
    """Killed when the k-th deletion is done and its answer has not come: it counts as done by this run."""
    expected, _ = uninterrupted(dialect)
    with FakeRegistry(dialect) as registry:
        fits = prepare(place, registry)

        def perform_and_kill(child: subprocess.Popen[str], request: LoggedRequest) -> None:
            kill(child, request)
            perform(registry, request)

        run_with(place, registry, AtRequest(number, perform_and_kill, fits), -signal.SIGKILL)
        place.apply()
        assert end(place, registry) == expected
        assert set(expected.outcomes.values()) == {"done"}


def test_killed_twice(place: Place) -> None:
    """Killed, taken up, killed again while it was finishing, and taken up again."""
    expected, _ = uninterrupted(DISTRIBUTION_2_8)
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        fits = prepare(place, registry)
        for number in (6, 9):
            run_with(place, registry, AtRequest(number, kill, fits), -signal.SIGKILL)
        place.apply()
        assert end(place, registry) == expected


def test_killed_after_verification_before_the_record(place: Place) -> None:
    """Killed by its own check, when everything is deleted and nothing is recorded: the record is written in the end."""
    script = place.directory / "check.py"
    mark = place.directory / "ran"
    script.write_text(
        "import os, pathlib, signal\n"
        f"mark = pathlib.Path({str(mark)!r})\n"
        "if not mark.exists():\n"
        "    mark.touch()\n"
        "    os.kill(os.getppid(), signal.SIGKILL)\n",
        encoding="utf-8",
    )
    expected, _ = uninterrupted(DISTRIBUTION_2_8)
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        prepare(place, registry, more=f"verify: {{checks: [{{command: [{sys.executable!r}, {str(script)!r}]}}]}}\n")
        finish(place.start_apply(), -signal.SIGKILL)
        assert mark.exists()
        assert not place.changelog.exists()
        place.apply()
        assert end(place, registry) == expected


@pytest.mark.parametrize("dialect", [DISTRIBUTION_2_8, DISTRIBUTION_3], ids=lambda dialect: str(dialect.name))
def test_ctrl_c_lets_what_is_in_flight_end(place: Place, dialect: Dialect) -> None:
    """After Ctrl-C every step that was begun is in the journal with its end; exit 130; the same command finishes."""
    expected, _ = uninterrupted(dialect)
    with FakeRegistry(dialect) as registry:
        fits = prepare(place, registry)

        def interrupt(child: subprocess.Popen[str], _request: LoggedRequest) -> None:
            child.send_signal(signal.SIGINT)

        said = run_with(place, registry, AtRequest(5, interrupt, fits), 130)
        assert "interrupted" in said
        content = read_journal(journal(place))
        assert not content.open
        assert 0 < len(content.outcomes) < len(expected.outcomes)
        place.apply()
        assert end(place, registry) == expected


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits another process")
def test_a_journal_that_cannot_be_written_stops_the_run(place: Place) -> None:
    """When the disk takes no more of the journal, the run ends with 6 at once, and goes on when there is room."""
    expected, _ = uninterrupted(DISTRIBUTION_2_8)
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        fits = prepare(place, registry)

        def fill_up(child: subprocess.Popen[str], _request: LoggedRequest) -> None:
            size = journal(place).stat().st_size
            resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (size + 100, size + 100))

        run_with(place, registry, AtRequest(5, fill_up, fits), 6)
        there = registry.manifests(GATEWAY).keys() | registry.tags(GATEWAY).keys()
        assert len([each for each in fits if each.lstrip("/") in there]) > 0
        place.apply()
        assert end(place, registry) == expected
