"""``tagsweep restore``: put back what a run removed."""

from __future__ import annotations

import click

from tagsweep.cli.options import (
    StateChoice,
    confirm,
    emit,
    end_with,
    json_option,
    open_session,
    run_state_option,
    screen,
    yes_option,
)
from tagsweep.model.errors import StepsFailed
from tagsweep.model.run import RestoreKind


@click.command("restore")
@click.argument("run")
@click.argument("references", nargs=-1, metavar="[REF]...")
@yes_option
@run_state_option
@json_option
def command(*, run: str, references: tuple[str, ...], yes: bool, state: StateChoice | None, as_json: bool) -> None:
    """Put back the tags that RUN removed, or only the REFs among them, on the digests that they had.

    A tag that somebody pushed again since is left alone. What the registry has collected cannot come back and is
    said so, tag by tag.
    """
    from tagsweep.app.undo import removed_by, undo  # noqa: PLC0415 (not for --help)
    from tagsweep.report import json_report, terminal_run  # noqa: PLC0415 (not for --help)
    from tagsweep.report.units import plural  # noqa: PLC0415 (not for --help)

    with open_session(state) as session:
        _, plan, removed = removed_by(run, session=session)
    count = len(references) if references else sum(len(tags) for tags in removed.values())
    confirm(f"Put back {plural(count, 'tag')} of {run}?", yes=yes)
    with open_session(state, plan.registries) as session:
        outcomes = undo(run, references, session=session)
    if as_json:
        emit(json_report.restored(outcomes))
    else:
        click.echo(terminal_run.restored(outcomes, screen=screen()))
    bad = [outcome for outcome in outcomes if outcome.kind not in (RestoreKind.RESTORED, RestoreKind.PRESENT)]
    if bad:
        error = StepsFailed(
            f"{len(bad):,} of {len(outcomes):,} tags were not put back, for example {bad[0].tag}: {bad[0].why}",
            remedy="what the registry has collected must be built and pushed again",
        )
        end_with(error, as_json=as_json)
