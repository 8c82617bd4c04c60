"""What the how-tos of schedules tell a reader to type is run, and what they show is checked."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
import yaml

from tagsweep.model.schedule import Attempt, AttemptResult
from tagsweep.report import messages
from tagsweep.report.attempt import AttemptReport
from tests.e2e.walk import Save, Shell, Typed, follow, steps
from tests.unit.report.test_jobs import vendored_schema

PAGES = Path(__file__).parents[2] / "docs" / "how-to"
BLOCK = re.compile(r"^ *```([a-z]+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def text_of(page: str) -> str:
    """Return the text of a page."""
    return (PAGES / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """Return the blocks of a language on a page."""
    return [text for found, text in BLOCK.findall(text_of(page)) if found == language]


def walked(page: str, tmp_path: Path) -> list[Typed]:
    """Follow a page in an empty directory with the policy of the first page; the machine's directories are its own, and
    of the machine's programs that would change it there is only the record of how they were called.
    """
    directory = tmp_path / "work"
    for name in ("work", "tools", "etc/tagsweep", "etc/systemd/system", "tmp"):
        (tmp_path / name).mkdir(parents=True)
    (policy,) = (one for one in steps(text_of("github-actions.md")) if isinstance(one, Save))
    for place in (directory, tmp_path / "etc/tagsweep"):
        (place / policy.name).write_text(policy.text, encoding="utf-8")
    programs = {
        "sudo": 'exec "$@"',
        "systemctl": f'echo "$@" >>{tmp_path}/systemctl.log',
        "kubectl": f'echo "$@" >>{tmp_path}/kubectl.log',
        "crontab": f'cd {tmp_path}; if [ "$1" = -l ]; then cat crontab; else cat >new; mv new crontab; fi',
    }
    for name, line in programs.items():
        program = tmp_path / "tools" / name
        program.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        program.chmod(0o755)
    (tmp_path / "crontab").write_text("0 1 * * * backup\n", encoding="utf-8")
    text = re.sub(r"(?<= )/(etc/tagsweep|etc/systemd/system|tmp)/", rf"{tmp_path}/\1/", text_of(page))
    return follow(text, directory, Shell({}))


@pytest.mark.parametrize("page", ["github-actions.md", "gitlab-ci.md", "kubernetes.md", "systemd.md"])
def test_the_commands_of_a_page_write_what_it_says(page: str, tmp_path: Path) -> None:
    """Followed word for word, each ``tagsweep schedule`` writes the files that the page names."""
    typed = [one for one in walked(page, tmp_path) if one.command.startswith("tagsweep schedule")]
    written = [Path(name).name for one in typed for name in re.findall(r"^written (.+)$", one.text, re.MULTILINE)]
    assert typed
    assert len(written) >= len(typed)
    assert all(name in text_of(page) for name in written), written


def test_the_units_of_the_page_plan_and_wait(tmp_path: Path) -> None:
    """With the page's approval the timer's service plans, another one of the same user sweeps, and systemd takes both;
    the crontab keeps what it had.
    """
    walked("systemd.md", tmp_path)
    units = tmp_path / "etc/systemd/system"
    started = {
        unit.name: re.findall(r"^(?:User|ExecStart)=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
        for unit in sorted(units.glob("*.service"))
    }
    plan, sweep = started["tagsweep.service"], started["tagsweep-sweep.service"]
    assert plan[0] == sweep[0] == "tagsweep"
    assert plan[1].endswith(" --approve plan-only -o ${STATE_DIRECTORY}/plan.json")
    assert sweep[1] == plan[1].replace("--approve plan-only -o", "--plan")
    log = (tmp_path / "systemctl.log").read_text(encoding="utf-8").splitlines()
    assert log == ["daemon-reload", "enable --now tagsweep.timer", "daemon-reload"]
    crontab = (tmp_path / "crontab").read_text(encoding="utf-8")
    assert crontab.startswith("0 1 * * * backup\n")
    assert "0 4 1 1,4,7,10 * " in crontab
    if (program := shutil.which("systemd-analyze")) is not None:
        command = [program, "verify", *(str(unit) for unit in sorted(units.iterdir()))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_include_of_gitlab_is_valid() -> None:
    """What a reader copies into .gitlab-ci.yml is right by GitLab's schema."""
    (text,) = blocks("gitlab-ci.md", "yaml")
    schema = vendored_schema("gitlab-ci")
    jsonschema.validators.validator_for(schema)(schema).validate(yaml.safe_load(text))


def test_every_metric_has_its_place_on_its_page() -> None:
    """The page names each metric that a run can write, and no other."""
    source = (PAGES.parents[1] / "src/tagsweep/report/metrics.py").read_text(encoding="utf-8")
    written = set(re.findall(r'(?:_family|_instant)\(\s*"([a-z_]+)"', source))
    named = set(re.findall(r"\btagsweep_([a-z_]+)", text_of("metrics.md")))
    assert len(written) > 8
    assert named == written


def test_every_field_of_the_webhook_has_its_place_on_its_page() -> None:
    """The table of the page has each field of the document that a webhook gets, and no other."""
    at = datetime(2026, 10, 1, 4, tzinfo=UTC)
    attempt = Attempt(policy="tagsweep.yaml", due=None, began_at=at, result=AttemptResult.NOTHING)
    document = messages.webhook(AttemptReport(attempt=attempt, exit_code=0))
    table = text_of("notifications.md").partition("## The document")[2]
    named = {name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert named | {"schema", "version"} == set(document)
