"""Referrers live as long as their subject: derived tags, and manifests with a subject (T12, hazards 9 to 11)."""

from __future__ import annotations

import pytest

from tagsweep.model.decision import (
    Decision,
    FollowsSubject,
    InUse,
    ManifestUnknown,
    NotKept,
    SubjectRemoved,
    SubjectUnknown,
    Verdict,
)
from tagsweep.model.inventory import Inventory, TagState
from tagsweep.model.manifest import OCI_MANIFEST, Kind, Manifest, Unreadable
from tagsweep.model.policy import Glob, KeepNamed, Names, Protection, Regex
from tagsweep.model.reference import Digest
from tagsweep.model.usage import UsageReport
from tests.unit.core.builders import (
    decisions,
    digest,
    image,
    index,
    inventory,
    policy,
    report,
    rule,
    tag,
    unreadable,
)

LONG = Digest.parse("sha512:" + "0123456789abcdef" * 8)


def of(subject: str, suffix: str = ".sig") -> str:
    """The derived tag of the manifest that is named ``subject``."""
    return digest(subject).fallback_tag() + suffix


def decide_all(found: Inventory, *reports: UsageReport) -> dict[str, Decision]:
    """Decide with the rule that removes every `sha*` except `sha-keep*`."""
    return decisions(found, policy(rule(KeepNamed(match=(Glob("sha-keep*"),)), match="sha*")), *reports)


@pytest.mark.parametrize("suffix", ["", ".sig", ".att", ".sbom"])
def test_a_derived_tag_goes_and_stays_with_its_subject(suffix: str) -> None:
    """T12: the rule `sha*` never reaches a derived tag; what happens to its subject does."""
    names = ("sha-1", "sha-keep", "v1")
    found = inventory([each for name in names for each in (tag(name), tag(of(name, suffix)))])
    got = decide_all(found)
    assert got[of("sha-1", suffix)].verdict is Verdict.REMOVE
    assert got[of("sha-1", suffix)].reasons == (SubjectRemoved(subject=digest("sha-1")),)
    for kept in ("sha-keep", "v1"):
        assert got[of(kept, suffix)].verdict is Verdict.KEEP
        assert got[of(kept, suffix)].reasons == (FollowsSubject(subject=digest(kept)),)
    assert got[of("v1", suffix)].naming_class == "digest-derived"


def test_a_subject_that_shares_its_digest_with_a_kept_tag_stays() -> None:
    """The signature of a digest stays as long as one tag keeps the digest."""
    found = inventory([tag("v1", "build"), tag("sha-1", "build"), tag(of("build"))])
    got = decide_all(found)
    assert got["sha-1"].verdict is Verdict.REMOVE
    assert got[of("build")].reasons == (FollowsSubject(subject=digest("build")),)


def test_the_signature_of_a_platform_follows_the_index() -> None:
    """Hazard 9: the subject may be a child of an index, at any depth; it stays while any kept index contains it."""
    manifests = [index("v1", "shared"), index("sha-1", "shared", "own"), image("shared"), image("own")]
    found = inventory([tag("v1"), tag("sha-1"), tag(of("shared")), tag(of("own"))], manifests)
    got = decide_all(found)
    assert got[of("shared")].reasons == (FollowsSubject(subject=digest("shared")),)
    assert got[of("own")].reasons == (SubjectRemoved(subject=digest("own")),)


def test_a_signature_of_a_signature_follows_the_chain() -> None:
    """Referrers of referrers go and stay with the end of the chain."""
    found = inventory(
        [
            tag("sha-1"),
            tag(of("sha-1", ".att"), "att-1"),
            tag(of("att-1"), "sig-1"),
            tag("v1"),
            tag(of("v1", ".att"), "att-v"),
            tag(of("att-v"), "sig-v"),
        ]
    )
    got = decide_all(found)
    assert got[of("att-1")].reasons == (SubjectRemoved(subject=digest("att-1")),)
    assert got[of("att-v")].reasons == (FollowsSubject(subject=digest("att-v")),)


def test_an_unknown_subject_leaves_the_tag_undecided() -> None:
    """A signature whose subject is not in the repository stays: its subject may be where nobody looked."""
    found = inventory([tag("sha-1"), tag(of("elsewhere"))])
    decision = decide_all(found)[of("elsewhere")]
    assert decision.verdict is Verdict.UNDECIDED
    assert [type(reason) for reason in decision.reasons] == [SubjectUnknown]


def test_a_lost_subject_leaves_the_tag_undecided() -> None:
    """A subject that the registry is known not to have is no licence to remove its signature."""
    found = inventory([tag("sha-1"), tag(of("lost"))], missing=[digest("lost")])
    assert decide_all(found)[of("lost")].verdict is Verdict.UNDECIDED


def test_an_untagged_subject_that_nothing_removes_keeps_its_signature() -> None:
    """An untagged manifest that was read is there and stays there, and so does what belongs to it."""
    found = inventory([tag("sha-1"), tag(of("untagged"))], [image("untagged")])
    assert decide_all(found)[of("untagged")].reasons == (FollowsSubject(subject=digest("untagged")),)


def test_an_ambiguous_tag_is_kept_and_reported() -> None:
    """Hazard 11: what looks derived and cannot be read with certainty stays, with the reason."""
    odd = digest("sha-1").fallback_tag()[:-1] + ".sig"
    decision = decide_all(inventory([tag("sha-1"), tag(odd)]))[odd]
    assert decision.verdict is Verdict.UNDECIDED
    reason = decision.reasons[0]
    assert isinstance(reason, SubjectUnknown)
    assert "this tag has 63" in reason.why


def test_a_cut_digest_is_resolved_within_the_repository() -> None:
    """The fallback tag of a sha512 digest holds half of it; the one digest that begins so is its subject."""
    subject = Manifest(digest=LONG, media_type=OCI_MANIFEST, size=1, kind=Kind.IMAGE)
    found = inventory([tag("sha-1"), tag(LONG.fallback_tag(), "fallback")], [subject])
    assert decide_all(found)[LONG.fallback_tag()].reasons == (FollowsSubject(subject=LONG),)
    without = inventory([tag("sha-1"), tag(LONG.fallback_tag(), "fallback")])
    assert decide_all(without)[LONG.fallback_tag()].verdict is Verdict.UNDECIDED


def test_a_tag_whose_manifest_has_a_subject_follows_it() -> None:
    """An ordinary tag that a rule would remove stays while the subject of its manifest stays, and goes by the rule."""
    found = inventory(
        [tag("v1"), tag("sha-attests-v1"), tag("sha-1"), tag("sha-attests-1")],
        [image("sha-attests-v1", subject="v1"), image("sha-attests-1", subject="sha-1")],
    )
    got = decide_all(found)
    assert got["sha-attests-v1"].reasons == (FollowsSubject(subject=digest("v1")),)
    assert got["sha-attests-1"].reasons == (NotKept(rule="builds"),)


def test_a_tag_whose_subject_was_never_seen_is_undecided() -> None:
    """A subject that is not in the inventory might exist, so its referrer stays; one known to be lost holds nothing."""
    found = inventory(
        [tag("sha-1"), tag("sha-2")],
        [image("sha-1", subject="elsewhere"), image("sha-2", subject="lost")],
        missing=[digest("lost")],
    )
    got = decide_all(found)
    assert [type(reason) for reason in got["sha-1"].reasons] == [SubjectUnknown]
    assert got["sha-2"].verdict is Verdict.REMOVE


def test_a_derived_tag_also_follows_the_subject_of_its_manifest() -> None:
    """A derived tag whose manifest names another subject than its name does stays while either of them stays."""
    odd = of("sha-1")
    found = inventory([tag("v1"), tag("sha-1"), tag(odd)], [image(odd, subject="v1")])
    assert decide_all(found)[odd].reasons == (FollowsSubject(subject=digest("v1")),)


def test_the_subject_of_something_used_stays_with_its_other_referrers() -> None:
    """A used attestation needs its subject, so the signature of that subject stays too."""
    found = inventory(
        [tag("sha-1"), tag("sha-att"), tag(of("sha-1"))],
        [image("sha-att", subject="sha-1")],
    )
    got = decide_all(found, report("acme/app:sha-att"))
    assert isinstance(got["sha-att"].reasons[0], InUse)
    assert got[of("sha-1")].reasons == (FollowsSubject(subject=digest("sha-1")),)


def test_a_derived_tag_in_use_stays_without_its_subject() -> None:
    """Use wins also for derived tags."""
    found = inventory([tag("sha-1"), tag(of("sha-1"))])
    decision = decide_all(found, report(f"acme/app:{of('sha-1')}"))[of("sha-1")]
    assert decision.verdict is Verdict.KEEP
    assert isinstance(decision.reasons[0], InUse)


def test_an_unreadable_derived_manifest_stays() -> None:
    """A fallback index that could not be read may list anything: it stays although its subject goes."""
    found = inventory([tag("sha-1"), tag(of("sha-1", ""))], [unreadable(of("sha-1", ""))])
    got = decide_all(found)
    assert got["sha-1"].verdict is Verdict.REMOVE
    assert [type(reason) for reason in got[of("sha-1", "")].reasons] == [ManifestUnknown]


@pytest.mark.parametrize("pattern", [Glob("*"), Regex("sha256-.*"), Names(frozenset({of("sha-1")}))])
def test_no_users_pattern_touches_a_derived_tag(pattern: Glob | Regex | Names) -> None:
    """T12, hazard 10: neither a rule nor a protection matches a derived tag, whatever the pattern."""
    found = inventory([tag("v1"), tag(of("v1")), tag("sha-1"), tag(of("sha-1"))])
    named = rule(match=pattern, exclude=(Glob("v1"), Glob("sha-1")))
    guard = Protection(match=(pattern,), reason="guard", may_match_nothing=True)
    assert decisions(found, policy(named))[of("sha-1")].reasons == (FollowsSubject(subject=digest("sha-1")),)
    with_guard = decisions(found, policy(rule(match="sha-1"), protect=(guard,)))
    if not isinstance(pattern, Glob):
        assert with_guard[of("sha-1")].reasons == (SubjectRemoved(subject=digest("sha-1")),)


@pytest.mark.parametrize("state", [unreadable("v1"), index("v1", "never-read", nested=True)])
def test_something_unreadable_that_stays_may_need_any_signature(state: Unreadable | Manifest) -> None:
    """Law 2: while a manifest that stays cannot be read in full, it may contain any subject, so no signature goes."""
    tags = [tag("v1"), tag("sha-1"), tag(of("sha-1")), tag("sha-2")]
    found = inventory(tags, [state, image("sha-2", subject="sha-1")])
    got = decide_all(found)
    assert got["sha-1"].verdict is Verdict.REMOVE
    for name in (of("sha-1"), "sha-2"):
        assert got[name].verdict is Verdict.UNDECIDED
        assert "stays, could not be read, and may need its subject" in str(got[name].reasons[0])


def test_a_tag_that_does_not_resolve_may_need_any_signature() -> None:
    """Law 2: nobody knows what an unresolved tag is on, so it may be on any subject."""
    found = inventory([TagState(name="v1", digest=None), tag("sha-1"), tag(of("sha-1"))])
    assert decide_all(found)[of("sha-1")].verdict is Verdict.UNDECIDED


def test_an_unread_digest_in_use_may_need_any_signature() -> None:
    """An untagged digest that runs and was not read may be an index over any subject; a lost one holds nothing."""
    tags = [tag("sha-1"), tag(of("sha-1"))]
    running = report(f"acme/app@{digest('untagged')}")
    assert decide_all(inventory(tags), running)[of("sha-1")].verdict is Verdict.UNDECIDED
    assert decide_all(inventory(tags, missing=[digest("untagged")]), running)[of("sha-1")].verdict is Verdict.REMOVE
