"""How the policy wants open references read, by source and place."""

from __future__ import annotations

from itertools import permutations

import pytest

from tagsweep.core.open_references import FittingTags, Standing, could_be_in, standing
from tagsweep.model.policy import UnresolvedReading, UnresolvedRule
from tagsweep.model.reference import Repository
from tagsweep.model.usage import Unresolved

PROTECT, IGNORE = UnresolvedReading.PROTECT, UnresolvedReading.IGNORE


def entry(path: str = "deploy/compose.yml") -> Unresolved:
    """Return an open reference at ``path``."""
    return Unresolved(text="x", source="git/deploy", where="x", path=path)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ((), Standing.UNDECIDED),
        ((UnresolvedRule(read=PROTECT),), Standing.PROTECT),
        ((UnresolvedRule(read=IGNORE),), Standing.IGNORE),
        ((UnresolvedRule(read=IGNORE, paths=("tests/**",)),), Standing.UNDECIDED),
        ((UnresolvedRule(read=IGNORE, paths=("deploy/**",)),), Standing.IGNORE),
        ((UnresolvedRule(read=PROTECT), UnresolvedRule(read=IGNORE, paths=("deploy/*",))), Standing.IGNORE),
        ((UnresolvedRule(read=IGNORE), UnresolvedRule(read=PROTECT, paths=("**/compose.yml",))), Standing.PROTECT),
        (
            (UnresolvedRule(read=IGNORE, paths=("deploy/**",)), UnresolvedRule(read=PROTECT, paths=("**/*.yml",))),
            Standing.PROTECT,
        ),
    ],
)
def test_the_closest_rule_counts_and_protecting_wins(rules: tuple[UnresolvedRule, ...], expected: Standing) -> None:
    """A rule with paths goes before one without; of equally close ones the protecting one wins, in any order."""
    for order in permutations(rules):
        assert standing(entry(), order) is expected


def test_tags_that_fit_are_found_once_for_each_pattern() -> None:
    """Equal patterns have equal answers, matched in full."""
    tags = FittingTags(["v1", "v10", "sha-1"])
    assert tags.of(Unresolved(text="", source="", where="", tag_pattern="v1")) == ("v1",)
    assert tags.of(Unresolved(text="", source="", where="", tag_pattern="v.*")) == ("v1", "v10")
    assert tags.of(Unresolved(text="", source="", where="", tag_pattern="(")) == ("v1", "v10", "sha-1")


@pytest.mark.parametrize(
    ("pattern", "repository", "expected"),
    [
        (r"index\.docker\.io/.*/api", "docker.io/acme/api", True),
        (r"registry\-1\.docker\.io/.*", "docker.io/library/postgres", True),
        (r"registry\.hub\.docker\.com:443/.*/api", "docker.io/acme/api", True),
        (r"GHCR\.io/.*/api", "ghcr.io/acme/api", True),
        (r"ghcr\.io:443/.*/api", "ghcr.io/acme/api", True),
        (r"mirror\.example:443/.*/api", "docker.io/acme/api", True),
        (r"acme/.*", "docker.io/acme/api", True),
        (r"quay\.io/.*/api", "docker.io/acme/api", False),
        (r"ghcr\.io:8443/.*/api", "ghcr.io/acme/api", False),
        ("(", "ghcr.io/acme/api", True),
    ],
)
def test_an_open_name_means_the_repository_however_its_host_is_written(
    pattern: str,
    repository: str,
    expected: bool,  # noqa: FBT001 - a value of the table
) -> None:
    """Other hosts of Docker Hub, capitals and the port of https name the same registry in open references too."""
    open_one = Unresolved(text="x", source="git/deploy", where="x", repository_pattern=pattern)
    aliases = {"mirror.example": "docker.io"}
    assert could_be_in(open_one, Repository.parse(repository), aliases) is expected
