"""Several writers of one state in a registry, and registries that refuse it: all is kept, or nothing is deleted."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator

import pytest

from tagsweep.app.asked import Asked
from tagsweep.app.session import Session
from tagsweep.app.state_lease import Leases
from tagsweep.app.state_store import StateStore
from tagsweep.app.unattended import run_unattended
from tagsweep.config import load_policy
from tagsweep.drivers.oci_storing import connect_for_state
from tagsweep.http.clock import SystemClock
from tagsweep.model.errors import StateError
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.run import RunStatus
from tagsweep.model.schedule import AttemptResult
from tagsweep.model.stateplace import StatePlace
from tagsweep.stores.stateartifact import RUN_FILES, pack
from tagsweep.testing.dialects import DISTRIBUTION_2_8, DISTRIBUTION_3
from tagsweep.testing.fake import FakeRegistry, LoggedRequest
from tagsweep.testing.harness import Quiet
from tests.e2e.kit import GATEWAY, Place, fill, finish, gateway, own_server, part_of, policy
from tests.e2e.runners import HOME, NEW_YEAR, Runners, remote, states
from tests.real.servers import ServerKind


@pytest.fixture
def swept() -> Iterator[FakeRegistry]:
    """Return a registry that is to be swept, with a part of tensorzero/gateway."""
    with FakeRegistry(DISTRIBUTION_3) as running:
        fill(running, part_of(gateway()))
        yield running


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
@pytest.mark.slow
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


@pytest.mark.parametrize("failing", RUN_FILES)
def test_the_files_of_a_run_come_together_or_not_at_all(failing: str, place: Place) -> None:
    """One file cannot be read: nothing of the run is here, so that no later call takes what undo needs for absent."""
    with FakeRegistry(DISTRIBUTION_2_8) as keeping:
        with remote(keeping, place.directory) as session:
            run = session.state.run_directory("run-1")
            run.create()
            for name in RUN_FILES:
                (run.path / name).write_bytes(name.encode())
        with remote(keeping, place.directory, 1) as session:
            digest = hashlib.sha256(pack(failing.encode())).hexdigest()
            keeping.fail_next(99, status=403, code="DENIED", method="GET", path_contains=digest)
            with pytest.raises(StateError, match="cannot be read"):
                session.state.run_directory("run-1")
            keeping.faults.clear()
            run = session.state.run_directory("run-1")
            assert {path.name: path.read_bytes() for path in run.path.iterdir()} == {
                name: name.encode() for name in RUN_FILES
            }


def scheduled(session: Session, place: Place) -> list[AttemptResult]:
    """Run the policy in a session of one's own, and return how its attempts ended."""
    done = run_unattended(load_policy(place.policy), Asked(), session=session)
    return [finished.report.attempt.result for finished in done]


def test_who_waited_for_another_one_knows_what_that_did(place: Place, swept: FakeRegistry) -> None:
    """Two are woken for one date and read the state; the second finds the date done although it began before that."""
    place.write(policy(f"{swept.host}/{GATEWAY}", more="schedule: yearly\n"))
    with FakeRegistry(DISTRIBUTION_2_8) as keeping:
        first, second, third = (remote(keeping, place.directory, number, at=NEW_YEAR) for number in range(3))
        with third, second:
            with first:
                assert scheduled(first, place) == [AttemptResult.SWEPT]
                # The first has let go of the policy, and has not ended yet.
                built = [one for one in gateway().images() if all(tag.startswith("sha-") for tag in one.tags)]
                swept.push(GATEWAY, built[-1].image, *built[-1].tags)
                before = swept.tags(GATEWAY)
                assert scheduled(second, place) == []
            assert scheduled(third, place) == []
            assert swept.tags(GATEWAY) == before
        with remote(keeping, place.directory, 4) as last:
            (run,) = last.ledger.runs()
            assert run.status is RunStatus.DONE
        assert len(states(keeping)) == 1  # the others learnt nothing that was not there


def test_a_journal_that_is_here_gets_what_another_one_added(place: Place) -> None:
    """A run was fetched, and then went on elsewhere: with the lease its journal here has the lines of both."""
    lines = [json.dumps({"journal": "tagsweep", "number": number}) + "\n" for number in range(3)]
    with FakeRegistry(DISTRIBUTION_2_8) as keeping:
        with remote(keeping, place.directory) as session:
            run = session.state.run_directory("run-1")
            run.create()
            run.journal.write_text(lines[0], encoding="utf-8")
        early = remote(keeping, place.directory, 1)
        with early:
            here = early.state.run_directory("run-1").journal
            assert here.read_text(encoding="utf-8") == lines[0]
            with remote(keeping, place.directory, 2) as other:
                there = other.state.run_directory("run-1").journal
                there.write_text("".join(lines[:2]), encoding="utf-8")
            with early.state.lock("registry.example.com/app"):
                assert here.read_text(encoding="utf-8") == "".join(lines[:2])
                here.write_text("".join(lines), encoding="utf-8")
        with remote(keeping, place.directory, 3) as last:
            assert last.state.run_directory("run-1").journal.read_text(encoding="utf-8") == "".join(lines)
