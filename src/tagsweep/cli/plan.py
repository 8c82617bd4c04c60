"""``tagsweep plan``: decide what may go and write it down."""

from __future__ import annotations

from dataclasses import replace
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


@click.command("plan")
@policy_option
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to write the plan for apply.")
@click.option(
    "--sizes",
    is_flag=True,
    help="Also read every manifest and config, for the space that would be freed and the picture over time.",
)
@click.option("--markdown", type=click.Path(path_type=Path), help="Also write a summary for a pull request here.")
@state_option
@json_option
def command(
    *, config: Path, output: Path | None, sizes: bool, markdown: Path | None, state: StateChoice | None, as_json: bool
) -> None:
    """Decide what may go, say why for every tag, and write it down. Nothing is changed.

    Exits with 4, and writes no plan, if a guard of the policy refuses what the rules would remove.
    """
    from tagsweep.app.make_plan import make_plan  # noqa: PLC0415 (not for --help)
    from tagsweep.app.planfiles import write_plan, write_text  # noqa: PLC0415 (not for --help)
    from tagsweep.model.errors import Refused  # noqa: PLC0415 (not for --help)
    from tagsweep.report import json_report, terminal_plan  # noqa: PLC0415 (not for --help)
    from tagsweep.report import markdown as markdown_report  # noqa: PLC0415 (not for --help)

    policy = load(config)
    with open_session(state, policy.registries, home=policy.state) as session:
        planned = make_plan(policy, session=session, sizes=sizes)
        requests = session.requests()
        if output is not None and not planned.refusals:
            write_plan(planned.plan, output, session=session)
        if markdown is not None:
            write_text(markdown, markdown_report.plan(planned.plan))
    path = str(output) if output is not None and not planned.refusals else ""
    if as_json:
        document = json_report.plan(planned.plan, path=path)
        emit(document | {"refusals": json_report.refused(planned.refusals)["refusals"], "requests": requests})
    else:
        # Shown as it was typed, so that the commands at the end can be copied.
        shown = replace(planned.plan, policy_path=str(config))
        click.echo(terminal_plan.plan(shown, path=path, screen=screen()))
        if planned.refusals:
            click.echo(terminal_plan.refused(planned.refusals, screen=screen()), err=True)
            raise click.exceptions.Exit(Refused.exit_code)  # what there is to say was said
    if planned.refusals:
        first = planned.refusals[0]
        end_with(Refused(f"refused by {first.guard}: {first.message}", remedy=first.remedy), as_json=as_json)
