"""Bad input of every kind: one clear sentence, the right exit code, and nothing deleted."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tagsweep.model.reference import Digest
from tagsweep.testing.access import BasicAccess, BearerAccess
from tagsweep.testing.dialects import DISTRIBUTION_2_8, DISTRIBUTION_3, without_deletion
from tagsweep.testing.fake import FakeRegistry
from tests.e2e.kit import GATEWAY, Place, both_sizes, codes, decisions, fill, gateway, policy, removed

HOST = "127.0.0.1:9"

# What is written wrongly, where the message points, and a word of the remedy or sentence.
bad_policies = [
    ("", "", "empty"),
    ("version: 1\ntargets: [\n", ":3:", ""),
    ("version: 1\n\ttargets: []\n", ":2:", "tab"),
    (policy(f"{HOST}/a").replace("rules:", "rulez:"), ":", "rules"),
    (policy(f"{HOST}/a").replace("match:", "mtach:"), ":9:5:", "match"),
    (policy(f"{HOST}/a").replace("    keep: []\n", ""), ":", "keep"),
    (policy(f"{HOST}/a").replace("evidence: none\n", ""), ":", "evidence: none"),
    (policy(f"{HOST}/a").replace("sha-[0-9a-f]{7,40}", ".*"), ":", "empty"),
    (policy(f"{HOST}/a").replace("sha-[0-9a-f]{7,40}", "sha-["), ":6:", ""),
    (policy(f"{HOST}/a").replace("class: ci-build}", "class: ci-biuld}"), ":", "ci-build"),
    (policy(f"{HOST}/a", more="limits: {max_percent: lots}\n"), ":", "percent"),
]


@pytest.mark.parametrize(("text", "place_of_it", "word"), bad_policies)
def test_a_bad_policy_is_told_with_its_place(place: Place, text: str, place_of_it: str, word: str) -> None:
    """Exit 2, the file with line and column, and what to write instead."""
    place.write(text)
    result = place.make_plan(expect=2)
    assert f"{place.policy}{place_of_it}" in result.err
    assert word in result.err
    assert not place.plan.exists()


def test_an_absent_policy_and_plan_are_told(place: Place) -> None:
    """Exit 2 and the name of the file."""
    assert str(place.policy) in place.make_plan(expect=2).err
    assert str(place.plan) in place.apply(expect=2).err


@pytest.mark.parametrize(
    "command", [["restore", "run-1", "--yes"], ["verify", "run-1"], ["history", "run-1"], ["verify"]]
)
def test_a_run_that_is_not_here_may_be_in_a_state_that_a_policy_names(place: Place, command: list[str]) -> None:
    """These commands read no policy: exit 2, and how to say where the state is."""
    assert "--state or TAGSWEEP_STATE" in place.run(*command, expect=2).err


def test_an_unreachable_registry_is_told(place: Place) -> None:
    """Exit 1, the address, and one JSON document where JSON was asked for."""
    place.write(policy(f"{HOST}/{GATEWAY}"))
    result = place.make_plan("--json", expect=1)
    assert HOST in result.err
    assert result.document["exit_code"] == 1


@pytest.mark.parametrize("access", [BasicAccess(), BearerAccess(anonymous=frozenset())], ids=["basic", "bearer"])
def test_wrong_credentials_are_told(
    place: Place, access: BasicAccess | BearerAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 1, and the password is nowhere."""
    monkeypatch.setenv("TAGSWEEP_USERNAME", "user")
    monkeypatch.setenv("TAGSWEEP_PASSWORD", "wrong-hunter2")
    with FakeRegistry(access=access) as registry:
        fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}"))
        result = place.make_plan(expect=1)
        assert registry.host in result.err
        assert "hunter2" not in result.text


def test_a_token_that_lacks_delete_is_known_before_the_plan(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the token server silently grants less, every build stays with that reason, and nothing was tried."""
    monkeypatch.setenv("TAGSWEEP_USERNAME", "user")
    monkeypatch.setenv("TAGSWEEP_PASSWORD", "secret")
    with FakeRegistry(DISTRIBUTION_3, access=BearerAccess(granted=frozenset({"pull", "push"}))) as registry:
        fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}"))
        planned = place.make_plan("--json")
        assert removed(planned) == set()
        assert "cannot-delete" in {code for each in decisions(planned).values() for code in codes(each)}


def test_deletion_that_is_switched_off_is_known_before_the_plan(place: Place) -> None:
    """A registry whose operator has not enabled deletion keeps everything, with that reason."""
    with FakeRegistry(without_deletion(DISTRIBUTION_2_8)) as registry:
        fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}"))
        assert removed(place.make_plan("--json")) == set()


def edited(place: Place) -> None:
    place.plan.write_text(place.plan.read_text().replace('"keep_at_least"', '"keep_at_least" ', 1))
    document = json.loads(place.plan.read_text())
    found = json.dumps(document).replace("latest", "latesd")
    place.plan.write_text(found)


def cut(place: Place) -> None:
    place.plan.write_bytes(place.plan.read_bytes()[:1000])


def foreign(place: Place) -> None:
    place.plan.write_text('{"hello": 1}')


def used(place: Place) -> None:
    place.apply()


def stale(_place: Place) -> None:
    time.sleep(1.1)


@both_sizes
@pytest.mark.parametrize("spoil", [edited, cut, foreign, used, stale], ids=lambda function: str(function.__name__))
def test_a_plan_is_applied_as_it_was_made_once_and_in_time(place: Place, spoil: Callable[[Place], None]) -> None:
    """Exit 5 for a plan that was edited, cut, is none, was used or is stale; nothing (more) is deleted."""
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        fill(registry, gateway())
        valid = "1s" if spoil is stale else "1h"
        place.write(policy(f"{registry.host}/{GATEWAY}", more=f"limits: {{plan_valid: {valid}}}\n"))
        place.make_plan()
        spoil(place)
        before = registry.tags(GATEWAY)
        place.apply(expect=5)
        assert registry.tags(GATEWAY) == before


guards = [
    ("limits: {max_removals: 10}\n", "max_removals"),
    ("limits: {max_removals: 0}\n", "max_removals"),
    ("limits: {max_percent: 20}\n", "max_percent"),
    ("limits: {keep_at_least: 200}\n", "keep_at_least"),
    ('protect: [{match: {names: [prod]}, reason: "runs"}]\n', "protects nothing"),
]


@pytest.mark.parametrize(("limit", "word"), guards)
def test_a_guard_refuses_the_whole_plan(place: Place, limit: str, word: str) -> None:
    """Exit 4, the guard and the way out are named, and no plan is written."""
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}", more=limit))
        result = place.make_plan(expect=4)
        assert word in result.text
        assert not place.plan.exists()


def test_evidence_that_is_missing_keeps_everything_and_stops_apply(place: Place) -> None:
    """A hold list that cannot be read makes every build undecided and ends in 4, at the plan and again at apply."""
    evidence = "evidence: {require: [list/hold]}\nsources:\n  list/hold: {file: hold.txt}\n"
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}", evidence=evidence))
        refused = place.make_plan("--json", expect=4)
        assert removed(refused) == set()
        assert [each["guard"] for each in refused.document["refusals"]] == ["evidence"]
        hold = place.directory / "hold.txt"
        hold.write_text("# nothing\n")
        place.make_plan()
        hold.unlink()
        before = registry.tags(GATEWAY)
        place.apply(expect=4)
        assert registry.tags(GATEWAY) == before


def test_what_came_into_use_after_the_plan_stays(place: Place) -> None:
    """Apply asks the evidence again: a tag that is named since is skipped, with the place, and the rest goes."""
    evidence = "evidence: {require: [list/hold]}\nsources:\n  list/hold: {file: hold.txt}\n"
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}", evidence=evidence))
        hold = place.directory / "hold.txt"
        hold.write_text("# nothing\n")
        victim = min(removed(place.make_plan("--json")))
        hold.write_text(f"{registry.host}/{GATEWAY}:{victim}\n")
        place.apply(expect=3)
        assert len(registry.tags(GATEWAY)) == 155
        assert victim in registry.tags(GATEWAY)
        place.run("verify", expect=3)


def test_an_unwritable_state_directory_is_told(place: Place) -> None:
    """Exit 6 where the state would be below a file."""
    (place.directory / "state").write_text("a file")
    place.write(policy(f"{HOST}/{GATEWAY}"))
    assert str(place.state) in place.make_plan(expect=6).err


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system needs root to be mounted")
def test_a_full_disk_stops_before_anything_is_deleted(place: Place, tmp_path: Path) -> None:
    """Exit 6 when what undo needs does not fit on the disk; the registry is as it was."""
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        tags = fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}"))
        small = tmp_path / "small"
        small.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", str(small)], check=False)
        if mounted.returncode:
            pytest.skip("this machine does not let root mount a small file system")
        try:
            place.make_plan()
            place.state = small / "state"
            place.apply(expect=6)
            assert dict(registry.tags(GATEWAY)) == tags
        finally:
            subprocess.run(["umount", str(small)], check=True)


def test_without_a_terminal_apply_wants_to_be_told_yes(place: Place) -> None:
    """Exit 2 and nothing deleted where nobody can be asked."""
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        tags: dict[str, Digest] = fill(registry, gateway())
        place.write(policy(f"{registry.host}/{GATEWAY}"))
        place.make_plan()
        assert "--yes" in place.run("apply", str(place.plan), expect=2).err
        assert registry.tags(GATEWAY) == tags
