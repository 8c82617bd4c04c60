"""The how-to pages about policies, followed word for word: each command runs and ends as the page says."""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tagsweep.testing.dialects import CRANE
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.images import image
from tests.e2e.kit import Place
from tests.e2e.walk import Here, follow

PAGES = Path(__file__).parents[2] / "docs" / "how-to"
HOOKS = Path(__file__).parents[2] / ".pre-commit-hooks.yaml"
EXAMPLE = "registry.example.com"
FILES = {
    "tags.txt": "1.4.2\nlatest\n",
    "docker-bake.hcl": 'target "app" {\n  tags = ["acme/app:main"]\n}\n',
    "compose.yaml": "services:\n  app: {build: ., image: 'acme/app:1.4.2'}\n  db: {image: 'postgres:16'}\n",
    "metadata.json": '{"tags": ["acme/app:pr-12"]}',
}


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """Yield language and text of each block of a page."""
    yield from re.findall(r"^```(sh|yaml)\n(.*?)^```$", (PAGES / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", ["first-policy.md", "naming-policy.md"])
def test_a_page_can_be_followed_word_for_word(place: Place, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty directory, with the page's own policy, each command ends with the exit code that stands beside it."""
    for name, text in FILES.items():
        (place.directory / name).write_text(text, encoding="utf-8")
    with FakeRegistry(CRANE) as registry:
        for number in range(6):
            registry.push("acme/app", image(f"build {number}"), f"sha-{number:040x}")
        registry.push("acme/app", image("release"), "1.4.1", "latest", "v1.4")
        text = (PAGES / page).read_text(encoding="utf-8").replace(EXAMPLE, registry.host)
        typed = follow(text, place.directory, Here(monkeypatch, place.state))
    ran = {one.command.split()[1] for one in typed}
    assert {"init", "plan", "explain"} <= ran or {"lint", "inventory"} <= ran


def test_the_workflow_of_the_page_finds_a_bad_tag(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step that the page shows for CI annotates the one tag that the page's policy refuses."""
    texts = [yaml.safe_load(text) for language, text in blocks("naming-policy.md") if language == "yaml"]
    policy, workflow, hooks = texts
    place.write(yaml.safe_dump(policy))
    (step,) = [step for step in workflow["jobs"]["image"]["steps"] if "run" in step]
    command, _, given = step["run"].partition(" <<< ")
    assert given == '"$TAGS"'
    tags = f"{EXAMPLE}/acme/app:pr-7\n{EXAMPLE}/acme/app:oops\n"
    monkeypatch.chdir(place.directory)
    monkeypatch.setattr("sys.stdin", io.StringIO(tags))
    result = place.run(*shlex.split(command)[1:], expect=3)
    (line,) = result.out.splitlines()
    assert line.startswith("::error title=tagsweep lint::oops: ")
    (used,) = hooks["repos"][0]["hooks"]
    assert used["id"] in {hook["id"] for hook in yaml.safe_load(HOOKS.read_text())}


def test_the_pre_commit_hook_reads_the_files_that_it_is_given(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook's entry, with changed files behind it as pre-commit gives them, checks what they build."""
    (hook,) = yaml.safe_load(HOOKS.read_text())
    for name in ("docker-bake.hcl", "compose.yaml", "deploy/docker-compose.prod.yml"):
        assert re.search(hook["files"], name), name
    assert not re.search(hook["files"], "README.md")
    policy = next(text for _, text in blocks("naming-policy.md") if "targets" in text)
    place.write(policy)
    monkeypatch.chdir(place.directory)
    Path("compose.yaml").write_text(FILES["compose.yaml"])
    Path("docker-bake.hcl").write_text(FILES["docker-bake.hcl"].replace("main", "oops"))
    entry = shlex.split(hook["entry"])[1:]
    place.run(*entry, "compose.yaml")
    assert "oops" in place.run(*entry, "compose.yaml", "docker-bake.hcl", expect=3).out
