"""What the how-tos of schedules tell a reader to type is run, and what they show is checked."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.unit.report.test_jobs import vendored_schema

PAGES = Path(__file__).parents[2] / "docs" / "how-to"
BLOCK = re.compile(r"^ *```([a-z]+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, language: str) -> list[str]:
    """Return the blocks of a language on a page."""
    return [text for found, text in BLOCK.findall((PAGES / page).read_text(encoding="utf-8")) if found == language]


@pytest.mark.parametrize("page", ["github-actions.md", "gitlab-ci.md", "kubernetes.md", "systemd.md"])
def test_the_commands_of_a_page_write_what_it_says(page: str, tmp_path: Path) -> None:
    """On a clean directory with the policy of the first page, each ``tagsweep schedule`` writes the files it names."""
    (policy,) = blocks("github-actions.md", "yaml")
    (tmp_path / "tagsweep.yaml").write_text(policy, encoding="utf-8")
    lines = [line for text in blocks(page, "sh") for line in text.splitlines() if line.startswith("tagsweep schedule")]
    assert lines
    for line in lines:
        here = re.sub(r"(?<= )/(?:etc/tagsweep|tmp)/", f"{tmp_path}/", line)
        command = [sys.executable, "-m", *here.split()]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        written = [Path(found).name for found in re.findall(r"^written (.+)$", done.stdout, re.MULTILINE)]
        text = (PAGES / page).read_text(encoding="utf-8")
        assert written
        assert all(name in text for name in written), written


def test_the_include_of_gitlab_is_valid() -> None:
    """What a reader copies into .gitlab-ci.yml is right by GitLab's schema."""
    (text,) = blocks("gitlab-ci.md", "yaml")
    schema = vendored_schema("gitlab-ci")
    jsonschema.validators.validator_for(schema)(schema).validate(yaml.safe_load(text))


def test_every_metric_has_its_place_on_its_page() -> None:
    """The page names each metric that a run can write, and no other."""
    source = (PAGES.parents[1] / "src/tagsweep/report/metrics.py").read_text(encoding="utf-8")
    written = set(re.findall(r'(?:_family|_instant)\(\s*"([a-z_]+)"', source))
    named = set(re.findall(r"`tagsweep_([a-z_]+)", (PAGES / "metrics.md").read_text(encoding="utf-8")))
    assert len(written) > 8
    assert named == written
