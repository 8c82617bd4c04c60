"""Every tag has one naming class, and digest-derived tags are nobody's."""

from __future__ import annotations

import pytest

from tagsweep.core.classify import Classifier
from tagsweep.model.errors import PolicyError
from tagsweep.model.policy import Glob, InClass, Names, NamingClass, Regex, VersionPattern, VersionScheme

HEX = "0123456789abcdef" * 4
NAMING = (
    NamingClass(name="release", patterns=(VersionPattern(VersionScheme.CALVER, ("YYYY.0M.MICRO", "YYYY.MM.MICRO")),)),
    NamingClass(name="floating", patterns=(Names(frozenset({"latest"})),)),
    NamingClass(name="ci-build", patterns=(Regex("sha-[0-9a-f]{40}"), Glob("build-*")), immutable=True),
    NamingClass(name="anything", patterns=(Glob("*"),)),
)

classes = [
    ("2025.04.1", "release"),
    ("2025.4.1", "release"),
    ("latest", "floating"),
    ("sha-" + "a" * 40, "ci-build"),
    ("build-7", "ci-build"),
    ("sha-" + "a" * 39, "anything"),
    ("sha256-" + HEX, "digest-derived"),
    (f"sha256-{HEX}.sig", "digest-derived"),
    ("sha256-abc", "digest-derived"),
]


@pytest.mark.parametrize(("tag", "expected"), classes)
def test_the_first_matching_class_has_the_tag(tag: str, expected: str) -> None:
    """A tag is of the first class that matches it; digest-derived tags are of the reserved class."""
    assert Classifier(NAMING).class_of(tag) == expected


def test_a_tag_may_be_of_no_class() -> None:
    """Without a matching class the name is empty."""
    assert Classifier(NAMING[:2]).class_of("odd") == ""


@pytest.mark.parametrize("tag", [f"sha256-{HEX}", f"sha256-{HEX}.att", "sha256-abc"])
@pytest.mark.parametrize(
    "part",
    [Glob("*"), Glob("sha*"), Regex("sha.*"), Names(frozenset({f"sha256-{HEX}"})), InClass("anything")],
)
def test_nothing_a_user_writes_matches_digest_derived_tags(tag: str, part: Glob | Regex | Names | InClass) -> None:
    """T12: neither a pattern nor a class nor the very name of it matches a digest-derived tag."""
    assert not Classifier(NAMING).matches((part,), tag)


def test_a_match_is_any_of_its_parts() -> None:
    """A list means any of its parts, and an empty one matches nothing."""
    classifier = Classifier(NAMING)
    assert classifier.matches((Names(frozenset({"prod"})), InClass("release")), "2025.4.1")
    assert not classifier.matches((), "2025.4.1")


def test_an_unknown_class_is_an_error_and_not_an_empty_match() -> None:
    """A misspelt class in an exclude or a protection must not silently match nothing."""
    with pytest.raises(PolicyError, match="'releases' is not defined") as caught:
        Classifier(NAMING).matches((InClass("releases"),), "2025.4.1")
    assert "release" in caught.value.remedy


def test_patterns_of_classes_are_part_of_a_match() -> None:
    """The patterns behind a match include those of its classes, in order."""
    found = Classifier(NAMING).patterns((Glob("x"), InClass("ci-build")))
    assert found == (Glob("x"), Regex("sha-[0-9a-f]{40}"), Glob("build-*"))
