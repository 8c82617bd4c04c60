"""``tagsweep usage``: show what is in use, where, and who says so."""

from __future__ import annotations

from pathlib import Path

import click

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


@click.command("usage")
@policy_option
@click.option("--all", "everything", is_flag=True, help="Every reference, not only those to the policy's targets.")
@click.option(
    "--source", "only", multiple=True, metavar="NAME", help="Ask only this source of the policy (repeatable)."
)
@click.option("--check", is_flag=True, help="Ask the registries which of the targets' references name nothing.")
@state_option
@json_option
def command(
    *, config: Path, everything: bool, only: tuple[str, ...], check: bool, state: StateChoice | None, as_json: bool
) -> None:
    """Show what is in use, where, and which source says so; what is unresolved, and what no source could see.

    No registry is asked, unless with --check. Exits with 4, after printing, if a source that the policy requires did
    not answer completely.
    """
    from tagsweep.app.usage import usage  # noqa: PLC0415 (not for --help)
    from tagsweep.model.errors import Refused, RegistryError  # noqa: PLC0415 (not for --help)
    from tagsweep.report import json_report, terminal_usage  # noqa: PLC0415 (not for --help)
    from tagsweep.report.reasons import remedy, sentence  # noqa: PLC0415 (not for --help)

    policy = load(config)
    with open_session(state, policy.registries, home=policy.state) as session:
        view = usage(policy, session=session, everything=everything, only=only, check=check)
    if as_json:
        emit(json_report.usage(view))
    else:
        click.echo(terminal_usage.usage(view, screen=screen()), nl=False)
    if view.missing:
        first = view.missing[0]
        end_with(Refused(sentence(first), remedy=remedy(first)), as_json=as_json)
    if view.unchecked:
        end_with(RegistryError(view.unchecked[0], remedy="“tagsweep doctor” shows what is wrong"), as_json=as_json)
