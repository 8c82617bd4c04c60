"""The ``tagsweep`` command: which subcommands there are, and how errors become a sentence and an exit code.

Subcommands are imported when they are called, so that ``--help`` costs little more than the interpreter.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Final

import click

from tagsweep import __version__
from tagsweep.model.errors import StateError, TagsweepError

INTERRUPTED: Final = 130
"""The exit code after Ctrl-C, as shells have it."""

BUG: Final = 70
"""The exit code for an error that nobody foresaw (EX_SOFTWARE of sysexits.h)."""

_COMMANDS: Final = {
    "init": "Find the families of tags and write a policy for them.",
    "inventory": "Show what is in the repositories: tags, classes, times.",
    "usage": "Show what is in use, where, and who says so.",
    "plan": "Decide what may go and write it down. Changes nothing.",
    "explain": "Say what happens to one tag, with every reason.",
    "apply": "Carry out a plan: delete exactly that, verify, record.",
    "verify": "Check that all that was to stay works, and the rest is gone.",
    "restore": "Put back what a run removed.",
    "history": "List the runs, or show one.",
    "run": "Plan, apply, verify and record unattended, when due.",
    "schedule": "Write the job that runs it: CI, Kubernetes, systemd, cron.",
    "watch": "Ask again and again what is in use, and remember it.",
    "lint": "Check tags against the naming policy, in CI or a registry.",
    "doctor": "Show what a registry and your credentials allow.",
    "demo": "Do the whole way on a throw-away registry.",
}

_EPILOG: Final = """\b
Exit codes: 0 done; 1 registry error; 2 configuration; 3 some steps failed or
were skipped; 4 refused by a guard or missing evidence; 5 plan stale, changed,
used or of another format; 6 journal or state; 7 verification found damage.
"""


class LazyGroup(click.Group):
    """A group whose commands live in ``tagsweep.cli.<name>`` and are imported when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        """Return the names in the order of use."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (click's signature)
        """Import and return one command."""
        if cmd_name not in _COMMANDS:
            return None
        command = import_module(f"tagsweep.cli.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101 (a fact of this package, checked by its tests)
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 (click's signature)
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the nearest command where there is none of that name."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            import difflib  # noqa: PLC0415 (only for a mistyped command)

            near = difflib.get_close_matches(args[0], _COMMANDS, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=False,
)
@click.version_option(__version__, prog_name="tagsweep")
def cli() -> None:
    """Remove container image tags that nobody needs, without breaking anything that runs.

    Plan first, read the plan, apply it. Everything that is deleted can be put back until the registry collects it.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the code that the design fixes; no traceback reaches the user."""
    argv = sys.argv[1:] if arguments is None else arguments
    try:
        code = cli.main(args=argv, prog_name="tagsweep", standalone_mode=False)
    except TagsweepError as error:
        _report(error, as_json="--json" in argv)
        sys.exit(error.exit_code)
    except click.exceptions.Abort:
        click.echo("tagsweep: interrupted", err=True)
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        click.echo("tagsweep: interrupted; what was done is in the journal", err=True)
        sys.exit(INTERRUPTED)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            sys.stderr.close()
            sys.exit(0)
        _report(StateError(f"the operating system refused: {error}"), as_json="--json" in argv)
        sys.exit(StateError.exit_code)
    except Exception as error:  # noqa: BLE001 (the last door: whatever was not foreseen becomes a sentence)
        sys.exit(_unforeseen(error))
    sys.exit(code if isinstance(code, int) else 0)


def _unforeseen(error: Exception) -> int:
    """Tell of a mistake in tagsweep itself, with the details in a file, and return the exit code for it."""
    if os.environ.get("TAGSWEEP_DEBUG"):
        raise error
    import tempfile  # noqa: PLC0415 (only here)
    import traceback  # noqa: PLC0415 (only here)

    with tempfile.NamedTemporaryFile("w", prefix="tagsweep-bug-", suffix=".txt", delete=False) as file:
        file.writelines(traceback.format_exception(error))
    click.echo(f"tagsweep: this is a mistake in tagsweep itself: {type(error).__name__}: {error}", err=True)
    click.echo(f"  what was done is in the journal; the details for a bug report are in {file.name}", err=True)
    return BUG


def _report(error: TagsweepError, *, as_json: bool) -> None:
    if as_json:
        from tagsweep.report import json_report  # noqa: PLC0415 (only on the way out)

        click.echo(json_report.dump(json_report.error(error)), nl=False)
    from tagsweep.report.words import clean_lines  # noqa: PLC0415 (only on the way out)

    click.echo(f"tagsweep: {clean_lines(str(error))}", err=True)
    if error.remedy:
        click.echo(f"  {clean_lines(error.remedy)}", err=True)


if __name__ == "__main__":
    main()
