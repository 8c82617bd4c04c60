"""What the sources of a plan said is told in every format, in bounded length."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tagsweep.model.decision import Verdict
from tagsweep.model.plan import Plan
from tagsweep.model.policy import Evidence, SourceSettings
from tagsweep.report import html, json_report, markdown, terminal, watch
from tagsweep.report.evidence import explained, listings, memory, open_words
from tagsweep.report.terminal import Screen
from tests.unit.report import samples, usage_samples

FORMATS: dict[str, Callable[[Plan], str]] = {
    "terminal": lambda plan: " ".join(terminal.plan(plan, path="plan.json", screen=Screen(width=200)).split()),
    "markdown": markdown.plan,
    "html": lambda plan: html.sweep(replace(samples.report(), plan=plan)),
    "json": lambda plan: json.dumps(json_report.plan(plan)),
}
every_format = pytest.mark.parametrize("name", FORMATS)


@every_format
def test_every_format_tells_what_each_source_said(name: str) -> None:
    """Gaps, unresolved, broken, protecting, ignored and invalid references are on the page, with their places."""
    text = FORMATS[name](samples.hard_plan())
    for said in (
        "the token expired after page 3",
        "deploy main:compose.yml:14, service ui  tensorzero/ui:${TAG}",
        "prod/web/deploy ui, container ui  docker.io/tensorzero/ui:2024.13.9",
        "deploy main:charts/ui/values.yaml:7  tensorzero/ui:sha-{{ .Values.sha }}",
        "deploy main:tests/case-0.yml:3  tensorzero/ui:${TAG}",
        "deploy main:docker/Dockerfile:1",
    ):
        assert (" ".join(said.split()) if name == "terminal" else said) in text, said


@every_format
def test_the_remedy_of_open_references_is_told_once(name: str) -> None:
    """Ten undecided tags and ten files get one remedy that can be copied, and each group points to it."""
    text = FORMATS[name](samples.hard_plan())
    if name == "json":  # each reason has its own there, and the whole plan one
        assert json_report.plan(samples.hard_plan())["evidence"]["remedy"] == open_words(samples.hard_plan())
    else:
        assert text.count("say in the policy how it is read") == 1


def test_a_plan_without_open_references_has_no_remedy_for_them() -> None:
    """Nobody is told what to do about nothing."""
    plan = replace(samples.plan(), evidence=samples.answers()[:1])
    assert open_words(plan) == ""
    assert "No tag is undecided for these." in open_words(samples.plan())


def test_only_tags_that_are_undecided_are_counted_for_open_references() -> None:
    """A tag that another reason keeps is not held by them."""
    repository = samples.hard_plan().repositories[0]
    decisions = tuple(replace(decision, verdict=Verdict.KEEP) for decision in repository.decisions)
    plan = replace(samples.hard_plan(), repositories=(replace(repository, decisions=decisions),))
    assert open_words(samples.hard_plan()).startswith("1 tag stays for this: write the whole reference in deploy main:")
    assert open_words(plan).startswith("No tag is undecided for these.")


def test_every_listing_has_its_meaning() -> None:
    """Whatever a source said is under a label, and no label is without words."""
    labels = [listing.label for answer in samples.hard_plan().evidence for listing in listings(answer)]
    assert labels == ["gap", "broken", "unresolved", "protecting", "ignored", "invalid"]
    assert all(explained(label) for label in labels)


def test_remembered_usage_says_for_how_long() -> None:
    """The time is the source's own, or that of the policy."""
    asked = Evidence(require=("a",), remember=timedelta(days=90))
    own = SourceSettings(name="a", kind="list", remember=timedelta(days=7))
    assert memory("a", asked, (own,)) == timedelta(days=7)
    assert memory("b", asked, (own,)) == timedelta(days=90)
    assert "4 in these repositories, 1 of them only remembered (for 90 days)" in FORMATS["terminal"](
        samples.hard_plan()
    )


def test_a_source_that_is_not_required_says_so() -> None:
    """A partial answer that stops nothing is told apart from one that does."""
    assert FORMATS["terminal"](samples.hard_plan()).count("not required") == 1


def test_evidence_that_is_waived_is_shown_where_sources_were_asked_all_the_same() -> None:
    """What they say protects, so the reader sees it."""
    plan = replace(samples.hard_plan(), asked=Evidence(waived=True))
    text = FORMATS["terminal"](plan)
    assert "none is required: the policy says so; what the sources say still protects" in text
    assert "the token expired after page 3" in text
    assert "not required" not in text


def test_thousands_of_references_and_places_are_cut() -> None:
    """The usage page of a large cluster fits on a few screens, and says what it leaves out."""
    view = usage_samples.usage_view()
    many = replace(view.used[0], places=view.used[0].places * 1000)
    text = terminal.usage(replace(view, used=(many,) * 3000, unchecked=("x",) * 50))
    assert "and 2,800 more references (--json lists all)" in text
    assert "and 11,995 more places (--json lists all)" in text
    assert "and 40 more that were not checked (--json lists all)" in text
    assert len(text.splitlines()) < 2000
    assert len(json_report.usage(replace(view, used=(many,) * 3))["references"][2]["places"]) == 12_000


def test_the_usage_page_names_what_names_nothing() -> None:
    """A broken deployment is told at the reference and in the answer of its source."""
    text = terminal.usage(usage_samples.usage_view(), screen=Screen(width=120))
    assert "2024.13.9  names nothing: the registry has no such tag or digest" in text
    assert text.count("names nothing") == 1


def test_a_round_of_watching_is_one_line() -> None:
    """However much is new and however odd the names are, a log gets one line of bounded length."""
    found = usage_samples.watch_round()
    line = watch.line(found)
    assert line.startswith("2026-11-24T09:12:00Z  413 places in use (+4 -1); 1 unresolved; kubernetes/prod: new docker")
    assert "and 2 more" in line
    assert "git/deploy: gap branch release/1: the server answered 503" in line
    assert "list/hold: ERROR the ledger cannot be written" in line
    odd = replace(found.told[0], new=("x\x1b[2J\n" + "y" * 5000,) * 9000, gaps=("z" * 5000,) * 9000)
    line = watch.line(replace(found, told=(odd,) * 3), unicode=False)
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 3000


def test_the_first_round_of_watching_has_nothing_new() -> None:
    """There is nothing to compare it with."""
    first = replace(usage_samples.watch_round(), number=1)
    assert "413 places in use; " in watch.line(first)


def test_a_round_tells_whether_it_was_complete_and_whether_it_suffices() -> None:
    """An error makes it incomplete; a gap matters only in what the policy requires."""
    found = usage_samples.watch_round()
    assert not found.complete
    assert found.trouble(()).startswith("list/hold: the ledger")
    partial = replace(found, told=found.told[:2])
    assert partial.complete
    assert partial.trouble(("kubernetes/prod",)) == ""
    assert partial.trouble(("git/deploy",)).startswith("git/deploy: branch release/1")
