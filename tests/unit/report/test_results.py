"""What a sweep did, from its plan and its journal."""

from __future__ import annotations

from dataclasses import replace

from tagsweep.model.plan import Space, Untag
from tagsweep.model.run import Outcome, OutcomeKind
from tagsweep.report.results import results_of, totals_of
from tagsweep.report.totals import step_words, unmatched
from tests.unit.report import samples


def test_only_steps_known_to_be_gone_count_as_removed() -> None:
    """A failed, skipped or untried step leaves its tags, and each is told with its reason."""
    (result,) = results_of(samples.broken_report())
    assert len(result.removed) == 70
    assert {decision.tag for decision in result.left} == set(samples.LONE[:2])
    assert result.manifests == 349
    assert [(trouble.kind, len(trouble.steps)) for trouble in result.troubles] == [
        (OutcomeKind.FAILED, 1),
        (OutcomeKind.SKIPPED, 1),
        (OutcomeKind.SKIPPED, 8),
        (None, 1),
    ]
    assert not result.complete


def test_the_last_outcome_of_a_step_counts() -> None:
    """A resumed run may try a step again; what it found last is what is so."""
    report = samples.broken_report()
    step = samples.steps()[0]
    again = Outcome(repository=samples.GATEWAY, step=step.key, kind=OutcomeKind.GONE, at=samples.NOW)
    (result,) = results_of(replace(report, outcomes=(*report.outcomes, again)))
    assert len(result.removed) == 71


def test_sums_count_every_tag_once() -> None:
    """Removed and staying tags together are all tags."""
    totals = totals_of(results_of(samples.report()))
    assert (totals.tags, totals.planned, totals.removed, totals.stayed, totals.manifests) == (226, 72, 72, 154, 360)
    assert totals.space == Space(before=41_200_000_000, reclaimable=12_900_000_000)


def test_space_is_incomplete_where_a_repository_was_not_measured() -> None:
    """A sum over some of the repositories is a lower bound and says so."""
    other = replace(samples.gateway(), repository=samples.UI, space=None)
    plan = replace(samples.plan(), repositories=(samples.gateway(), other))
    totals = totals_of(results_of(replace(samples.report(), plan=plan)))
    assert totals.space is not None
    assert not totals.space.complete


def test_steps_are_told_apart_by_what_they_do() -> None:
    """Removing a tag alone and deleting a manifest with its tags are different words."""
    assert step_words(samples.steps()) == "72 manifests named by tags, 288 only below those"
    assert step_words((Untag(tag="a", expects=samples.digest("a")),)) == "1 tag removed alone"
    assert step_words(()) == "nothing to do"


def test_a_rule_is_unmatched_only_if_it_matched_nowhere() -> None:
    """One repository in which a rule finds nothing is no misspelling."""
    (rule,) = samples.plan().rules
    assert unmatched((rule, replace(rule, repository="other", matched=0))) == ()
    assert unmatched((replace(rule, matched=0),)) == (rule.rule,)
