"""``tagsweep demo``: the whole way on a throw-away registry, told step by step."""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from tagsweep.testing.fake import FakeRegistry

_POLICY: Final = """\
version: 1
targets: ["{host}/tensorzero/*"]
naming:                                   # what every tag is
  release: {{calver: ["YYYY.0M.MICRO", "YYYY.MM.MICRO"]}}
  floating: {{names: [latest]}}
  ci-build: {{regex: "(ci-)?sha-[0-9a-f]{{7,40}}"}}
rules:
  - name: builds in the release repository
    repositories: ["{host}/tensorzero/gateway"]
    match: {{class: ci-build}}
    keep: []                              # none of them is needed there
  - name: builds in the development repository
    repositories: ["{host}/tensorzero/gateway-dev"]
    match: {{class: ci-build}}
    keep:
      - {{newest: 10, of: created}}         # for bisecting
      - {{within: 60d, of: created}}
evidence: {{require: [list/hold]}}          # what runs; nothing goes while this is incomplete
sources:
  list/hold: {{file: in-use.txt}}
limits: {{max_percent: 90, keep_at_least: 5}}
record: {{changelog: CHANGELOG.md}}
"""


@click.command("demo")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to put the policy, plan and report.  [default: a new temporary directory]",
)
def command(*, directory: Path | None) -> None:
    """Fill a throw-away registry in this process and do the whole way: look, plan, apply, verify, record, restore.

    Nothing outside of the directory that is printed is touched, and no network is used.
    """
    from tagsweep.testing.dialects import DISTRIBUTION_2_8  # noqa: PLC0415 (not for --help)
    from tagsweep.testing.fake import FakeRegistry  # noqa: PLC0415 (not for --help)

    place = directory if directory is not None else Path(tempfile.mkdtemp(prefix="tagsweep-demo-"))
    place.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        _Tour(registry, place).run()
    click.echo(f"\nThat took {time.monotonic() - started:.0f} s. Everything is in {place}; remove it when you like.")


class _Tour:
    """The story, in the order in which a user would live it."""

    def __init__(self, registry: FakeRegistry, place: Path) -> None:
        self.registry = registry
        self.place = place
        self.policy = place / "tagsweep.yaml"
        self.plan = place / "plan.json"
        self.state = place / "state"

    def run(self) -> None:
        """Tell it."""
        self._seed()
        self._tell(
            "1. Look",
            "Two repositories with a tag for every commit, as a CI leaves them behind.",
        )
        self._do("inventory", "-c", str(self.policy), "--times")
        self._tell(
            "2. Plan",
            "The policy says what each kind of tag is and what may go. Planning changes nothing. This registry speaks "
            "as distribution 2.8 does: it cannot remove one tag alone, only a digest with every tag on it.",
        )
        self._do("plan", "-c", str(self.policy), "-o", str(self.plan), "--sizes")
        self._tell(
            "3. Ask why",
            "Some sha-* tags of the release repository stay. They are on the same digest as a release: deleting one of "
            "them here would delete the release. Every tag can be asked:",
        )
        self._do("explain", self._shared(), "-c", str(self.policy))
        before = self.registry.stored_bytes()
        self._tell("4. Apply", "Exactly the plan, each step checked before its call, then everything kept is verified.")
        self._do("apply", str(self.plan), "--yes")
        self._tell("5. The record", "The changelog that the policy names has an entry now:")
        click.echo(_indented((self.place / "CHANGELOG.md").read_text(encoding="utf-8")))
        click.echo("\nand there is a report as a page, as Markdown and as JSON:")
        for path in sorted((self.state / "runs").glob("*/report.*")):
            click.echo(f"  {path}")
        self._tell("6. Take it back", "Until the registry collects its garbage, all of it can be put back:")
        self._do("restore", self._run(), "--yes")
        self._tell(
            "7. For good",
            "Sweep again with a new plan, then let the registry collect, which is the registry's own business "
            "(tagsweep never does it). This one does it here in the process:",
        )
        self._do("plan", "-c", str(self.policy), "-o", str(self.plan), quiet=True)
        self._do("apply", str(self.plan), "--yes", quiet=True)
        self.registry.collect_garbage(untagged=False)
        after = self.registry.stored_bytes()
        click.echo(f"\nstored before {before:,} bytes, after {after:,} bytes: {before - after:,} bytes are free.")
        self._do("verify")
        self._do("history")

    # --- the world ------------------------------------------------------------------------------------------------
    def _seed(self) -> None:
        from tagsweep.testing.tensorzero import shaped  # noqa: PLC0415 (not for --help)

        now = datetime.now(UTC)
        for repository in shaped(until=now - timedelta(days=1), months=24, commits_per_month=4):
            for built in repository.images(layer_bytes=4000):
                self.registry.push(repository.repository, built.image, *built.tags)
        host = self.registry.host
        self.policy.write_text(_POLICY.format(host=host), encoding="utf-8")
        oldest = next(tag for tag in sorted(self.registry.tags("tensorzero/gateway-dev")) if tag.startswith("sha-"))
        (self.place / "in-use.txt").write_text(
            "# what production runs, one reference a line\n"
            f"{host}/tensorzero/gateway-dev:{oldest}  # the demo cluster\n",
            encoding="utf-8",
        )
        (self.place / "CHANGELOG.md").unlink(missing_ok=True)

    def _shared(self) -> str:
        tags = self.registry.tags("tensorzero/gateway")
        digests = [digest for tag, digest in tags.items() if not tag.startswith("sha-")]
        tag = next(tag for tag, digest in tags.items() if tag.startswith("sha-") and digest in digests)
        return f"{self.registry.host}/tensorzero/gateway:{tag}"

    def _run(self) -> str:
        return max(path.name for path in (self.state / "runs").iterdir())

    # --- telling --------------------------------------------------------------------------------------------------
    def _tell(self, title: str, text: str) -> None:
        click.echo()
        click.secho(title, bold=True)
        click.echo(click.wrap_text(text, width=80))

    def _do(self, *arguments: str, quiet: bool = False) -> None:
        """Run a tagsweep command in this process, shown as it would be typed."""
        from tagsweep.cli.main import cli  # noqa: PLC0415 (this module is loaded by it)

        shown = " ".join(argument.replace(f"{self.place}/", "") for argument in arguments)
        click.echo()
        click.secho(f"$ tagsweep {shown}", fg="cyan")
        with contextlib.redirect_stdout(io.StringIO()) if quiet else contextlib.nullcontext():
            cli.main([*arguments, "--state", str(self.state)], standalone_mode=False)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines())
