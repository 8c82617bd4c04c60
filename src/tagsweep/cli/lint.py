"""``tagsweep lint``: check tags against the naming policy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tagsweep.cli.options import emit, load, open_session, policy_option, screen, state_option
from tagsweep.model.errors import ConfigurationError, StepsFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tagsweep.core.lint import Candidate
    from tagsweep.model.policy import Policy

_STDIN = "-"
"""No registry has such a tag."""
_FILE = click.Path(path_type=Path)


@click.command("lint")
@click.argument("tags", nargs=-1, metavar="[TAG]...")
@policy_option
@click.option("--stdin", is_flag=True, help="Also read tags from standard input, one a line; - as a TAG does the same.")
@click.option(
    "--metadata", type=_FILE, multiple=True, help="An output of docker/metadata-action: json, tags, bake-file."
)
@click.option("--bake", type=_FILE, multiple=True, help="A Bake file; the tags of its targets are checked.")
@click.option("--compose", type=_FILE, multiple=True, help="A Compose file; the images that it builds are checked.")
@click.option("--files", is_flag=True, help="The arguments are Bake and Compose files, as pre-commit gives them.")
@click.option("--registry", multiple=True, metavar="REF", help="A repository whose tags are checked, and their moves.")
@click.option("--format", "layout", type=click.Choice(["text", "json", "github"]), default="text", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@state_option
def command(
    *,
    tags: tuple[str, ...],
    config: Path,
    stdin: bool,
    files: bool,
    metadata: tuple[Path, ...],
    bake: tuple[Path, ...],
    compose: tuple[Path, ...],
    registry: tuple[str, ...],
    layout: str,
    as_json: bool,
    state: Path | None,
) -> None:
    """Tell the class of each TAG, and which break the naming policy, why, and what a good name would be.

    A TAG may also be a reference such as ghcr.io/acme/app:1.4.2. Exits with 3 if a tag breaks the policy, with 2 if
    the policy or a file cannot be used. Only --registry asks a registry, and that needs one listing.
    """
    from tagsweep.core.lint import check  # noqa: PLC0415 (not for --help)
    from tagsweep.report import terminal_lint  # noqa: PLC0415 (not for --help)

    if not (tags or stdin or metadata or bake or compose or registry):
        raise ConfigurationError(
            "there is nothing to check", remedy="name tags, or use --stdin, --metadata, --bake, --compose or --registry"
        )
    policy = load(config)
    if not policy.naming:
        raise ConfigurationError(
            f"{config} has no naming, so no tag can be held to it", remedy="describe the classes of tags under naming:"
        )
    found = [*_from_arguments(tags, stdin=stdin, files=files), *_from_files(metadata, bake, compose)]
    found += _from_registry(registry, policy, state)
    known = [candidate.tag for candidate in found]
    verdicts = check(found, policy, known)
    if as_json or layout == "json":
        emit(terminal_lint.lint_document(verdicts))
    elif layout == "github":
        click.echo(terminal_lint.github(verdicts), nl=False)
    else:
        click.echo(terminal_lint.lint(verdicts, screen=screen()), nl=False)
    if any(verdict.fault is not None for verdict in verdicts):
        raise click.exceptions.Exit(StepsFailed.exit_code)


def _from_arguments(tags: tuple[str, ...], *, stdin: bool, files: bool) -> Iterator[Candidate]:
    from tagsweep.app import lint as collecting  # noqa: PLC0415 (not for --help)
    from tagsweep.core.lint import STANDARD_INPUT  # noqa: PLC0415 (not for --help)

    for text in tags:
        if text != _STDIN:
            yield from collecting.from_file(Path(text)) if files else collecting.from_argument(text)
    if stdin or _STDIN in tags:
        yield from collecting.from_texts(sys.stdin, where=STANDARD_INPUT)


def _from_files(metadata: tuple[Path, ...], bake: tuple[Path, ...], compose: tuple[Path, ...]) -> Iterator[Candidate]:
    from tagsweep.app import lint as collecting  # noqa: PLC0415 (not for --help)

    for path in metadata:
        yield from collecting.from_metadata(path)
    for path in bake:
        yield from collecting.from_bake(path)
    for path in compose:
        yield from collecting.from_compose(path)


def _from_registry(targets: tuple[str, ...], policy: Policy, state: Path | None) -> Iterator[Candidate]:
    if not targets:
        return
    from tagsweep.app.lint import from_registry  # noqa: PLC0415 (not where no registry is asked)

    with open_session(state, policy.registries, home=policy.state) as session:
        yield from from_registry(targets, session=session)
