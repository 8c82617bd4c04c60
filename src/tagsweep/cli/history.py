"""``tagsweep history``: list the runs, or show one."""

from __future__ import annotations

import click

from tagsweep.cli.options import StateChoice, emit, json_option, open_session, run_state_option, screen


@click.command("history")
@click.argument("run", required=False)
@run_state_option
@json_option
def command(*, run: str | None, state: StateChoice | None, as_json: bool) -> None:
    """List the runs of this state directory, newest first, or show every step of RUN."""
    from tagsweep.app.lost_runs import recall_runs  # noqa: PLC0415 (not for --help)
    from tagsweep.app.sweep import load_run, run_outcomes  # noqa: PLC0415 (not for --help)
    from tagsweep.report import json_report, terminal_run  # noqa: PLC0415 (not for --help)

    with open_session(state) as session:
        if run is None:
            recall_runs(session)
            runs = sorted(session.ledger.runs(), key=lambda entry: entry.started_at, reverse=True)
            if as_json:
                emit(json_report.history(runs))
            else:
                click.echo(terminal_run.history(runs, screen=screen()))
            return
        record, _ = load_run(run, session=session)
        outcomes = run_outcomes(record, session=session)
    if as_json:
        emit(json_report.applied(record, outcomes))
    else:
        click.echo(terminal_run.applied(record, outcomes, screen=screen()))
