"""``tagsweep explain``: say what happens to one tag, with every reason."""

from __future__ import annotations

from pathlib import Path

import click

from tagsweep.cli.options import StateChoice, emit, json_option, load, open_session, policy_option, screen, state_option


@click.command("explain")
@click.argument("reference", metavar="REF")
@policy_option
@state_option
@json_option
def command(*, reference: str, config: Path, state: StateChoice | None, as_json: bool) -> None:
    """Say what a plan made now would do with REF, a tag or a digest, and everything that speaks for or against it."""
    from tagsweep.app.explain import explain  # noqa: PLC0415 (not for --help)
    from tagsweep.report import json_report, terminal_explain  # noqa: PLC0415 (not for --help)

    policy = load(config)
    with open_session(state, policy.registries, home=policy.state) as session:
        explanations = explain(reference, policy, session=session)
    if as_json:
        documents = [json_report.explain(explanation) for explanation in explanations]
        emit(
            documents[0]
            if len(documents) == 1
            else {"schema": "tagsweep/explanations", "version": json_report.VERSION, "explanations": documents}
        )
        return
    for explanation in explanations:
        click.echo(terminal_explain.explain(explanation, screen=screen()))
