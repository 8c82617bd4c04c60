"""The questions of ``tagsweep init``: what Enter does, what is asked at all, and which answers are refused."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from tagsweep.cli.init_questions import Answers, ask, check_also
from tagsweep.core.families import Family, TagFacts, find_families
from tagsweep.model.errors import ConfigurationError

NOTHING_SAID = Answers(keep_newest=None, evidence=None, also=None)


def families(*tags: str) -> tuple[Family, ...]:
    """Return the families of tags of which only the names are known."""
    return find_families(TagFacts(name=tag) for tag in tags)


FAMILIES = families("1.0.0", "nightly-20260801", "pr-12", "sha-" + "a1" * 20)


def dialogue(typed: str, said: Answers = NOTHING_SAID, found: tuple[Family, ...] = FAMILIES) -> tuple[Answers, str]:
    """Type lines into the questions; return the answers, and what was on the screen."""
    answers: list[Answers] = []

    @click.command()
    def asking() -> None:
        answers.append(ask(said, found, within="30d"))

    result = CliRunner().invoke(asking, input=typed)
    assert result.exit_code == 0, result.output
    return answers[0], result.output


def test_enter_takes_the_careful_answer_to_each_question() -> None:
    """Three times Enter: nothing in doubt goes, twenty builds stay, and the evidence is still to be chosen."""
    answers, shown = dialogue("\n\n\n")
    assert answers == Answers(keep_newest=20, evidence="later", also=())
    assert shown.count("Enter is") == 2
    assert "[20]" in shown
    assert "nightly: a day is not a build" in shown


def test_a_wrong_answer_is_told_what_is_expected() -> None:
    """Each question that is answered wrongly says what may be answered, and is asked again."""
    answers, shown = dialogue("release\nnightly, pr\nnightly, pull-request\nmany\n4\nperhaps\nnone\n")
    assert answers == Answers(keep_newest=4, evidence="none", also=("nightly", "pull-request"))
    assert "There is no 'release' among them: pull-request, nightly" in shown
    assert "'perhaps' is not one of 'later', 'none'" in shown


def test_only_what_matters_is_asked() -> None:
    """What was said is not asked again; without a build nobody is asked how many stay, without a doubt for none."""
    said = Answers(keep_newest=3, evidence="none", also=("nightly",))
    assert not said.leave_open(FAMILIES)
    assert dialogue("", said) == (said, "")
    answers, shown = dialogue("\n", found=families("1.0.0", "latest"))
    assert answers == Answers(keep_newest=None, evidence="later", also=None)
    assert "newest" not in shown


def test_only_a_class_of_builds_can_be_taken_on() -> None:
    """A name that is no class here, and a class that is no build's, is refused with the names that there are."""
    check_also(["nightly", "ci-build"], FAMILIES)
    for name in ("nightlies", "release"):
        with pytest.raises(ConfigurationError) as refused:
            check_also([name], FAMILIES)
        assert "pull-request, nightly" in refused.value.remedy
