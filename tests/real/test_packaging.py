"""The image, the action, the component and the chart, each looked at by the checker of its own ecosystem."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tagsweep.cli.main import cli
from tagsweep.config import parse_policy
from tagsweep.model.schedule import Schedule
from tagsweep.report.jobs import Job, kubernetes
from tests.architecture.checkout import ROOT
from tests.real.kube import Cluster, Refusal
from tests.real.tools import run, tool

CHART = ROOT / "deploy" / "helm" / "tagsweep"
VARIANTS = {
    "as it is": (),
    "sweeps without asking": ("approve=apply", "rbac.create=false", "registrySecret="),
    "everything": (
        "watch.enabled=true",
        "rbac.secrets=true",
        "state.registry=oci://registry.example.com/ops/state",
        "state.storageClass=fast",
        "state.accessMode=ReadWriteMany",
        "imagePullSecrets[0].name=pull",
        "env[0].name=SLACK_URL,env[0].value=x",
        "image.digest=sha256:" + "0" * 64,
        "serviceAccount.annotations.role=sweeper",
        "nodeSelector.disk=ssd",
        "tolerations[0].key=ci",
        "podAnnotations.team=ops",
    ),
    "an account and a volume that are there": ("serviceAccount.name=mine", "state.existingClaim=disk"),
    "one node": ("watch.enabled=true",),
}
PLURALS = {
    "ServiceAccount": "serviceaccounts",
    "ConfigMap": "configmaps",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "CronJob": "cronjobs",
    "Deployment": "deployments",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
}


def render(*values: str, expect: int = 0) -> str:
    """Return the chart's manifests as helm renders them."""
    options = [part for value in values for part in ("--set", value)]
    where = ("--namespace", "tagsweep-chart", "--kube-version", "1.34.2")
    return run(tool("helm"), "template", "nightly", str(CHART), *where, *options, expect=expect)


def objects(*values: str) -> list[dict[str, Any]]:
    """Return the objects of the chart."""
    return [one for one in yaml.safe_load_all(render(*values)) if one]


def pods(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the pod of every workload."""
    for one in found:
        if one["kind"] == "CronJob":
            yield one["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        elif one["kind"] == "Deployment":
            yield one["spec"]["template"]["spec"]


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    """Every rule of hadolint holds, or is passed over with a reason in the file."""
    run(tool("hadolint"), str(ROOT / "Dockerfile"))


def test_the_context_of_the_image_has_what_the_dockerfile_copies() -> None:
    """Everything that COPY names is there and is not left out by .dockerignore, which lets in nothing else."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = {
        name for line in lines if line.startswith("COPY ") and "--from" not in line for name in line.split()[1:-1]
    }
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    let_in = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert copied == let_in
    assert all((ROOT / name).exists() for name in copied)
    assert ignored[0] == "*"


def test_actionlint_accepts_a_workflow_that_uses_the_action(tmp_path: Path) -> None:
    """The action's inputs and outputs are what a workflow finds; one that it does not have is an error."""
    program = tool("actionlint")
    shutil.copy(ROOT / "action.yml", tmp_path)
    workflows = tmp_path / ".github" / "workflows"
    workflows.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    used = {"plan": ["removals", "planned", "plan", "summary", "exit-code"], "apply": ["removals", "run"]}
    steps: list[dict[str, Any]] = [{"uses": "actions/checkout@v7"}]
    for command, outputs in used.items():
        state = "oci://ghcr.io/acme/state"
        steps.append({"uses": "./", "id": command, "with": {"command": command, "state": state, "plan": "plan.json"}})
        steps += [{"run": f"echo '${{{{ steps.{command}.outputs.{name} }}}}'"} for name in outputs]
    job = {"runs-on": "ubuntu-latest", "steps": steps}
    workflow = {"name": "x", "on": "push", "permissions": {}, "jobs": {"a": job}}
    path = workflows / "x.yml"
    path.write_text(yaml.safe_dump(workflow, sort_keys=False), encoding="utf-8")
    run(program, "-shellcheck=", cwd=tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace("plan: plan.json", "paln: plan.json"), encoding="utf-8")
    assert "paln" in run(program, "-shellcheck=", cwd=tmp_path, expect=1)


def test_every_input_of_the_component_is_used_and_every_use_is_an_input() -> None:
    """The two documents of a GitLab component fit together: GitLab refuses an input that is not declared."""
    text = (ROOT / "templates" / "tagsweep.yml").read_text(encoding="utf-8")
    header, body = text.split("\n---\n")
    inputs = set(yaml.safe_load(header)["spec"]["inputs"])
    used = {part.split("]]")[0].strip().removeprefix("inputs.") for part in body.split("$[[")[1:]}
    assert used == inputs
    for name in inputs:
        body = body.replace(f"$[[ inputs.{name} ]]", f"value-of-{name}")
    jobs = yaml.safe_load(body)
    assert set(jobs) == {"value-of-job-prefix-plan", "value-of-job-prefix-sweep"}
    assert jobs["value-of-job-prefix-sweep"]["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "schedule"', "when": "manual"}]


def test_helm_lint_finds_nothing() -> None:
    """The chart is whole, with and without everything that can be switched on."""
    for values in VARIANTS.values():
        options = [part for value in values for part in ("--set", value)]
        run(tool("helm"), "lint", "--strict", "--kube-version", "1.34.2", str(CHART), *options)


@pytest.mark.parametrize(
    "value",
    [
        "approve=maybe",
        "scheduel=daily",
        "state.registry=registry.example.com/state",
        "image.digest=sha256:1",
        "policy=",
    ],
)
def test_values_that_mean_nothing_are_refused(value: str) -> None:
    """The schema of the values refuses what the templates would silently take."""
    assert "values don't meet the specifications" in render(value, expect=1)


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_pod_may_do_more_than_it_must(variant: str) -> None:
    """No pod runs as root, writes its root file system, gains rights, or has a token without a reader's role."""
    found = objects(*VARIANTS[variant])
    for pod in pods(found):
        own = pod["containers"][0]["securityContext"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert own["readOnlyRootFilesystem"]
        assert not own["allowPrivilegeEscalation"]
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert pod["automountServiceAccountToken"] == any(one["kind"] == "ClusterRole" for one in found)
    verbs = {verb for one in found if one["kind"] == "ClusterRole" for rule in one["rules"] for verb in rule["verbs"]}
    assert verbs <= {"list", "get"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_the_pods_run_is_a_command_of_this_tagsweep(variant: str) -> None:
    """The arguments are parsed by the real command line, and the policy of the values loads."""
    found = objects(*VARIANTS[variant])
    for pod in pods(found):
        name, *arguments = pod["containers"][0]["args"]
        command = cli.get_command(cli.make_context("tagsweep", ["--help"], resilient_parsing=True), name)
        assert command is not None
        command.make_context(name, list(arguments))
    policy = next(one["data"]["tagsweep.yaml"] for one in found if one["kind"] == "ConfigMap")
    assert parse_policy(policy, path="tagsweep.yaml").targets


def test_the_chart_tries_as_often_as_the_generated_job() -> None:
    """What is tried again and what waits for people is the same in the chart as in the generated CronJobs."""
    schedule = Schedule(cron="0 4 1 * *", written="monthly", time_zone="UTC")
    job = Job(
        policy="tagsweep.yaml",
        text="version: 1\n",
        schedule=schedule,
        utc_cron=schedule.cron,
        package="tagsweep",
        image="registry.example.com/tagsweep:1",
        program="/usr/bin/tagsweep",
    )
    generated = list(yaml.safe_load_all(kubernetes.files(job)[kubernetes.PATH]))
    tries = [
        [
            {key: value for key, value in one["spec"]["jobTemplate"]["spec"].items() if key != "template"}
            for one in found
            if one["kind"] == "CronJob"
        ]
        for found in (objects(), generated)
    ]
    assert tries[0] == tries[1]
    assert [set(one) for one in tries[0]] == [{"backoffLimit", "podFailurePolicy"}] * 2


def test_the_role_is_the_one_that_the_source_is_tested_with() -> None:
    """The chart's reader, with everything on, is the role of examples/, which a real cluster was asked with."""
    example = yaml.safe_load((ROOT / "examples" / "kubernetes" / "tagsweep-reader.yaml").read_text(encoding="utf-8"))
    found = next(one for one in objects("rbac.secrets=true") if one["kind"] == "ClusterRole")
    assert found["rules"] == example["rules"]


@pytest.mark.real
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_api_server_would_take_every_object(variant: str, kube_cluster: Cluster) -> None:
    """A dry run on a real API server with strict validation: every field is known to it."""
    try:
        kube_cluster.namespace("tagsweep-chart")
    except Refusal as refusal:
        assert refusal.status == 409  # noqa: PT017 - another variant made it
    for one in objects(*VARIANTS[variant]):
        version = one["apiVersion"]
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        scope = "" if one["kind"].startswith("Cluster") else "/namespaces/tagsweep-chart"
        options = "dryRun=All&fieldValidation=Strict"
        made = kube_cluster.ask("POST", f"{base}{scope}/{PLURALS[one['kind']]}?{options}", one)
        assert made["kind"] == one["kind"]
