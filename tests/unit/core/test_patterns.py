"""Patterns match whole tags and whole repository names."""

from __future__ import annotations

import pytest

from tagsweep.core.patterns import accepts_empty, group_value, matches, repository_matches
from tagsweep.model.policy import Glob, Names, Pattern, Regex, VersionPattern, VersionScheme

SHA = "sha-0123456789abcdef0123456789abcdef01234567"
SEMVER = VersionPattern(VersionScheme.SEMVER)

good_matches: list[tuple[Pattern, str]] = [
    (Glob("sha-*"), SHA),
    (Glob("sha-*"), "sha-"),
    (Glob("v?.?"), "v1.2"),
    (Glob("[a-c]1"), "b1"),
    (Glob("[!a-c]1"), "d1"),
    (Glob("[^a-c]1"), "d1"),
    (Glob("[]-]"), "-"),
    (Glob("v[0-9]*"), "v10"),
    (Glob("a.b"), "a.b"),
    (Regex("sha-[0-9a-f]{40}"), SHA),
    (Regex("main|dev"), "dev"),
    (Regex("(?i)RC.*"), "rc1"),
    (Names(frozenset({"latest", "main"})), "main"),
    (SEMVER, "v1.2.3-rc.1"),
]
bad_matches: list[tuple[Pattern, str]] = [
    (Glob("sha-*"), "my-sha-1"),
    (Glob("sha-*"), "SHA-1"),
    (Glob("v?.?"), "v1.23"),
    (Glob("[!a-c]1"), "a1"),
    (Glob("a.b"), "axb"),
    (Glob("v[0-9"), "v1"),
    (Regex("sha-[0-9a-f]{40}"), SHA + "0"),
    (Regex("sha-[0-9a-f]{40}"), "x" + SHA),
    (Regex("main|dev"), "dev-2"),
    (Regex("main|dev"), "my-dev"),
    (Regex("^v*"), "1.0"),
    (Names(frozenset({"latest"})), "latest2"),
    (SEMVER, "1.2"),
]


@pytest.mark.parametrize(("pattern", "tag"), good_matches)
def test_a_pattern_matches_the_whole_tag(pattern: Pattern, tag: str) -> None:
    """A pattern matches the tags that it describes from end to end."""
    assert matches(pattern, tag)


@pytest.mark.parametrize(("pattern", "tag"), bad_matches)
def test_a_pattern_does_not_match_a_part_of_a_tag(pattern: Pattern, tag: str) -> None:
    """An alternative, a prefix or another case of letters is no match: the anchors stand round the whole pattern."""
    assert not matches(pattern, tag)


@pytest.mark.parametrize("pattern", [Regex("v*"), Regex(""), Regex("a|"), Regex(".*"), Glob("*"), Glob("")])
def test_patterns_that_match_nothing_at_all_are_told(pattern: Pattern) -> None:
    """A pattern that matches the empty string is recognised, because it matches more than anybody meant."""
    assert accepts_empty(pattern)


@pytest.mark.parametrize("pattern", [Regex("v.+"), Glob("?*"), Glob("sha-*"), Names(frozenset({"a"})), SEMVER])
def test_ordinary_patterns_do_not_accept_the_empty_string(pattern: Pattern) -> None:
    """A pattern that needs at least one character is fine."""
    assert not accepts_empty(pattern)


@pytest.mark.parametrize("text", ["sha-[", "(", "(?P<a>", "*"])
def test_a_broken_expression_is_an_error_with_its_text(text: str) -> None:
    """A malformed regular expression raises ValueError that shows it, and never reads as "matches nothing"."""
    with pytest.raises(ValueError, match="is not a regular expression") as caught:
        matches(Regex(text), "sha-1")
    assert repr(text) in str(caught.value)


def test_a_broken_glob_is_an_error_with_its_text() -> None:
    """A character class that runs backwards is refused in the user's own words, not in those of a translation."""
    with pytest.raises(ValueError, match=r"'v\[9-0\]' is not a glob"):
        matches(Glob("v[9-0]"), "v1")


def test_a_group_gives_what_it_captured() -> None:
    """A named group of the expression gives its text; other patterns and other groups give None."""
    pattern = Regex("(?P<branch>[a-z]+)-[0-9]+|latest")
    assert group_value(pattern, "main-12", "branch") == "main"
    assert group_value(pattern, "latest", "branch") is None
    assert group_value(pattern, "12", "branch") is None
    assert group_value(pattern, "main-12", "other") is None
    assert group_value(Glob("*"), "main-12", "branch") is None


good_repositories = [
    ("docker.io/tensorzero/*", "docker.io/tensorzero/gateway"),
    ("docker.io/**", "docker.io/a/b/c"),
    ("**/gateway", "docker.io/tensorzero/gateway"),
    ("**/gateway", "gateway"),
    ("docker.io/**/gateway", "docker.io/gateway"),
    ("docker.io/**/gateway", "docker.io/a/b/gateway"),
    ("127.0.0.1:5000/a/gateway-?ev", "127.0.0.1:5000/a/gateway-dev"),
    ("*.example.com/app", "eu.example.com/app"),
    ("docker.io/acme/app", "docker.io/acme/app"),
]
bad_repositories = [
    ("docker.io/tensorzero/*", "docker.io/tensorzero/a/b"),
    ("docker.io/*", "docker.io/acme/app"),
    ("acme/*", "docker.io/acme/app"),
    ("docker.io/acme?app", "docker.io/acme/app"),
    ("docker.io/acme[!x]app", "docker.io/acme/app"),
    ("docker.io/**/gateway", "docker.io/my-gateway"),
    ("docker.io/acme/app", "docker.io/acme/app2"),
]


@pytest.mark.parametrize(("glob", "name"), good_repositories)
def test_repository_globs_match_whole_names(glob: str, name: str) -> None:
    """One star stays within a path component, two cross them."""
    assert repository_matches(glob, name)


@pytest.mark.parametrize(("glob", "name"), bad_repositories)
def test_repository_globs_do_not_cross_components(glob: str, name: str) -> None:
    """A star does not reach into another component, and a part of a name is no match."""
    assert not repository_matches(glob, name)
