"""Machines that keep their state in a registry: each has an empty disk, and what CI hands on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tagsweep.app.asked import Asked
from tagsweep.app.remote_state import open_remote
from tagsweep.app.session import Session
from tagsweep.app.unattended import run_unattended
from tagsweep.config import load_policy
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.schedule import AttemptResult
from tagsweep.model.stateplace import StatePlace
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import InstantClock, Quiet
from tests.e2e.kit import Place, Result

HOME = "ops/tagsweep-state"
NEW_YEAR = datetime(2026, 1, 1, 4, tzinfo=UTC)


class Runner(Place):
    """A machine with an empty disk, which keeps its state in a registry."""

    def __init__(self, directory: Path, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
        directory.mkdir()
        super().__init__(directory)
        self.host = host
        self.state = f"oci://{host}/{HOME}"  # type: ignore[assignment]  # a Place's is a directory
        self._monkeypatch = monkeypatch

    def run(self, *arguments: str, expect: int | None = 0) -> Result:
        """Run a command on this machine."""
        self._monkeypatch.setenv("HOME", str(self.directory))
        return super().run(*arguments, expect=expect)

    def left(self) -> list[Path]:
        """Return what of the state is left on this machine's disk."""
        return list((self.directory / ".local/state/tagsweep/in-registries").glob("*/*"))


class Runners:
    """As many machines as a test wants; the policy and the plan are handed on, as CI does."""

    def __init__(self, directory: Path, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.host = host
        self._monkeypatch = monkeypatch
        self._last: Runner | None = None

    def next(self) -> Runner:
        """Return a new machine, with the policy and the plan of the last one."""
        number = len(list(self.directory.glob("runner-*")))
        runner = Runner(self.directory / f"runner-{number}", self.host, self._monkeypatch)
        for name in ("policy", "plan"):
            if self._last is not None and getattr(self._last, name).exists():
                getattr(runner, name).write_bytes(getattr(self._last, name).read_bytes())
        self._last = runner
        self._monkeypatch.setenv("HOME", str(runner.directory))
        return runner


def states(registry: FakeRegistry) -> list[str]:
    """Return the tags of the state repository."""
    return sorted(registry.tags(HOME))


def remote(
    keeping: FakeRegistry, home: Path, writer: int = 0, *, at: datetime = NEW_YEAR, driver: str | None = None
) -> Session:
    """Return a session of one runner, with the state in a registry."""
    place = StatePlace.parse(f"oci://{keeping.host}/{HOME}")
    clock = InstantClock(at)
    settings = RegistrySettings(host=keeping.host, driver=driver)
    state = open_remote(place, base=home / f"runner-{writer}", settings=settings, clock=clock, progress=Quiet())
    return Session(state=state, clock=clock, progress=Quiet())


def installed(runner: Runner, home: Path) -> None:
    """Let the first call of the runner's schedule be long ago, on a machine at ``home`` that is no more."""
    policy = load_policy(runner.policy)
    place = StatePlace.parse(str(runner.state))
    clock = InstantClock(datetime(2020, 2, 2, 12, tzinfo=UTC))
    settings = RegistrySettings(host=runner.host)
    state = open_remote(place, base=home, settings=settings, clock=clock, progress=Quiet())
    with Session(state=state, clock=clock, progress=Quiet()) as session:
        (done,) = run_unattended(policy, Asked(), session=session)
    assert done.report.attempt.result is AttemptResult.BEGUN
