"""Families and their patterns, on tags that nobody thought of: one family for each tag, and patterns that are exact."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.core.families import Family, FamilyKind, TagFacts, find_families
from tagsweep.core.patterns import accepts_empty, matches
from tagsweep.model.policy import Names
from tests.histories import repositories, state
from tests.unit.core.builders import digest

_NUMBER = st.integers(0, 30).map(str)
_HASH = st.text("0123456789abcdef", min_size=7, max_size=12)
_WORD = st.sampled_from(
    [
        "latest",
        "main",
        "edge",
        "nightly",
        "api",
        "web",
        "sha",
        "ci",
        "pr",
        "build",
        "feature",
        "alpine",
        "bookworm",
        "amd64",
        "rc1",
        "beta",
        "v",
        "1.2",
        "18",
        "20260810",
    ]
)
_VERSION = st.lists(_NUMBER, min_size=1, max_size=4).map(".".join)
_PART = st.one_of(_WORD, _NUMBER, _HASH, _VERSION, st.builds("v{}".format, _VERSION))
_TAG = st.builds(
    lambda parts, signs: "".join(part + sign for part, sign in zip(parts, (*signs, ""), strict=False)),
    st.lists(_PART, min_size=1, max_size=4),
    st.lists(st.sampled_from("-._"), min_size=3, max_size=3),
).map(lambda tag: tag.strip("-."))
_FACT = st.builds(
    lambda name, on, before: TagFacts(
        name=name, digests=frozenset({digest(str(on))}), past=frozenset(digest(str(one)) for one in before)
    ),
    _TAG,
    st.integers(0, 6),
    st.lists(st.integers(0, 6), max_size=1),
)
_FACTS = st.lists(_FACT, max_size=25, unique_by=lambda fact: fact.name)


def check(facts: list[TagFacts]) -> tuple[Family, ...]:
    """Assert all that holds for the families of any tags; return them."""
    families = find_families(facts)
    assert sorted(tag for family in families for tag in family.tags) == sorted(fact.name for fact in facts)
    assert len({family.name for family in families}) == len(families)
    for family in families:
        others = [fact.name for fact in facts if fact.name not in set(family.tags)]
        for pattern in family.patterns:
            assert not accepts_empty(pattern)
            assert [tag for tag in others if matches(pattern, tag)] == []
        if family.kind is FamilyKind.DERIVED:
            assert family.patterns == ()
        else:
            assert all(any(matches(pattern, tag) for pattern in family.patterns) for tag in family.tags)
        if family.temporary:
            assert not any(isinstance(pattern, Names) for pattern in family.patterns)
            assert not family.doubt
    return families


@settings(max_examples=60, deadline=None)
@given(_FACTS)
def test_patterns_match_exactly_the_members(facts: list[TagFacts]) -> None:
    """Every tag is in one family; its patterns match all members in full and no other tag."""
    check(facts)


@settings(max_examples=60, deadline=None)
@given(_FACTS)
def test_the_order_of_tags_has_no_meaning(facts: list[TagFacts]) -> None:
    """The same tags give the same families in any order."""
    shuffled = sorted(facts, key=lambda fact: fact.name[::-1])
    assert find_families(facts) == find_families(shuffled)


@pytest.mark.parametrize("repository", repositories())
@pytest.mark.parametrize("year", [2016, 2019, 2022, pytest.param(2026, marks=pytest.mark.slow)])
def test_histories_have_exact_patterns_and_no_temporary_release(repository: str, year: int) -> None:
    """In the real histories the patterns are exact, and nothing but dated builds of a rolling line is temporary."""
    now = state(repository, datetime(year, 10, 1, tzinfo=UTC))
    facts = [
        TagFacts(
            name=tag,
            digests=frozenset({digest(str(image))}),
            past=frozenset(digest(str(one)) for one in now.past.get(tag, ())),
        )
        for tag, image in now.images.items()
    ]
    temporary = {family.kind for family in check(facts) if family.temporary}
    assert temporary <= {FamilyKind.NIGHTLY}
