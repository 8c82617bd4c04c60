"""The generated jobs: right by their own tools where those are here, and by their structure everywhere."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tagsweep.core.cron import parse_cron
from tagsweep.core.due import next_date
from tagsweep.model.schedule import Schedule
from tagsweep.report.jobs import Job, crontab, fill, github, gitlab, kubernetes, systemd

QUARTERLY = Schedule(cron="0 4 1 1,4,7,10 *", written="quarterly", time_zone="Europe/Berlin")
POLICY = "# a policy\nversion: 1\n\nrules: []   \n  # indented\n"


def job(*, schedule: Schedule = QUARTERLY, secrets: tuple[str, ...] = ("SLACK_URL",), in_cluster: bool = False) -> Job:
    """Return a job as the command line makes it."""
    return Job(
        policy="tagsweep.yaml",
        text=POLICY,
        schedule=schedule,
        utc_cron="0 3 1 1,4,7,10 *",
        package="tagsweep @ https://example.com/tagsweep.whl",
        image="registry.example.com/tagsweep:1",
        program="/bin/true",
        secrets=secrets,
        in_cluster=in_cluster,
    )


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
    assert found["concurrency"] == {"group": "tagsweep", "cancel-in-progress": False}
    assert found[True]["schedule"] == [{"cron": "0 3 1 1,4,7,10 *"}]
    plan, sweep = found["jobs"]["plan"], found["jobs"]["sweep"]
    assert plan["permissions"] == sweep["permissions"] == {"contents": "read"}
    assert "environment" not in plan
    assert (sweep["environment"], sweep["needs"]) == ("tagsweep", "plan")
    assert sweep["if"] == "needs.plan.outputs.planned == 'true'"


def test_github_scripts_hold_no_expression() -> None:
    """What others may write reaches a script by the environment alone, never as its text."""
    scripts = [step["run"] for one in workflow()["jobs"].values() for step in one["steps"] if "run" in step]
    assert scripts
    assert [script for script in scripts if "${{" in script] == []


@pytest.mark.real
@pytest.mark.parametrize("secrets", [(), ("SLACK_URL", "MAIL_PASSWORD")])
def test_actionlint_finds_nothing_in_the_workflow(tmp_path: Path, secrets: tuple[str, ...]) -> None:
    """The checker of GitHub's workflows accepts it, with the scripts in it if shellcheck is there."""
    program = shutil.which("actionlint")
    if program is None:
        pytest.skip("actionlint is not on the path; go install github.com/rhysd/actionlint/cmd/actionlint@latest")
    path = tmp_path / "tagsweep.yml"
    path.write_text(github.files(job(secrets=secrets))[github.PATH], encoding="utf-8")
    done = subprocess.run([program, "-no-color", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_gitlab_plans_by_schedule_and_sweeps_by_hand() -> None:
    """Keywords and kinds are GitLab's; the sweep is manual, has the environment, and gets the plan's files."""
    found = yaml.safe_load(gitlab.files(job())[gitlab.PATH])
    known = {"extends", "image", "variables", "before_script", "script", "cache", "resource_group", "stage", "rules"}
    known |= {"artifacts", "needs", "environment"}
    for one in found.values():
        assert set(one) <= known
        assert all(isinstance(line, str) for line in one.get("script", []))
    plan, sweep, preview = (found[f"tagsweep-{name}"] for name in ("plan", "sweep", "preview"))
    scheduled = '$CI_PIPELINE_SOURCE == "schedule" && $TAGSWEEP == "run"'
    assert plan["rules"] == [{"if": scheduled}]
    assert sweep["rules"] == [{"if": scheduled, "when": "manual"}]
    assert (sweep["environment"], sweep["needs"]) == ({"name": "tagsweep"}, ["tagsweep-plan"])
    assert "plan.json" in plan["artifacts"]["paths"]
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
