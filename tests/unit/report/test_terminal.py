"""The terminal pages: they fit, they are the same without colour, and they show what matters."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tagsweep.model.decision import CannotDelete, InUse, NoRuleMatches, TimeUnknown, Verdict
from tagsweep.model.inventory import Inventory, TimeOrigin
from tagsweep.model.plan import GuardRefusal
from tagsweep.model.policy import Evidence
from tagsweep.model.run import Finding, OutcomeKind, RunStatus
from tagsweep.report import html, terminal
from tagsweep.report.terminal import Screen
from tagsweep.report.words import columns
from tests.unit.report import samples, usage_samples


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
    "usage": lambda screen: terminal.usage(usage_samples.usage_view(), screen=screen),
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


def test_wide_characters_keep_the_lines_within_the_screen() -> None:
    """Rules, classes and places in a script of wide characters are measured in columns."""
    used = InUse(source="本番", where="本番 環境 " * 9, via="tag", reference="web:1")
    decisions = (samples.kept("1.0", used, naming_class="本番環境の検証環境の本番環境"), *samples.decisions())
    plan = replace(samples.plan(), repositories=(replace(samples.gateway(), decisions=decisions),))
    lines = terminal.plan(plan, path="plan.json").splitlines()
    assert max(map(columns, lines)) <= 80
    row = next(line for line in lines if "floating" in line)
    wide = next(line for line in lines if "keep" in line and "本番" in line)
    assert columns(wide[: wide.index("keep")]) == row.index("keep")


def test_thousands_of_reasons_and_gaps_are_cut() -> None:
    """A tag that 5,000 pods use fills no screen, nor does a source with 5,000 unresolved references."""
    used = tuple(InUse(source="k", where=f"pod {n}", via="tag", reference="web:1") for n in range(5000))
    decision = samples.kept("1.0", *used, naming_class="release")
    text = terminal.explain(replace(samples.explanation(), decision=decision))
    assert "and 4,980 more reasons (--json lists all)" in text
    assert len(text.splitlines()) < 60
    answer = replace(samples.answers()[0], gaps=("g",) * 12, unresolved=("u",) * 5000)
    text = terminal.plan(replace(samples.plan(), evidence=(answer,)), path="plan.json")
    assert "and 2 more (--json lists all)" in text
    assert "and 4,990 more (--json lists all)" in text


def test_explain_says_which_times_are_known() -> None:
    """An undecided tag is told apart: its time is missing, or the registry reports none at all."""
    reason = TimeUnknown(rule="ci", origin=TimeOrigin.PUSHED)
    decision = samples.kept("x", reason, naming_class="", verdict=Verdict.UNDECIDED)
    one = replace(samples.explanation(), decision=decision)
    none = terminal.explain(replace(one, times=frozenset()))
    assert "this registry reports no push times" in none
    assert "known here  no times of any tag" in none
    some = terminal.explain(replace(one, times=frozenset({TimeOrigin.PUSHED})))
    assert "reports no push" not in some
    assert "known here  push time" in some


def test_one_tag_stays() -> None:
    """Numbers and verbs agree."""
    one = replace(samples.gateway(), decisions=(samples.kept("1.0", NoRuleMatches(), naming_class=""),), steps=())
    text = terminal.plan(replace(samples.plan(), repositories=(one,)), path="plan.json")
    assert "remove 0 of 1 tag; 1 stays" in text


def test_what_cannot_be_deleted_is_not_called_undecided() -> None:
    """A registry that cannot delete leaves nothing undecided, and the advice stands under its own heading."""
    decision = samples.kept("1.0", CannotDelete(why="it is switched off"), naming_class="")
    one = replace(samples.gateway(), decisions=(decision,), steps=())
    text = terminal.plan(replace(samples.plan(), repositories=(one,)), path="plan.json")
    assert "What would decide the undecided" not in text
    assert "About those that the registry cannot remove" in text


def test_commands_can_be_copied() -> None:
    """A path with a space is quoted in the commands that a person is to type next."""
    plan = replace(samples.plan(), policy_path="/my dir/tagsweep.yaml")
    text = terminal.plan(plan, path="my plan.json", screen=Screen(width=140))
    assert "tagsweep apply 'my plan.json'" in text
    assert "-c '/my dir/tagsweep.yaml'" in text


def test_what_a_restore_put_back_is_no_failure() -> None:
    """Verification after a restore is well, and says what was put back."""
    finding = Finding(repository=samples.GATEWAY, subject="1.0", what="put back", remedy="")
    report = replace(samples.verification(), restored=(finding, finding))
    assert report.ok
    text = terminal.verified(report)
    assert "all is well" in text
    assert "put back (2)" in text


def test_a_run_that_was_taken_back_is_not_offered_for_restoring() -> None:
    """After a restore, or where nothing was removed, there is nothing to take back."""
    assert "tagsweep restore" in terminal.applied(samples.run(), samples.outcomes())
    assert "tagsweep restore" not in terminal.applied(samples.run(RunStatus.RESTORED), samples.outcomes())
    assert "tagsweep restore" not in terminal.applied(samples.run(removed=0), ())


def test_the_history_shows_long_names_whole_where_there_is_room() -> None:
    """What stands below the other columns is cut by the width of the screen, not by that of its column."""
    run = replace(samples.run(RunStatus.RESTORED), id="run-20261124T075007Z-4ccd51")
    run = replace(run, repositories=("127.0.0.1:37569/tensorzero/gateway",))
    assert "127.0.0.1:37569/tensorzero/gateway" in terminal.history((run,))


def test_thousands_of_failures_with_words_of_their_own_are_cut() -> None:
    """Errors that name each manifest fill neither the screen nor the page."""
    outcomes = tuple(
        replace(outcome, kind=OutcomeKind.FAILED, why=f"no answer to {n}")
        for n, outcome in enumerate(samples.outcomes())
    )
    text = terminal.applied(samples.run(RunStatus.PARTIAL, removed=0), outcomes)
    assert "and 350 steps for 350 other reasons (--json lists all)" in text
    assert len(text.splitlines()) < 60
    page = html.sweep(replace(samples.report(), outcomes=outcomes))
    assert "340 more steps not done for 340 other reasons" in page
