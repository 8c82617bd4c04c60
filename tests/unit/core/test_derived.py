"""Tags made from a digest are told from ordinary ones; what is not certain is ambiguous, never ordinary."""

from __future__ import annotations

import pytest

from tagsweep.core.derived import Ambiguous, Derived, derived_from, resolve_cut
from tagsweep.model.reference import Digest

HEX = "0123456789abcdef" * 4
SUBJECT = Digest.parse(f"sha256:{HEX}")
LONG = Digest.parse(f"sha512:{HEX * 2}")

good_derived = [
    (f"sha256-{HEX}", Derived(SUBJECT)),
    (f"sha256-{HEX}.sig", Derived(SUBJECT, ".sig")),
    (f"sha256-{HEX}.att", Derived(SUBJECT, ".att")),
    (f"sha256-{HEX}.sbom", Derived(SUBJECT, ".sbom")),
    (f"mine-sha256-{HEX}.sig", Derived(SUBJECT, ".sig")),
    (f"sha384-{'ab' * 48}", Derived(Digest.parse(f"sha384:{'ab' * 48}"))),
    (f"blake3-{HEX}", Derived(Digest.parse(f"blake3:{HEX}"))),
]
ambiguous_tags = [
    f"sha512-{HEX}",
    f"sha384-{HEX}",
    f"sha256-{HEX[:-1]}",
    f"sha256-{HEX}0",
    f"sha256-{HEX}.SIG",
    f"sha256-{HEX}.cosign",
    f"sha256-{HEX}-amd64",
    f"sha256-{HEX.upper()}",
    f"mine-sha256-{HEX}",
    f"sha256-{HEX}-sha256-ab",
    f"sha256-ab-sha256-{HEX}",
    "sha256-abc",
    "sha256-abc.sig",
    "mine-sha256-abc.att",
]
ordinary_tags = [
    "latest",
    "sha-" + "a" * 40,
    "sha-" + "a" * 64,
    "sha1-" + "a" * 40,
    "sha256-beta",
    "sha256",
    "use-sha256-abc",
    "tls-sha256-ecdsa",
    "v1.0.sig",
    "a" * 64,
    "shared",
]


@pytest.mark.parametrize(("tag", "expected"), good_derived)
def test_the_subject_is_read_from_the_tag(tag: str, expected: Derived) -> None:
    """Fallback tags and cosign's tags, also prefixed ones, name their subject."""
    assert derived_from(tag) == expected


@pytest.mark.parametrize("tag", ambiguous_tags)
def test_look_alikes_are_ambiguous(tag: str) -> None:
    """A tag that looks derived and is not certain says why, so that it is kept and reported."""
    found = derived_from(tag)
    assert isinstance(found, Ambiguous)
    assert found.why


@pytest.mark.parametrize("tag", ordinary_tags)
def test_ordinary_tags_are_not_derived(tag: str) -> None:
    """Builds named after a git commit and other names are ordinary tags."""
    assert derived_from(tag) is None


def test_the_fallback_tag_of_a_digest_leads_back_to_it() -> None:
    """What Digest.fallback_tag writes, derived_from reads, for the digests that fit."""
    assert derived_from(SUBJECT.fallback_tag()) == Derived(SUBJECT)


def test_a_cut_digest_is_found_if_only_one_fits() -> None:
    """A sha512 fallback tag holds half of the digest; it means the one digest of the repository that begins so."""
    cut = derived_from(LONG.fallback_tag())
    assert isinstance(cut, Ambiguous)
    twin = Digest.parse(f"sha512:{HEX}{'f' * 64}")
    assert resolve_cut(cut, {LONG, SUBJECT}) == LONG
    assert resolve_cut(cut, {SUBJECT}) is None
    assert resolve_cut(cut, {LONG, twin}) is None
    assert resolve_cut(Ambiguous("no prefix"), {LONG}) is None
