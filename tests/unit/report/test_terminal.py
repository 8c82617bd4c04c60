"""The terminal pages: they fit, they are the same without colour, and they show what matters."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tagsweep.model.inventory import Inventory
from tagsweep.model.plan import GuardRefusal
from tagsweep.model.policy import Evidence
from tagsweep.model.run import RunStatus
from tagsweep.report import terminal
from tagsweep.report.terminal import Screen
from tests.unit.report import samples


def _inventory(screen: Screen) -> str:
    found, classes = samples.inventory()
    return terminal.inventory(found, classes, space=samples.report().space[samples.GATEWAY], screen=screen)


REFUSAL = GuardRefusal(
    guard="max_percent",
    repository=str(samples.GATEWAY),
    message="72 of 226 tags would go, 31.9 %, and the policy allows 30 %",
    remedy="raise limits.max_percent if that is what you want",
)
PAGES: dict[str, Callable[[Screen], str]] = {
    "plan": lambda screen: terminal.plan(samples.plan(), path="plan.json", screen=screen),
    "plan-hard": lambda screen: terminal.plan(samples.hard_plan(), path="plan.json", screen=screen),
    "refused": lambda screen: terminal.refused((REFUSAL,), screen=screen),
    "inventory": _inventory,
    "explain": lambda screen: terminal.explain(samples.explanation(), screen=screen),
    "applied": lambda screen: terminal.applied(samples.run(), samples.outcomes(), screen=screen),
    "applied-broken": lambda screen: terminal.applied(
        samples.run(RunStatus.PARTIAL, removed=70), samples.broken_outcomes(), screen=screen
    ),
    "verified": lambda screen: terminal.verified(samples.verification(), screen=screen),
    "verified-damage": lambda screen: terminal.verified(samples.damage(), screen=screen),
    "restored": lambda screen: terminal.restored(samples.restore_outcomes(), screen=screen),
    "history": lambda screen: terminal.history((samples.run(), samples.run(RunStatus.RUNNING, 3)), screen=screen),
    "doctor": lambda screen: terminal.doctor(samples.doctor_rows(), screen=screen),
}
every_page = pytest.mark.parametrize("name", PAGES)
_COLOR = re.compile(r"\x1b\[[0-9;]*m")


@every_page
def test_no_line_is_wider_than_the_screen(name: str) -> None:
    """At 80 columns every line of every page fits, except for a single word that cannot be broken."""
    for line in PAGES[name](Screen(width=80)).splitlines():
        assert len(line) <= 80 or len(line.split()) == 1, line


@every_page
@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_line_ends_in_a_space(name: str, width: int) -> None:
    """CI logs and diffs stay clean at any width, and every page ends in exactly one newline."""
    text = PAGES[name](Screen(width=width))
    assert not re.search(r"[ \t]+$", text, re.MULTILINE)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


@every_page
def test_colour_changes_no_character(name: str) -> None:
    """Without its colour codes the coloured page is the plain page."""
    colored = PAGES[name](Screen(color=True))
    assert "\x1b[" in colored
    assert _COLOR.sub("", colored) == PAGES[name](Screen())


@every_page
def test_an_ascii_screen_gets_ascii(name: str) -> None:
    """Where the encoding is not UTF-8 every character is ASCII and lines still fit."""
    text = PAGES[name](Screen(unicode=False))
    assert text.isascii()
    assert all(len(line) <= 80 or len(line.split()) == 1 for line in text.splitlines())


def test_an_escape_sequence_in_a_name_is_not_printed() -> None:
    """What a registry or a cluster says cannot act on the terminal."""
    report = replace(samples.verification(), run_id="\x1b[2Jrun\r\nfake line")
    text = terminal.verified(report)
    assert "\x1b" not in text
    assert "\nfake" not in text


def test_a_rule_that_matched_nothing_is_shown_loudly() -> None:
    """The plan says so where the rules are and again at its end."""
    text = terminal.plan(samples.hard_plan(), path="plan.json")
    assert "protect: pinned by the benchmark  MATCHED NO TAG: is it misspelt?" in text
    assert "Look first: “protect: pinned by the benchmark” matched nothing." in text


def test_waived_evidence_is_said() -> None:
    """A plan without evidence says that the policy wanted it so."""
    text = terminal.plan(replace(samples.plan(), evidence=(), asked=Evidence(waived=True)), path="p.json")
    assert "none was asked: the policy says “evidence: none”" in text


def test_a_plan_without_removals_says_so() -> None:
    """There is no next command where nothing would go."""
    repository = replace(samples.gateway(), decisions=samples.decisions()[:119], steps=())
    text = terminal.plan(replace(samples.plan(), repositories=(repository,)), path="plan.json")
    assert "there is nothing to remove" in text
    assert "tagsweep apply" not in text


def test_the_example_names_a_tag_where_it_fits() -> None:
    """On a wide screen the command to explain can be copied with a real tag."""
    text = terminal.plan(samples.plan(), path="plan.json", screen=Screen(width=140))
    assert f"tagsweep explain docker.io/tensorzero/gateway:{samples.LONE[0]} -c tagsweep.yaml" in text


def test_a_forecast_that_is_partly_unknown_is_not_given() -> None:
    """A sum without one of its parts would be a wrong promise."""
    both = (samples.gateway(), replace(samples.gateway(), repository=samples.UI, forecast=None))
    assert "no forecast" in terminal.plan(replace(samples.plan(), repositories=both), path="plan.json")
    known = (samples.gateway(), replace(samples.gateway(), repository=samples.UI, forecast=timedelta(seconds=15)))
    assert "about 1 min at" in terminal.plan(replace(samples.plan(), repositories=known), path="plan.json")


def test_every_tag_can_be_listed() -> None:
    """The inventory has one line for each tag where that is asked."""
    found, classes = samples.inventory()
    text = terminal.inventory(found, classes, every_tag=True)
    assert sum("sha256:" in line and "ci-build" in line for line in text.splitlines()) == 107
    assert "unresolved" in text


def test_an_empty_repository_is_shown() -> None:
    """No tag is a fact, not an error."""
    empty = Inventory(repository=samples.GATEWAY, taken_at=samples.NOW, tags=())
    assert "0 tags" in terminal.inventory(empty, {})


def test_an_empty_history_says_so() -> None:
    """A person learns that there is nothing, not nothing."""
    assert terminal.history(()) == "No run is recorded in this state directory.\n"
    assert terminal.doctor(()) == "There was nothing to look at.\n"
