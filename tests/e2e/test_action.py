"""The GitHub action's step and the GitLab component's scripts are run as they are, against a registry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import yaml

from tagsweep.testing.dialects import DISTRIBUTION_2_8, DISTRIBUTION_3
from tagsweep.testing.fake import FakeRegistry
from tests.architecture.checkout import ROOT
from tests.e2e.kit import GATEWAY, Place, fill, gateway, part_of, policy

SCRIPT = ROOT / "deploy" / "github" / "action.sh"


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    """Return a registry that removes single tags, with a part of tensorzero/gateway."""
    with FakeRegistry(DISTRIBUTION_3) as running:
        fill(running, part_of(gateway()))
        yield running


class Step:
    """The step of action.yml with this tagsweep on the path; ``outputs`` are those of the last run."""

    def __init__(self, place: Place) -> None:
        self.directory = place.directory
        programs = place.directory / "bin"
        programs.mkdir()
        for name, line in {"tagsweep": "-m tagsweep", "python3": ""}.items():
            (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {line} "$@"\n', encoding="utf-8")
            (programs / name).chmod(0o755)
        self.environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "src"),
            "RUNNER_TEMP": str(place.directory),
            "GITHUB_OUTPUT": str(place.directory / "output"),
            "GITHUB_STEP_SUMMARY": str(place.directory / "summary"),
            "LINK": "https://ci.example.com/1",
            "TAGSWEEP_STATE": str(place.directory / "state"),
            **{f"INPUT_{name}": text for name, text in self._defaults().items()},
        }
        self.outputs: dict[str, str] = {}
        self.printed = ""

    @staticmethod
    def _defaults() -> dict[str, str]:
        inputs = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["inputs"]
        return {name.upper(): one["default"] for name, one in inputs.items() if name not in ("state", "python-version")}

    @property
    def summary(self) -> str:
        """The summary of the job so far."""
        return (self.directory / "summary").read_text(encoding="utf-8")

    def run(self, command: str, *, expect: int = 0, **inputs: str) -> dict[str, str]:
        """Run the step and return its outputs."""
        (self.directory / "output").write_text("", encoding="utf-8")
        environment = {**self.environment, "INPUT_COMMAND": command}
        environment |= {f"INPUT_{name.upper()}": text for name, text in inputs.items()}
        bash = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(SCRIPT)]
        done = subprocess.run(
            bash, env=environment, cwd=self.directory, capture_output=True, text=True, check=False, timeout=60
        )
        self.printed = done.stdout + done.stderr
        assert done.returncode == expect, self.printed
        lines = (self.directory / "output").read_text(encoding="utf-8").splitlines()
        self.outputs = dict(line.split("=", 1) for line in lines)
        return self.outputs


@pytest.fixture
def step(place: Place, registry: FakeRegistry) -> Step:
    """Return the step in a checkout with a policy."""
    place.write(policy(f"{registry.host}/{GATEWAY}", more="schedule: quarterly\n"))
    return Step(place)


def test_plan_then_apply(step: Step, registry: FakeRegistry) -> None:
    """Plan gives the number and the file and deletes nothing; apply removes that number and names its run."""
    before = registry.tags(GATEWAY)
    planned = step.run("plan")
    assert (planned["planned"], planned["exit-code"]) == ("true", "0")
    assert registry.tags(GATEWAY) == before
    assert "ci builds" in step.summary
    applied = step.run("apply")
    assert applied["removals"] == planned["removals"] == str(len(before) - len(registry.tags(GATEWAY)))
    assert applied["run"].startswith("run-")
    assert applied["run"] in step.summary
    assert step.run("plan")["planned"] == "false"
    assert step.run("apply", plan="nowhere.json", expect=2)["exit-code"] == "2"


def test_run_sweeps_when_it_is_due(step: Step) -> None:
    """The first run of a schedule removes nothing and says how to sweep at once; that sweeps; then nothing is due."""
    assert step.run("run")["removals"] == "0"
    assert "--force" in step.summary
    first = step.run("run", force="true")
    assert int(first["removals"]) > 0
    assert first["run"].startswith("run-")
    assert step.run("run")["removals"] == "0"


def test_the_log_says_how_each_command_ended(step: Step, place: Place) -> None:
    """A green step says in its log whether it did something: how many tags, that a schedule begins, or not due."""
    planned = step.run("plan")["removals"]
    assert f"tagsweep: {planned} tags would go; the plan is plan.json" in step.printed
    step.run("run")
    assert "tagsweep: The schedule begins; nothing was removed" in step.printed
    step.run("run")
    assert "tagsweep: Not due; the next date is 20" in step.printed
    run = step.run("apply")["run"]
    assert f"tagsweep: {planned} of {planned} tags removed, run {run}: done" in step.printed
    place.write(place.policy.read_text(encoding="utf-8") + "limits: {max_removals: 0}\n")
    step.run("run", force="true")
    assert "tagsweep: Nothing to remove" in step.printed


def test_a_refused_plan_fails_the_step_with_its_code(step: Step, place: Place) -> None:
    """A guard that refuses is exit code 4, and no plan file is left that apply could take."""
    step.run("plan")
    place.write(place.policy.read_text(encoding="utf-8") + "limits: {max_removals: 1}\n")
    refused = step.run("plan", expect=4)
    assert refused["planned"] == "false"
    assert not (step.directory / "plan.json").exists()


def test_lint_takes_tags_from_many_lines(step: Step) -> None:
    """Tags of docker/metadata-action, one a line: a good one passes, a bad one fails and is named."""
    step.run("lint", tags="docker.io/acme/app:2026.1.0\ndocker.io/acme/app:latest")
    step.run("lint", tags="docker.io/acme/app:2026.1.0\ndocker.io/acme/app:my-try", expect=3)
    assert "my-try" in step.printed


def test_what_stands_in_an_input_is_never_run(step: Step) -> None:
    """An input with a command in it is a name and no more; a command that is none is told."""
    step.run("plan", config="$(touch pwned).yaml", expect=2)
    step.run("sweep; touch pwned", expect=2)
    assert not (step.directory / "pwned").exists()


def test_the_password_is_in_no_output(step: Step) -> None:
    """What was given as a secret is neither printed nor written anywhere by the step."""
    step.run("plan", username="sweeper", password="s3cret-of-the-registry")
    files = [path for path in step.directory.rglob("*") if path.is_file()]
    assert "s3cret-of-the-registry" not in step.printed
    assert not [path for path in files if b"s3cret-of-the-registry" in path.read_bytes()]


def test_the_component_plans_and_sweeps(place: Place, registry: FakeRegistry) -> None:
    """The scripts of both jobs, with the state in a registry: the second carries out what the first planned."""
    with FakeRegistry(DISTRIBUTION_2_8) as keeping:
        place.write(policy(f"{registry.host}/{GATEWAY}", more="schedule: quarterly\n"))
        environment = Step(place).environment | {"CI_PIPELINE_URL": "https://ci.example.com/1"}
        text = (ROOT / "templates" / "tagsweep.yml").read_text(encoding="utf-8")
        given = {"state": f"oci://{keeping.host}/ops/state", "image": "image"}
        declared = yaml.safe_load(text.split("\n---\n")[0])["spec"]["inputs"]
        body = text.split("\n---\n")[1]
        for name, one in declared.items():
            body = body.replace(f"$[[ inputs.{name} ]]", one.get("default", given.get(name, "")))
        before = len(registry.tags(GATEWAY))
        for number, (name, job) in enumerate(yaml.safe_load(body).items()):
            home = place.directory / name  # each job has a machine of its own
            home.mkdir()
            variables = {**environment, **job["variables"], "HOME": str(home)}
            for script in job["script"]:
                done = subprocess.run(
                    ["sh", "-ec", script],
                    env=variables,
                    cwd=place.directory,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, done.stdout + done.stderr
            assert (len(registry.tags(GATEWAY)) == before) == (number == 0)
        assert json.loads((place.directory / "plan.json").read_text(encoding="utf-8"))
        assert "removed" in (place.directory / "swept.md").read_text(encoding="utf-8")
        assert keeping.tags("ops/state")


def test_an_input_begins_no_command_of_the_runner(step: Step) -> None:
    """A line break in an input, such as one that comes from a title, stays within the one annotation."""
    step.run("x\n::stop-commands::y", expect=2)
    assert [line for line in step.printed.splitlines() if line.startswith("::")] == [
        r"::error::command is $'x\n::stop-commands::y'; it can be plan, apply, run or lint"
    ]
