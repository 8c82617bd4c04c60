"""What every command prints: JSON that programs can read, text that fits 80 columns, a page that needs no network."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tagsweep.testing.dialects import DISTRIBUTION_2_8, DISTRIBUTION_3
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.tensorzero import shaped
from tests.e2e.kit import GATEWAY, Place, Result, both_sizes, checked, fill, gateway, policy, removed, run_here

WIDTH = 80
SHOWN = {
    "inventory": ("inventory", "-c", "{policy}"),
    "inventory of every tag": ("inventory", "-c", "{policy}", "--tags", "--sizes", "--times"),
    "plan": ("plan", "-c", "{policy}", "-o", "{plan}"),
    "plan with sizes": ("plan", "-c", "{policy}", "-o", "{plan}", "--sizes"),
    "explain": ("explain", "{host}/tensorzero/gateway:latest", "-c", "{policy}"),
    "explain a build": ("explain", "{host}/tensorzero/gateway:{build}", "-c", "{policy}"),
    "doctor": ("doctor", "-c", "{policy}"),
    "apply": ("apply", "{plan}", "--yes"),
    "verify": ("verify",),
    "history": ("history",),
    "history of a run": ("history", "{run}"),
    "restore": ("restore", "{run}", "--yes"),
}
SCHEMAS = {
    "inventory": "inventory",
    "plan": "plan",
    "explain": "explanation",
    "doctor": "doctor",
    "apply": "sweep",
    "verify": "verification",
    "history": "history",
    "history of a run": "run",
    "restore": "restore",
}


@pytest.fixture(
    params=[DISTRIBUTION_3, pytest.param(DISTRIBUTION_2_8, marks=pytest.mark.slow)],
    ids=lambda dialect: str(dialect.name),
)
def registry(request: pytest.FixtureRequest, place: Place) -> Iterator[FakeRegistry]:
    """Give a registry with TensorZero's gateway, and the policy for it."""
    with FakeRegistry(request.param) as found:
        fill(found, gateway())
        place.write(policy(f"{found.host}/{GATEWAY}"))
        yield found


def run(place: Place, registry: FakeRegistry, name: str, *options: str) -> Result:
    """Run one command of the table, with what its words stand for here."""
    words = {"policy": place.policy, "plan": place.plan, "host": registry.host}
    if any("{run}" in word for word in SHOWN[name]):
        words["run"] = place.last_run()["id"]
    if any("{build}" in word for word in SHOWN[name]):
        words["build"] = next(tag for tag in sorted(registry.tags(GATEWAY)) if tag.startswith("sha-"))
    return place.run(*(word.format(**words) for word in SHOWN[name]), *options)


@both_sizes
def test_what_a_person_reads_fits_80_columns_and_has_no_trailing_spaces(place: Place, registry: FakeRegistry) -> None:
    """Every command's text, where it goes to no terminal: 80 columns at most, no colour, no space at a line's end.

    Only a path, which a person has to copy whole, may be longer.
    """
    for name in SHOWN:
        result = run(place, registry, name)
        assert result.out, name
        assert "\x1b" not in result.text, name
        for line in result.text.splitlines():
            assert line == line.rstrip(), f"{name}: {line!r}"
            assert len(line.replace(str(place.directory), "")) <= WIDTH, f"{name}: {line!r}"


@both_sizes
def test_json_is_one_document_with_schema_and_version(place: Place, registry: FakeRegistry) -> None:
    """With --json standard output is one JSON document that names its schema and version, and nothing else."""
    for name, schema in SCHEMAS.items():
        assert run(place, registry, name, "--json").document["schema"] == f"tagsweep/{schema}", name


def test_an_error_is_one_document_as_well(place: Place) -> None:
    """Where a command fails before it has a result, its document is the error with the exit code and the remedy."""
    absent = str(place.directory / "absent.yaml")
    commands = {
        "plan": ("plan", "-c", absent),
        "explain": ("explain", "127.0.0.1:9/a:b", "-c", absent),
        "inventory": ("inventory", "-c", absent),
        "doctor": ("doctor", "-c", absent),
        "apply": ("apply", absent, "--yes"),
        "verify": ("verify",),
        "restore": ("restore", "run-0", "--yes"),
        "history": ("history", "run-0"),
    }
    for name, command in commands.items():
        document = place.run(*command, "--json", expect=2).document
        assert document["schema"] == "tagsweep/error", name
        assert document["exit_code"] == 2, name
        assert document["remedy"], name


def test_a_refused_plan_is_one_document_with_its_refusals(place: Place) -> None:
    """A guard that refuses leaves one plan document with the refusals, exit 4, and no plan file."""
    with FakeRegistry(DISTRIBUTION_2_8) as found:
        fill(found, gateway())
        place.write(policy(f"{found.host}/{GATEWAY}", more="limits: {max_removals: 3}\n"))
        document = place.make_plan("--json", expect=4).document
    assert [refusal["guard"] for refusal in document["refusals"]] == ["max_removals"]
    assert document["path"] == ""
    assert not place.plan.exists()


def test_help_of_every_command_fits_100_columns() -> None:
    """Help is readable where click's own width is not known."""
    for command in ("", "inventory", "plan", "explain", "apply", "verify", "restore", "history", "doctor", "demo"):
        shown = checked(run_here([*command.split(), "--help"]), 0)
        assert max(len(line) for line in shown.out.splitlines()) <= 100, command


@both_sizes
def test_the_record_is_written_once_however_often_it_is_verified(place: Place, registry: FakeRegistry) -> None:
    """Each run has one changelog entry; verifying again changes that one, and what people wrote stays."""
    ours = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing of ours.\n\n## [1.0.0] - 2026-01-01\n\n- First.\n"
    place.changelog.write_text(ours, encoding="utf-8")
    place.make_plan()
    place.apply()
    for _ in range(2):
        place.run("verify")
    text = place.changelog.read_text(encoding="utf-8")
    run_id = place.last_run()["id"]
    assert text.count("### Registry sweep") == 1
    assert text.count(f"<!-- tagsweep run {run_id} -->") == 1
    assert text.index("A thing of ours.") < text.index("### Registry sweep") < text.index("## [1.0.0]")
    gone = len(gateway().records) - len(registry.tags(GATEWAY))
    assert f"Removed {gone} image tags" in " ".join(text.split())
    # A second sweep gets an entry of its own.
    place.run("restore", run_id, "--yes")
    place.make_plan()
    place.apply()
    assert place.changelog.read_text(encoding="utf-8").count("### Registry sweep") == 2


@both_sizes
def test_the_page_needs_nothing_from_elsewhere(place: Place, registry: FakeRegistry) -> None:
    """report.html loads nothing: no script, style, image or font from any address."""
    place.make_plan("--sizes")
    place.apply()
    page = (place.state / "runs" / place.last_run()["id"] / "report.html").read_text(encoding="utf-8")
    loads = re.findall(
        r"""(?:\bsrc|\bsrcset|\bposter|\bdata)\s*=|@import|url\(\s*["']?(?!#|data:)|<(?:link|iframe)""", page
    )
    assert loads == []
    assert re.findall(r"""\bhref\s*=\s*["']?(?!#)[^"'\s>]*""", page) == []
    assert registry.host in page
    assert "<svg" in page


def test_several_repositories_are_told_apart(place: Place) -> None:
    """A plan for a glob has one part for each repository, in text and in JSON, and the record names both."""
    with FakeRegistry(DISTRIBUTION_2_8) as found:
        for tags in shaped(until=gateway().records[0].pushed_at, months=6, commits_per_month=2):
            fill(found, tags)
        place.write(policy(f"{found.host}/tensorzero/*", more="limits: {keep_at_least: 0}\n"))
        planned = place.make_plan("--json")
        repositories = [f"{found.host}/tensorzero/gateway", f"{found.host}/tensorzero/gateway-dev"]
        assert [each["repository"] for each in planned.document["repositories"]] == repositories
        text = place.make_plan().out
        place.apply()
        entry = place.changelog.read_text(encoding="utf-8")
        for repository in repositories:
            assert repository in text
            assert f"`{repository}`" in entry
        assert removed(planned)
