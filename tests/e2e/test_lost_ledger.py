"""The ledger is lost: the runs are known again from their own files, and nothing is done twice."""

from __future__ import annotations

import pytest

from tagsweep.testing.dialects import DISTRIBUTION_3
from tagsweep.testing.fake import FakeRegistry, LoggedRequest
from tests.e2e.kit import GATEWAY, Place, both_sizes, fill, gateway, policy, removed


def lose_ledger(place: Place) -> None:
    """Remove the ledger as a clean-up of the disk would."""
    (place.state / "ledger.sqlite").unlink()


@both_sizes
def test_a_run_is_shown_verified_and_taken_back_without_its_ledger(place: Place) -> None:
    """History has the run as it was; verify and restore work by its files."""
    with FakeRegistry(DISTRIBUTION_3) as registry:
        before = fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}"))
        place.make_plan()
        place.apply()
        known = place.last_run()
        lose_ledger(place)
        # The journal ends with the last step, the ledger's record with the verification.
        assert {**place.last_run(), "ended_at": None} == {**known, "ended_at": None}
        lose_ledger(place)
        assert place.run("verify", "--json").document["ok"]
        lose_ledger(place)
        place.run("restore", known["id"], "--yes")
        assert registry.tags(GATEWAY) == before
        lose_ledger(place)
        assert place.last_run()["status"] == "restored"


@both_sizes
def test_a_plan_that_was_used_is_not_used_again(place: Place) -> None:
    """Without its ledger as with it, a plan is applied once (exit 5)."""
    with FakeRegistry(DISTRIBUTION_3) as registry:
        fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}"))
        place.make_plan()
        place.apply()
        lose_ledger(place)
        assert "was applied already" in place.apply(expect=5).err


@both_sizes
def test_an_interrupted_run_is_taken_up_without_its_ledger(place: Place) -> None:
    """The same run goes on, and knows what it did: all that it removed can be put back."""
    with FakeRegistry(DISTRIBUTION_3) as registry:
        before = fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}"))
        gone = removed(place.make_plan("--json"))
        own = 0

        def refuse(request: LoggedRequest) -> None:
            nonlocal own
            own += request.method == "DELETE"
            if own == 20:
                registry.fail_next(10_000, status=403, code="DENIED", method="DELETE")

        registry.on_request = refuse
        place.apply(expect=1)
        registry.on_request = None
        registry.faults.clear()
        (run,) = (place.state / "runs").iterdir()
        lose_ledger(place)
        assert place.last_run()["status"] == "running"
        place.apply()
        assert place.last_run()["id"] == run.name
        assert place.last_run()["removed_tags"] == len(gone)
        place.run("restore", run.name, "--yes")
        assert registry.tags(GATEWAY) == before


@both_sizes
@pytest.mark.parametrize("name", ["plan.json", "journal.jsonl"])
def test_a_run_whose_files_are_damaged_is_told_and_hides_no_other(place: Place, name: str) -> None:
    """What cannot be read is named in a note, and the runs that can be read are there."""
    with FakeRegistry(DISTRIBUTION_3) as registry:
        fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}"))
        place.make_plan()
        place.apply()
        first = place.last_run()["id"]
        place.run("restore", first, "--yes")
        place.make_plan()
        place.apply()
        second = place.last_run()["id"]
        lose_ledger(place)
        broken = place.state / "runs" / first / name
        broken.write_bytes(broken.read_bytes().replace(b"gateway", b"getaway", 1))
        shown = place.run("history", "--json")
        assert [run["id"] for run in shown.document["runs"]] == [second]
        assert f"{first} is not in the ledger" in shown.err
