"""``tagsweep run`` where its state cannot be used, which people hear of, or another is at work, which is no news."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest

from tagsweep.stores.state import StateDirectory
from tagsweep.testing.dialects import DISTRIBUTION_2_8, DISTRIBUTION_3
from tagsweep.testing.fake import FakeRegistry
from tests.e2e.attempts import QUARTERLY, installed, listener, write
from tests.e2e.kit import GATEWAY, Place, fill, gateway, part_of
from tests.e2e.runners import HOME, Runners

RECORD = ", metrics: sweep.prom, notify: [{kind: webhook, url_env: HOOK}]"


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    """Return a registry that removes single tags, with a part of tensorzero/gateway."""
    with FakeRegistry(DISTRIBUTION_3) as running:
        fill(running, part_of(gateway()))
        yield running


def test_a_state_that_cannot_be_read_is_told(
    place: Place, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry of the state refuses: message, metrics and summary have it, and nothing is deleted."""
    before = registry.tags(GATEWAY)
    with FakeRegistry(DISTRIBUTION_2_8) as keeping, listener() as (url, got):
        monkeypatch.setenv("HOOK", url)
        runner = Runners(place.directory, keeping.host, monkeypatch).next()
        write(runner, registry, record=RECORD)
        keeping.fail_next(99, status=403, code="DENIED")
        summary = runner.directory / "summary.md"
        failed = runner.run("run", "-c", str(runner.policy), "--summary", str(summary), expect=6)
        assert failed.err.count("cannot be read") == 1
        assert failed.out == ""
        assert [(one["event"], one["exit_code"], one["policy"].split()[0]) for one in got] == [
            ("failed", 6, "tagsweep.yaml")
        ]
        assert f"oci://{keeping.host}/{HOME}:state cannot be read" in got[0]["facts"][0]
        assert "last_run_exit_code" in (runner.directory / "sweep.prom").read_text(encoding="utf-8")
        assert "cannot be read" in summary.read_text(encoding="utf-8")
        document = runner.run("run", "-c", str(runner.policy), "--json", expect=6).document
        assert document["schema"] == "tagsweep/error"
    assert registry.tags(GATEWAY) == before


def test_a_directory_that_cannot_be_used_is_told(
    place: Place, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file stands where the state was: people are told, under the name that the policy always has."""
    write(place, registry, record=RECORD)
    installed(place)
    shutil.rmtree(place.state)
    place.state.write_text("no directory", encoding="utf-8")
    with listener() as (url, got):
        monkeypatch.setenv("HOOK", url)
        place.run("run", "-c", str(place.policy), expect=6)
    assert [(one["result"], one["exit_code"], one["policy"]) for one in got] == [("failed", 6, "tagsweep.yaml")]


def test_a_state_that_could_not_be_sent_is_told_after_the_sweep(
    place: Place, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state's registry goes away after the end was told: the sweep is shown and told, and the loss as well."""
    with FakeRegistry(DISTRIBUTION_2_8) as keeping, listener() as (url, got):
        monkeypatch.setenv("HOOK", url)
        runner = Runners(place.directory, keeping.host, monkeypatch).next()
        write(runner, registry, record=RECORD)

        def go_away(request: object) -> None:  # noqa: ARG001 (that it is asked is what counts)
            if got:
                keeping.on_request = None
                keeping.fail_next(9999, status=403, code="DENIED", method="PUT")

        keeping.on_request = go_away
        summary = runner.directory / "summary.md"
        failed = runner.run("run", "-c", str(runner.policy), "--force", "--json", "--summary", str(summary), expect=6)
        assert "removed from 1 repository" in summary.read_text(encoding="utf-8")
        assert [one["result"] for one in failed.document["attempts"]] == ["swept"]
        assert failed.err.count("this run's state is in") == 1
        assert [one["result"] for one in got] == ["swept", "failed"]
        assert "this run's state is in" in got[1]["facts"][0]


def test_another_one_at_work_is_no_failure(
    place: Place, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one runs the policy another call ends with 0, says who it is, and tells nobody; by hand it ends with 6."""
    write(place, registry, record=RECORD)
    state = StateDirectory.open(place.state)
    with listener() as (url, got):
        monkeypatch.setenv("HOOK", url)
        with state.lock("policy tagsweep.yaml"):
            left = place.run("run", "-c", str(place.policy))
            assert left.out.startswith("Left to the other: another tagsweep (process ")
            assert left.err == ""
            document = place.run("run", "-c", str(place.policy), "--json").document
            assert (document["due"], document["attempts"]) == (False, [])
            assert document["held"].startswith("another tagsweep")
            assert got == []
            assert "another tagsweep" in place.run("run", "-c", str(place.policy), "--force", expect=6).err
    assert [one["result"] for one in got] == ["failed"]


def test_a_refusal_is_said_once(place: Place, registry: FakeRegistry) -> None:
    """What stopped the run and the remedy are on standard error alone, the rest is the result; JSON is one document."""
    write(place, registry, more=f"{QUARTERLY}limits: {{max_removals: 1}}\n")
    installed(place)
    refused = place.run("run", "-c", str(place.policy), expect=4)
    assert refused.out.startswith("The sweep was refused; nothing was removed\n")
    assert "refused by" not in refused.out
    assert "Remedy" not in refused.out
    assert "The date stays due" in refused.out
    assert refused.err.count("refused by max_removals") == 1
    told = place.run("run", "-c", str(place.policy), "--json", expect=4)
    assert told.document["attempts"][0]["facts"][0].startswith("refused by max_removals")
    assert told.err.count("refused by max_removals") == 1


def test_a_plan_that_is_refused_says_so_once(place: Place, registry: FakeRegistry) -> None:
    """``plan`` has its tags on standard output, and each refusal once, on standard error."""
    write(place, registry, more="limits: {max_removals: 1, max_percent: 1}\n")
    refused = place.make_plan(expect=4)
    assert "refused by" not in refused.out
    first, *others = [refusal["message"] for refusal in json.loads(place.make_plan("--json", expect=4).out)["refusals"]]
    assert others
    shown = " ".join(refused.err.split())  # lines are folded
    for message in (first, *others):
        assert shown.count(message) == 1
