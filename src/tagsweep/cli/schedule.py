"""``tagsweep schedule``: write the job that runs a policy when it is due."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import click

from tagsweep import __version__
from tagsweep.cli.options import load, policy_option
from tagsweep.model.errors import ConfigurationError

if TYPE_CHECKING:
    from tagsweep.model.policy import Policy
    from tagsweep.report.jobs import Job

_TARGETS: Final = {
    "github": "github",
    "gitlab": "gitlab",
    "kubernetes": "kubernetes",
    "systemd": "systemd",
    "cron": "crontab",
}
_PLAIN: Final = re.compile(r"[A-Za-z0-9._/+][A-Za-z0-9._/+-]*", re.ASCII)
"""A path that means only itself in a shell, a crontab, a unit and YAML, and is no option."""
_IN_REPOSITORY: Final = ("github", "gitlab")
_WITH_OWN: Final = (*_IN_REPOSITORY, "kubernetes")
"""Where the job brings its own tagsweep, and that of this machine is not called."""
_PACKAGE: Final = "git+https://git.example.com/tools/tagsweep@v{version}"
_IMAGE: Final = "registry.example.com/tools/tagsweep:{version}"


@click.command("schedule")
@click.argument("target", type=click.Choice(list(_TARGETS)))
@policy_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Directory to write to; - prints instead.  [default: the current one]",
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
@click.option("--package", metavar="REQUIREMENT", help="What pip installs in a CI job: a version, a wheel, a git URL.")
@click.option("--image", help="The container image with tagsweep, for Kubernetes.")
def command(*, target: str, config: Path, output: Path, force: bool, package: str | None, image: str | None) -> None:
    """Write the job that runs the policy when it is due, for TARGET. Nothing is installed and nobody is asked.

    The job plans, keeps the plan with a summary, and sweeps when people have approved by the means of that system;
    systemd and cron have none, there it sweeps by itself. It only wakes tagsweep, which asks what is due.
    """
    policy = load(config)
    job = _job(target, policy, config, package=package, image=image)
    written = import_module(f"tagsweep.report.jobs.{_TARGETS[target]}").files(job)
    if str(output) == "-":
        for name, text in written.items():
            click.echo(f"# --- {name}\n{text}" if len(written) > 1 else text, nl=False)
        return
    paths = {output / name: text for name, text in written.items()}
    there = [str(path) for path in paths if path.exists()]
    if there and not force:
        raise ConfigurationError(
            f"{', '.join(there)} is there already", remedy="--force replaces it; -o writes elsewhere, -o - prints"
        )
    from tagsweep.app.planfiles import write_text  # noqa: PLC0415 (not for --help)

    for path, text in paths.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"{path.parent} cannot be made: {error.strerror or error}") from error
        write_text(path, text)
        click.echo(f"written {path}")
    click.echo("What is to be done by hand is said at its top; what you may have to change is marked with “adjust”.")


def _job(target: str, policy: Policy, config: Path, *, package: str | None, image: str | None) -> Job:
    from tagsweep.config.schedule import zone_of  # noqa: PLC0415 (not for --help)
    from tagsweep.core.utc_cron import utc_cron  # noqa: PLC0415 (not for --help)
    from tagsweep.report.jobs import Job  # noqa: PLC0415 (not for --help)

    schedule = policy.schedule
    if schedule is None:
        raise ConfigurationError(
            f"{config} has no schedule",
            remedy="write for example schedule: quarterly; docs/policy.md says what there is",
        )
    return Job(
        policy=_policy_path(target, config),
        text=config.read_text(encoding="utf-8"),
        schedule=schedule,
        utc_cron=utc_cron(schedule.cron, zone_of(schedule), datetime.now(UTC)),
        package=package or _PACKAGE.format(version=__version__),
        image=image or _IMAGE.format(version=__version__),
        program="" if target in _WITH_OWN else _plain(_program(), "tagsweep"),
        changelog=_changelog_path(target, policy, config),
        secrets=_secrets(policy),
        in_cluster=any(source.kind == "kubernetes" and not _elsewhere(source.options) for source in policy.sources),
    )


def _secrets(policy: Policy) -> tuple[str, ...]:
    """Return the environment variables that the policy's records need, each once."""
    names = [name for one in policy.record.notify for name in _names(one)]
    return tuple(dict.fromkeys([*names, *filter(None, [policy.record.metrics_url_env])]))


def _names(one: object) -> tuple[str, ...]:
    from tagsweep.model.policy import Notification  # noqa: PLC0415 (not for --help)

    assert isinstance(one, Notification)  # noqa: S101 (for the type checker)
    mail = (one.mail.username_env, one.mail.password_env) if one.mail is not None else ()
    return tuple(name for name in (one.url_env, *mail) if name)


def _elsewhere(options: object) -> bool:
    """Tell whether a kubernetes source names clusters of a kubeconfig instead of the one around the job."""
    return isinstance(options, dict) and bool({"context", "contexts", "kubeconfig"} & options.keys())


def _policy_path(target: str, config: Path) -> str:
    """Return the policy's path as the job has it: within the repository for CI, absolute elsewhere."""
    path = str(PurePosixPath(config)) if target in _IN_REPOSITORY else str(config.absolute())
    if target in _IN_REPOSITORY and (config.is_absolute() or ".." in config.parts):
        raise ConfigurationError(
            f"{config} is no path within the repository", remedy="call it at the top of the repository, with -c PATH"
        )
    return _plain(path, "the policy")


def _plain(path: str, what: str) -> str:
    """Return the path if it may stand in a script as it is."""
    if _PLAIN.fullmatch(path) is None:
        raise ConfigurationError(
            f"{path!r} has characters that mean something in a job's scripts",
            remedy=f"give {what} a path of letters, digits, dots, dashes and slashes",
        )
    return path


def _changelog_path(target: str, policy: Policy, config: Path) -> str:
    """Return the changelog's path within the repository of a CI job; empty where it is in none."""
    name = policy.record.changelog
    if name is None or target not in _IN_REPOSITORY:
        return ""
    path = PurePosixPath(config).parent / name
    if path.is_absolute() or ".." in path.parts:
        return ""
    return _plain(str(path), "the changelog")


def _program() -> str:
    """Return the path of this tagsweep, or where it is usually installed."""
    import shutil  # noqa: PLC0415 (not for --help)

    own = Path(sys.argv[0])
    if own.name == "tagsweep" and own.is_file():
        return str(own.absolute())
    return shutil.which("tagsweep") or "/usr/local/bin/tagsweep"
