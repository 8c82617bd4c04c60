"""A state that lives in a registry: runners that keep nothing lose nothing, whatever happens to them."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tagsweep.testing.dialects import DISTRIBUTION_2_8, DISTRIBUTION_3, Dialect
from tagsweep.testing.fake import FakeRegistry, LoggedRequest
from tagsweep.testing.images import image
from tests.e2e.kit import GATEWAY, Place, checked, fill, gateway, own_server, part_of, policy, run_here
from tests.e2e.runners import HOME, Runners, installed, remote, states
from tests.real.servers import ServerKind


@pytest.fixture
def swept() -> Iterator[FakeRegistry]:
    """Return a registry that is to be swept, with a part of tensorzero/gateway."""
    with FakeRegistry(DISTRIBUTION_3) as running:
        fill(running, part_of(gateway()))
        yield running


quick = [ServerKind.DISTRIBUTION_2_8, DISTRIBUTION_2_8]
slow = [DISTRIBUTION_3, ServerKind.DISTRIBUTION_3, ServerKind.CRANE, ServerKind.ZOT]
homes = [*quick, *(pytest.param(kind, marks=pytest.mark.slow) for kind in slow)]


@pytest.mark.parametrize("home", homes, ids=lambda home: str(home.name))
def test_each_step_may_be_on_another_machine(
    home: ServerKind | Dialect, place: Place, swept: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planned on one machine, applied on another, looked at on a third, restored on a fourth: all know of it."""
    before = swept.tags(GATEWAY)
    with own_server(home) if isinstance(home, ServerKind) else FakeRegistry(home) as keeping:
        runners = Runners(place.directory, keeping.host, monkeypatch)
        runner = runners.next()
        runner.write(policy(f"{swept.host}/{GATEWAY}"))
        runner.make_plan()
        assert runner.left() == []
        runner = runners.next()
        runner.apply()
        assert len(swept.tags(GATEWAY)) < len(before)
        assert runner.left() == []
        runner = runners.next()
        assert runner.last_run()["status"] == "done"
        assert set(runner.outcomes().values()) == {"done"}
        runner.apply(expect=5)  # a plan is used once, on whatever machine
        runner = runners.next()
        runner.run("restore", runner.last_run()["id"], "--yes")
        assert swept.tags(GATEWAY) == before


points = [("DELETE", 4)]
more = [
    pytest.param(method, number, marks=pytest.mark.slow)
    for method, number in [("PUT", 4), ("POST", 1), ("PUT", 9), ("DELETE", 1)]
]


@pytest.mark.parametrize(("method", "number"), [*points, *more])
def test_the_next_runner_takes_up_what_a_killed_one_began(
    method: str, number: int, place: Place, swept: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed with -9 while it sends its state or deletes: another machine ends the run as if nothing had been."""
    monkeypatch.setenv("TAGSWEEP_LEASE", "1")
    with FakeRegistry(DISTRIBUTION_2_8) as keeping, FakeRegistry(DISTRIBUTION_3) as other:
        want = dict(fill(other, part_of(gateway())))
        runners = Runners(place.directory, keeping.host, monkeypatch)
        runner = runners.next()
        runner.write(policy(f"{swept.host}/{GATEWAY}"))
        runner.make_plan()
        keeping.clear_log()
        killed = threading.Event()
        seen = 0

        def kill(request: LoggedRequest) -> None:
            nonlocal seen
            target = swept if method == "DELETE" else keeping
            counted = request.method == method and (target is keeping or "sha-" in request.target)
            seen += counted
            if counted and seen == number and not killed.is_set():
                killed.set()
                child.kill()

        (swept if method == "DELETE" else keeping).on_request = kill
        child = runners.next().start_apply()
        child.communicate(timeout=60)
        swept.on_request = keeping.on_request = None
        assert child.returncode == -signal.SIGKILL
        runner = runners.next()
        runner.apply()
        builds = {tag for tag in want if tag.startswith("sha-")}
        assert set(swept.tags(GATEWAY)) == set(want) - builds
        assert runner.last_run()["status"] == "done"
        assert runner.last_run()["removed_tags"] == len(builds)
        assert len(runner.run("history", "--json").document["runs"]) == 1
        runner = runners.next()
        runner.run("restore", runner.last_run()["id"], "--yes")
        assert swept.tags(GATEWAY) == want


def test_what_undo_needs_is_in_the_registry_before_the_first_delete(
    place: Place, swept: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed right after a deletion whose end it could not tell anybody, and never taken up: a restore undoes it."""
    monkeypatch.setenv("TAGSWEEP_LEASE", "1")
    before = swept.tags(GATEWAY)
    with FakeRegistry(DISTRIBUTION_2_8) as keeping:
        runners = Runners(place.directory, keeping.host, monkeypatch)
        runner = runners.next()
        runner.write(policy(f"{swept.host}/{GATEWAY}"))
        runner.make_plan()

        def kill(request: LoggedRequest) -> None:  # noqa: ARG001 - what is there decides, not what is asked
            if len(swept.tags(GATEWAY)) < len(before) - 2:
                child.kill()

        swept.on_request = kill
        child = runners.next().start_apply()
        child.communicate(timeout=60)
        swept.on_request = None
        assert len(swept.tags(GATEWAY)) < len(before)
        runner = runners.next()
        runner.run("restore", runner.last_run()["id"], "--yes")
        assert swept.tags(GATEWAY) == before


def test_the_repository_of_the_state_is_never_swept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named as a target it is refused; a pattern that fits it passes it over and says so."""
    with FakeRegistry(DISTRIBUTION_3) as keeping:
        fill(keeping, part_of(gateway()))
        runner = Runners(place.directory, keeping.host, monkeypatch).next()
        everything = "rules: [{name: all, match: {glob: '?*'}, keep: []}]\nlimits: {max_percent: 100%}\n"
        runner.run("inventory", f"{keeping.host}/{GATEWAY}")
        runner.write(policy(f"{keeping.host}/{HOME}", rules=everything))
        assert "never swept" in runner.make_plan(expect=4).err
        runner.write(policy(f"{keeping.host}/**", rules=everything))
        planned = runner.make_plan("--json", expect=None)
        assert [one["repository"] for one in planned.document["repositories"]] == [f"{keeping.host}/{GATEWAY}"]
        assert "passed over" in planned.err


def test_a_state_is_never_swept_by_a_run_that_knows_nothing_of_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's policy, with its state in a directory, takes that repository for old images: it is refused."""
    with FakeRegistry(DISTRIBUTION_2_8) as keeping:
        with remote(keeping, place.directory) as session:
            session.ledger.register_plan("plan-1", "seal", session.clock.now())
        before = keeping.tags(HOME)
        everything = (
            "rules: [{name: all, match: {glob: '?*'}, keep: []}]\nlimits: {max_percent: 100%, keep_at_least: 0}\n"
        )
        place.write(policy(f"{keeping.host}/{HOME}", rules=everything))
        monkeypatch.chdir(place.directory)
        place.make_plan()
        assert "never swept" in place.apply(expect=4).err
        assert keeping.tags(HOME) == before


def test_one_date_is_one_sweep_wherever_the_policy_lies(
    place: Place, swept: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runners that check the policy out at different paths: the second finds the date used."""
    with FakeRegistry(DISTRIBUTION_2_8) as keeping:
        runners = Runners(place.directory, keeping.host, monkeypatch)
        first = runners.next()
        first.write(policy(f"{swept.host}/{GATEWAY}", more="schedule: yearly\n"))
        installed(first, place.directory / "earlier")
        assert first.run("run", "-c", str(first.policy), "--json").document["due"]
        second = runners.next()
        assert not second.run("run", "-c", str(second.policy), "--json").document["due"]


def test_an_unattended_run_that_was_killed_is_taken_up_by_another_machine(
    place: Place, swept: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next ``tagsweep run``, on an empty disk, ends what the first began; the date is then used."""
    monkeypatch.setenv("TAGSWEEP_LEASE", "1")
    with FakeRegistry(DISTRIBUTION_2_8) as keeping:
        runners = Runners(place.directory, keeping.host, monkeypatch)
        runner = runners.next()
        runner.write(policy(f"{swept.host}/{GATEWAY}", more="schedule: yearly\n"))
        installed(runner, place.directory / "earlier")

        def kill(request: LoggedRequest) -> None:
            if request.method == "DELETE" and "sha-" in request.target and len(swept.tags(GATEWAY)) < len(before) - 2:
                child.kill()

        before = swept.tags(GATEWAY)
        swept.on_request = kill
        command = [sys.executable, "-m", "tagsweep", "run", "-c", str(runner.policy), "--state", str(runner.state)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        child.communicate(timeout=60)
        swept.on_request = None
        assert child.returncode == -signal.SIGKILL
        runner = runners.next()
        taken_up = runner.run("run", "-c", str(runner.policy), "--json").document
        assert [one["result"] for one in taken_up["attempts"]] == ["swept"]
        assert not [tag for tag in swept.tags(GATEWAY) if tag.startswith("sha-")]
        runner = runners.next()
        assert not runner.run("run", "-c", str(runner.policy), "--json").document["due"]
        assert len(runner.run("history", "--json").document["runs"]) == 1


def test_the_policy_may_say_where_the_state_lives(
    place: Place, swept: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``state: oci://…`` in the policy is where plan and apply keep it, without any option."""
    with FakeRegistry(DISTRIBUTION_2_8) as keeping:
        place.write(policy(f"{swept.host}/{GATEWAY}", more=f"state: oci://{keeping.host}/{HOME}:gateway\n"))
        checked(run_here(["plan", "-c", str(place.policy), "-o", str(place.plan)]), 0)
        checked(run_here(["apply", str(place.plan), "--yes"]), 0)
        assert all(tag.startswith("gateway-0000") for tag in states(keeping))
        monkeypatch.setenv("TAGSWEEP_STATE", f"oci://{keeping.host}/{HOME}:gateway")
        assert "done" in checked(run_here(["history"]), 0).out


def test_other_targets_make_no_date_due_again(
    place: Place, swept: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy stays the same while its targets change one after the other; one about other things is another."""
    app, web, gate = f"{swept.host}/acme/app", f"{swept.host}/acme/web", f"{swept.host}/{GATEWAY}"
    for name in ("acme/app", "acme/web"):
        swept.push(name, image(name), "latest")
    with FakeRegistry(DISTRIBUTION_2_8) as keeping:
        runners = Runners(place.directory, keeping.host, monkeypatch)

        def run(*targets: str, options: tuple[str, ...] = ()) -> list[str]:
            runner = runners.next()
            text = policy(gate, more="schedule: yearly\n")
            runner.write(text.replace(f'["{gate}"]', str(list(targets))))
            done = runner.run("run", "-c", str(runner.policy), "--json", *options).document["attempts"]
            return [one["result"] for one in done]

        assert run(gate) == ["begun"]
        assert run(gate, app) == []
        assert run(gate, app, options=("--force",)) == ["swept"]
        assert run(app) == []
        assert run(web) == ["begun"]
        assert run(gate) == run(web) == []
