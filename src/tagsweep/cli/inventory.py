"""``tagsweep inventory``: show what is in the repositories."""

from __future__ import annotations

from pathlib import Path

import click

from tagsweep.cli.options import (
    DEFAULT_POLICY,
    StateChoice,
    emit,
    json_option,
    load,
    open_session,
    screen,
    state_option,
)
from tagsweep.model.errors import ConfigurationError


@click.command("inventory")
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    help=f"The policy whose targets and naming classes are used.  [default: {DEFAULT_POLICY}, if no TARGET is given]",
)
@click.option("--tags", "every_tag", is_flag=True, help="A line for every tag.")
@click.option("--sizes", is_flag=True, help="Also read every manifest below the tags, for the space.")
@click.option("--times", is_flag=True, help="Also read the image configs, for the times of building.")
@state_option
@json_option
def command(
    *,
    targets: tuple[str, ...],
    config: Path | None,
    every_tag: bool,
    sizes: bool,
    times: bool,
    state: StateChoice | None,
    as_json: bool,
) -> None:
    """Show what is in the repositories that TARGETs (or the policy) name: tags, classes, shared digests, times.

    A TARGET is a repository such as ghcr.io/acme/app, or a glob such as 127.0.0.1:5000/acme/*. Also says how clean each
    repository is: tags of no class, tags of an immutable class that were moved, and what changed since the last look.
    """
    from tagsweep.app.needs import Needs  # noqa: PLC0415 (not for --help)
    from tagsweep.app.view import view  # noqa: PLC0415 (not for --help)
    from tagsweep.report import json_report, terminal_inventory  # noqa: PLC0415 (not for --help)

    if config is None and not targets:
        config = Path(DEFAULT_POLICY)
        if not config.exists():
            raise ConfigurationError(
                "nothing to look at: no TARGET was given and there is no tagsweep.yaml here",
                remedy="tagsweep inventory REGISTRY/REPOSITORY, or -c POLICY",
            )
    policy = load(config) if config is not None else None
    settings, home = (policy.registries, policy.state) if policy is not None else ((), "")
    with open_session(state, settings, home=home) as session:
        views = view(
            targets or (policy.targets if policy is not None else ()),
            policy.naming if policy is not None else (),
            needs=Needs(children=sizes, created=times),
            session=session,
        )
    if as_json:
        emit(json_report.inventory((each.inventory, each.classes, each.cleanliness) for each in views))
        return
    for each in views:
        text = terminal_inventory.inventory(
            each.inventory,
            each.classes,
            cleanliness=each.cleanliness,
            space=each.space,
            every_tag=every_tag,
            screen=screen(),
        )
        click.echo(text)
