"""What docs/how-to/where-it-runs.md shows is tried with the tools that it names, as far as they work without a daemon.

Building and running the image needs one, and a base image from a registry: of these lines the options are compared with
the Dockerfile, and what follows the image's name is a command of tagsweep.
"""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import click
import pytest
import yaml

from tagsweep.cli.main import cli
from tests.architecture.checkout import ROOT
from tests.e2e.walk import Type, steps
from tests.real.kube import Cluster, token_of
from tests.real.tools import run, tool

HOW_TO = ROOT / "docs" / "how-to"
POLICY = 'version: 1\ntargets: ["registry.example.com/acme/app"]\nrules: []\nevidence: none\nschedule: quarterly\n'


def text_of(page: str) -> str:
    """Return the text of a page."""
    return (HOW_TO / page).read_text(encoding="utf-8")


def typed(program: str) -> list[list[str]]:
    """Return the words of each command of the page that begins with ``program``."""
    commands = [step.command for step in steps(text_of("where-it-runs.md")) if isinstance(step, Type)]
    return [words for command in commands if (words := shlex.split(command))[0] == program]


def test_the_lines_for_docker_fit_the_dockerfile() -> None:
    """Each build argument is one that the Dockerfile has, each mount is one of its places, and the command exists."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    *builds, started = typed("docker")
    assert [words[1] for words in (*builds, started)] == ["build", "build", "run"]
    for words in builds:
        (name,) = [words[words.index("-t") + 1]]
        assert (name, words[-1]) == ("tagsweep", ".")
        for at in (number for number, word in enumerate(words) if word == "--build-arg"):
            assert re.search(rf"^ARG {words[at + 1].partition('=')[0]}=", text, re.MULTILINE)
    mounted = [started[at + 1].split(":")[1] for at, word in enumerate(started) if word == "-v"]
    assert set(mounted) == set(re.findall(r"^(?:VOLUME|WORKDIR) (/state|/work)$", text, re.MULTILINE))
    command, *options = started[started.index("tagsweep") + 1 :]
    found = cli.get_command(click.Context(cli), command)
    assert found is not None
    known = {name for parameter in found.params for name in parameter.opts}
    assert {word for word in options if word.startswith("-")} <= known


@pytest.mark.parametrize("page", ["where-it-runs.md", "naming-policy.md"])
def test_actionlint_accepts_the_workflow_of_the_page(page: str, tmp_path: Path) -> None:
    """A job that a reader copies, with the action of this repository, is right: its inputs, outputs and expressions."""
    program = tool("actionlint")
    found = re.findall(r"^```yaml\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)
    (workflow,) = (block for block in map(yaml.safe_load, found) if "jobs" in block)
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            if step.get("uses", "").startswith("tagsweep/"):
                step["uses"] = "./"
    workflows = tmp_path / ".github" / "workflows"
    workflows.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    shutil.copy(ROOT / "action.yml", tmp_path)
    whole = {"name": "x", "on": "push"} | {key: value for key, value in workflow.items() if key in {"name", "jobs"}}
    (workflows / "x.yml").write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")
    run(program, "-shellcheck=", cwd=tmp_path)


@pytest.mark.real
def test_the_line_for_helm_installs_the_chart(kube_cluster: Cluster, tmp_path: Path) -> None:
    """On a real API server the line of the page makes the CronJobs, with the policy that stands beside it."""
    (tmp_path / "tagsweep.yaml").write_text(POLICY, encoding="utf-8")
    chart = Path(shutil.copytree(ROOT / "deploy", tmp_path / "deploy")) / "helm" / "tagsweep" / "Chart.yaml"
    lines = chart.read_text(encoding="utf-8").splitlines(keepends=True)
    # A server that was built without its version says that it is 0.0.0.
    chart.write_text("".join(line for line in lines if not line.startswith("kubeVersion:")), encoding="utf-8")
    kubeconfig = kube_cluster.kubeconfig(tmp_path, {"token": token_of("admin")})
    (words,) = typed("helm")
    namespace = "tagsweep-helm"  # the name that the page gives it is another page's here
    words[words.index("--namespace") + 1] = namespace
    run(tool("helm"), *words[1:], "--kubeconfig", str(kubeconfig), cwd=tmp_path)
    stored = kube_cluster.ask("GET", f"/apis/batch/v1/namespaces/{namespace}/cronjobs")["items"]
    assert len(stored) == 2
    (policies,) = (
        one["data"]
        for one in kube_cluster.ask("GET", f"/api/v1/namespaces/{namespace}/configmaps")["items"]
        if "tagsweep.yaml" in one.get("data", {})
    )
    assert policies["tagsweep.yaml"].strip() == POLICY.strip()
