"""``tagsweep watch``: ask again and again what is in use, and remember it."""

from __future__ import annotations

import select
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import FrameType

import click

from tagsweep.cli.options import StateChoice, end_with, load, open_session, policy_option, screen, state_option
from tagsweep.model.errors import ConfigurationError, Refused


class Every(click.ParamType[timedelta]):
    """A duration such as ``5m``."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the duration, or fail with the units."""
        if isinstance(value, timedelta):
            return value
        from tagsweep.config.places import Place  # noqa: PLC0415 (not for --help)
        from tagsweep.config.units import parse_positive_duration  # noqa: PLC0415 (not for --help)

        try:
            return parse_positive_duration(str(value), Place(file="--every", positions={}, path=("--every",)))
        except ConfigurationError:
            self.fail(f"{value!r} is no length of time: write a number and s, m, h or d, such as 5m", param, ctx)


@click.command("watch")
@policy_option
@click.option("--every", type=Every(), default="5m", show_default=True, help="How often: 30s, 5m, 1h.")
@click.option("--once", is_flag=True, help="One round, and end.")
@click.option(
    "--source", "only", multiple=True, metavar="NAME", help="Ask only this source of the policy (repeatable)."
)
@click.option(
    "--health-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Touch this file after each round in which everything was asked and remembered, for a liveness probe.",
)
@state_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document a line for each round.")
def command(
    *,
    config: Path,
    every: timedelta,
    once: bool,
    only: tuple[str, ...],
    health_file: Path | None,
    state: StateChoice | None,
    as_json: bool,
) -> None:
    """Ask the policy's sources again and again, and remember what they say for later plans.

    Prints a line for each round. A source that fails is told and asked again in the next round. No registry is asked.
    SIGTERM or Ctrl-C ends it after the round in flight, with 0; a second one ends it at once. With --once it exits
    with 4 if a source could not be asked, or one that the policy requires did not answer completely.
    """
    from tagsweep.app.usage import chosen_sources  # noqa: PLC0415 (not for --help)
    from tagsweep.app.watch import Watch  # noqa: PLC0415 (not for --help)
    from tagsweep.report import json_report, watch  # noqa: PLC0415 (not for --help)

    policy = load(config)
    if health_file is not None and not health_file.absolute().parent.is_dir():
        raise ConfigurationError(
            f"--health-file: {health_file.parent} is no directory", remedy="name a file in a directory that exists"
        )
    with open_session(state, plain=True) as session, _told_to_end() as ending:
        watching = Watch(policy, chosen_sources(policy, only), session)
        for found in watching.rounds(every, lambda seconds: once or ending.within(seconds)):
            if as_json:
                click.echo(json_report.dump_line(json_report.watched(found)), nl=False)
            else:
                click.echo(watch.line(found, unicode=screen().unicode))
            if health_file is not None and found.complete:
                _touch(health_file)
    if once and (trouble := found.trouble(policy.evidence.require)):
        end_with(Refused(trouble), as_json=as_json)


class _Ending:
    """Knows whether a signal told the process to end. A socket carries it, which a signal can write to at any time."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._writer.settimeout(0)

    def listen(self) -> int:
        """Let each signal write to the socket as it comes, and return what they wrote to before.

        Not the handler of Python, which runs only between two of its instructions: for a signal just before the wait
        begins, that is after the wait.
        """
        return signal.set_wakeup_fd(self._writer.fileno())

    def within(self, seconds: float) -> bool:
        """Wait that long and return whether it was told to end, at once where it was."""
        return bool(select.select([self._reader], [], [], seconds)[0])

    def close(self) -> None:
        """Give the sockets back."""
        self._reader.close()
        self._writer.close()


@contextmanager
def _told_to_end() -> Iterator[_Ending]:
    """Take SIGTERM and SIGINT as the word to end after the round; a second one acts as ever."""
    ending = _Ending()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def handle(_number: int, _frame: FrameType | None) -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    wakes = ending.listen()
    for number in before:
        signal.signal(number, handle)
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakes)
        ending.close()


def _touch(path: Path) -> None:
    """Give the file the present time; whoever looks at it acts on its age, so an error is only told."""
    try:
        path.touch()
    except OSError as error:
        click.echo(f"tagsweep: the health file {path} cannot be written: {error.strerror or error}", err=True)
