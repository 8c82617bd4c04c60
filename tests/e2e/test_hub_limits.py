"""A sweep of 5,000 tags against Docker Hub's limit on removals, which no header foretells: it ends by itself."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tagsweep.app.make_plan import make_plan
from tagsweep.app.planfiles import read_plan, write_plan
from tagsweep.app.session import Session
from tagsweep.app.sweep import sweep
from tagsweep.cli.progress import LiveProgress, LogProgress
from tagsweep.config import parse_policy
from tagsweep.model.errors import RateLimited
from tagsweep.model.run import RunStatus
from tagsweep.ports import Progress
from tagsweep.stores.state import StateDirectory
from tagsweep.testing import images
from tagsweep.testing.fake import FakeRegistry, LoggedRequest
from tagsweep.testing.faults import RateLimit, RetryForm, TimedLimit
from tagsweep.testing.harness import InstantClock, Quiet
from tagsweep.testing.vendors.dockerhub import DOCKER_HUB, HubApi, HubLogin
from tests.e2e.kit import Place, policy

REPOSITORY = "acme/app"
ADMIN = HubLogin(name="acme", secret="dckr_pat_admin")
START = datetime(2026, 1, 1, tzinfo=UTC)
ALLOWED = 600
sizes = pytest.mark.parametrize("count", [700, pytest.param(5000, marks=pytest.mark.slow)])
# The same sweep in a process of its own, which can be killed; waiting takes no time there either.
CHILD = """\
import sys
from pathlib import Path
from tests.e2e.test_hub_limits import sweep_plan
sweep_plan(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def fill(registry: FakeRegistry, count: int) -> None:
    """Push a release and that many builds, a hundred on each image."""
    registry.push(REPOSITORY, images.image("release"), "2026.1.0")
    for start in range(0, count, 100):
        image = images.image(f"build {start}")
        registry.push(REPOSITORY, image, *(f"sha-{number:07x}" for number in range(start, min(start + 100, count))))


def write_the_plan(place: Place, host: str, clock: InstantClock, count: int) -> None:
    """Plan the removal of all builds."""
    more = (
        f'registries:\n  "{host}": {{driver: dockerhub, options: {{api: "http://{host}"}}}}\n'
        f"limits: {{max_removals: {count}, max_percent: 100}}\n"
    )
    parsed = parse_policy(policy(f"{host}/{REPOSITORY}", more=more), path=str(place.policy))
    with Session(
        state=StateDirectory.open(place.state), clock=clock, progress=Quiet(), settings=parsed.registries
    ) as session:
        planned = make_plan(parsed, session=session, sizes=False)
        assert planned.refusals == ()
        write_plan(planned.plan, place.plan, session=session)


def sweep_plan(
    path: Path, state: Path, clock: InstantClock | None = None, progress: Progress | None = None
) -> RunStatus:
    """Carry the plan out on a clock on which waiting takes no time; return how the run ended."""
    plan, data, seal = read_plan(path)
    with Session(
        state=StateDirectory.open(state),
        clock=clock or InstantClock(START),
        progress=progress or Quiet(),
        settings=plan.registries,
    ) as session:
        return sweep(plan, data, seal=seal, session=session).report.run.status


@sizes
def test_a_sweep_waits_for_the_limit_and_ends_by_itself(
    place: Place, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Hazard 41: after every 600 removals the moment in the 429 is waited for; every build goes, and goes once."""
    monkeypatch.setenv("TAGSWEEP_USERNAME", ADMIN.name)
    monkeypatch.setenv("TAGSWEEP_PASSWORD", ADMIN.secret)
    clock, notes = InstantClock(START), Quiet()
    limit = TimedLimit(allowed=ALLOWED, seconds=300, clock=clock, form=RetryForm.X_RETRY_AFTER, method="DELETE")
    with FakeRegistry(DOCKER_HUB, apis=[HubApi(logins=[ADMIN], clock=clock, limit=limit)]) as registry:
        fill(registry, count)
        write_the_plan(place, registry.host, clock, count)
        registry.clear_log()
        assert sweep_plan(place.plan, place.state, clock, notes) is RunStatus.DONE
        assert list(registry.tags(REPOSITORY)) == ["2026.1.0"]
        removals = [request for request in registry.requests if request.method == "DELETE"]
        done = [request.target for request in removals if request.status == 204]
        assert len(done) == len(set(done)) == count
        pauses = sum("as it asks" in note for note in notes.notes)
        assert pauses >= (count - 1) // ALLOWED
        assert clock.slept >= 300 * pauses
        # One request tries alone after a pause: what is refused is what was on its way when it began.
        assert sum(request.status == 429 for request in removals) <= 16 * (pauses + 1)


@sizes
def test_a_sweep_that_was_killed_in_the_limit_is_taken_up(
    place: Place, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Killed with -9 at a refused removal, the same plan goes on: every build is gone and none is tried twice over."""
    monkeypatch.setenv("TAGSWEEP_USERNAME", ADMIN.name)
    monkeypatch.setenv("TAGSWEEP_PASSWORD", ADMIN.secret)
    clock = InstantClock(START)
    moment = int(START.timestamp()) + 60
    limit = RateLimit(allowed=ALLOWED, rejections=3, retry_after=moment, form=RetryForm.X_RETRY_AFTER)
    with FakeRegistry(DOCKER_HUB, apis=[HubApi(logins=[ADMIN], clock=clock, limit=limit)]) as registry:
        fill(registry, count)
        write_the_plan(place, registry.host, clock, count)
        registry.clear_log()
        seen = 0

        def kill(request: LoggedRequest) -> None:
            nonlocal seen
            seen += request.method == "DELETE"
            if seen == ALLOWED + 50:
                child.kill()

        registry.on_request = kill
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(place.plan), str(place.state)])
        assert child.wait(timeout=60) == -signal.SIGKILL
        registry.on_request = None
        assert 1 < len(registry.tags(REPOSITORY)) <= count - ALLOWED + 16
        assert sweep_plan(place.plan, place.state) is RunStatus.DONE
        assert list(registry.tags(REPOSITORY)) == ["2026.1.0"]
        removals = [request for request in registry.requests if request.method == "DELETE"]
        done = [request.target for request in removals if request.status == 204]
        assert len(done) == len(set(done)) == count
        assert any(request.status == 429 for request in removals)


@pytest.mark.parametrize("kind", [LiveProgress, LogProgress])
def test_a_pause_is_shown_where_people_look(
    place: Place, monkeypatch: pytest.MonkeyPatch, kind: type[LiveProgress | LogProgress]
) -> None:
    """On a terminal and in a log each pause has its line, once and not once a thread: who, why and how long."""
    monkeypatch.setenv("TAGSWEEP_USERNAME", ADMIN.name)
    monkeypatch.setenv("TAGSWEEP_PASSWORD", ADMIN.secret)
    clock, shown = InstantClock(START), io.StringIO()
    limit = TimedLimit(allowed=20, seconds=300, clock=clock, form=RetryForm.X_RETRY_AFTER, method="DELETE")
    with FakeRegistry(DOCKER_HUB, apis=[HubApi(logins=[ADMIN], clock=clock, limit=limit)]) as registry:
        fill(registry, 60)
        write_the_plan(place, registry.host, clock, 60)
        assert sweep_plan(place.plan, place.state, clock, kind(shown)) is RunStatus.DONE
        pauses = [line for line in shown.getvalue().splitlines() if "waiting" in line]
        assert 2 <= len(pauses) <= 4
        assert all(f"{registry.host} answers 429: waiting 5 min as it asks" in line for line in pauses)


def test_a_limit_of_hours_stops_the_run_which_the_same_plan_takes_up(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pause that is longer than tagsweep waits ends no step for good: when it is over the same plan does the rest."""
    monkeypatch.setenv("TAGSWEEP_USERNAME", ADMIN.name)
    monkeypatch.setenv("TAGSWEEP_PASSWORD", ADMIN.secret)
    clock, count, allowed = InstantClock(START), 250, 100
    limit = TimedLimit(allowed=allowed, seconds=5 * 3600, clock=clock, form=RetryForm.X_RETRY_AFTER, method="DELETE")
    with FakeRegistry(DOCKER_HUB, apis=[HubApi(logins=[ADMIN], clock=clock, limit=limit)]) as registry:
        fill(registry, count)
        write_the_plan(place, registry.host, clock, count)
        for _ in range(count // allowed):
            registry.clear_log()
            with pytest.raises(RateLimited, match="asks to wait 5 h"):
                sweep_plan(place.plan, place.state, clock)
            refused = next(at for at, request in enumerate(registry.requests) if request.status == 429)
            # Only what was begun already is looked at after the refusal, and not the hundred that are left.
            assert sum("/manifests/" in request.target for request in registry.requests[refused:]) < 50
            clock.sleep(5 * 3600)
        assert sweep_plan(place.plan, place.state, clock) is RunStatus.DONE
        assert list(registry.tags(REPOSITORY)) == ["2026.1.0"]
