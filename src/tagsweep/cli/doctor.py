"""``tagsweep doctor``: show what a registry and your credentials allow."""

from __future__ import annotations

from pathlib import Path

import click

from tagsweep.cli.options import (
    DEFAULT_POLICY,
    StateChoice,
    emit,
    end_with,
    json_option,
    load,
    open_session,
    screen,
    state_option,
)
from tagsweep.model.errors import ConfigurationError, RegistryError


@click.command("doctor")
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@click.option("-c", "--config", type=click.Path(path_type=Path), help="The policy whose targets are examined.")
@state_option
@json_option
def command(*, targets: tuple[str, ...], config: Path | None, state: StateChoice | None, as_json: bool) -> None:
    """Show whether TARGETs (or the policy's) can be reached, what the credentials allow there, and what that means.

    Nothing is changed: rights are tried on a tag and a digest that do not exist.
    """
    from tagsweep.app.doctor import examine  # noqa: PLC0415 (not for --help)
    from tagsweep.report import json_report, terminal_doctor  # noqa: PLC0415 (not for --help)
    from tagsweep.report.doctor import Health  # noqa: PLC0415 (not for --help)

    if config is None and not targets and Path(DEFAULT_POLICY).exists():
        config = Path(DEFAULT_POLICY)
    if config is None and not targets:
        raise ConfigurationError(
            "nothing to examine: no TARGET was given and there is no tagsweep.yaml here",
            remedy="tagsweep doctor REGISTRY/REPOSITORY, or -c POLICY",
        )
    policy = load(config) if config is not None else None
    settings, home = (policy.registries, policy.state) if policy is not None else ((), "")
    with open_session(state, settings, home=home) as session:
        rows = examine(targets or (policy.targets if policy is not None else ()), session=session)
    if as_json:
        emit(json_report.doctor(rows))
    else:
        click.echo(terminal_doctor.doctor(rows, screen=screen()))
    failed = [row for row in rows if row.health is Health.FAIL]
    if failed:
        message = f"{failed[0].place}: {failed[0].subject}: {failed[0].what}"
        end_with(RegistryError(message, remedy=failed[0].remedy), as_json=as_json)
