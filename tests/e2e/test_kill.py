"""An apply that is killed at any point and started again ends where an uninterrupted one ends."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable

import pytest

from tagsweep.testing.dialects import DISTRIBUTION_2_8, DISTRIBUTION_3, Dialect
from tagsweep.testing.fake import FakeRegistry, LoggedRequest
from tests.e2e.kit import (
    GATEWAY,
    SHA,
    WHOLE,
    Place,
    both_sizes,
    fill,
    finish,
    gateway,
    policy,
    shared_with_release,
    size,
)

Hook = Callable[[LoggedRequest], None]


def killer(child: list[subprocess.Popen[str]], method: str, number: int) -> Hook:
    """Return a hook that kills the child at its ``number``-th request of this method, before it is answered."""
    seen = 0

    def hook(request: LoggedRequest) -> None:
        nonlocal seen
        if child and request.method == method:
            seen += 1
            if seen == number:
                child[0].kill()

    return hook


DIALECTS = [DISTRIBUTION_2_8, pytest.param(DISTRIBUTION_3, marks=pytest.mark.slow)]
points = [("GET", 5), ("DELETE", 3), ("DELETE", 12), ("DELETE", 60), ("DELETE", 200), ("HEAD", 700)]


@both_sizes
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: str(dialect.name))
@pytest.mark.parametrize(("method", "number"), points)
def test_killed_and_resumed_is_as_never_killed(place: Place, dialect: Dialect, method: str, number: int) -> None:
    """Hazard 46: killed with -9 while saving, deleting or verifying, the same command ends alike, with one record."""
    number = max(1, number * size().tags // WHOLE.tags)  # the points are those of the whole list
    child: list[subprocess.Popen[str]] = []
    with FakeRegistry(dialect) as registry:
        tags = fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}"))
        place.make_plan()
        registry.on_request = killer(child, method, number)
        child.append(place.start_apply())
        child[0].communicate(timeout=60)
        registry.on_request = None
        assert child[0].returncode == -signal.SIGKILL
        place.apply()
        builds = {tag for tag in tags if SHA.fullmatch(tag)}
        gone = builds - shared_with_release(tags) if dialect is DISTRIBUTION_2_8 else builds
        assert registry.tags(GATEWAY) == {tag: digest for tag, digest in tags.items() if tag not in gone}
        kept = len({digest for tag, digest in tags.items() if tag not in gone})
        assert len(registry.manifests(GATEWAY)) == kept * 5
        assert place.last_run()["status"] == "done"
        assert place.changelog.read_text(encoding="utf-8").count("### Registry sweep") == 1
        place.apply(expect=5)


@both_sizes
def test_ctrl_c_lets_the_steps_in_flight_end_and_can_be_taken_up(place: Place) -> None:
    """SIGINT ends with 130 and no traceback; the same command then finishes the run."""
    child: list[subprocess.Popen[str]] = []
    seen = 0

    def interrupt(request: LoggedRequest) -> None:
        nonlocal seen
        if child and request.method == "DELETE":
            seen += 1
            if seen == 20:
                child[0].send_signal(signal.SIGINT)

    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}"))
        place.make_plan()
        registry.on_request = interrupt
        child.append(place.start_apply())
        finish(child[0], 130)
        registry.on_request = None
        place.apply()
        assert place.last_run()["status"] == "done"
        assert len(registry.tags(GATEWAY)) == size().tags - size().builds + size().shared


@both_sizes
def test_a_deletion_whose_answer_was_lost_is_looked_up(place: Place) -> None:
    """Where the connection drops after the registry deleted, a look finds it gone and the run goes on."""
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        tags = fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}"))
        place.make_plan()

        def drop(request: LoggedRequest) -> None:
            # The first deletion of something that is there: before it only what is absent is tried.
            if request.method == "DELETE" and any(digest in request.target for digest in tags.values()):
                registry.on_request = None
                registry.drop_next(method="DELETE", path_contains="sha256", performed=True)

        registry.on_request = drop
        place.apply()
        assert place.last_run()["removed_tags"] == size().builds - size().shared
        assert sum("answer was lost" in why for why in place.why().values()) == 1
        assert len(registry.tags(GATEWAY)) == size().tags - size().builds + size().shared
