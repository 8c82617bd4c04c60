"""Families and their patterns, on tags that nobody thought of: one family for each tag, and patterns that are exact."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
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
        "2026-08-11",
        "202608",
        "0130",
        "4711",
        "run",
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


_DAY = re.compile(r"20[0-9]{2}([-_]?)[0-9]{2}\1[0-9]{2}(?![0-9])")
_OF_ONE_BUILD = re.compile(
    r"(?=[a-f]*[0-9])[0-9a-f]{7,}|[0-9]{4,}|(?:build|bld|run|ci)[-_.]?[0-9]|DAY[-_.T]?[0-9]{4}|DAY\.[0-9]",
    re.IGNORECASE,
)


def tells_of_one_build(name: str) -> bool:
    """Tell whether a name holds anything by which one build could be told from the next; a day is nothing such."""
    return _OF_ONE_BUILD.search(_DAY.sub("DAY", name)) is not None


def check(facts: list[TagFacts]) -> tuple[Family, ...]:
    """Assert all that holds for the families of any tags, and return them."""
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


@settings(max_examples=150, deadline=None)
@given(_FACTS, st.lists(_TAG, max_size=10))
@example([TagFacts(name=name) for name in ("nightly-20260810", "20260810-2026-08-11", "pr-12", "1.0.0")], ["pr-13"])
def test_what_tells_of_no_build_is_never_proposed(facts: list[TagFacts], later: list[str]) -> None:
    """No tag is temporary whose name carries no build's identity, and no temporary pattern takes in a later one."""
    for family in find_families(facts):
        if family.temporary:
            assert family.proven
            assert [tag for tag in family.tags if not tells_of_one_build(tag)] == []
            taken = [tag for tag in later if any(matches(pattern, tag) for pattern in family.patterns)]
            assert [tag for tag in taken if not tells_of_one_build(tag)] == []


@settings(max_examples=60, deadline=None)
@given(_FACTS)
def test_the_order_of_tags_has_no_meaning(facts: list[TagFacts]) -> None:
    """The same tags give the same families in any order."""
    shuffled = sorted(facts, key=lambda fact: fact.name[::-1])
    assert find_families(facts) == find_families(shuffled)


@pytest.mark.parametrize("repository", repositories())
@pytest.mark.parametrize(
    ("year", "watched"), [(2016, True), (2019, False), (2022, True), pytest.param(2026, False, marks=pytest.mark.slow)]
)
def test_histories_have_exact_patterns_and_nothing_temporary(repository: str, year: int, *, watched: bool) -> None:
    """In the real histories the patterns are exact, and no tag is temporary: all are releases, or may move."""
    now = state(repository, datetime(year, 10, 1, tzinfo=UTC))
    facts = [
        TagFacts(
            name=tag,
            digests=frozenset({digest(str(image))}),
            past=frozenset(digest(str(one)) for one in now.past.get(tag, ())) if watched else frozenset(),
        )
        for tag, image in now.images.items()
    ]
    assert [family.name for family in check(facts) if family.temporary] == []
