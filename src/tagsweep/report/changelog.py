"""What a changelog says of a sweep, of one that was refused or failed, and of a restore; `changelog_file` places it.

Below the heading two comments that no reader sees, ``<!-- tagsweep run ID -->`` and ``<!-- /tagsweep run ID -->``,
enclose the text (the heading stands outside, because readers give a line before it to the section above).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from tagsweep.model.decision import Verdict
from tagsweep.model.reference import Repository
from tagsweep.model.run import RestoreKind, RestoreOutcome, SweepReport
from tagsweep.model.schedule import Attempt, AttemptResult
from tagsweep.report.groups import group_reasons
from tagsweep.report.markdown_text import code, escape
from tagsweep.report.results import RepositoryResult, put_back, results_of, totals_of
from tagsweep.report.totals import space_words
from tagsweep.report.units import agree, count, day, moment, plural
from tagsweep.report.words import short_tags

_SAMPLES: Final = 5
_HOW_RESTORED: Final = {
    RestoreKind.RESTORED: "Put back",
    RestoreKind.PRESENT: "There already",
    RestoreKind.MOVED: "Left alone, because somebody moved them since",
    RestoreKind.COLLECTED: "Not put back, because the registry has collected what they need",
    RestoreKind.FAILED: "Not put back, because of an error",
}


def entry(report: SweepReport, *, due: datetime | None = None) -> str:
    """Return the entry for a sweep: heading, markers and text, each line ended by a line feed.

    ``due`` is the date of the schedule that it was for, if it was for one.
    """
    results = results_of(report)
    totals = totals_of(results)
    run = report.run.id
    stay = agree(totals.stayed, "stays")
    scheduled = "" if due is None else f", scheduled for {moment(due)}"
    removed = f"Removed {plural(totals.removed, 'image tag')} from {plural(len(results), 'repository')}, out"
    lines = [
        f"### Registry sweep {day(report.run.started_at)}",
        "",
        f"<!-- tagsweep run {run} -->",
        f"{removed} of {count(totals.tags)}; {count(totals.stayed)} {stay} (run {code(run)}{scheduled}).",
        "",
    ]
    for result in results:
        lines += _repository(result)
    if report.verification is not None and report.verification.restored:
        lines.append(f"- Taken back: {put_back(report.verification)}.")
    lines += [f"- {_verification(report)}", f"- To take it back: {code(f'tagsweep restore {run} --yes')}."]
    return "\n".join([*lines, f"<!-- /tagsweep run {run} -->", ""])


def failed_entry(attempt: Attempt, *, entry_id: str, removed: int, unknown: int = 0) -> str:
    """Return the entry for an unattended run that came to no end of its own, or was refused; ``removed`` tags are gone.

    Of ``unknown`` more tags nobody knows. ``entry_id`` stands where a sweep has its run, so that a second try of the
    same date replaces it.
    """
    word = "refused" if attempt.result is AttemptResult.REFUSED else "failed"
    scheduled = "" if attempt.due is None else f" It was scheduled for {moment(attempt.due)}; the next run tries again."
    run = "" if attempt.run_id is None else f" (run {code(attempt.run_id)})"
    gone = f"{plural(removed, 'tag')} {agree(removed, 'was')} removed before that" if removed else "Nothing was removed"
    if unknown:
        gone = f"{plural(removed, 'tag')} {agree(removed, 'was')} removed and of {count(unknown)} more it is not known"
    lines = [
        f"### Registry sweep {word} {day(attempt.began_at)}",
        "",
        f"<!-- tagsweep run {entry_id} -->",
        f"{gone}{run}: {escape(attempt.why)}.{scheduled}",
    ]
    return "\n".join([*lines, f"<!-- /tagsweep run {entry_id} -->", ""])


def restore_entry(outcomes: Sequence[RestoreOutcome], *, run_id: str, entry_id: str, at: datetime) -> str:
    """Return the entry for a restore of the run ``run_id``: what is back, and what is not and why."""
    tags = [one for one in outcomes if one.tag]
    back = sum(one.kind is RestoreKind.RESTORED for one in tags)
    lines = [
        f"### Registry restore {day(at)}",
        "",
        f"<!-- tagsweep run {entry_id} -->",
        f"Put back {count(back)} of {plural(len(tags), 'image tag')} that run {code(run_id)} had removed.",
        "",
    ]
    places = dict.fromkeys((one.repository, one.kind) for one in tags)
    for repository, kind in places:
        lines.append(
            _restored(repository, kind, [one for one in tags if (one.repository, one.kind) == (repository, kind)])
        )
    return "\n".join([*lines, f"<!-- /tagsweep run {entry_id} -->", ""])


def _restored(repository: Repository, kind: RestoreKind, outcomes: Sequence[RestoreOutcome]) -> str:
    shown = [code(tag) for tag in short_tags([one.tag for one in outcomes[:_SAMPLES]])]
    more = f" and {count(len(outcomes) - len(shown))} more" if len(outcomes) > len(shown) else ""
    why = f" ({escape(outcomes[0].why)})" if kind is RestoreKind.FAILED and outcomes[0].why else ""
    number = count(len(outcomes))
    return f"- {code(str(repository))}: {_HOW_RESTORED[kind]}: {number}{why}: {', '.join(shown)}{more}."


def _repository(result: RepositoryResult) -> Iterator[str]:
    tags = len(result.plan.decisions)
    space = f"; frees {space_words(result.space)} once the registry collects (estimate)" if result.space else ""
    name = code(str(result.plan.repository))
    yield f"- {name}: {count(len(result.removed))} of {plural(tags, 'tag')} removed{space}."
    for group in group_reasons(result.removed):
        shown = [code(tag) for tag in short_tags(group.tags[:_SAMPLES])]
        more = f" and {count(len(group.tags) - len(shown))} more" if len(group.tags) > len(shown) else ""
        yield f"  - Removed {count(len(group.tags))}: {escape(group.words)}: {', '.join(shown)}{more}."
    for group in group_reasons(result.stayed):
        word = "Undecided, kept" if group.verdict is Verdict.UNDECIDED else "Kept"
        yield f"  - {word} {count(len(group.tags))}: {escape(group.words)}."
    if result.left:
        yield f"  - Not removed though planned: {plural(len(result.left), 'tag')}; see the report of the run."


def _verification(report: SweepReport) -> str:
    found = report.verification
    if found is None:
        return "Not verified yet."
    looked = f"{plural(found.tags, 'kept tag')}, {plural(found.manifests, 'manifest')}, {plural(found.blobs, 'blob')}"
    if found.ok:
        return f"Verified on {day(found.at)}: all is well ({looked})."
    wrong = f"{count(len(found.damage))} damaged, {count(len(found.leftovers))} still there"
    return f"Verified on {day(found.at)}: {wrong} ({looked})."
