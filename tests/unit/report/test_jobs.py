"""The generated jobs: right by their own tools where those are here, and by their structure everywhere."""

from __future__ import annotations

import importlib.resources
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tagsweep.core.cron import parse_cron
from tagsweep.core.due import next_date
from tagsweep.model.schedule import Schedule
from tagsweep.report.jobs import Job, crontab, fill, github, gitlab, kubernetes, systemd

QUARTERLY = Schedule(cron="0 4 1 1,4,7,10 *", written="quarterly", time_zone="Europe/Berlin")
POLICY = "# a policy\nversion: 1\n\nrules: []   \n  # indented\n"


def job(
    *,
    schedule: Schedule = QUARTERLY,
    secrets: tuple[str, ...] = ("SLACK_URL",),
    in_cluster: bool = False,
    changelog: str = "CHANGELOG.md",
) -> Job:
    """Return a job as the command line makes it."""
    return Job(
        policy="tagsweep.yaml",
        text=POLICY,
        schedule=schedule,
        utc_cron="0 3 1 1,4,7,10 *",
        package="tagsweep @ https://example.com/tagsweep.whl",
        image="registry.example.com/tagsweep:1",
        program="/bin/true",
        changelog=changelog,
        secrets=secrets,
        in_cluster=in_cluster,
    )


def find_program(name: str) -> str | None:
    """Return the path of a program, where the tests' servers are or on the path."""
    places = [os.environ.get("TAGSWEEP_TEST_SERVERS", ""), str(Path(__file__).parents[3] / ".test-servers" / "bin")]
    return shutil.which(name, path=os.pathsep.join([*filter(None, places), os.environ["PATH"]]))


def vendored_schema(name: str) -> dict[str, Any]:
    """Return the schema of that name that the package check-jsonschema brings."""
    file = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / f"{name}.json"
    found = json.loads(file.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def workflow() -> dict[Any, Any]:
    """Return the workflow of GitHub as values; ``on`` is True in YAML 1.1."""
    found = yaml.safe_load(github.files(job())[github.PATH])
    assert isinstance(found, dict)
    return found


def test_a_blank_that_has_no_value_is_an_error() -> None:
    """No template goes out with a hole; a value is not filled again, and an empty one leaves no line."""
    assert fill("a: @X@\n  @Y@\nend\n", X="@Y@", Y="1\n2") == "a: @Y@\n  1\n  2\nend\n"
    assert fill("@X@\nend\n", X="") == "end\n"
    with pytest.raises(KeyError):
        fill("@Z@ x\n")


def test_github_has_least_rights_one_run_at_a_time_and_an_approval() -> None:
    """Nothing is granted but reading, jobs wait for each other, and only the sweeping job has the environment."""
    found = workflow()
    assert found["permissions"] == {}
    assert found["concurrency"]["cancel-in-progress"] is False
    assert [one["cron"] for one in found[True]["schedule"]] == ["0 3 1 1,4,7,10 *", "23 5 */3 * *"]
    plan, sweep = found["jobs"]["plan"], found["jobs"]["sweep"]
    assert plan["permissions"] == sweep["permissions"] == {"contents": "read"}
    assert "environment" not in plan
    assert (sweep["environment"], sweep["needs"]) == ("tagsweep", "plan")
    assert sweep["if"] == "needs.plan.outputs.planned == 'true'"


def test_github_gives_no_job_both_secrets_and_the_right_to_write() -> None:
    """Who may write to the repository has no secret of the registry; a fork's pull request runs nothing."""
    jobs = workflow()["jobs"]
    assert set(jobs) == {"plan", "sweep", "record", "preview"}
    for one in jobs.values():
        secrets = any("secrets." in str(step.get("env", "")) for step in one["steps"])
        assert not (secrets and one["permissions"].get("contents") == "write")
    assert "head.repo.full_name == github.repository" in jobs["preview"]["if"]
    assert jobs["plan"]["if"] == "github.event_name != 'pull_request'"


def test_github_records_nothing_where_there_is_no_changelog() -> None:
    """Without a changelog no job asks for the right to write."""
    found = yaml.safe_load(github.files(job(changelog=""))[github.PATH])
    assert set(found["jobs"]) == {"plan", "sweep", "preview"}
    assert "changelog" not in github.files(job(changelog=""))[github.PATH].lower()


def test_github_scripts_hold_no_expression() -> None:
    """What others may write reaches a script by the environment alone, never as its text."""
    scripts = [step["run"] for one in workflow()["jobs"].values() for step in one["steps"] if "run" in step]
    assert scripts
    assert [script for script in scripts if "${{" in script] == []


VARIANTS = [((), ""), (("SLACK_URL", "MAIL_PASSWORD"), "docs/CHANGELOG.md")]


@pytest.mark.real
@pytest.mark.parametrize(("secrets", "changelog"), VARIANTS)
def test_actionlint_finds_nothing_in_the_workflow(tmp_path: Path, secrets: tuple[str, ...], changelog: str) -> None:
    """The checker of GitHub's workflows accepts it, with shellcheck's reading of the scripts in it."""
    program = find_program("actionlint")
    if program is None:
        pytest.skip("actionlint is not installed here; scripts/test_servers.sh all (needs go)")
    shellcheck = Path(sys.executable).with_name("shellcheck")
    assert shellcheck.exists()
    path = tmp_path / "tagsweep.yml"
    path.write_text(github.files(job(secrets=secrets, changelog=changelog))[github.PATH], encoding="utf-8")
    command = [program, "-no-color", "-shellcheck", str(shellcheck), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("secrets", "changelog"), VARIANTS)
def test_the_schemas_of_github_and_gitlab_accept_the_files(secrets: tuple[str, ...], changelog: str) -> None:
    """Both files are valid by the JSON schema that the editors of those systems go by."""
    one = job(secrets=secrets, changelog=changelog)
    found = yaml.safe_load(github.files(one)[github.PATH])
    found["on"] = found.pop(True)  # YAML 1.1 reads the word as a truth value
    for name, values in (("github-workflows", found), ("gitlab-ci", yaml.safe_load(gitlab.files(one)[gitlab.PATH]))):
        schema = vendored_schema(name)
        validator = jsonschema.validators.validator_for(schema)(schema)
        assert [error.message for error in validator.iter_errors(values)] == []


def test_the_schema_of_gitlab_refuses_what_gitlab_would() -> None:
    """The schema is one that can say no: a misspelt keyword's value and a job without a script are found."""
    schema = vendored_schema("gitlab-ci")
    validator = jsonschema.validators.validator_for(schema)(schema)
    good = yaml.safe_load(gitlab.files(job())[gitlab.PATH])
    assert validator.is_valid(good)
    for key, value in (("rules", [{"when": "by hand"}]), ("artifacts", {"when": "allways"}), ("script", {})):
        bad = {**good, "tagsweep-plan": {**good["tagsweep-plan"], key: value}}
        assert not validator.is_valid(bad), key


@pytest.mark.parametrize("target", ["plan", "sweep", "preview"])
def test_shellcheck_finds_nothing_in_the_scripts_of_gitlab(target: str, tmp_path: Path) -> None:
    """The scripts are right as sh has them; options that are one word or none are left unquoted on purpose."""
    found = yaml.safe_load(gitlab.files(job())[gitlab.PATH])
    lines = [*found[".tagsweep"]["before_script"], *found[f"tagsweep-{target}"]["script"]]
    path = tmp_path / "script.sh"
    path.write_text("\n".join([*lines, *found[".tagsweep-record"]["after_script"]]), encoding="utf-8")
    shellcheck = Path(sys.executable).with_name("shellcheck")
    command = [str(shellcheck), "--shell=bash", "--exclude=SC2086,SC2317", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_gitlab_plans_by_schedule_and_sweeps_by_hand() -> None:
    """Keywords and kinds are GitLab's; the sweep is manual, has the environment, and gets the plan's files."""
    found = yaml.safe_load(gitlab.files(job())[gitlab.PATH])
    known = {"extends", "image", "variables", "before_script", "script", "cache", "resource_group", "stage", "rules"}
    known |= {"artifacts", "needs", "environment", "after_script"}
    for one in found.values():
        assert set(one) <= known
        assert all(isinstance(line, str) for line in one.get("script", []))
    plan, sweep, preview = (found[f"tagsweep-{name}"] for name in ("plan", "sweep", "preview"))
    scheduled = '$CI_PIPELINE_SOURCE == "schedule" && $TAGSWEEP == "run"'
    assert plan["rules"] == [{"if": scheduled}]
    assert sweep["rules"] == [{"if": scheduled, "when": "manual"}]
    assert (sweep["environment"], sweep["needs"]) == ({"name": "tagsweep"}, ["tagsweep-plan"])
    assert "plan.json" in plan["artifacts"]["paths"]
    assert ".tagsweep-record" in plan["extends"]
    assert ".tagsweep-record" not in yaml.safe_load(gitlab.files(job(changelog=""))[gitlab.PATH])
    assert found[".tagsweep-state"]["resource_group"] == "tagsweep"
    assert preview["rules"][0]["changes"] == ["tagsweep.yaml"]
    for name, one in found.items():
        if not name.startswith("."):
            bases = [one["extends"]] if isinstance(one["extends"], str) else one["extends"]
            assert set(bases) <= set(found)


@pytest.mark.parametrize("in_cluster", [False, True])
def test_kubernetes_has_no_token_unless_it_asks_the_cluster(*, in_cluster: bool) -> None:
    """The pods are as locked as they can be, the sweep never starts by itself, and the policy is as it was."""
    text = kubernetes.files(job(in_cluster=in_cluster))[kubernetes.PATH]
    found = list(yaml.safe_load_all(text))
    assert ("ClusterRoleBinding" in [one["kind"] for one in found]) is in_cluster
    policy = next(one for one in found if one["kind"] == "ConfigMap")["data"]["tagsweep.yaml"]
    assert policy == "\n".join(line.rstrip() for line in POLICY.splitlines()) + "\n"
    plan, sweep = (one["spec"] for one in found if one["kind"] == "CronJob")
    assert (plan["schedule"], plan["timeZone"]) == (QUARTERLY.cron, QUARTERLY.time_zone)
    assert (plan.get("suspend", False), sweep["suspend"]) == (False, True)
    for spec in (plan, sweep):
        pod = spec["jobTemplate"]["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is in_cluster
        assert pod["securityContext"]["runAsNonRoot"] is True
        (container,) = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert "SLACK_URL" in [one["name"] for one in container["env"]]


def test_crontab_wakes_at_the_dates_and_every_day() -> None:
    """Every line of the table is five fields and a command, and its dates are those of the schedule."""
    lines = crontab.files(job())[crontab.PATH].splitlines()
    entries = [line.split(None, 5) for line in lines if line[:1].isdigit()]
    assert [" ".join(entry[:5]) for entry in entries] == ["0 4 1 1,4,7,10 *", "47 5 * * *"]
    assert "CRON_TZ=Europe/Berlin" in lines
    for entry in entries:
        assert next_date(datetime(2026, 11, 24, tzinfo=UTC), parse_cron(" ".join(entry[:5])), UTC) is not None
        assert entry[5].startswith("/bin/true run --config tagsweep.yaml")


CALENDARS = [
    ("0 4 1 1,4,7,10 *", "UTC", ("*-01,04,07,10-01 04:00:00 UTC",)),
    ("0 4 * * 1", "Europe/Berlin", ("Mon*-*-* 04:00:00 Europe/Berlin",)),
    ("*/30 * * * *", "UTC", ("*-*-* *:00,30:00 UTC",)),
    ("0 4 15 * 0", "UTC", ("*-*-15 04:00:00 UTC", "Sun*-*-* 04:00:00 UTC")),
    ("0 4 */2 * 1", "UTC", None),
]


@pytest.mark.parametrize(("cron", "zone", "expected"), CALENDARS)
def test_calendar_events_name_the_same_dates(cron: str, zone: str, expected: tuple[str, ...] | None) -> None:
    """Systemd's own reading gives the date that ours gives, where systemd is here."""
    schedule = Schedule(cron=cron, written=cron, time_zone=zone)
    found = systemd.on_calendar(schedule)
    if expected is not None:
        assert tuple(one.replace("Mon ", "Mon").replace("Sun ", "Sun") for one in found) == expected
    program = shutil.which("systemd-analyze")
    if program is None:
        return
    from tagsweep.config.schedule import zone_of  # noqa: PLC0415 (with the program alone)

    base = "2026-11-24 09:00:00 UTC"
    command = [program, "calendar", f"--base-time={base}", *found]
    shown = subprocess.run(
        command, capture_output=True, text=True, check=True, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"}
    )
    times = [line.partition(":")[2].strip() for line in shown.stdout.splitlines() if "Next elapse" in line]
    elapses = [datetime.strptime(time, "%a %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC) for time in times]
    assert min(elapses) == next_date(datetime(2026, 11, 24, 9, tzinfo=UTC), parse_cron(cron), zone_of(schedule))


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """``systemd-analyze verify`` has nothing to say about the service and the timer; skipped where it is not here."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not on the path; it comes with systemd")
    written = systemd.files(job())
    assert "Persistent=true" in written[systemd.TIMER]
    assert "SystemCallFilter=@system-service" in written[systemd.SERVICE]
    for name, text in written.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = [program, "verify", *(str(tmp_path / name) for name in written)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
