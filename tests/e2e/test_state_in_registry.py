"""A state that lives in a registry: runners that keep nothing lose nothing, whatever happens to them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagsweep.app.remote_state import open_remote
from tagsweep.app.session import Session
from tagsweep.app.state_lease import Leases
from tagsweep.app.state_store import StateStore
from tagsweep.drivers.oci_storing import connect_for_state
from tagsweep.http.clock import SystemClock
from tagsweep.model.errors import StateError
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.stateplace import StatePlace
from tagsweep.testing.dialects import DISTRIBUTION_2_8, DISTRIBUTION_3, Dialect
from tagsweep.testing.fake import FakeRegistry, LoggedRequest
from tagsweep.testing.harness import InstantClock, Quiet
from tests.e2e.kit import GATEWAY, Place, Result, checked, fill, finish, gateway, own_server, part_of, policy, run_here
from tests.real.servers import ServerKind

HOME = "ops/tagsweep-state"


@pytest.fixture
def swept() -> Iterator[FakeRegistry]:
    """Return a registry that is to be swept, with a part of tensorzero/gateway."""
    with FakeRegistry(DISTRIBUTION_3) as running:
        fill(running, part_of(gateway()))
        yield running


class Runner(Place):
    """A machine with an empty disk, which keeps its state in a registry."""

    def __init__(self, directory: Path, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
        directory.mkdir()
        super().__init__(directory)
        self.state = f"oci://{host}/{HOME}"  # type: ignore[assignment]
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


quick = [ServerKind.DISTRIBUTION_2_8, DISTRIBUTION_2_8, DISTRIBUTION_3]
slow = [ServerKind.DISTRIBUTION_3, ServerKind.CRANE, ServerKind.ZOT]
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


points = [("PUT", 4), ("DELETE", 4)]
more = [
    pytest.param(method, number, marks=pytest.mark.slow) for method, number in [("POST", 1), ("PUT", 9), ("DELETE", 1)]
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


def test_two_runners_at_once_are_told_apart(place: Place, swept: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one applies a plan, another that wants to is told who is at work, and deletes nothing."""
    monkeypatch.setenv("TAGSWEEP_LEASE", "6")
    with own_server(ServerKind.DISTRIBUTION_2_8) as keeping:
        runners = Runners(place.directory, keeping.host, monkeypatch)
        runner = runners.next()
        runner.write(policy(f"{swept.host}/{GATEWAY}"))
        runner.make_plan()
        begun, go_on = threading.Event(), threading.Event()

        def wait(request: LoggedRequest) -> None:
            if request.method == "DELETE" and "sha-" in request.target and not begun.is_set():
                begun.set()
                go_on.wait(30)

        swept.on_request = wait
        child = runners.next().start_apply()
        try:
            assert begun.wait(30)
            second = runners.next()
            refused = second.apply(expect=6)
        finally:
            go_on.set()
        finish(child, 0)
        assert "at work on" in refused.err
        assert refused.err.count("tagsweep:") == 1
        assert second.left() == []
        assert runners.next().last_run()["status"] == "done"


def remote(keeping: FakeRegistry, home: Path, writer: int = 0) -> Session:
    """Return a session of one runner, with the state in a registry."""
    place = StatePlace.parse(f"oci://{keeping.host}/{HOME}")
    clock = InstantClock()
    settings = RegistrySettings(host=keeping.host)
    state = open_remote(place, base=home / f"runner-{writer}", settings=settings, clock=clock, progress=Quiet())
    return Session(state=state, clock=clock, progress=Quiet())


def test_what_two_writers_learn_at_once_is_all_kept(place: Place) -> None:
    """Two that began from one state and sent theirs in any order: whoever comes next knows what both learnt."""
    with FakeRegistry(DISTRIBUTION_2_8) as keeping:
        with remote(keeping, place.directory) as zero:
            zero.ledger.register_plan("plan-0", "seal", zero.clock.now())
        one, two = (remote(keeping, place.directory, number) for number in (1, 2))
        with one, two:
            for name, session in (("plan-1", one), ("plan-2", two), ("plan-3", one)):
                session.ledger.register_plan(name, "seal", session.clock.now())
                session.checkpoint()
        with remote(keeping, place.directory, 3) as three:
            known = [three.ledger.seal_of_plan(f"plan-{number}") for number in range(5)]
        assert known == ["seal"] * 4 + [None]


@pytest.mark.parametrize("others", [1, 3])
def test_a_writer_that_goes_on_after_it_was_taken_in_is_not_forgotten(others: int, place: Place) -> None:
    """A command that runs long sends more after others took in what it had: the next ones know that too."""
    with FakeRegistry(DISTRIBUTION_2_8) as keeping:
        long = remote(keeping, place.directory)
        with long:
            long.ledger.register_plan("early", "seal", long.clock.now())
            long.checkpoint()
            for number in range(1, others + 1):
                with remote(keeping, place.directory, number) as other:
                    other.ledger.register_plan(f"plan-{number}", "seal", other.clock.now())
            long.ledger.register_plan("late", "seal", long.clock.now())
            long.checkpoint()
            with remote(keeping, place.directory, 4) as other:
                assert other.ledger.seal_of_plan("late") == "seal"
                assert other.ledger.seal_of_plan(f"plan-{others}") == "seal"


@pytest.mark.usefixtures("place")
def test_never_two_hold_one_lease() -> None:
    """Four that ask at the same moment: at no time two of them are at work, and who is refused is told by whom."""
    inside: list[int] = []
    most: list[int] = []
    refused: list[str] = []
    ready = threading.Barrier(4)

    def work(number: int) -> None:
        driver = connect_for_state(RegistrySettings(host=keeping.host), clock=SystemClock(), progress=Quiet())
        store = StateStore(place=StatePlace.parse(f"oci://{keeping.host}/{HOME}"), driver=driver)
        leases = Leases(store=store, clock=SystemClock(), progress=Quiet(), writer=f"{number:08x}", seconds=30.0)
        ready.wait()
        try:
            with leases.hold("a repository"):
                inside.append(number)
                SystemClock().sleep(0.2)
                most.append(len(inside))
                inside.remove(number)
        except StateError as error:
            refused.append(str(error))
        driver.close()

    with FakeRegistry(DISTRIBUTION_2_8) as keeping:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(most) + len(refused) == 4
        assert all("is at work on a repository" in one for one in refused)
        assert set(most) <= {1}
        assert not [tag for tag in states(keeping) if "lease" in tag]


def test_old_states_are_removed_and_a_head_never_is(place: Place) -> None:
    """After many commands the last two states are there, and one that nobody took in yet stays."""
    with FakeRegistry(DISTRIBUTION_2_8) as keeping:
        late = remote(keeping, place.directory, 99)
        with late:
            for number in range(6):
                with remote(keeping, place.directory, number) as session:
                    session.ledger.register_plan(f"plan-{number}", "seal", session.clock.now())
            assert len(states(keeping)) == 2
            late.ledger.register_plan("late", "seal", late.clock.now())
        assert len(states(keeping)) == 3
        with remote(keeping, place.directory, 7) as session:
            assert session.ledger.seal_of_plan("late") == "seal"
            assert session.ledger.seal_of_plan("plan-0") == "seal"


def test_what_did_not_change_is_not_sent(place: Place, swept: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that learns nothing writes nothing; the files of old runs are not sent a second time."""
    with FakeRegistry(DISTRIBUTION_2_8) as keeping:
        runners = Runners(place.directory, keeping.host, monkeypatch)
        runner = runners.next()
        runner.write(policy(f"{swept.host}/{GATEWAY}"))
        runner.make_plan()
        runner.apply()
        keeping.clear_log()
        runners.next().run("history", runner.last_run()["id"])
        assert keeping.count("PUT") + keeping.count("POST") + keeping.count("DELETE") == 0
        runners.next().run("inventory", f"{swept.host}/{GATEWAY}")
        assert keeping.count("POST", "blobs") == 2  # what is there now, and what was there earlier


refusals = [(401, "UNAUTHORIZED"), (403, "DENIED"), (405, "UNSUPPORTED"), (429, "TOOMANYREQUESTS"), (500, "UNKNOWN")]


@pytest.mark.parametrize(("status", "code"), refusals)
def test_nothing_is_deleted_where_the_state_cannot_be_kept(
    status: int, code: str, place: Place, swept: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry that takes no more state: one message that names it, and not one request that deletes."""
    before = swept.tags(GATEWAY)
    with FakeRegistry(DISTRIBUTION_2_8) as keeping:
        runners = Runners(place.directory, keeping.host, monkeypatch)
        runner = runners.next()
        runner.write(policy(f"{swept.host}/{GATEWAY}"))
        runner.make_plan()
        # The leases are still taken; what is refused is what undo needs. 429 asks for more time than a run has.
        headers = {"Retry-After": "7200"} if status == 429 else None
        keeping.fail_next(99, status=status, code=code, method="POST", path_contains="blobs", headers=headers)
        refused = runner.apply(expect=6)
        assert refused.err.count("tagsweep:") == 1
        assert f"oci://{keeping.host}/{HOME}:state cannot be written" in refused.err
        assert swept.tags(GATEWAY) == before
        assert len(runner.left()) == 1
        keeping.faults.clear()
        runner.apply()  # the same machine: the plan is not used up by what failed
        assert runner.left() == []
        assert runners.next().last_run()["status"] == "done"


def test_a_wave_that_could_not_be_announced_is_not_begun(
    place: Place, swept: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry of the state goes away after the first wave: the run stops there, and is ended later."""
    monkeypatch.setenv("TAGSWEEP_LEASE", "1")  # the lease cannot be given back either
    before = swept.tags(GATEWAY)
    with FakeRegistry(DISTRIBUTION_2_8) as keeping:
        runners = Runners(place.directory, keeping.host, monkeypatch)
        runner = runners.next()
        runner.write(policy(f"{swept.host}/{GATEWAY}", more="apply: {waves: [1, 100%]}\n"))
        runner.make_plan()

        def go_away(request: LoggedRequest) -> None:
            if request.method == "DELETE" and "sha-" in request.target:
                swept.on_request = None
                keeping.fail_next(999, status=403, code="DENIED", method="PUT")

        swept.on_request = go_away
        stopped = runner.apply(expect=6)
        assert stopped.err.count("tagsweep:") == 1
        assert "cannot be written" in stopped.err
        assert len(swept.tags(GATEWAY)) == len(before) - 1
        keeping.faults.clear()
        runner.apply()
        assert runners.next().last_run()["status"] == "done"
        assert len(runner.run("history", "--json").document["runs"]) == 1


def test_a_real_registry_that_asks_who_is_there_is_one_message(
    place: Place, swept: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Distribution with a password that nobody gave: the command says so and plans nothing."""
    users = place.directory / "htpasswd"
    users.write_text("sweeper:$2b$05$abcdefghijklmnopqrstuuH2DLrcfCyuAkW0fWsTifgoC0Xz/F7tK\n", encoding="utf-8")
    auth = f'{{"htpasswd": {{"realm": "r", "path": "{users}"}}}}'
    with own_server(ServerKind.DISTRIBUTION_2_8, auth=auth) as keeping:
        runner = Runners(place.directory, keeping.host, monkeypatch).next()
        runner.write(policy(f"{swept.host}/{GATEWAY}"))
        refused = runner.make_plan(expect=6)
        assert refused.err.count("tagsweep:") == 1
        assert "cannot be read" in refused.err
        assert "401" in refused.err or "credentials" in refused.err


def test_what_could_not_be_sent_at_the_end_is_sent_by_the_next(place: Place) -> None:
    """The registry goes away before the end: the error says where the state is, and the next command takes it in."""
    with FakeRegistry(DISTRIBUTION_2_8) as keeping:
        session = remote(keeping, place.directory)
        session.ledger.register_plan("plan-1", "seal", session.clock.now())
        keeping.fail_next(99, status=403, code="DENIED", method="PUT")
        with pytest.raises(StateError, match=r"this run's state is in .*in-registries|runner-0"), session:
            pass
        keeping.faults.clear()
        with remote(keeping, place.directory):
            pass
        with remote(keeping, place.directory, 5) as another:
            assert another.ledger.seal_of_plan("plan-1") == "seal"


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
        everything = "rules: [{name: all, match: {glob: '?*'}, keep: []}]\nlimits: {max_percent: 100%, keep_at_least: 0}\n"
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
        assert first.run("run", "-c", str(first.policy), "--json").document["due"]
        second = runners.next()
        assert not second.run("run", "-c", str(second.policy), "--json").document["due"]


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
