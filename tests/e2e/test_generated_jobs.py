"""The shell steps of the generated jobs are run as they are, one after the other, against a registry."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tagsweep.testing.dialects import DISTRIBUTION_3
from tagsweep.testing.fake import FakeRegistry
from tests.e2e.kit import GATEWAY, SHA, Place, fill, gateway, part_of, policy
from tests.e2e.serving import Handler, serving


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
    program(programs / "gh", f'printf "%s\\n" "$*" >>{place.directory}/gh.log; [ ! -f {place.directory}/gh-fails ]')
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.chdir(place.directory)
    for command in (
        ["init", "-q", "-b", "main"],
        ["init", "-q", "--bare", "-b", "main", "origin.git"],
        ["remote", "add", "origin", "origin.git"],
        ["add", "tagsweep.yaml"],
        ["commit", "-q", "-m", "A policy"],
        ["push", "-q", "origin", "main"],
    ):
        git(*command)
    return place


def git(*arguments: str) -> str:
    """Run git in the working directory; return what it said."""
    command = ["git", "-c", "user.name=someone", "-c", "user.email=someone@example.com", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


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
    git("add", "CHANGELOG.md")
    git("commit", "-qm", "The entry")
    assert github.run("plan", FORCE="").startswith("Not due")
    assert github.output.read_text(encoding="utf-8") == ""
    github.run("plan", FORCE="true")
    assert "Nothing to remove" in github.summary.read_text(encoding="utf-8")
    assert github.output.read_text(encoding="utf-8") == ""


def handed_over(github: GitHub, place: Place) -> None:
    """Hand the patch of the changelog to a job with a fresh checkout, as the artifact is."""
    assert "recorded=true\n" in github.output.read_text(encoding="utf-8")
    place.changelog.unlink()
    git("reset", "-q")
    github.environment |= {"BRANCH": "tagsweep/run-1-1", "BASE": "main"}


def test_the_entry_of_the_changelog_is_proposed_as_a_pull_request(checkout: Place, registry: FakeRegistry) -> None:
    """The recording job has the patch alone: it commits the entry to a branch, pushes that, and asks for a review."""
    github = GitHub(generate("github", checkout), checkout.directory)
    github.run("plan", FORCE="false")
    github.run("sweep")
    handed_over(github, checkout)
    github.run("record", BRANCH="tagsweep/run-1-1", BASE="main")
    assert "### Registry sweep" in git("--git-dir=origin.git", "show", "tagsweep/run-1-1:CHANGELOG.md")
    assert git("--git-dir=origin.git", "diff", "--stat=80", "main", "tagsweep/run-1-1").count("|") == 1
    told = (checkout.directory / "gh.log").read_text(encoding="utf-8")
    assert told.startswith("pr create --base main --head tagsweep/run-1-1 --title Record a sweep of the registry")
    assert registry.tags(GATEWAY)


@pytest.mark.slow
def test_a_refusal_reaches_the_changelog_too(checkout: Place, registry: FakeRegistry) -> None:
    """The planning job hands the entry over although it fails."""
    checkout.write(checkout.policy.read_text(encoding="utf-8") + "limits: {max_removals: 1}\n")
    git("commit", "-qam", "A limit")
    github = GitHub(generate("github", checkout), checkout.directory)
    github.run("plan", expect=4, FORCE="false")
    handed_over(github, checkout)
    github.run("record", BRANCH="tagsweep/run-1-1", BASE="main")
    assert "### Registry sweep refused" in git("--git-dir=origin.git", "show", "tagsweep/run-1-1:CHANGELOG.md")
    assert len(registry.tags(GATEWAY)) > 2


def test_the_preview_of_github_comments_the_pull_request(checkout: Place, registry: FakeRegistry) -> None:
    """The plan is the comment; that of an earlier push is written anew, and where there is none a new one is made."""
    github = GitHub(generate("github", checkout), checkout.directory)
    before = registry.tags(GATEWAY)
    github.run("preview", NUMBER="12")
    assert "would go" in (checkout.directory / "preview.md").read_text(encoding="utf-8")
    told = checkout.directory / "gh.log"
    assert told.read_text(encoding="utf-8") == "pr comment 12 --edit-last --body-file preview.md\n"
    (checkout.directory / "gh-fails").touch()
    github.run("preview", expect=1, NUMBER="12")
    assert told.read_text(encoding="utf-8").splitlines()[2:] == ["pr comment 12 --body-file preview.md"]
    assert registry.tags(GATEWAY) == before


def test_a_refused_plan_fails_the_job_and_its_summary_says_why(checkout: Place, registry: FakeRegistry) -> None:
    """The step ends with 4, nothing is handed to the sweeping job, and the page of the run has the guard's words."""
    checkout.write(checkout.policy.read_text(encoding="utf-8") + "limits: {max_removals: 1}\n")
    github = GitHub(generate("github", checkout), checkout.directory)
    github.run("plan", expect=4, FORCE="false")
    assert github.output.read_text(encoding="utf-8") == "recorded=true\n"
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


@contextmanager
def gitlab_api(changelog: str | None) -> Iterator[tuple[dict[str, str], list[tuple[str, str | None, Any]]]]:
    """Serve the API as far as the scripts ask; give the variables to it, and what was posted with which token.

    ``changelog`` is what the repository has of it.
    """
    got: list[tuple[str, str | None, Any]] = []

    class Api(Handler):
        def respond(self) -> None:
            if self.command == "POST":
                got.append((self.path, self.headers["PRIVATE-TOKEN"], json.loads(self.body())))
                self.answer(201, b"{}")
                return
            assert self.path == "/api/v4/projects/7/repository/files/CHANGELOG.md/raw?ref=c0ffee"
            self.answer(404 if changelog is None else 200, (changelog or "").encode())

    variables = {
        "CI_PROJECT_ID": "7",
        "CI_MERGE_REQUEST_IID": "12",
        "CI_DEFAULT_BRANCH": "main",
        "CI_COMMIT_SHA": "c0ffee",
        "CI_JOB_ID": "99",
        "CI_JOB_URL": "https://gitlab.example/jobs/99",
    }
    with serving(Api) as url:
        yield variables | {"CI_API_V4_URL": f"{url}/api/v4"}, got


def test_the_preview_of_gitlab_comments_the_merge_request(checkout: Place, registry: FakeRegistry) -> None:
    """The plan is posted as a note with the token in its header; nothing is removed."""
    before = registry.tags(GATEWAY)
    with gitlab_api(None) as (variables, got):
        environment = variables | {"TAGSWEEP_STATE": str(checkout.state), "TAGSWEEP_NOTE_TOKEN": "note-token"}
        bash(scripts(generate("gitlab", checkout)["tagsweep-preview"]), environment)
    ((path, token, body),) = got
    assert (path, token) == ("/api/v4/projects/7/merge_requests/12/notes", "note-token")
    assert "would go" in body["body"]
    assert registry.tags(GATEWAY) == before


@pytest.mark.slow
def test_gitlab_proposes_the_entry_of_the_changelog(checkout: Place, registry: FakeRegistry) -> None:
    """A branch with the changelog and a merge request; nothing where it is as it was, or where there is no token."""
    found = generate("gitlab", checkout)
    (record,) = found[".tagsweep-record"]["after_script"]
    environment = {"TAGSWEEP_STATE": str(checkout.state), "CI_PIPELINE_URL": "https://gitlab.example/1"}
    bash(scripts(found["tagsweep-plan"]), environment)
    bash(scripts(found["tagsweep-sweep"]), environment)
    text = checkout.changelog.read_text(encoding="utf-8")
    with gitlab_api(None) as (variables, got):
        bash(record, variables)
        assert got == []
        bash(record, variables | {"TAGSWEEP_RECORD_TOKEN": "record-token"})
    (where, token, commit), (then, _, request) = got
    assert (where, token) == ("/api/v4/projects/7/repository/commits", "record-token")
    assert commit["actions"] == [{"action": "create", "file_path": "CHANGELOG.md", "content": text}]
    assert (commit["branch"], commit["start_sha"]) == ("tagsweep/job-99", "c0ffee")
    assert then == "/api/v4/projects/7/merge_requests"
    assert (request["source_branch"], request["target_branch"]) == ("tagsweep/job-99", "main")
    with gitlab_api("# Changelog\n") as (variables, got):
        bash(record, variables | {"TAGSWEEP_RECORD_TOKEN": "record-token"})
    assert got[0][2]["actions"][0]["action"] == "update"
    with gitlab_api(text) as (variables, got):
        bash(record, variables | {"TAGSWEEP_RECORD_TOKEN": "record-token"})
    assert got == []
    assert registry.tags(GATEWAY)


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


@pytest.mark.parametrize("target", ["systemd", "cron"])
def test_a_tagsweep_that_lies_where_no_script_finds_it_is_told(
    target: str, checkout: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blanks and signs in its own path would be read by cron, systemd and shells: no job is written."""
    odd = checkout.directory / "my 100% tools"
    odd.mkdir()
    program(odd / "tagsweep", "exit 0")
    monkeypatch.setenv("PATH", f"{odd}:{os.environ['PATH']}")
    words = [sys.executable, "-m", "tagsweep", "schedule", target, "-c", str(checkout.policy), "-o", "-"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "give tagsweep a path of letters" in done.stderr


def test_a_path_is_no_option(checkout: Place) -> None:
    """A policy or changelog whose name begins with a dash would be an option of tagsweep or git in the scripts."""
    shutil.copy(checkout.policy, "-rf.yaml")
    words = [sys.executable, "-m", "tagsweep", "schedule", "github", "-c", "-rf.yaml", "-o", "-"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "characters that mean something" in done.stderr
