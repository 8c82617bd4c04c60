"""The documents of --json are JSON, name their schema, and carry facts beside the words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from tagsweep.core.cleanliness import Cleanliness
from tagsweep.model.decision import TimeUnknown, Verdict
from tagsweep.model.errors import Refused
from tagsweep.model.inventory import TimeOrigin
from tagsweep.report import json_report
from tagsweep.report.json_report import Document
from tests.unit.report import samples, usage_samples
from tests.unit.report.test_reasons import good_sentences
from tests.unit.report.test_terminal import REFUSAL

CLEAN = Cleanliness(unnamed=("oops",), moved=(), since=None)
DOCUMENTS: dict[str, Callable[[], Document]] = {
    "inventory": lambda: json_report.inventory(((*samples.inventory(), CLEAN),)),
    "plan": lambda: json_report.plan(samples.plan(), path="plan.json"),
    "refusal": lambda: json_report.refused((REFUSAL,)),
    "error": lambda: json_report.error(Refused("the plan is refused", remedy="raise the limit")),
    "explanation": lambda: json_report.explain(samples.explanation()),
    "run": lambda: json_report.applied(samples.run(), samples.outcomes()),
    "verification": lambda: json_report.verified(samples.damage()),
    "restore": lambda: json_report.restored(samples.restore_outcomes()),
    "history": lambda: json_report.history((samples.run(),)),
    "usage": lambda: json_report.usage(usage_samples.usage_view()),
    "watch": lambda: json_report.watched(usage_samples.watch_round()),
    "doctor": lambda: json_report.doctor(samples.doctor_rows()),
    "sweep": lambda: json_report.sweep(samples.broken_report()),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_json_and_names_its_schema(name: str) -> None:
    """Every document survives the way through text, begins with its schema, and shows no Python value."""
    document = DOCUMENTS[name]()
    text = json_report.dump(document)
    assert json.loads(text) == document
    assert list(document)[:2] == ["schema", "version"]
    assert document["schema"] == f"tagsweep/{name}"
    assert "Enum" not in text
    assert "datetime." not in text


def test_reasons_carry_code_facts_and_words() -> None:
    """A program acts on the code and the facts; the words are for people."""
    for reason, words in good_sentences:
        decision = samples.kept("x", reason, naming_class="ci")
        plan = json_report.plan(samples.hard_plan())
        assert plan["repositories"]
        (found,) = json_report._decision(decision)["reasons"]
        assert set(found) == {"code", "text", "remedy", "facts"}
        assert found["text"] == words


def test_times_are_utc_and_durations_seconds() -> None:
    """Instants end in Z, spans are numbers."""
    plan = json_report.plan(samples.plan())
    assert plan["now"] == "2026-11-24T09:12:00Z"
    assert plan["repositories"][0]["forecast"] == 45.0


def test_the_plan_document_holds_every_decision_and_step() -> None:
    """Nothing is cut in a document for programs."""
    (repository,) = json_report.plan(samples.plan())["repositories"]
    assert len(repository["decisions"]) == 226
    assert len(repository["steps"]) == 360
    assert repository["tags"] == {"all": 226, "keep": 154, "undecided": 0, "remove": 72}


def test_a_document_is_ascii() -> None:
    """A printed document cannot act on a terminal, and every encoding and every odd file name survives it."""
    odd = "\x1b[2J \x9b \u202e \udc80 “…"
    text = json_report.dump(json_report.error(Refused(odd)))
    assert text.isascii()
    assert "\x1b" not in text
    assert json.loads(text)["message"] == odd


def test_remedies_know_which_times_there_are() -> None:
    """Plan and explanation give the advice that fits what the registry reports."""
    decision = samples.kept(
        "x", TimeUnknown(rule="r", origin=TimeOrigin.PUSHED), naming_class="", verdict=Verdict.UNDECIDED
    )
    repository = replace(samples.gateway(), decisions=(decision,))
    plan = json_report.plan(replace(samples.plan(), repositories=(repository,)))
    explained = json_report.explain(replace(samples.explanation(), decision=decision, times=frozenset()))
    for found in (plan["repositories"][0]["decisions"][0], explained["decision"]):
        assert found["reasons"][0]["remedy"].startswith("this registry reports no push times")
    assert explained["times"] == []
