"""The shell steps of the generated jobs are run as they are, one after the other, against a registry."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tagsweep.testing.dialects import DISTRIBUTION_3
from tagsweep.testing.fake import FakeRegistry
from tests.e2e.kit import GATEWAY, SHA, Place, fill, gateway, part_of, policy


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    """Return a registry that removes single tags, with a part of tensorzero/gateway."""
    with FakeRegistry(DISTRIBUTION_3) as running:
        fill(running, part_of(gateway()))
        yield running


@pytest.fixture
def checkout(place: Place, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return a repository with a policy that is due, and a path with this tagsweep and a pip that only notes."""
    place.write(policy(f"{registry.host}/{GATEWAY}", more="schedule: quarterly\n"))
    programs = place.directory / "bin"
    programs.mkdir()
    program(programs / "tagsweep", f'exec {sys.executable} -m tagsweep "$@"')
    program(programs / "pip", f'echo "$@" >>{place.directory}/pip.log')
    program(programs / "python3", f'exec {sys.executable} "$@"')
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.chdir(place.directory)
    return place


def program(path: Path, line: str) -> None:
    """Write a shell program."""
    path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def bash(script: str, environment: Mapping[str, str], expect: int = 0) -> str:
    """Run a script as GitHub and GitLab do: bash, ending at the first error."""
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout


def generate(target: str, place: Place, *options: str) -> dict[Any, Any]:
    """Return the job that ``tagsweep schedule`` writes."""
    done = subprocess.run(
        [sys.executable, "-m", "tagsweep", "schedule", target, "-o", "-", *options],
        cwd=place.directory,
        capture_output=True,
        text=True,
        check=True,
    )
    found = yaml.safe_load(done.stdout)
    assert isinstance(found, dict)
    return found


class GitHub:
    """As much of a runner as these steps notice: files for outputs and summary, variables, and steps in order."""

    def __init__(self, workflow: dict[Any, Any], directory: Path) -> None:
        self.workflow = workflow
        self.output = directory / "github-output"
        self.summary = directory / "github-summary"
        self.environment = {key: str(value) for key, value in workflow["env"].items()}
        self.environment |= {"LINK": "https://github.example/run/1", "GITHUB_OUTPUT": str(self.output)}
        self.environment |= {"GITHUB_STEP_SUMMARY": str(self.summary)}

    def run(self, job: str, expect: int = 0, **values: str) -> str:
        """Run the shell steps of a job; the last one may end with ``expect``."""
        self.output.write_text("", encoding="utf-8")
        self.summary.write_text("", encoding="utf-8")
        steps = [step for step in self.workflow["jobs"][job]["steps"] if "run" in step]
        shown = ""
        for step in steps:
            own = {key: values.get(key, "") for key in step.get("env", {})}
            shown = bash(step["run"], self.environment | own, expect if step is steps[-1] else 0)
        return shown


def test_the_steps_of_the_workflow_plan_and_then_sweep(checkout: Place, registry: FakeRegistry) -> None:
    """Planning removes nothing and says that there is a plan; sweeping removes the builds; then nothing is due."""
    github = GitHub(generate("github", checkout, "--package", "tagsweep==1"), checkout.directory)
    before = registry.tags(GATEWAY)
    github.run("plan", FORCE="false")
    assert github.output.read_text(encoding="utf-8") == "planned=true\n"
    assert "would go" in github.summary.read_text(encoding="utf-8")
    assert registry.tags(GATEWAY) == before
    github.run("sweep")
    assert [tag for tag in registry.tags(GATEWAY) if SHA.fullmatch(tag)] == []
    summary = github.summary.read_text(encoding="utf-8")
    assert "Registry sweep of" in summary
    assert "### Registry sweep" in checkout.changelog.read_text(encoding="utf-8")
    assert (checkout.directory / "pip.log").read_text(encoding="utf-8") == "install tagsweep==1\n" * 2
    checkout.plan.unlink()
    assert github.run("plan", FORCE="").startswith("Not due")
    assert github.output.read_text(encoding="utf-8") == ""
    github.run("plan", FORCE="true")
    assert "Nothing to remove" in github.summary.read_text(encoding="utf-8")
    assert github.output.read_text(encoding="utf-8") == ""


def test_a_refused_plan_fails_the_job_and_its_summary_says_why(checkout: Place, registry: FakeRegistry) -> None:
    """The step ends with 4, nothing is handed to the sweeping job, and the page of the run has the guard's words."""
    checkout.write(checkout.policy.read_text(encoding="utf-8") + "limits: {max_removals: 1}\n")
    github = GitHub(generate("github", checkout), checkout.directory)
    github.run("plan", expect=4, FORCE="false")
    assert github.output.read_text(encoding="utf-8") == ""
    assert "The sweep was refused" in github.summary.read_text(encoding="utf-8")
    assert any(SHA.fullmatch(tag) for tag in registry.tags(GATEWAY))


def scripts(job: dict[str, Any]) -> str:
    """Return what GitLab runs for a job, after its before_script."""
    return "\n".join(job["script"])


def test_the_scripts_of_gitlab_plan_and_then_sweep(checkout: Place, registry: FakeRegistry) -> None:
    """The scheduled job plans, the manual one sweeps, and without a plan the manual one does nothing."""
    found = generate("gitlab", checkout)
    environment = {"TAGSWEEP_STATE": str(checkout.state), "CI_PIPELINE_URL": "https://gitlab.example/1"}
    bash(scripts({"script": found[".tagsweep"]["before_script"]}), environment | {"TAGSWEEP_PACKAGE": "tagsweep==1"})
    assert "There is no plan" in bash(scripts(found["tagsweep-sweep"]), environment)
    bash(scripts(found["tagsweep-plan"]), environment)
    assert any(SHA.fullmatch(tag) for tag in registry.tags(GATEWAY))
    bash(scripts(found["tagsweep-sweep"]), environment)
    assert [tag for tag in registry.tags(GATEWAY) if SHA.fullmatch(tag)] == []
    checkout.plan.unlink()
    assert bash(scripts(found["tagsweep-plan"]), environment).startswith("Not due")
    assert "Nothing to remove" in bash(scripts(found["tagsweep-plan"]), environment | {"FORCE": "true"})


def test_the_preview_of_gitlab_comments_the_merge_request(checkout: Place, registry: FakeRegistry) -> None:
    """The plan is posted as a note with the token in its header; nothing is removed."""
    got: list[tuple[str, str | None, Any]] = []

    class Api(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            got.append((self.path, self.headers["PRIVATE-TOKEN"], body))
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is the standard library's)
            """Say nothing."""

    before = registry.tags(GATEWAY)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        environment = {
            "TAGSWEEP_STATE": str(checkout.state),
            "TAGSWEEP_NOTE_TOKEN": "note-token",
            "CI_API_V4_URL": f"http://127.0.0.1:{server.server_port}/api/v4",
            "CI_PROJECT_ID": "7",
            "CI_MERGE_REQUEST_IID": "12",
        }
        bash(scripts(generate("gitlab", checkout)["tagsweep-preview"]), environment)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    ((path, token, body),) = got
    assert (path, token) == ("/api/v4/projects/7/merge_requests/12/notes", "note-token")
    assert "would go" in body["body"]
    assert registry.tags(GATEWAY) == before


def test_the_arguments_of_the_cronjobs_are_commands_that_work(checkout: Place, registry: FakeRegistry) -> None:
    """What the pods run plans and then sweeps, with the volume's directory in the place of the pod's."""
    done = subprocess.run(
        [sys.executable, "-m", "tagsweep", "schedule", "kubernetes", "-o", "-"],
        capture_output=True,
        text=True,
        check=True,
    )
    volume = checkout.directory / "volume"
    volume.mkdir()
    shutil.copy(checkout.policy, volume / "tagsweep.yaml")
    plan, sweep = (one["spec"]["jobTemplate"] for one in yaml.safe_load_all(done.stdout) if one["kind"] == "CronJob")
    for template in (plan, sweep):
        (container,) = template["spec"]["template"]["spec"]["containers"]
        words = [*container["command"], *container["args"]]
        command = [word.replace("/var/lib/tagsweep", str(volume)) for word in words]
        subprocess.run(command, check=True, capture_output=True)
        left = [tag for tag in registry.tags(GATEWAY) if SHA.fullmatch(tag)]
        assert bool(left) is (template is plan)
    assert "### Registry sweep" in (volume / "CHANGELOG.md").read_text(encoding="utf-8")


def test_schedule_replaces_nothing_and_needs_a_schedule(checkout: Place) -> None:
    """A file that is there stays unless --force; a policy without a schedule, or with an odd path, is told."""
    command = ["schedule", "cron", "-c", str(checkout.policy), "-o", str(checkout.directory)]

    def schedule(*arguments: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "tagsweep", *arguments]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    assert schedule(*command).returncode == 0
    again = schedule(*command)
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
    assert schedule(*command, "--force").returncode == 0
    odd = checkout.directory / "a b.yaml"
    shutil.copy(checkout.policy, odd)
    assert "characters that mean something" in schedule("schedule", "cron", "-c", str(odd), "-o", "-").stderr
    assert "no path within the repository" in schedule("schedule", "github", "-c", str(odd), "-o", "-").stderr
    text = checkout.policy.read_text(encoding="utf-8").replace("schedule: quarterly\n", "")
    checkout.write(text)
    assert "has no schedule" in schedule(*command, "--force").stderr
