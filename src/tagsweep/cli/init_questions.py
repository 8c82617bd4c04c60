"""The questions of ``tagsweep init`` on a terminal: what no option said, and what nobody but a person can know."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from tagsweep.model.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tagsweep.core.families import Family

KEEP_NEWEST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What was said; None where nothing was. ``also`` are the classes in doubt that get a rule all the same."""

    keep_newest: int | None
    evidence: str | None
    also: tuple[str, ...] | None

    def leave_open(self, families: Sequence[Family]) -> bool:
        """Tell whether there is something to ask about these families."""
        return (
            self.evidence is None
            or (self.also is None and any(family.doubt for family in families))
            or (self.keep_newest is None and any(family.temporary for family in families))
        )


def ask(said: Answers, families: Sequence[Family], *, within: str) -> Answers:
    """Return the answers with those of the person at the terminal. Enter always takes the careful one.

    ``within`` is the age up to which builds stay whatever is answered, or empty.
    """
    doubtful = [family for family in families if family.doubt]
    if said.also is None and doubtful:
        said = replace(said, also=_ask_also(doubtful))
    if said.keep_newest is None and (said.also or any(family.temporary for family in families)):
        younger = f" (younger than {within}: all of them)" if within else ""
        click.echo("Of builds with the same time all stay, and so do those whose time is not known.", err=True)
        question = f"How many of the newest builds of each kind stay{younger}?"
        said = replace(
            said, keep_newest=click.prompt(question, default=KEEP_NEWEST, type=click.IntRange(min=0), err=True)
        )
    if said.evidence is None:
        click.echo("Do these images run anywhere that can be asked: a cluster, hosts, files in git?", err=True)
        click.echo("  later  yes, or not sure: I write it into the policy, which cannot be used before", err=True)
        click.echo("  none   no: nothing has to be asked before a deletion", err=True)
        choice = click.Choice(["later", "none"])
        question = "later or none? Enter is later"
        answer = click.prompt(question, default="later", type=choice, show_default=False, show_choices=False, err=True)
        said = replace(said, evidence=answer)
    return said


def check_also(also: Sequence[str], families: Sequence[Family]) -> None:
    """Refuse a name that is no class in doubt, nor one that has its rule already."""
    open_to_it = [family.name for family in families if family.doubt or family.temporary]
    for name in also:
        if name not in open_to_it:
            known = f"name one of: {', '.join(open_to_it)}" if open_to_it else "leave --also out"
            raise ConfigurationError(
                f"{name!r} is no class here for which a rule can be proposed",
                remedy=f"{known}; a rule for anything else can be written into the policy by hand",
            )


def _ask_also(doubtful: Sequence[Family]) -> tuple[str, ...]:
    click.echo("These look like builds and stay, for a reason:", err=True)
    for family in doubtful:
        click.echo(f"  {family.name}: {family.doubt}", err=True)
    question = "Which of them may go all the same when they are old? Names with commas; Enter is none"
    while True:
        text = click.prompt(question, default="", show_default=False, err=True)
        names = tuple(name for part in text.split(",") if (name := part.strip()) and name != "none")
        wrong = [name for name in names if name not in {family.name for family in doubtful}]
        if not wrong:
            return names
        click.echo(f"There is no {wrong[0]!r} among them: {', '.join(family.name for family in doubtful)}", err=True)
