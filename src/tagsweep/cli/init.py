"""``tagsweep init``: look at repositories and write a policy for them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tagsweep.cli.init_questions import KEEP_NEWEST, Answers, ask, check_also
from tagsweep.cli.options import DEFAULT_POLICY, emit, json_option, open_session, screen, state_option
from tagsweep.model.errors import ConfigurationError

if TYPE_CHECKING:
    from tagsweep.app.propose import Looked
    from tagsweep.report.policy_text import PolicyDraft

WITHIN = "30d"


@dataclass(frozen=True, slots=True)
class Age:
    """An age as it was written; empty where it is zero, which keeps nothing."""

    text: str


class AgeType(click.ParamType[Age]):
    """An option's value that is an age with its unit."""

    name = "age"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Age:
        """Return the age, or fail with the remedy that the policy's durations have."""
        from tagsweep.config.places import Place  # noqa: PLC0415 (not for --help)
        from tagsweep.config.units import parse_duration  # noqa: PLC0415 (not for --help)
        from tagsweep.model.errors import PolicyError  # noqa: PLC0415 (not for --help)

        if isinstance(value, Age):
            return value
        text = str(value).strip()
        try:
            return Age(text if parse_duration(text, Place(file="--within", positions={})) else "")
        except PolicyError as error:
            self.fail(f"{error.remedy}; 0d is no such clause", param, ctx)


@click.command("init")
@click.argument("references", nargs=-1, required=True, metavar="REF...")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path(DEFAULT_POLICY),
    show_default=True,
    help="Where to write the policy.",
)
@click.option(
    "--keep-newest",
    type=click.IntRange(min=0),
    help="How many builds of a kind stay, and with them all of the same time; 0 is no such clause."
    f"  [default: {KEEP_NEWEST}]",
)
@click.option(
    "--within",
    type=AgeType(),
    metavar="AGE",
    help=f"Younger builds stay, such as 30d; 0d is no such clause.  [default: {WITHIN}]",
)
@click.option(
    "--evidence",
    type=click.Choice(["none", "later"]),
    help="none: nothing needs to be asked before a deletion. later: leave the choice open in the policy.",
)
@click.option(
    "--also",
    multiple=True,
    metavar="CLASS",
    help="Make a rule for this class too, although it is in doubt whether its old tags may go.",
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--yes", is_flag=True, help="Ask nothing; what no option says has its default, or stays open.")
@state_option
@json_option
def command(
    *,
    references: tuple[str, ...],
    output: Path,
    keep_newest: int | None,
    within: Age | None,
    evidence: str | None,
    also: tuple[str, ...],
    force: bool,
    yes: bool,
    state: Path | None,
    as_json: bool,
) -> None:
    """Find the families of tags in the repositories REF, and write a policy that removes old builds and nothing else.

    Shows what that policy would remove today. Nothing in a registry is changed. A REF is a repository such as
    ghcr.io/acme/app, or a glob such as ghcr.io/acme/*. A family of tags gets a rule only if each name tells of one
    build: a commit, a moment, a build number. What else looks like builds stays unless --also names it.

    On a terminal it asks which of these may go all the same, how many builds to keep, and what has to be asked before
    a deletion. Elsewhere options say it, and what they do not say is not guessed: without --evidence the policy has an
    open place there, and no command uses it before somebody has filled it in.
    """
    from tagsweep.app.propose import look, propose  # noqa: PLC0415 (not for --help)
    from tagsweep.report import terminal_init  # noqa: PLC0415 (not for --help)
    from tagsweep.report.proposal import proposal_document  # noqa: PLC0415 (not for --help)

    _check_output(output, force=force)
    with open_session(state) as session:
        looked = look(references, session=session)
    check_also(also, looked.families)
    said = Answers(keep_newest=keep_newest, evidence=evidence, also=also or None)
    asks = not yes and not as_json and sys.stdin.isatty() and sys.stderr.isatty()
    asks = asks and said.leave_open(looked.families)
    if asks:
        click.echo(terminal_init.families_found(looked.families, looked.clock, screen=screen()), err=True)
        said = ask(said, looked.families, within=WITHIN if within is None else within.text)
    with open_session(state) as session:  # another one: nothing is left open while somebody thinks
        draft = _draft(looked, references, output, said=said, within=within)
        proposed = propose(looked, draft, path=str(output), session=session)
    _write(output, proposed.text, force=force)
    if as_json:
        emit(proposal_document(proposed, path=str(output)))
    else:
        page = terminal_init.proposal(proposed, path=str(output), families=not asks, screen=screen())
        click.echo(page, nl=False)
    if said.evidence is None:
        click.echo(
            f"tagsweep: --evidence was not given, so {output} cannot be used before you choose it there", err=True
        )


def _draft(
    looked: Looked,
    references: tuple[str, ...],
    output: Path,
    *,
    said: Answers,
    within: Age | None,
) -> PolicyDraft:
    from tagsweep.core.families import overrule  # noqa: PLC0415 (not for --help)
    from tagsweep.report.policy_text import PolicyDraft  # noqa: PLC0415 (not for --help)

    return PolicyDraft(
        targets=references,
        families=overrule(looked.families, said.also or ()),
        clock=looked.clock,
        made_at=looked.at,
        keep_newest=KEEP_NEWEST if said.keep_newest is None else said.keep_newest,
        within=WITHIN if within is None else within.text,
        evidence_waived=said.evidence == "none",
        changelog="CHANGELOG.md" if (output.parent / "CHANGELOG.md").is_file() else "",
    )


def _check_output(output: Path, *, force: bool) -> None:
    if output.exists() and not force:
        raise ConfigurationError(
            f"{output} is there already, and is not written over", remedy="name another file with -o, or add --force"
        )


def _write(output: Path, text: str, *, force: bool) -> None:
    try:
        with output.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigurationError(
            f"{output} cannot be written: {error.strerror}", remedy="name another file with -o"
        ) from error
