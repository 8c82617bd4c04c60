"""Versions: what is one, and which is higher."""

from __future__ import annotations

import itertools

import pytest

from tagsweep.core.versions import Version, check_formats, parse_version
from tagsweep.model.policy import VersionPattern, VersionScheme

SEMVER = VersionPattern(VersionScheme.SEMVER)
PEP440 = VersionPattern(VersionScheme.PEP440)
TENSORZERO = VersionPattern(VersionScheme.CALVER, ("YYYY.0M.MICRO", "YYYY.MM.MICRO"))


def calver(*formats: str, prefix: str = "") -> VersionPattern:
    return VersionPattern(VersionScheme.CALVER, formats, prefix)


def read(pattern: VersionPattern, tag: str) -> Version:
    version = parse_version(pattern, tag)
    assert version is not None, tag
    return version


ascending = [
    # semver.org, rule 11, and the rules around it
    (
        SEMVER,
        [
            "0.0.1",
            "v0.1.0",
            "1.0.0-0",
            "1.0.0-2",
            "1.0.0-10",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "1.2.0",
            "1.10.0",
            "2.0.0",
        ],
    ),
    (TENSORZERO, ["2024.12.1", "2025.04.0", "2025.4.1", "2025.9.20", "2025.10.1", "2025.11.0", "2026.1.0"]),
    (calver("YY.0M"), ["6.04", "25.04", "25.10", "106.04"]),
    (calver("YY.0M", "YYYY.0M"), ["25.04", "2025.10", "26.01"]),
    (calver("YYYY.0W"), ["2025.01", "2025.53"]),
    (calver("YYYY-0M-0D"), ["2025-01-31", "2025-02-01", "2025-12-09"]),
    (calver("YYYY.MM.MICRO-MODIFIER", "YYYY.MM.MICRO"), ["2025.4.1-beta", "2025.4.1-rc2", "2025.4.1-rc10", "2025.4.1"]),
    (PEP440, ["1.0.dev1", "1.0a1", "1.0rc1", "1.0", "1.0.post1", "1.1", "1.10", "1!0.1"]),
]


@pytest.mark.parametrize(("pattern", "tags"), ascending, ids=[f"{p.scheme.value}-{tags[0]}" for p, tags in ascending])
def test_versions_are_ordered_by_the_rules_of_their_scheme(pattern: VersionPattern, tags: list[str]) -> None:
    """Every earlier version of the table is lower than every later one."""
    versions = [read(pattern, tag) for tag in tags]
    for lower, higher in itertools.combinations(versions, 2):
        assert lower < higher
        assert not higher < lower


equal = [
    (SEMVER, "v1.2.3", "1.2.3"),
    (SEMVER, "1.2.3+build.7", "1.2.3"),
    (TENSORZERO, "2025.04.1", "2025.4.1"),
    (calver("YY.0M", "YYYY.0M"), "25.04", "2025.04"),
    (PEP440, "1.0", "1.0.0"),
    (PEP440, "1.0-rc1", "1.0rc1"),
]


@pytest.mark.parametrize(("pattern", "one", "other"), equal)
def test_the_same_version_may_be_written_differently(pattern: VersionPattern, one: str, other: str) -> None:
    """Padding, a leading v and build metadata do not make another version."""
    assert read(pattern, one) == read(pattern, other)


bad_versions = [
    (SEMVER, "1.2"),
    (SEMVER, "1.2.3.4"),
    (SEMVER, "01.2.3"),
    (SEMVER, "1.2.3-01"),
    (SEMVER, "1.2.3-"),
    (SEMVER, "vv1.2.3"),
    (SEMVER, "V1.2.3"),
    (SEMVER, "latest"),
    (SEMVER, ""),
    (VersionPattern(VersionScheme.SEMVER, prefix="v"), "1.2.3"),
    (VersionPattern(VersionScheme.SEMVER, prefix="v"), "vv1.2.3"),
    (calver("YYYY.0M.MICRO"), "2025.4.1"),
    (calver("YYYY.MM.MICRO"), "2025.04.1"),
    (calver("YYYY.MM.MICRO"), "2025.13.1"),
    (calver("YYYY.MM.MICRO"), "2025.0.1"),
    (calver("YYYY.MM.MICRO"), "25.4.1"),
    (calver("YYYY.MM.MICRO"), "2025.4.01"),
    (calver("YYYY.MM.MICRO"), "2025x4x1"),
    (calver("YYYY-0M-0D"), "2025-02-32"),
    (calver("YYYY.0W"), "2025.54"),
    (calver("YYYY.MM.MICRO-MODIFIER"), "2025.4.1"),
    (PEP440, "sha-1"),
    (PEP440, "1.0-alpine"),
]


@pytest.mark.parametrize(("pattern", "tag"), bad_versions)
def test_what_is_not_of_the_scheme_is_no_version(pattern: VersionPattern, tag: str) -> None:
    """A tag that is not a version in full gives None, and is never guessed at."""
    assert parse_version(pattern, tag) is None


def test_padding_is_told_apart_by_the_format() -> None:
    """The zero-padded and the plain month are different formats; only the order takes them as one."""
    assert parse_version(calver("YYYY.0M.MICRO"), "2025.04.1") is not None
    assert parse_version(calver("YYYY.MM.MICRO"), "2025.4.1") is not None


def test_a_prefix_stands_before_the_version() -> None:
    """The policy's prefix is taken off before the version is read."""
    pattern = VersionPattern(VersionScheme.SEMVER, prefix="gateway-")
    assert read(pattern, "gateway-1.2.3") == read(pattern, "gateway-v1.2.3")
    assert parse_version(pattern, "1.2.3") is None


lines = [
    (SEMVER, "1.2.3", (1,), (1, 2)),
    (TENSORZERO, "2025.04.1", (2025,), (2025, 4)),
    (calver("0Y.0M.MICRO"), "25.04.1", (2025,), (2025, 4)),
    (PEP440, "1.2.3", (0, 1), (0, 1, 2)),
    (PEP440, "3", (0, 3), (0, 3, 0)),
]


@pytest.mark.parametrize(("pattern", "tag", "major", "minor"), lines)
def test_a_version_knows_its_lines(
    pattern: VersionPattern, tag: str, major: tuple[int, ...], minor: tuple[int, ...]
) -> None:
    """The major line is the first number, the minor line the first two."""
    version = read(pattern, tag)
    assert (version.major, version.minor) == (major, minor)


@pytest.mark.parametrize(
    ("pattern", "tag", "expected"),
    [
        (SEMVER, "1.0.0-rc.1", True),
        (SEMVER, "1.0.0", False),
        (calver("YYYY.MM-MODIFIER"), "2025.4-beta", True),
        (PEP440, "1.0.dev1", True),
        (PEP440, "1.0.post1", False),
    ],
)
def test_a_prerelease_is_recognised(pattern: VersionPattern, tag: str, expected: bool) -> None:  # noqa: FBT001  # a column of the table
    """What comes before a release says so."""
    assert read(pattern, tag).prerelease is expected


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        (calver(), "at least one format"),
        (calver("YYYY.QQ"), "does not begin with a token"),
        (calver("MAJOR.MINOR"), "no part of a date"),
        (calver("YYYY.YY.MICRO"), "the same thing twice"),
        (VersionPattern(VersionScheme.SEMVER, ("YYYY",)), "only calver has"),
    ],
)
def test_malformed_formats_are_refused(pattern: VersionPattern, problem: str) -> None:
    """A format that cannot work raises ValueError that says why."""
    with pytest.raises(ValueError, match=problem):
        check_formats(pattern)


def test_good_formats_pass() -> None:
    """The formats of the documentation are accepted."""
    check_formats(TENSORZERO)
    check_formats(SEMVER)
    check_formats(calver("release-YYYY.0M.0D-MODIFIER"))
