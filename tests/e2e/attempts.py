"""``tagsweep run`` at an instant of one's choice, killed in the middle, and what listens to its messages."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from tagsweep.app.asked import Asked
from tagsweep.app.session import Session
from tagsweep.app.unattended import Finished, run_unattended
from tagsweep.config import load_policy
from tagsweep.model.schedule import AttemptResult
from tagsweep.stores.state import StateDirectory
from tagsweep.testing.fake import FakeRegistry, LoggedRequest
from tagsweep.testing.harness import InstantClock, Quiet
from tests.e2e.kit import GATEWAY, Place, gateway, policy
from tests.e2e.serving import Handler, serving

QUARTERLY = "schedule: quarterly\n"


def write(place: Place, registry: FakeRegistry, *, more: str = QUARTERLY, record: str = "") -> None:
    """Write the policy; ``record`` are more keys of record:."""
    text = policy(f"{registry.host}/{GATEWAY}", more=more)
    place.write(text.replace("record: {changelog: CHANGELOG.md}", f"record: {{changelog: CHANGELOG.md{record}}}"))


def run(place: Place, at: str, asked: Asked | None = None, notes: Quiet | None = None) -> tuple[Finished, ...]:
    """Run the policy at an instant (UTC)."""
    clock = InstantClock(datetime.fromisoformat(at).replace(tzinfo=UTC))
    found = load_policy(place.policy)
    state = StateDirectory.open(place.state)
    with Session(state=state, clock=clock, progress=notes or Quiet(), settings=found.registries) as session:
        return run_unattended(found, asked or Asked(), session=session)


def installed(place: Place) -> None:
    """Let the first call of the schedule be long ago, so that whatever date passed since then is due."""
    assert ends(run(place, "2020-02-02 12:00")) == [AttemptResult.BEGUN]


def ends(done: tuple[Finished, ...]) -> list[AttemptResult]:
    """Return how the attempts ended."""
    return [finished.report.attempt.result for finished in done]


def push_builds(registry: FakeRegistry, count: int = 2) -> None:
    """Push builds that share no release, as a quarter of CI would."""
    built = [one for one in gateway().images() if all(tag.startswith("sha-") for tag in one.tags)]
    for one in built[-count:]:
        registry.push(GATEWAY, one.image, *one.tags)


@contextmanager
def listener(status: int = 200) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve a webhook on loopback; give its address and what it was sent."""
    got: list[dict[str, Any]] = []

    class Hook(Handler):
        def respond(self) -> None:
            got.append(json.loads(self.body()))
            self.answer(status)

    with serving(Hook) as url:
        yield f"{url}/services/T0/SECRET", got


def killed_at(place: Place, registry: FakeRegistry, delete: int) -> None:
    """Run the policy in a process that is killed with -9 at the so manieth deletion."""
    child: list[subprocess.Popen[str]] = []
    seen = 0

    def kill(request: LoggedRequest) -> None:
        nonlocal seen
        if child and request.method == "DELETE":
            seen += 1
            if seen == delete:
                child[0].kill()

    registry.on_request = kill
    command = [sys.executable, "-m", "tagsweep", "run", "-c", str(place.policy), "--state", str(place.state)]
    child.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    child[0].communicate(timeout=60)
    registry.on_request = None
    assert child[0].returncode == -signal.SIGKILL
