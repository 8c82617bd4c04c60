"""``tagsweep verify``: check that all that was to stay works, and the rest is gone."""

from __future__ import annotations

import click

from tagsweep.cli.apply import error_of
from tagsweep.cli.options import StateChoice, emit, end_with, json_option, open_session, run_state_option, screen


@click.command("verify")
@click.argument("run", required=False)
@run_state_option
@json_option
def command(*, run: str | None, state: StateChoice | None, as_json: bool) -> None:
    """Check the registry after RUN (the last run if none is named), and write its record anew.

    Every tag that was to stay must be on the digest that it had, with every manifest, config and layer below it; what
    was removed must be gone. Exits with 7 if something that was to stay no longer works.
    """
    from tagsweep.app.sweep import load_run, verify_again  # noqa: PLC0415 (not for --help)
    from tagsweep.report import json_report, terminal_run  # noqa: PLC0415 (not for --help)

    with open_session(state) as session:
        _, plan = load_run(run, session=session)
    with open_session(state, plan.registries) as session:
        swept = verify_again(run, session=session)
    verification = swept.report.verification
    assert verification is not None  # noqa: S101 (verify_again always verifies)
    if as_json:
        emit(json_report.verified(verification))
    else:
        click.echo(terminal_run.verified(verification, screen=screen()))
    error = error_of(swept.report)
    if error is not None:
        end_with(error, as_json=as_json)
