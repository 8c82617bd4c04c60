"""The keep clauses that look at names, versions, labels and annotations."""

from __future__ import annotations

import pytest

from tagsweep.model.decision import KeptByClause, LabelsUnknown, VersionUnreadable
from tagsweep.model.manifest import ATTESTATION_ANNOTATION, OCI_INDEX, Descriptor, Kind, Manifest
from tagsweep.model.policy import (
    Glob,
    KeepAll,
    KeepLabelled,
    KeepNamed,
    KeepNewestVersions,
    Names,
    VersionPattern,
    VersionScheme,
)
from tests.unit.core.builders import asked, digest, doubted, image, index, inventory, kept, tag, unreadable

SEMVER = VersionPattern(VersionScheme.SEMVER)
CALVER = VersionPattern(VersionScheme.CALVER, ("YYYY.0M.MICRO", "YYYY.MM.MICRO"))
VERSIONS = inventory(
    [tag(name) for name in ("1.9.0", "1.10.0", "v1.10.0", "1.10.1", "2.0.0", "2.1.0-rc.1", "2.1.0-rc.2", "latest")]
)


# --- versions -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("count", "per", "expected"),
    [
        (0, None, set()),
        (1, None, {"2.0.0", "2.1.0-rc.2"}),
        (2, None, {"2.0.0", "1.10.1", "2.1.0-rc.2", "2.1.0-rc.1"}),
        (3, None, {"2.0.0", "1.10.1", "1.10.0", "v1.10.0", "2.1.0-rc.2", "2.1.0-rc.1"}),
        (1, "major", {"1.10.1", "2.0.0", "2.1.0-rc.2"}),
        (1, "minor", {"1.9.0", "1.10.1", "2.0.0", "2.1.0-rc.2"}),
    ],
)
def test_the_highest_versions_of_each_line_stay(count: int, per: str | None, expected: set[str]) -> None:
    """Versions are compared as versions; equal ones share a place, and a pre-release takes none from a release."""
    clause = KeepNewestVersions(count=count, version=SEMVER, per=per)
    assert kept(asked(clause, VERSIONS)) == expected


def test_what_is_no_version_is_undecided() -> None:
    """A tag that is no version of the scheme is undecided, not the lowest version."""
    said = asked(KeepNewestVersions(count=1, version=SEMVER), VERSIONS)
    assert said["latest"] == VersionUnreadable(rule="builds", scheme="semver")
    assert doubted(said) == {"latest"}


def test_padded_and_plain_months_are_one_calendar() -> None:
    """TensorZero changed from 2025.04.1 to 2025.4.2: both are April, and April comes before October."""
    found = inventory([tag(name) for name in ("2025.04.1", "2025.4.2", "2025.10.0", "2025.9.9")])
    assert kept(asked(KeepNewestVersions(count=1, version=CALVER), found)) == {"2025.10.0"}
    per_minor = KeepNewestVersions(count=1, version=CALVER, per="minor")
    assert kept(asked(per_minor, found)) == {"2025.4.2", "2025.9.9", "2025.10.0"}


# --- labels and annotations ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        (KeepLabelled(key="keep"), {"yes", "no", "both"}),
        (KeepLabelled(key="keep", value="yes"), {"yes", "both"}),
        (KeepLabelled(key="keep", value=""), set()),
        (KeepLabelled(key="other"), set()),
    ],
)
def test_labels_keep_by_key_and_value(clause: KeepLabelled, expected: set[str]) -> None:
    """A label keeps with its value, or with any value where the policy names none; unread labels are undecided."""
    found = inventory(
        [
            tag("yes", labels={"keep": frozenset({"yes"})}),
            tag("no", labels={"keep": frozenset({"no"})}),
            tag("both", labels={"keep": frozenset({"no", "yes"})}),
            tag("without", labels={}),
            tag("unread"),
        ]
    )
    said = asked(clause, found)
    assert kept(said) == expected
    assert said["unread"] == LabelsUnknown(rule="builds", key=clause.key)
    assert doubted(said) == {"unread"}


def test_annotations_are_read_from_the_manifest_and_its_platforms() -> None:
    """An annotation on the manifest, on a platform's manifest or on its descriptor keeps; labels are another place."""
    described = Manifest(
        digest=digest("described"),
        media_type=OCI_INDEX,
        size=1,
        kind=Kind.INDEX,
        children=(Descriptor(digest=digest("plain"), annotations={"keep": "yes"}),),
    )
    found = inventory(
        [
            tag("own"),
            tag("platform"),
            tag("described"),
            tag("without"),
            tag("label", labels={"keep": frozenset({"yes"})}),
        ],
        [
            image("own", annotations={"keep": "yes"}),
            index("platform", "plain", "child"),
            image("child", annotations={"keep": "yes"}),
            image("plain"),
            described,
        ],
    )
    said = asked(KeepLabelled(key="keep", value="yes", annotation=True), found)
    assert kept(said) == {"own", "platform", "described"}
    assert doubted(said) == set()


def test_annotations_that_were_not_read_are_undecided() -> None:
    """A platform that was not read, or could not be, might carry the annotation."""
    found = inventory([tag("unread"), tag("broken")], [index("unread", "never-read"), unreadable("broken")])
    said = asked(KeepLabelled(key="keep", annotation=True), found)
    assert doubted(said) == {"unread", "broken"}


def test_attestations_are_no_platform() -> None:
    """BuildKit's attestations need not be read to know the annotations of an image."""
    attested = Manifest(
        digest=digest("attested"),
        media_type=OCI_INDEX,
        size=1,
        kind=Kind.INDEX,
        children=(
            Descriptor(digest=digest("platform")),
            Descriptor(digest=digest("attestation"), annotations={ATTESTATION_ANNOTATION: "attestation-manifest"}),
        ),
    )
    found = inventory([tag("attested")], [attested, image("platform")])
    assert asked(KeepLabelled(key="keep", annotation=True), found) == {}


# --- names and everything -----------------------------------------------------------------------------------------
def test_named_tags_stay() -> None:
    """Any of the patterns keeps, matched in full."""
    found = inventory([tag(name) for name in ("sha-1", "sha-2", "sha-22", "sha-3")])
    said = asked(KeepNamed(match=(Names(frozenset({"sha-1"})), Glob("*-2"))), found)
    assert kept(said) == {"sha-1", "sha-2"}
    assert isinstance(said["sha-2"], KeptByClause)


def test_all_keeps_everything() -> None:
    """The clause `all` keeps whatever its rule matches, also tags of which nothing is known."""
    found = inventory([tag("a"), tag("b", pushed=900)])
    assert kept(asked(KeepAll(), found)) == {"a", "b"}
