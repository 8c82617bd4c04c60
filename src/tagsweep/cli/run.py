"""``tagsweep run``: the whole way unattended, when the policy's schedule says so."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tagsweep.cli.apply import error_of
from tagsweep.cli.options import (
    StateChoice,
    emit,
    end_with,
    json_option,
    load,
    open_session,
    policy_option,
    screen,
    state_option,
)
from tagsweep.model.errors import ConfigurationError
from tagsweep.model.schedule import AttemptResult

if TYPE_CHECKING:
    from datetime import datetime

    from tagsweep.app.unattended import Finished
    from tagsweep.model.errors import TagsweepError


@click.command("run")
@policy_option
@click.option("--force", is_flag=True, help="Run although no date is due.")
@click.option(
    "--approve",
    type=click.Choice(["plan-only", "apply"]),
    default="apply",
    show_default=True,
    help="plan-only: write the plan for people to approve, and stop; apply: carry it out.",
)
@click.option("--plan", type=click.Path(path_type=Path), help="Carry out this plan, which plan-only wrote.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Where to write the plan, if it removes anything."
)
@click.option("--summary", type=click.Path(path_type=Path), help="Write how it ended here, as Markdown.")
@click.option("--link", default="", metavar="URL", help="Where people find more; notifications have it.")
@state_option
@json_option
def command(
    *,
    config: Path,
    force: bool,
    approve: str,
    plan: Path | None,
    output: Path | None,
    summary: Path | None,
    link: str,
    state: StateChoice | None,
    as_json: bool,
) -> None:
    """Plan, check the guards, apply, verify, record and notify, with nobody there: for cron and CI.

    Does nothing, and exits with 0, unless a date of the policy's schedule is due; never runs twice for one date, and
    once after a pause in which several passed. A policy without a schedule is always due. What was refused or failed is
    written down and told, and is tried again by the next call; a run that was broken off is taken up.
    """
    from tagsweep.app.unattended import Asked, next_due, run_unattended  # noqa: PLC0415 (not for --help)

    plan_only = approve == "plan-only"
    if plan is not None and (plan_only or force or output is not None):
        raise ConfigurationError(
            "--plan carries out a plan that is there; it goes with none of --approve plan-only, --force and --output",
            remedy="name either what to plan or what to carry out",
        )
    if plan_only and output is None:
        raise ConfigurationError(
            "--approve plan-only makes a plan for people to approve, and nobody says where to write it",
            remedy="add -o plan.json; after the approval: tagsweep run --plan plan.json",
        )
    policy = load(config)
    asked = Asked(
        force=force, plan_only=plan_only, plan=plan, output=output, summary=summary, link=link, environ=os.environ
    )
    with open_session(state, plan_registries(plan, policy.registries), home=policy.state, plain=True) as session:
        done = run_unattended(policy, asked, session=session)
        upcoming = next_due(policy, session.clock.now())
    if as_json:
        emit(_document(done, upcoming))
    elif not done:
        from tagsweep.report.units import moment  # noqa: PLC0415 (not for --help)

        assert upcoming is not None or policy.schedule is not None  # noqa: S101 (without a schedule it is due)
        after = "" if upcoming is None else f"; the next date is {moment(upcoming)}"
        click.echo(f"Not due: {policy.schedule}{after}.")
    for finished in done:
        if not as_json:
            _show(finished, approve_with(config, output))
    error = next((found for found in map(_error, done) if found is not None), None)
    if error is not None:
        end_with(error, as_json=as_json)


def plan_registries(plan: Path | None, own: Any) -> Any:
    """Return the settings of the registries: those of the plan where one is carried out."""
    if plan is None:
        return own
    from tagsweep.app.planfiles import read_plan  # noqa: PLC0415 (not for --help)

    return read_plan(plan)[0].registries


def approve_with(config: Path, output: Path | None) -> str:
    """Return the command that carries out a plan that waits for approval, or nothing where none was written."""
    return "" if output is None else shlex.join(["tagsweep", "run", "-c", str(config), "--plan", str(output)])


def _show(finished: Finished, approve: str) -> None:
    from tagsweep.report import terminal_run  # noqa: PLC0415 (not for --help)
    from tagsweep.report.attempt import facts, title  # noqa: PLC0415 (not for --help)
    from tagsweep.report.words import clean  # noqa: PLC0415 (not for --help)

    report = finished.report
    click.echo(clean(title(report)))
    for line in facts(report):
        click.echo(f"  {clean(line)}")
    if approve and report.attempt.result is AttemptResult.PLANNED:
        click.echo(f"  To carry it out: {clean(approve)}")
    swept = finished.swept
    if swept is not None:
        click.echo()
        click.echo(terminal_run.applied(swept.report.run, swept.report.outcomes, screen=screen()))
        if swept.report.verification is not None:
            click.echo(terminal_run.verified(swept.report.verification, screen=screen()))
        click.echo("written")
        for path in swept.written:
            click.echo(f"  {path}")


def _document(done: tuple[Finished, ...], upcoming: datetime | None) -> dict[str, Any]:
    from tagsweep.report import json_report, messages  # noqa: PLC0415 (not for --help)

    return {
        "schema": "tagsweep/run",
        "version": json_report.VERSION,
        "due": bool(done),
        "next_due": None if upcoming is None else upcoming.isoformat(),
        "attempts": [messages.webhook(finished.report) for finished in done],
    }


def _error(finished: Finished) -> TagsweepError | None:
    if finished.error is not None:
        return finished.error
    return None if finished.swept is None else error_of(finished.swept.report)
