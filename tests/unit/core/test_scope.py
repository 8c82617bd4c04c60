"""Which repositories and open references a policy's targets mean, without a registry."""

from __future__ import annotations

import pytest

from tagsweep.core.scope import Scope
from tagsweep.model.reference import Repository
from tagsweep.model.usage import Unresolved

ALIASES = {"harbor.example/hub": "docker.io", "old.example": "ghcr.io"}
TARGETS = ("docker.io/tensorzero/*", "ghcr.io/acme/api", "docker.io/library/redis", "old.example/team/**")
NOT_OURS = ("docker.io/tensorzero/deep/gateway", "ghcr.io/acme/api2", "quay.io/acme/api", "docker.io/library/postgres")


@pytest.mark.parametrize(
    "name",
    [
        "tensorzero/gateway",
        "index.docker.io/tensorzero/ui",
        "harbor.example/hub/tensorzero/ui",
        "old.example/acme/api",
        "redis",
        "harbor.example/hub/redis",
        "old.example/team/a/b",
        "ghcr.io/team/a",
    ],
)
def test_a_repository_is_found_under_any_of_its_names(name: str) -> None:
    """Short forms, other hosts of Docker Hub, mirrors and caches are the repository that the target means."""
    assert Scope(TARGETS, ALIASES).has(Repository.parse(name))


@pytest.mark.parametrize("name", NOT_OURS)
def test_other_repositories_are_not_in_it(name: str) -> None:
    """A glob stays within a component, and no name is a prefix of another."""
    assert not Scope(TARGETS, ALIASES).has(Repository.parse(name))
    assert Scope(None, ALIASES).has(Repository.parse(name))


def test_a_directory_in_the_layout_is_a_target() -> None:
    """The registry is everything before the last slash."""
    assert Scope(("oci-layout:/srv/images/app",), {}).has(Repository("oci-layout:/srv/images", "app"))


def _open(pattern: str, repository: Repository | None = None) -> Unresolved:
    return Unresolved(text="x", source="s", where="w", repository=repository, repository_pattern=pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        ".*",
        r"docker\.io/tensorzero/.*",
        r"tensorzero/.*",
        r"tensor.*",
        r".*/gateway",
        r"harbor\.example/hub/.*",
        r"ghcr\.io/acme/.*",
        r"old\.example/.*",
        r"quay\.io/x|tensorzero/ui",
        r"(broken",
    ],
)
def test_an_open_reference_that_could_mean_a_target_counts(pattern: str) -> None:
    """Where it is not certain that it means something else, it could mean a target."""
    assert Scope(TARGETS, ALIASES).could_have(_open(pattern))


@pytest.mark.parametrize("pattern", [r"quay\.io/.*", r"ghcr\.io/other/.*", r"nginx/.*"])
def test_an_open_reference_that_begins_otherwise_does_not(pattern: str) -> None:
    """What is written out tells that no target is meant."""
    assert not Scope(TARGETS, ALIASES).could_have(_open(pattern))
    assert Scope(None, ALIASES).could_have(_open(pattern))


def test_an_optional_character_is_not_taken_as_written() -> None:
    """A quantifier behind a character makes it uncertain: ``quayx?`` begins with ``quay`` only."""
    assert Scope(("quay.io/*",), {}).could_have(_open(r"quay\.iox?.*"))


def test_a_known_repository_decides() -> None:
    """Where only the tag is open, the repository says whether it counts."""
    assert Scope(TARGETS, ALIASES).could_have(_open(".*", Repository("docker.io", "tensorzero/ui")))
    assert not Scope(TARGETS, ALIASES).could_have(_open(".*", Repository("quay.io", "tensorzero/ui")))
