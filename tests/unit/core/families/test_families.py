"""Families of tags: what a person would call them, on the habits of many projects."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import pytest

from tagsweep.core.families import Family, FamilyKind, TagFacts, find_families, overrule
from tagsweep.model.policy import Names, Regex, VersionPattern, VersionScheme
from tests.unit.core.builders import digest


def hashes(count: int, length: int = 7) -> list[str]:
    """Return hashes as git abbreviates them."""
    return [hashlib.sha256(str(number).encode()).hexdigest()[:length] for number in range(count)]


def found(*tags: str) -> dict[FamilyKind, Family]:
    """Return the families of tags of which only the names are known, where each kind has one."""
    families = find_families(TagFacts(name=tag) for tag in tags)
    kinds = {family.kind: family for family in families}
    assert len(kinds) == len(families), [family.name for family in families]
    return kinds


def members(families: dict[FamilyKind, Family]) -> dict[str, set[str]]:
    """Return the tags of each kind."""
    return {kind.value: set(family.tags) for kind, family in families.items()}


VERSIONS = ("1.4.0", "1.4.1", "1.5.0")

HABITS: list[tuple[str, dict[FamilyKind, Iterable[str]], set[FamilyKind]]] = [
    ("short hashes", {FamilyKind.COMMIT: hashes(12), FamilyKind.FLOATING: ["latest"]}, {FamilyKind.COMMIT}),
    (
        "long hashes behind a mark",
        {FamilyKind.COMMIT: [f"sha-{one}" for one in hashes(3, 40)], FamilyKind.RELEASE: VERSIONS},
        {FamilyKind.COMMIT},
    ),
    (
        "hashes for platforms",
        {FamilyKind.COMMIT: [f"git-{one}{end}" for one in hashes(4) for end in ("", "-amd64", "-arm64")]},
        {FamilyKind.COMMIT},
    ),
    (
        "git describe",
        {
            FamilyKind.RELEASE: ["v1.4.0", "v1.4.1"],
            FamilyKind.COMMIT: [f"v1.4.1-{number}-g{one}" for number, one in enumerate(hashes(5), 1)],
        },
        {FamilyKind.COMMIT},
    ),
    (
        "hashes that follow a version may be releases",
        {FamilyKind.COMMIT: [f"1.2.{number}-{one}" for number, one in enumerate(hashes(9))]},
        set(),
    ),
    (
        "branches with slashes turned to dashes",
        {
            FamilyKind.FLOATING: ["main", "develop", "latest"],
            FamilyKind.BRANCH: ["feature-login", "fix-typo", "dependabot-npm-lodash-4.17.21", "PROJ-12-cart"],
        },
        set(),
    ),
    (
        "branch and hash",
        {
            FamilyKind.COMMIT: [
                f"{branch}-{one}" for branch, one in zip(("feature-a", "fix-b", "dev"), hashes(3), strict=True)
            ],
            FamilyKind.RELEASE: VERSIONS,
        },
        {FamilyKind.COMMIT},
    ),
    (
        "dates beside releases, of which each may be built again that day",
        {FamilyKind.DATED: [f"2026-08-{day:02}" for day in range(1, 20)], FamilyKind.RELEASE: VERSIONS},
        set(),
    ),
    (
        "dates alone are the releases",
        {FamilyKind.DATED: ["20260801", "20260805", "20260807"], FamilyKind.FLOATING: ["latest"]},
        set(),
    ),
    (
        "timestamps",
        {FamilyKind.DATED: ["20260801-120000", "20260802-093000"], FamilyKind.RELEASE: VERSIONS},
        {FamilyKind.DATED},
    ),
    (
        "build numbers",
        {FamilyKind.BUILD: ["build-1000", "build-1001"], FamilyKind.RELEASE: VERSIONS},
        {FamilyKind.BUILD},
    ),
    (
        "dates with the count of the day",
        {FamilyKind.DATED: [f"2026081{number}.{number}" for number in range(9)], FamilyKind.RELEASE: VERSIONS},
        {FamilyKind.DATED},
    ),
    (
        "a day of git's head is no commit",
        {FamilyKind.DATED: ["git-20260801", "git-20260802"], FamilyKind.RELEASE: VERSIONS},
        set(),
    ),
    (
        "commits with their day",
        {FamilyKind.COMMIT: [f"20260810-{one}" for one in hashes(5)], FamilyKind.RELEASE: VERSIONS},
        {FamilyKind.COMMIT},
    ),
    (
        "many plain numbers",
        {FamilyKind.BUILD: [str(number) for number in range(3100, 3150)], FamilyKind.RELEASE: VERSIONS},
        {FamilyKind.BUILD},
    ),
    ("many plain numbers alone are the releases", {FamilyKind.BUILD: [str(one) for one in range(3100, 3150)]}, set()),
    (
        "years and months are built again",
        {FamilyKind.BUILD: ["ci-202607", "ci-202608", "ci-2025"], FamilyKind.RELEASE: VERSIONS},
        set(),
    ),
    (
        "a branch's few small numbers may be versions",
        {FamilyKind.BUILD: ["main-8", "main-11", "main-17"], FamilyKind.RELEASE: VERSIONS},
        set(),
    ),
    (
        "a branch's running number",
        {FamilyKind.BUILD: ["main-4711", "main-4712"], FamilyKind.RELEASE: VERSIONS},
        {FamilyKind.BUILD},
    ),
    (
        "few plain numbers may be versions",
        {FamilyKind.BUILD: ["36", "37", "38"], FamilyKind.FLOATING: ["latest", "rawhide"]},
        set(),
    ),
    (
        "a version with a build number may be a release",
        {FamilyKind.BUILD: ["1.2.3-build.1", "1.2.3-build.2"], FamilyKind.RELEASE: ["1.2.3"]},
        set(),
    ),
    (
        "pull requests",
        {
            FamilyKind.PULL_REQUEST: ["pr-12", "pr-13", "pr-14-alpine3.23", "pr-15-arm64"],
            FamilyKind.RELEASE: ["v1.0.0"],
        },
        set(),
    ),
    (
        "builds of pull requests",
        {
            FamilyKind.PULL_REQUEST: ["pr-214-abc1234", "pr-215-0badf00", "pr-215-run-3", "pr-216-202608101200"],
            FamilyKind.RELEASE: ["v1.0.0"],
        },
        {FamilyKind.PULL_REQUEST},
    ),
    (
        "merge requests",
        {FamilyKind.PULL_REQUEST: ["mr-1", "mr-2-amd64"], FamilyKind.RELEASE: VERSIONS},
        set(),
    ),
    (
        "nightlies",
        {
            FamilyKind.NIGHTLY: ["nightly-2026-08-01", "nightly-2026-08-02"],
            FamilyKind.FLOATING: ["nightly", "latest"],
            FamilyKind.RELEASE: ["v0.9.0", "v0.10.0"],
        },
        set(),
    ),
    (
        "nightlies to the minute",
        {
            FamilyKind.NIGHTLY: ["nightly-20260801-0130", "nightly-20260802-0131"],
            FamilyKind.FLOATING_VERSION: ["8-nightly", "1.4.0-SNAPSHOT"],
        },
        {FamilyKind.NIGHTLY},
    ),
    (
        "nightlies for versions that look like a time",
        {FamilyKind.NIGHTLY: ["nightly-20260801-2204", "nightly-20260801-2004"], FamilyKind.RELEASE: VERSIONS},
        set(),
    ),
    (
        "versions for platforms",
        {
            FamilyKind.RELEASE: [f"1.{minor}.0{end}" for minor in range(3) for end in ("", "-amd64", "-arm64")],
            FamilyKind.FLOATING: ["latest", "latest-amd64"],
        },
        set(),
    ),
    (
        "variants, and parts of versions",
        {
            FamilyKind.RELEASE: ["18.5", "18.6", "18.6-alpine3.23", "18.6-bookworm"],
            FamilyKind.FLOATING_VERSION: ["18", "18-alpine3.23", "18-bookworm"],
            FamilyKind.FLOATING: ["latest", "bookworm", "alpine3.23"],
        },
        set(),
    ),
    (
        "Python's versions",
        {
            FamilyKind.RELEASE: ["1.0.0", "1.2.0", "1.2.0.post1"],
            FamilyKind.PRERELEASE: ["1.2.0rc1", "1.2.0.dev3"],
        },
        set(),
    ),
    (
        "signatures",
        {FamilyKind.RELEASE: ["1.0.0"], FamilyKind.DERIVED: [f"sha256-{'a' * 64}.sig", f"sha256-{'b' * 64}"]},
        set(),
    ),
    ("what cannot be told", {FamilyKind.OTHER: ["deadbeef", "cafe2024", "x"]}, set()),
    ("a word among hashes", {FamilyKind.COMMIT: hashes(12, 8), FamilyKind.OTHER: ["deadbeef"]}, {FamilyKind.COMMIT}),
    ("nothing", {}, set()),
]


@pytest.mark.parametrize(("tags", "temporary"), [habit[1:] for habit in HABITS], ids=[habit[0] for habit in HABITS])
def test_families_are_those_that_a_person_would_name(
    tags: dict[FamilyKind, Iterable[str]], temporary: set[FamilyKind]
) -> None:
    """Each habit gives its families, and only builds of which it is certain are called temporary."""
    families = found(*(tag for some in tags.values() for tag in some))
    assert members(families) == {kind.value: set(some) for kind, some in tags.items()}
    assert {kind for kind, family in families.items() if family.temporary} == temporary
    for kind, family in families.items():
        assert not (family.temporary and family.doubt), kind


def test_what_moves_is_told_from_the_builds_beside_it() -> None:
    """Beside tags of pull requests only those of their builds are temporary, by a pattern of their own."""
    tags = ["pr-12", "pr-13", "pr-12-amd64", "pr-12-abc1234", "pr-13-0badf00-amd64", "nightly-20260801"]
    families = {family.name: family for family in find_families(TagFacts(name=tag) for tag in tags)}
    assert set(families) == {"pull-request", "pull-request-build", "nightly"}
    builds = families["pull-request-build"]
    assert builds.temporary
    assert builds.tags == ("pr-12-abc1234", "pr-13-0badf00-amd64")
    assert builds.patterns == (Regex("(?:pr-[0-9]+-[0-9a-f]{7}|pr-[0-9]+-[0-9a-f]{7}-amd64)"),)
    assert not families["pull-request"].temporary


def test_a_doubt_that_a_person_sets_aside_is_remembered() -> None:
    """A class that is named gets its rule, with the doubt that was overruled; the others stay as they are."""
    facts = [TagFacts(name=tag) for tag in ("nightly-20260801", "pr-12", "1.0.0")]
    families = {family.name: family for family in overrule(find_families(facts), ["nightly", "release"])}
    assert (families["nightly"].temporary, families["nightly"].doubt) == (True, "")
    assert "a day is not a build" in families["nightly"].overruled
    assert [name for name, family in families.items() if family.temporary] == ["nightly"]


def test_builds_of_which_many_moved_are_in_doubt() -> None:
    """Hashes of which more than one in ten was moved are no records of one build, whatever their names say."""
    before = frozenset({digest("old")})
    facts = [TagFacts(name=one, past=before if at < 2 else frozenset()) for at, one in enumerate(hashes(12))]
    (commit,) = find_families(facts)
    assert commit.proven
    assert not commit.temporary
    assert "moved" in commit.doubt


def test_a_monorepo_has_families_for_each_part() -> None:
    """Releases with different prefixes are different families, each with its prefix in its name and pattern."""
    tags = [f"{part}-1.{minor}.0" for part in ("api", "web") for minor in range(3)]
    families = {family.name: family for family in find_families(TagFacts(name=tag) for tag in tags)}
    assert set(families) == {"api-release", "web-release"}
    assert families["api-release"].patterns == (VersionPattern(VersionScheme.SEMVER, (), "api-"),)


def test_padded_and_plain_months_are_one_calendar_family() -> None:
    """2025.04.1 and 2025.5.0 are versions of one scheme, and the pattern names both formats."""
    release = found("2024.09.0", "2025.04.1", "2025.5.0", "2025.11.0")[FamilyKind.RELEASE]
    assert release.scheme == "calver"
    assert release.patterns == (VersionPattern(VersionScheme.CALVER, ("YYYY.0M.MICRO", "YYYY.MM.MICRO")),)


def test_a_hash_of_digits_alone_is_known_by_its_companions() -> None:
    """4409409 is a hash beside others with the same mark, although it has no letter."""
    tags = ["ci-sha-dde067f", "ci-sha-f7f0540", "ci-sha-4409409"]
    commit = found(*tags)[FamilyKind.COMMIT]
    assert set(commit.tags) == set(tags)
    assert commit.patterns == (Regex("ci-sha-[0-9a-f]{7}"),)


def test_a_name_that_was_moved_is_floating() -> None:
    """A word that means nothing is a floating name if the ledger saw it on another digest."""
    fact = TagFacts(name="camembert", digests=frozenset({digest("new")}), past=frozenset({digest("old")}))
    (family,) = find_families([fact])
    assert (family.kind, family.moved) == (FamilyKind.FLOATING, ("camembert",))


def test_a_name_on_the_digest_of_a_version_floats_to_it() -> None:
    """A word that shares the digest of a release is a floating name, and the release is its target."""
    on = frozenset({digest("one")})
    families = find_families([TagFacts(name="camembert", digests=on), TagFacts(name="1.4.0", digests=on)])
    floating = next(family for family in families if family.kind is FamilyKind.FLOATING)
    assert floating.targets == {"camembert": ("1.4.0",)}


def test_dates_that_names_stand_on_are_not_temporary() -> None:
    """Dated tags on whose digests the moving names are, are what others call releases, and no rule is made for them."""
    on = frozenset({digest("one")})
    facts = [TagFacts(name="noble", digests=on), TagFacts(name="noble-20260810", digests=on), TagFacts(name="24.04")]
    dated = next(family for family in find_families(facts) if family.kind is FamilyKind.DATED)
    assert not dated.temporary
    assert dated.doubt


def test_no_floating_name_is_described_by_a_pattern() -> None:
    """Floating words are listed by name, so that no other word is ever taken for one."""
    assert found("latest", "edge", "1.0.0")[FamilyKind.FLOATING].patterns == (Names(frozenset({"latest", "edge"})),)
