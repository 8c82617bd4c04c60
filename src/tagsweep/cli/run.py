"""``tagsweep run``: the whole way unattended, when the policy's schedule says so."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tagsweep.cli.apply import error_of
from tagsweep.cli.options import (
    StateChoice,
    default_state,
    emit,
    end_with,
    json_option,
    load,
    open_session,
    policy_option,
    screen,
    state_choice,
    state_option,
)
from tagsweep.model.errors import Busy, ConfigurationError, TagsweepError
from tagsweep.model.schedule import AttemptResult

if TYPE_CHECKING:
    from datetime import datetime

    from tagsweep.app.asked import Asked
    from tagsweep.app.unattended import Finished
    from tagsweep.model.policy import Policy


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
    once after a pause in which several passed. The first call of a schedule notes that its dates count from now on, and
    removes nothing unless one has just passed; --force sweeps at once. A policy without a schedule is always due. What
    was refused or failed is written down and told, and is tried again by the next call; a run that was broken off is
    taken up. While another one runs the same policy, nothing is done.
    """
    from tagsweep.app.asked import Asked  # noqa: PLC0415 (not for --help)
    from tagsweep.app.telling import next_due  # noqa: PLC0415 (not for --help)
    from tagsweep.app.unattended import run_unattended  # noqa: PLC0415 (not for --help)

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
    done: tuple[Finished, ...] = ()
    upcoming: datetime | None = None
    held, failure = "", None
    try:
        with open_session(state, plan_registries(plan, policy.registries), home=policy.state, plain=True) as session:
            upcoming = next_due(policy, session.clock.now())
            done = run_unattended(policy, asked, session=session)
    except TagsweepError as error:  # what no attempt has: nobody would hear of it
        if isinstance(error, Busy) and not force and plan is None:
            held = str(error)
        else:
            failure = error
            # The summary of what was done stays as it is.
            _tell(error, policy, replace(asked, summary=None) if done else asked, state)
    errors = [*filter(None, map(_error, done)), *([] if failure is None else [failure])]
    if failure is not None and not done:
        raise failure
    if as_json:
        emit(_document(done, upcoming, held))
    else:
        _print(done, errors, approve_with(config, output))
        if not done:
            click.echo(_idle(policy, upcoming, held))
    for further in errors[1:]:
        _also(further)
    if errors:
        end_with(errors[0], as_json=as_json)


def _also(error: TagsweepError) -> None:
    """Say an error beside the one that the command ends with."""
    from tagsweep.report.words import clean_lines  # noqa: PLC0415 (only where there are two)

    click.echo(f"tagsweep: {clean_lines(str(error))}", err=True)


def _tell(error: TagsweepError, policy: Policy, asked: Asked, state: StateChoice | None) -> None:
    """Tell people of an error that no attempt in the state has, because the state could not be used."""
    from tagsweep.app.policy_key import local_key, new_shared_key  # noqa: PLC0415 (only for such an error)
    from tagsweep.app.telling import Telling, tell_without_state  # noqa: PLC0415 (likewise)
    from tagsweep.cli.progress import make_progress  # noqa: PLC0415 (likewise)
    from tagsweep.http.clock import SystemClock  # noqa: PLC0415 (likewise)

    home = state_choice(policy.state) if state is None and policy.state else state or default_state()
    path, targets = policy.path, policy.targets
    key = local_key(path, home) if isinstance(home, Path) else new_shared_key(path, targets)
    progress = make_progress(plain=True)
    try:
        telling = Telling(policy=policy, asked=asked, clock=SystemClock(), progress=progress)
        tell_without_state(error, key=key, telling=telling)
    finally:
        progress.finish()


def _idle(policy: Policy, upcoming: datetime | None, held: str) -> str:
    """Return why nothing was done."""
    from tagsweep.report.units import moment  # noqa: PLC0415 (not for --help)

    after = "" if upcoming is None else f"; the next date is {moment(upcoming)}"
    if held:
        return f"Left to the other: {held}{after}."
    return f"Not due: {policy.schedule}{after}."


def plan_registries(plan: Path | None, own: Any) -> Any:
    """Return the settings of the registries: those of the plan where one is carried out."""
    if plan is None:
        return own
    from tagsweep.app.planfiles import read_plan  # noqa: PLC0415 (not for --help)

    return read_plan(plan)[0].registries


def approve_with(config: Path, output: Path | None) -> str:
    """Return the command that carries out a plan that waits for approval, or nothing where none was written."""
    return "" if output is None else shlex.join(["tagsweep", "run", "-c", str(config), "--plan", str(output)])


def _print(done: tuple[Finished, ...], errors: list[TagsweepError], approve: str) -> None:
    """Print what was done. The error that the command ends with has its words on standard error, and not twice."""
    for finished in done:
        _show(finished, approve, why=not errors or finished.error is not errors[0])


def _show(finished: Finished, approve: str, *, why: bool) -> None:
    from tagsweep.report import terminal_run  # noqa: PLC0415 (not for --help)
    from tagsweep.report.attempt import facts, title  # noqa: PLC0415 (not for --help)
    from tagsweep.report.words import clean  # noqa: PLC0415 (not for --help)

    report = finished.report
    click.echo(clean(title(report)))
    for line in facts(report, why=why):
        click.echo(f"  {clean(line)}")
    if approve and report.attempt.result is AttemptResult.PLANNED:
        click.echo(f"  To carry it out: {clean(approve)}")
    swept = finished.swept
    if swept is not None:
        click.echo()
        click.echo(terminal_run.applied(swept.report.run, swept.report.outcomes, screen=screen()))
        if swept.report.verification is not None:
            click.echo(terminal_run.verified(swept.report.verification, screen=screen()))
        if swept.written:
            click.echo("\n".join(["written", *(f"  {path}" for path in swept.written)]))


def _document(done: tuple[Finished, ...], upcoming: datetime | None, held: str) -> dict[str, Any]:
    from tagsweep.report import json_report, messages  # noqa: PLC0415 (not for --help)

    return {
        "schema": "tagsweep/run",
        "version": json_report.VERSION,
        "due": any(finished.report.attempt.result is not AttemptResult.BEGUN for finished in done),
        "held": held or None,
        "next_due": None if upcoming is None else upcoming.isoformat(),
        "attempts": [messages.webhook(finished.report) for finished in done],
    }


def _error(finished: Finished) -> TagsweepError | None:
    if finished.error is not None:
        return finished.error
    return None if finished.swept is None else error_of(finished.swept.report)
