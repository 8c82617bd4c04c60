"""A source from another package: installed, tested by the shipped suite, and named by a policy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tagsweep.testing import images
from tagsweep.testing.fake import FakeRegistry
from tests.e2e.plugins import install, passes_its_tests

EXAMPLE = Path(__file__).parents[2] / "examples" / "source-plugin"
POLICY = """\
version: 1
targets: ["{host}/team/app"]
rules:
  - name: builds
    match: {{glob: "sha-?*"}}
    keep: []
evidence: {{require: [quadlet/units]}}
sources:
  quadlet/units: {{directory: units}}
limits: {{max_percent: 100}}
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Install the example as a user does, once."""
    return install(EXAMPLE, tmp_path_factory.mktemp("site"))


@pytest.mark.slow
def test_the_example_passes_the_suite_that_is_shipped(environment: dict[str, str], tmp_path: Path) -> None:
    """The plugin's own tests, a subclass of SourceSuite, pass against the installed package."""
    passes_its_tests(EXAMPLE, environment, tmp_path)


def test_a_policy_names_a_source_that_another_package_brought(environment: dict[str, str], tmp_path: Path) -> None:
    """What the plugin finds stays, what it cannot read leaves all undecided, and without it the policy is wrong."""
    (tmp_path / "units").mkdir()

    def plan(registry: FakeRegistry, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
        (tmp_path / "tagsweep.yaml").write_text(POLICY.format(host=registry.host), encoding="utf-8")
        command = [sys.executable, "-m", "tagsweep", "plan", "--json", "-o", "plan.json", "--state", "state"]
        return subprocess.run(
            [*command, "-c", "tagsweep.yaml"], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
        )

    with FakeRegistry() as registry:
        registry.push("team/app", images.image("used"), "sha-1")
        registry.push("team/app", images.image("unused"), "sha-2")
        registry.push("team/app", images.image("release"), "v1")
        unit = tmp_path / "units" / "app.container"
        unit.write_text(f"[Container]\nImage={registry.host}/team/app:sha-1\n", encoding="utf-8")
        assert verdicts(plan(registry, environment)) == {"sha-1": "keep", "sha-2": "remove", "v1": "keep"}
        unit.write_bytes(b"\xff")
        refused = plan(registry, environment)
        assert "remove" not in verdicts(refused).values()
        assert "app.container" in refused.stdout
        without = plan(registry, {**environment, "PYTHONPATH": ""})
    assert without.returncode == 2
    assert "quadlet" in without.stdout + without.stderr


def verdicts(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Return the verdict of each tag in the document that ``plan --json`` printed."""
    document: dict[str, Any] = json.loads(done.stdout)
    return {
        decision["tag"]: decision["verdict"]
        for repository in document["repositories"]
        for decision in repository["decisions"]
    }
