"""Evidence as people see it: ``usage``, ``explain``, ``plan`` and ``watch`` on a registry."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tagsweep.cli.watch import command as watch
from tagsweep.config import parse_policy
from tagsweep.testing.dialects import DISTRIBUTION_3
from tagsweep.testing.fake import FakeRegistry
from tests.e2e.kit import GATEWAY, SHA, Place, both_sizes, codes, decisions, fill, finish, gateway, policy, removed

HOLD = "evidence: {require: [list/hold], remember: 90d}\n"
SOURCE = "sources:\n  list/hold: {file: hold.txt%s}\n"
_CHILD = """\
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from tagsweep.cli.main import main
main()
"""


class Shown:
    """A registry with the gateway's tags, a policy with a hold list, and the names that the tests need."""

    def __init__(self, place: Place, registry: FakeRegistry) -> None:
        self.place = place
        self.tags = fill(registry, gateway())
        self.name = f"{registry.host}/{GATEWAY}"
        self.builds = sorted(tag for tag in self.tags if SHA.fullmatch(tag))
        self.registry = registry
        self.write()

    def write(self, *, options: str = "", more: str = "", evidence: str = HOLD) -> None:
        """Write the policy, with more options of the source."""
        alias = f"registries: {{'{self.registry.host}': {{aliases: [harbor.example/hub]}}}}\n"
        self.place.write(policy(self.name, evidence=evidence, more=SOURCE % options + more + alias))

    def hold(self, *lines: str) -> None:
        """Write the hold list."""
        (self.place.directory / "hold.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def run(self, command: str, *options: str, expect: int = 0) -> str:
        """Run a command with the policy and return what it printed, with its lines joined."""
        result = self.place.run(command, *options, "-c", str(self.place.policy), expect=expect)
        return " ".join(result.text.split())


@pytest.fixture
def shown(place: Place) -> Iterator[Shown]:
    """Return the place of the tests; the registry is gone when no test needs it."""
    registry = FakeRegistry(DISTRIBUTION_3)
    registry.__enter__()
    try:
        yield Shown(place, registry)
    finally:
        registry.__exit__(None, None, None)


def test_explain_cites_source_place_reason_and_way(shown: Shown) -> None:
    """By tag, by digest, by another name of the registry, and no longer there: each says where."""
    one, two, three = shown.builds[:3]
    shown.hold(f"{shown.name}:{one} # customer A", f"{shown.name}@{shown.tags[two]}", "docker.io/library/redis:7")
    shown.hold(
        f"{shown.name}:{one} # customer A", f"{shown.name}@{shown.tags[two]}", f"harbor.example/hub/{GATEWAY}:{three}"
    )
    said = shown.run("explain", f"{shown.name}:{one}")
    assert f"in use by list/hold: {shown.place.directory}/hold.txt:1 names {shown.name}:sha-" in said
    assert "(customer A)" in said
    said = shown.run("explain", f"{shown.name}:{two}")
    assert f"{shown.place.directory}/hold.txt:2 names" in said
    assert " by digest" in said
    said = shown.run("explain", f"{shown.name}:{three}")
    assert "hold.txt:3 names harbor.example/hub/tensorzero/gateway:sha-" in said
    shown.hold(f"{shown.name}@{shown.tags[two]}")
    said = shown.run("explain", f"{shown.name}:{one}")
    assert "(customer A); no longer there, last seen " in said
    document = shown.place.run("explain", f"{shown.name}:{one}", "-c", str(shown.place.policy), "--json").document
    (reason,) = [each for each in document["decision"]["reasons"] if each["code"] == "in-use"]
    assert reason["facts"]["last_seen"] is not None
    assert reason["facts"]["note"] == "customer A"


def test_an_open_reference_is_undecided_until_the_policy_says_more(shown: Shown) -> None:
    """The remedy that explain and plan print is what turns undecided into protected or ignored."""
    shown.hold(f"{shown.name}:sha-${{COMMIT}}")
    planned = shown.place.make_plan("--json")
    assert removed(planned) == set()
    assert codes(decisions(planned)[shown.builds[0]]) >= {"unresolved-reference"}
    example = 'sources: {list/hold: {unresolved: [{path: "hold.txt", read: ignore}]}}'
    assert example in shown.run("explain", f"{shown.name}:{shown.builds[0]}")
    said = shown.run("plan")
    assert f"107 tags stay for this: write the whole reference in {shown.place.directory}/hold.txt:1" in said
    assert example in shown.run("usage")
    shown.write(options=', unresolved: [{path: "hold.txt", read: ignore}]')
    planned = shown.place.make_plan("--json")
    assert removed(planned) == set(shown.builds)
    assert len(planned.document["evidence"]["answers"][0]["ignored"]) == 1
    shown.write(options=", unresolved: protect")
    planned = shown.place.make_plan("--json")
    assert removed(planned) == set()
    assert codes(decisions(planned)[shown.builds[0]]) >= {"in-use"}
    assert "which fits it, and the policy protects whatever fits" in shown.run(
        "explain", f"{shown.name}:{shown.builds[0]}"
    )


def test_the_usage_is_that_of_the_targets_or_all(shown: Shown) -> None:
    """Other repositories are counted, and shown with --all; an alias is understood, and no registry is asked."""
    shown.hold(f"{shown.name}:latest", "redis:7", f"harbor.example/hub/{GATEWAY}:latest")
    before = len(shown.registry.requests)
    ours = shown.run("usage")
    assert "2 references in use in 2 places" in ours
    assert "redis" not in ours
    assert "3 references, 2 in the targets" in ours
    assert "docker.io/library/redis 7 now list/hold" in shown.run("usage", "--all")
    assert len(shown.registry.requests) == before


def test_check_asks_the_registry_what_names_nothing(shown: Shown) -> None:
    """A tag and a digest that are not there are told; what is there is not, and what is only remembered is no break."""
    lost = f"sha256:{'0' * 64}"
    there = f"@{shown.tags['latest']}"
    shown.hold(*(f"{shown.name}{what}" for what in (":latest", ":gone", f"@{lost}", there, f":moved{there}")))
    assert "names nothing" not in shown.run("usage")
    document = shown.place.run("usage", "--check", "--json", "-c", str(shown.place.policy)).document
    exists = {one["reference"].removeprefix(shown.name): one["exists"] for one in document["references"]}
    assert exists == {":latest": True, ":gone": False, f"@{lost}": False, there: True, f":moved{there}": True}
    assert len(document["sources"][0]["dangling"]) == 2
    assert shown.run("usage", "--check").count("names nothing") == 2
    shown.hold(f"{shown.name}:latest")
    document = shown.place.run("usage", "--check", "--json", "-c", str(shown.place.policy)).document
    assert document["sources"][0]["dangling"] == []
    assert "broken" not in shown.run("plan")


def test_a_registry_that_refuses_to_look_is_told_after_the_page(shown: Shown) -> None:
    """A refusal is no absence either (exit 1)."""
    shown.hold(f"{shown.name}:latest")
    shown.registry.fail_next(100, status=403, code="DENIED")
    result = shown.place.run("usage", "--check", "--json", "-c", str(shown.place.policy), expect=1)
    assert result.document["references"][0]["exists"] is None
    assert "was not checked" in result.document["unchecked"][0]


@pytest.mark.slow
def test_a_registry_that_does_not_answer_is_told_after_the_page(shown: Shown) -> None:
    """What could not be checked is no absence (exit 1)."""
    shown.hold(f"{shown.name}:latest")
    shown.registry.__exit__(None, None, None)
    result = shown.place.run("usage", "--check", "--json", "-c", str(shown.place.policy), expect=1)
    assert result.document["references"][0]["exists"] is None
    assert "was not checked" in result.document["unchecked"][0]
    shown.registry.__enter__()


def test_required_evidence_that_is_partial_ends_with_4(shown: Shown) -> None:
    """The page is printed first; a source that is not required, or was not asked, changes nothing."""
    assert "partial" in shown.run("usage", expect=4)
    assert "make list/hold answer completely" in shown.run("usage", expect=4)
    document = shown.place.run("usage", "--json", "-c", str(shown.place.policy), expect=4).document
    assert document["missing"][0]["source"] == "list/hold"
    shown.write(evidence="evidence: {require: none, remember: 90d}\n")
    assert "partial" in shown.run("usage")
    assert "the policy has no source 'list/hodl'" in shown.run("usage", "--source", "list/hodl", expect=2)


def test_broken_references_are_in_every_format_of_the_plan(shown: Shown) -> None:
    """Terminal, JSON and Markdown tell of a deployment whose tag does not exist; a sweep keeps it in its report."""
    shown.hold(f"{shown.name}:2024.99.9 # payments")
    page = shown.place.directory / "plan.md"
    broken = f"hold.txt:1  {shown.name}:2024.99.9"
    assert f"broken 1 {shown.place.directory}/{' '.join(broken.split())}" in shown.run("plan", "--markdown", str(page))
    assert broken in page.read_text(encoding="utf-8")
    document = shown.place.make_plan("--json").document
    assert document["evidence"]["answers"][0]["dangling"] == [f"{shown.place.directory}/{broken}"]


def start_watch(place: Place, *options: str) -> subprocess.Popen[str]:
    """Start ``watch`` as a process of its own."""
    command = [sys.executable, "-c", _CHILD, "watch", "-c", str(place.policy), "--state", str(place.state), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))


@both_sizes
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_watch_ends_cleanly_when_it_is_told_to(shown: Shown, number: signal.Signals) -> None:
    """After a round it waits; a signal ends it at once with 0, and what it saw is remembered by the next plan."""
    shown.hold(f"{shown.name}:{shown.builds[0]}")
    health = shown.place.directory / "healthy"
    child = start_watch(shown.place, "--every", "1h", "--health-file", str(health))
    assert child.stdout is not None
    line = child.stdout.readline()
    assert "1 place in use; took" in line
    child.send_signal(number)
    finish(child, 0)
    assert health.exists()
    shown.hold()
    assert f"{shown.builds[0]}" not in removed(shown.place.make_plan("--json"))


def test_a_watch_goes_on_when_a_source_fails(shown: Shown) -> None:
    """A list that is missing, comes, and goes again: a line each, and no end."""
    child = start_watch(shown.place, "--every", "1s")
    assert child.stdout is not None
    assert "list/hold: gap " in child.stdout.readline()
    shown.hold(f"{shown.name}:latest")
    lines = [child.stdout.readline() for _ in range(2)]
    assert any("list/hold: new " in line for line in lines), lines
    child.send_signal(signal.SIGTERM)
    finish(child, 0)


def test_one_round_is_enough_for_cron(shown: Shown) -> None:
    """With --once it ends after a round: 0, or 4 where what the policy requires was not complete."""
    assert "list/hold: gap " in shown.run("watch", "--once", expect=4)
    shown.hold(f"{shown.name}:latest")
    result = shown.place.run("watch", "--once", "--json", "-c", str(shown.place.policy))
    assert len(result.out.splitlines()) == 1
    assert result.document["told"][0]["places"] == 1


@pytest.mark.parametrize("options", [("--every", "5"), ("--every", "0s"), ("--health-file", "/nowhere/at/all/x")])
def test_a_watch_that_cannot_be_meant_so_is_refused(shown: Shown, options: tuple[str, ...]) -> None:
    """An interval without unit or of nothing, and a health file in no directory (exit 2)."""
    shown.run("watch", "--once", *options, expect=2)


def test_the_example_for_a_cluster_is_what_the_command_takes() -> None:
    """Its policy loads, its arguments exist, and it runs without rights that it does not need."""
    text = (Path(__file__).parents[2] / "examples" / "kubernetes" / "watch.yaml").read_text(encoding="utf-8")
    manifests = {one["kind"]: one for one in yaml.safe_load_all(text)}
    found = parse_policy(manifests["ConfigMap"]["data"]["tagsweep.yaml"], path="tagsweep.yaml")
    assert found.evidence.remember
    assert [source.kind for source in found.sources] == ["kubernetes"]
    pod = manifests["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"][0] == "watch"
    watch.make_context("watch", list(container["args"][1:]))
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["serviceAccountName"] == manifests["ServiceAccount"]["metadata"]["name"]
    assert manifests["ClusterRoleBinding"]["roleRef"]["name"] == "tagsweep-reader"
    claims = [volume["persistentVolumeClaim"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume]
    assert claims == [{"claimName": manifests["PersistentVolumeClaim"]["metadata"]["name"]}]
