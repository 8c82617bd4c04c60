"""``tagsweep lint`` in its places: arguments, standard input, build metadata, Bake, Compose, a registry, CI."""

from __future__ import annotations

import io
from typing import Any

import pytest

from tagsweep.testing.dialects import CRANE
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.images import image
from tests.e2e.kit import NAMING, Place, policy

IMMUTABLE = NAMING.replace('{7,40}"', '{7,40}", immutable: true')


@pytest.fixture
def place_with_policy(place: Place) -> Place:
    """Return a place whose policy is TensorZero's, with builds that are never moved."""
    place.write(policy("docker.io/acme/app").replace(NAMING, IMMUTABLE))
    return place


def lint(place: Place, *arguments: str, expect: int) -> dict[str, dict[str, Any]]:
    """Run ``lint --json`` and return its entries by tag."""
    result = place.run("lint", "-c", str(place.policy), "--json", *arguments, expect=expect)
    return {entry["tag"]: entry for entry in result.document["tags"]}


def test_good_tags_are_told_apart_and_exit_with_0(place_with_policy: Place) -> None:
    """Each tag has its class; those that a rule may remove are temporary, releases are not."""
    found = lint(place_with_policy, "2026.4.1", "sha-abc1234", "ghcr.io/acme/app:latest", expect=0)
    assert {tag: (entry["class"], entry["temporary"]) for tag, entry in found.items()} == {
        "2026.4.1": ("release", False),
        "sha-abc1234": ("ci-build", True),
        "latest": ("floating", False),
    }


@pytest.mark.parametrize(
    ("tag", "fault", "better"),
    [
        ("v2026.4.1", "unnamed", "2026.4.1"),
        ("2026.4", "unnamed", "2026.4.0"),
        ("Latest", "unnamed", "latest"),
        ("abc1234", "unnamed", "sha-abc1234"),
        ("release/2026", "invalid", None),
        ("x" * 129, "invalid", None),
    ],
)
def test_bad_tags_exit_with_3_and_say_what_would_be_right(
    place_with_policy: Place, tag: str, fault: str, better: str | None
) -> None:
    """A tag of no class is a finding, with the good name that is nearest where one can be made from it."""
    (entry,) = lint(place_with_policy, tag, expect=3).values()
    assert (entry["fault"], entry["better"], entry["class"]) == (fault, better, None)


def test_the_nearest_class_is_the_one_that_begins_alike(place_with_policy: Place) -> None:
    """A build whose hash is too short is told the pattern of builds, although no example of one is known."""
    (entry,) = lint(place_with_policy, "sha-abc", expect=3).values()
    assert "ci-build, whose tags match sha-[0-9a-f]{7,40}" in entry["why"]


def test_files_and_standard_input_are_read(place_with_policy: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a build is about to push is read from each kind of file; images that are only used are left out."""
    place = place_with_policy
    bake = place.directory / "docker-bake.hcl"
    bake.write_text('target "app" {\n  tags = ["acme/app:main"]\n  contexts = {base = "docker-image://alpine:3"}\n}\n')
    compose = place.directory / "compose.yaml"
    compose.write_text("services:\n  app: {build: ., image: 'acme/app:oops'}\n  db: {image: 'postgres:16'}\n")
    metadata = place.directory / "metadata.json"
    metadata.write_text('{"tags": ["ghcr.io/acme/app:pr-12"], "labels": {}}')
    monkeypatch.setattr("sys.stdin", io.StringIO("# tags\n\nnope\n"))
    options = ("--bake", str(bake), "--compose", str(compose), "--metadata", str(metadata), "--stdin")
    found = lint(place, *options, expect=3)
    assert {tag: entry["line"] for tag, entry in found.items()} == {"main": 2, "oops": 2, "pr-12": None, "nope": 3}
    assert set(lint(place, "--files", str(bake), str(compose), expect=3)) == {"main", "oops"}


def test_github_annotations_cannot_be_broken_out_of(place_with_policy: Place) -> None:
    """Each fault is one workflow command, at its file and line; a line break in a name begins no other."""
    compose = place_with_policy.directory / "compose.yaml"
    compose.write_text("services:\n  app: {build: ., image: 'acme/app:oops'}\n")
    arguments = ("lint", "-c", str(place_with_policy.policy), "--format", "github", "--compose", str(compose))
    lines = place_with_policy.run(*arguments, "a\n::warning::b", expect=3).out.splitlines()
    assert [line.startswith("::error ") for line in lines] == [True, True]
    assert any(",line=2," in line and "compose.yaml" in line for line in lines)


def test_an_immutable_tag_that_moved_is_found(place_with_policy: Place) -> None:
    """A tag of an immutable class that the ledger saw on another digest is a finding; a floating one is not."""
    place = place_with_policy
    with FakeRegistry(CRANE) as registry:
        target = f"{registry.host}/acme/app"
        for content in ("one", "two"):
            registry.push("acme/app", image(content), "sha-abc1234", "latest")
            place.run("inventory", target)
        found = lint(place, "--registry", target, expect=3)
    assert {tag: entry["fault"] for tag, entry in found.items()} == {"sha-abc1234": "moved", "latest": None}


def test_a_dash_is_standard_input(place_with_policy: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """As elsewhere, - among the tags stands for standard input, beside tags that are named."""
    monkeypatch.setattr("sys.stdin", io.StringIO("oops\n"))
    out = place_with_policy.run("lint", "-c", str(place_with_policy.policy), "latest", "-", expect=3).out
    assert out.splitlines()[0].split() == ["ok", "latest", "floating,", "stays"]
    assert "standard input:1" in out
    assert "2 tags: 1 against the policy" in out


def test_of_many_good_tags_only_the_number_is_shown(place_with_policy: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large registry's page is what is wrong with it; the good tags are counted, and JSON has them all."""
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"sha-{number:07x}\n" for number in range(150)) + "oops\n"))
    out = place_with_policy.run("lint", "-c", str(place_with_policy.policy), "--stdin", expect=3).out
    assert "150 tags" in out
    assert "sha-0000001" not in out
    assert "oops" in out


def test_a_long_tag_has_its_words_below_it(place_with_policy: Place) -> None:
    """The words of short tags stay in one column, and those of a long tag are not squeezed to the edge."""
    sha = f"sha-{'a' * 40}"
    out = place_with_policy.run("lint", "-c", str(place_with_policy.policy), "latest", "2026.4.1", sha).out
    words = "ci-build, temporary: rule 'ci builds' may remove it"
    assert out.splitlines()[:4] == [
        "ok    latest    floating, stays",
        "ok    2026.4.1  release, stays",
        f"ok    {sha}",
        f"        {words}",
    ]


@pytest.mark.parametrize("arguments", [(), ("--bake", "absent.hcl"), ("ghcr.io/acme/app@sha256:" + "a" * 64,)])
def test_what_cannot_be_checked_exits_with_2(place_with_policy: Place, arguments: tuple[str, ...]) -> None:
    """Nothing to check, a file that is not there, and a reference without a tag are errors of the call."""
    place_with_policy.run("lint", "-c", str(place_with_policy.policy), *arguments, expect=2)


def test_a_policy_without_naming_is_refused(place: Place) -> None:
    """Without classes every tag would pass or fail, so lint says that there is nothing to hold tags to."""
    place.write('version: 1\ntargets: ["docker.io/acme/app"]\nrules: []\nevidence: none\n')
    assert "naming" in place.run("lint", "-c", str(place.policy), "latest", expect=2).err
