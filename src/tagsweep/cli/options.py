"""Options that several commands share, and the session that they describe."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias, TypeVar

import click

from tagsweep.model.errors import ConfigurationError, TagsweepError

if TYPE_CHECKING:
    from tagsweep.app.session import Session
    from tagsweep.model.policy import Policy, RegistrySettings
    from tagsweep.model.stateplace import StatePlace
    from tagsweep.ports import Clock, Progress
    from tagsweep.report.canvas import Screen
    from tagsweep.stores.state import StateDirectory

StateChoice: TypeAlias = "Path | StatePlace"
"""Where a user keeps the state: in a directory, or in a registry."""

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_POLICY: Final = "tagsweep.yaml"


def state_choice(text: str) -> StateChoice:
    """Return what the text names: a place in a registry if it begins so, else a directory."""
    from tagsweep.model.stateplace import SCHEME, StatePlace  # noqa: PLC0415 (not for --help)

    return StatePlace.parse(text) if text.startswith(SCHEME) else Path(text)


def state_option(function: F) -> F:
    """Add ``--state`` to a command that reads a policy."""
    return _state_option("what the policy says, else ~/.local/state/tagsweep")(function)


def run_state_option(function: F) -> F:
    """Add ``--state`` to a command that goes by runs alone, and so does not know what a policy says."""
    return _state_option("~/.local/state/tagsweep; no policy is read here")(function)


def _state_option(default: str) -> Callable[[F], F]:
    return click.option(
        "--state",
        metavar="DIR|oci://…",
        callback=lambda _, __, text: None if text is None else state_choice(text),
        envvar="TAGSWEEP_STATE",
        show_envvar=True,
        default=None,
        help="Where journals, undo data and the ledger are kept: a directory, or oci://HOST/REPOSITORY.  "
        f"[default: {default}]",
    )


def json_option(function: F) -> F:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")(function)


def policy_option(function: F) -> F:
    """Add ``-c/--config``, which must exist."""
    return click.option(
        "-c",
        "--config",
        "config",
        type=click.Path(path_type=Path),
        default=Path(DEFAULT_POLICY),
        show_default=True,
        help="The policy file.",
    )(function)


def yes_option(function: F) -> F:
    """Add ``--yes``."""
    return click.option("--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")(function)


def default_state() -> Path:
    """Return where the state is kept if nobody says: XDG's state directory."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "tagsweep"


def open_state(
    state: StateChoice | None, settings: Iterable[RegistrySettings], *, clock: Clock, progress: Progress
) -> StateDirectory:
    """Open the state directory, or a working copy of a state in a registry; raises StateError with the remedy."""
    from tagsweep.stores.state import StateDirectory  # noqa: PLC0415 (not for --help)

    if state is None or isinstance(state, Path):
        return StateDirectory.open(state if state is not None else default_state())
    from tagsweep.app.remote_state import open_remote  # noqa: PLC0415 (only where the state is in a registry)
    from tagsweep.model.policy import RegistrySettings  # noqa: PLC0415 (likewise)

    host = state.repository.registry
    own = next((one for one in settings if one.host == host), RegistrySettings(host=host))
    base = default_state() / "in-registries"
    return open_remote(state, base=base, settings=own, clock=clock, progress=progress)


@contextmanager
def open_session(
    state: StateChoice | None, settings: Iterable[RegistrySettings] = (), *, home: str = "", plain: bool = False
) -> Iterator[Session]:
    """Give the session of one command: state, the real clock, progress on standard error; all is closed at the end.

    ``home`` is where the policy or the plan says that the state lives, if nobody says otherwise. ``plain`` is for
    output that goes on and on, which a line that is rewritten would disturb.
    """
    from tagsweep.app.session import Session  # noqa: PLC0415 (not for --help)
    from tagsweep.app.tracing import tracing  # noqa: PLC0415 (not for --help)
    from tagsweep.cli.progress import make_progress  # noqa: PLC0415 (not for --help)
    from tagsweep.http.clock import SystemClock  # noqa: PLC0415 (not for --help)

    progress = make_progress(plain=plain)
    trace = tracing(os.environ, progress)
    try:
        clock, settings = SystemClock(), tuple(settings)
        chosen = state_choice(home) if state is None and home else state
        opened = open_state(chosen, settings, clock=clock, progress=progress)
        with Session(state=opened, clock=clock, progress=progress, settings=settings, trace=trace) as session:
            yield session
    finally:
        trace.close()
        progress.finish()


def load(config: Path) -> Policy:
    """Read the policy file, or raise PolicyError with file, line and column."""
    from tagsweep.config import load_policy  # noqa: PLC0415 (not for --help)

    return load_policy(config)


def screen() -> Screen:
    """Return what standard output can show: its width, colour, and more than ASCII."""
    import shutil  # noqa: PLC0415 (not for --help)

    from tagsweep.report.canvas import Screen  # noqa: PLC0415 (not for --help)

    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size((80, 24)).columns if terminal else 80
    color = terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    return Screen(width=min(max(width, 60), 140), color=color, unicode=encoding.startswith("utf"))


def confirm(question: str, *, yes: bool) -> None:
    """Ask on a terminal; elsewhere refuse unless ``--yes`` was given, because nobody could answer."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigurationError(
            "this needs a confirmation and there is no terminal to ask on", remedy="add --yes if you have read the plan"
        )
    click.confirm(question, abort=True, err=True)


def emit(document: dict[str, Any]) -> None:
    """Print the one JSON document of a command."""
    from tagsweep.report import json_report  # noqa: PLC0415 (not for --help)

    click.echo(json_report.dump(document), nl=False)


def end_with(error: TagsweepError, *, as_json: bool) -> NoReturn:
    """End the command with the error's sentence and exit code, after its result was printed.

    With ``--json`` the document is out already, so the sentence goes to standard error alone.
    """
    if not as_json:
        raise error
    from tagsweep.report.words import clean_lines  # noqa: PLC0415 (only on the way out)

    click.echo(f"tagsweep: {clean_lines(str(error))}", err=True)
    raise click.exceptions.Exit(error.exit_code)
