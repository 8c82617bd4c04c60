"""``tagsweep apply``: carry out a plan."""

from __future__ import annotations

from pathlib import Path

import click

from tagsweep.cli.options import (
    StateChoice,
    confirm,
    emit,
    end_with,
    json_option,
    open_session,
    screen,
    state_option,
    yes_option,
)
from tagsweep.model.errors import DamageFound, StepsFailed, TagsweepError
from tagsweep.model.run import OutcomeKind, SweepReport


@click.command("apply")
@click.argument("plan", type=click.Path(path_type=Path))
@yes_option
@state_option
@json_option
def command(*, plan: Path, yes: bool, state: StateChoice | None, as_json: bool) -> None:
    """Carry out PLAN: delete exactly what it says, verify what stays, write it down.

    Each step is checked immediately before its call and skipped if the registry has changed. What is needed to undo
    is on disk before the first deletion. If a run was interrupted, applying the same plan again finishes it.
    """
    from tagsweep.app.planfiles import read_plan  # noqa: PLC0415 (not for --help)
    from tagsweep.app.sweep import sweep  # noqa: PLC0415 (not for --help)
    from tagsweep.report import json_report, terminal_run  # noqa: PLC0415 (not for --help)
    from tagsweep.report.totals import space_words  # noqa: PLC0415 (not for --help)

    content, data, seal = read_plan(plan)
    if not content.removals:
        if as_json:
            emit(json_report.plan(content, path=str(plan)))
        else:
            click.echo("The plan removes nothing; there is nothing to do.")
        return
    confirm(f"Remove {content.removals:,} tags as {plan} says?", yes=yes)
    with open_session(state, content.registries, home=content.state) as session:
        swept = sweep(content, data, seal=seal, session=session)
    if as_json:
        emit(json_report.sweep(swept.report))
    else:
        report = swept.report
        if swept.resumed:
            click.echo(f"An interrupted run of this plan was taken up: {report.run.id}\n")
        click.echo(terminal_run.applied(report.run, report.outcomes, screen=screen()))
        if report.verification is not None:
            click.echo(terminal_run.verified(report.verification, screen=screen()))
        for repository, space in report.space.items():
            if space.reclaimable:
                click.echo(f"frees {space_words(space)} after the registry's own collection\n  {repository}")
        if swept.written:
            click.echo("\n".join(["written", *(f"  {path}" for path in swept.written)]))
    error = error_of(swept.report)
    if error is not None:
        end_with(error, as_json=as_json)


def error_of(report: SweepReport) -> TagsweepError | None:
    """Return the error whose exit code says how the run ended; None if it ended well."""
    verification = report.verification
    if verification is not None and verification.damage:
        first = verification.damage[0]
        return DamageFound(
            f"verification found damage: {first.repository} {first.subject}: {first.what}", remedy=first.remedy
        )
    bad = [outcome for outcome in report.outcomes if not outcome.kind.absent]
    if bad:
        failed = sum(outcome.kind is OutcomeKind.FAILED for outcome in bad)
        return StepsFailed(
            f"{failed:,} steps failed and {len(bad) - failed:,} were skipped, for example {bad[0].step}: {bad[0].why}",
            remedy=f"tagsweep history {report.run.id} lists them; a new plan takes up what is left",
        )
    if verification is not None and verification.leftovers:
        left = verification.leftovers[0]
        return StepsFailed(f"{left.repository} {left.subject}: {left.what}", remedy=left.remedy)
    return None
