"""How the policy wants open references read, by source and place."""

from __future__ import annotations

from itertools import permutations

import pytest

from tagsweep.core.open_references import FittingTags, Standing, standing
from tagsweep.model.policy import UnresolvedReading, UnresolvedRule
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
