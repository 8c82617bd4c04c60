"""The pages about a run: ``apply``, ``verify``, ``restore`` and ``history``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import assert_never

from tagsweep.model.run import (
    Finding,
    Outcome,
    OutcomeKind,
    RestoreKind,
    RestoreOutcome,
    RunRecord,
    RunStatus,
    VerifyReport,
)
from tagsweep.report.canvas import PLAIN, Align, Column, Page, Piece, Screen, Span, Style
from tagsweep.report.results import Trouble, put_back, troubles_in
from tagsweep.report.units import agree, count, duration, moment, plural
from tagsweep.report.words import listed, sampled

_MOST_FINDINGS = 20
_MOST_TROUBLES = 10
_MOST_REPOSITORIES = 6


def applied(run: RunRecord, outcomes: Iterable[Outcome], *, screen: Screen = PLAIN) -> str:
    """Return how a run ended: what went, what did not and why, and what to do next."""
    page = Page(screen)
    page.line(Span(_run(run.id, word="Run"), Style.TITLE), "  ", _status(run.status), f"  {_took(run)}".rstrip())
    page.paragraph(listed(run.repositories, most=_MOST_REPOSITORIES), indent=2)
    page.gap()
    look = Style.GOOD if run.removed_tags == run.planned_tags else Style.WARN
    page.line(Span(f"{count(run.removed_tags)} of {plural(run.planned_tags, 'tag')} removed", look), indent=2)
    found = tuple(outcomes)
    kinds = Counter(outcome.kind for outcome in found)
    steps = [f"{count(kinds[kind])} {_kind_words(kind)}" for kind in OutcomeKind if kinds[kind]]
    page.paragraph(f"{plural(len(found), 'step')}: {', '.join(steps) or 'none done'}", indent=2)
    _troubles(page, troubles_in(found))
    page.gap()
    page.line("Next:")
    if run.status is RunStatus.RUNNING:
        page.paragraph("The run did not end. Apply the same plan again to go on where it stopped.", indent=2)
    undo = (f"tagsweep restore {run.id} --yes",) if run.removed_tags and run.status is not RunStatus.RESTORED else ()
    _commands(page, (f"tagsweep verify {run.id}", *undo))
    return page.text()


def _run(run_id: str, *, word: str = "run") -> str:
    """Return the run's name, said to be one where it does not say so itself."""
    return run_id if run_id.startswith("run") else f"{word} {run_id}"


def _took(run: RunRecord) -> str:
    return f"in {duration(run.ended_at - run.started_at)}" if run.ended_at is not None else ""


def _status(status: RunStatus) -> Span:
    match status:
        case RunStatus.DONE | RunStatus.RESTORED:
            return Span(status.value, Style.GOOD)
        case RunStatus.RUNNING:
            return Span("not ended", Style.WARN)
        case RunStatus.PARTIAL:
            return Span(status.value, Style.WARN)
        case RunStatus.DAMAGED:
            return Span(status.value, Style.BAD)
        case _:
            assert_never(status)


def _kind_words(kind: OutcomeKind) -> str:
    match kind:
        case OutcomeKind.DONE:
            return "done"
        case OutcomeKind.GONE:
            return "already gone"
        case OutcomeKind.SKIPPED:
            return "skipped"
        case OutcomeKind.FAILED:
            return "failed"
        case _:
            assert_never(kind)


def _troubles(page: Page, troubles: Sequence[Trouble]) -> None:
    for trouble in troubles[:_MOST_TROUBLES]:
        look = Style.BAD if trouble.kind is OutcomeKind.FAILED else Style.WARN
        kind = trouble.kind.value if trouble.kind is not None else "not tried"
        page.gap()
        page.line(Span(f"{count(len(trouble.steps))} {kind}", look), f" in {trouble.repository}", indent=2)
        page.paragraph(trouble.why or "no reason was recorded", indent=4)
        page.paragraph(sampled(trouble.steps), style=Style.DIM, indent=4)
    if rest := troubles[_MOST_TROUBLES:]:
        page.gap()
        steps = plural(sum(len(trouble.steps) for trouble in rest), "step")
        page.line(f"and {steps} for {plural(len(rest), 'other reason')} (--json lists all)", indent=2)


def _commands(page: Page, commands: Iterable[str]) -> None:
    for command in commands:
        page.line(Span(command, Style.COMMAND), indent=2)


def verified(report: VerifyReport, *, screen: Screen = PLAIN) -> str:
    """Return what verification looked at and every thing that it found, damage first."""
    page = Page(screen)
    verdict = Span("all is well", Style.GOOD) if report.ok else Span(_wrong(report), Style.BAD)
    page.line(Span(f"Verified {_run(report.run_id)}", Style.TITLE), "  ", verdict)
    looked = (
        f"{plural(report.tags, 'kept tag')}, {plural(report.manifests, 'manifest')} and {plural(report.blobs, 'blob')}"
    )
    page.paragraph(f"looked at {looked} at {moment(report.at)}", indent=2)
    _findings(page, "damaged", Style.BAD, report.damage)
    _findings(page, "still there", Style.WARN, report.leftovers)
    _findings(page, "moved since", Style.DIM, report.moved)
    if report.restored:
        page.gap()
        page.hanging(("  ", Span(f"put back ({count(len(report.restored))})", Style.DIM), "  "), put_back(report))
    if report.damage:
        page.gap()
        page.line("Next:")
        _commands(page, (f"tagsweep restore {report.run_id} --yes",))
    return page.text()


def _wrong(report: VerifyReport) -> str:
    parts = [f"{count(len(report.damage))} damaged"] if report.damage else []
    parts += [f"{count(len(report.leftovers))} still there"] if report.leftovers else []
    return ", ".join(parts)


def _findings(page: Page, title: str, look: Style, findings: Sequence[Finding]) -> None:
    if findings:
        page.gap()
        page.line(Span(f"{title} ({count(len(findings))})", look), indent=2)
    for finding in findings[:_MOST_FINDINGS]:
        page.hanging(("    - ",), f"{finding.repository} {finding.subject}: {finding.what}")
        if finding.remedy:
            page.hanging(("      ",), f"→ {finding.remedy}", style=Style.DIM)
    if len(findings) > _MOST_FINDINGS:
        page.line(f"and {count(len(findings) - _MOST_FINDINGS)} more (--json lists all)", indent=4)


def restored(outcomes: Sequence[RestoreOutcome], *, screen: Screen = PLAIN) -> str:
    """Return what was put back, and what was not with the reason."""
    page = Page(screen)
    kinds = Counter(outcome.kind for outcome in outcomes)
    tags = sum(outcome.kind is RestoreKind.RESTORED and bool(outcome.tag) for outcome in outcomes)
    page.line(
        Span(f"Restored {plural(tags, 'tag')}", Style.TITLE), f" on {agree(tags, 'its')} old {agree(tags, 'digest')}"
    )
    for kind in RestoreKind:
        if kinds[kind]:
            look, words = _restore_words(kind, kinds[kind])
            page.hanging(("  ", Span(f"{count(kinds[kind]):>7} ", look)), words)
    wrong = [o for o in outcomes if o.kind in (RestoreKind.MOVED, RestoreKind.COLLECTED, RestoreKind.FAILED)]
    if wrong:
        page.gap()
    for outcome in wrong[:_MOST_FINDINGS]:
        name = f"{outcome.repository}:{outcome.tag}" if outcome.tag else f"{outcome.repository}@{outcome.digest.short}"
        page.hanging(("  - ",), f"{name}: {outcome.kind.value}" + (f": {outcome.why}" if outcome.why else ""))
    if len(wrong) > _MOST_FINDINGS:
        page.line(f"and {count(len(wrong) - _MOST_FINDINGS)} more (--json lists all)", indent=2)
    return page.text()


def _restore_words(kind: RestoreKind, number: int) -> tuple[Style, str]:
    match kind:
        case RestoreKind.RESTORED:
            return Style.GOOD, "put back with the same digest"
        case RestoreKind.PRESENT:
            return Style.GOOD, f"{agree(number, 'was')} there already with the same digest"
        case RestoreKind.MOVED:
            return Style.WARN, "on another digest now, left alone"
        case RestoreKind.COLLECTED:
            return (
                Style.BAD,
                f"gone for good: the registry has collected what {agree(number, 'it')} {agree(number, 'needs')}",
            )
        case RestoreKind.FAILED:
            return Style.BAD, "failed"
        case _:
            assert_never(kind)


def history(runs: Sequence[RunRecord], *, screen: Screen = PLAIN) -> str:
    """Return one line for each run, in the order given."""
    page = Page(screen)
    if not runs:
        page.line("No run is recorded in this state directory.")
        return page.text()
    columns = (
        Column(heading="run"),
        Column(heading="begun"),
        Column(heading="status"),
        Column(heading="tags", align=Align.RIGHT),
        Column(heading="repositories", wraps=True),
    )
    page.table(columns, (_history_row(run) for run in runs), indent=0)
    return page.text()


def _history_row(run: RunRecord) -> Sequence[Piece]:
    tags = count(run.removed_tags)
    if run.removed_tags != run.planned_tags:
        tags += f" of {count(run.planned_tags)}"
    return (run.id, f"{run.started_at:%Y-%m-%d}", _status(run.status), tags, listed(run.repositories, most=2))
