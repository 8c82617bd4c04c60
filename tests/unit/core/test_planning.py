"""Planning, case by case: the hazards that have broken images, on a simulated registry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from tagsweep.core.planning import plan_repository
from tagsweep.model.capability import Capabilities
from tagsweep.model.decision import (
    CannotDelete,
    Decision,
    FollowsSubject,
    InUse,
    ManifestUnknown,
    ReachedBy,
    Reason,
    SharesDigest,
    SubjectUnknown,
    Verdict,
)
from tagsweep.model.inventory import Inventory
from tagsweep.model.manifest import OCI_INDEX, Descriptor
from tagsweep.model.plan import DeleteManifest, RepositoryPlan, Role, Untag
from tagsweep.model.reference import Digest
from tests.properties.simulated_registry import (
    BY_DIGEST,
    NOTHING,
    UNTAGS,
    UNTAGS_ONLY,
    SimulatedRegistry,
    decisions_of,
    derived_names,
    digest_of,
    without_sight,
)


def plan(
    registry: SimulatedRegistry,
    removed: Iterable[str],
    capabilities: Capabilities = BY_DIGEST,
    *,
    used: Iterable[Digest] = (),
    inventory: Inventory | None = None,
) -> RepositoryPlan:
    seen = registry.inventory() if inventory is None else inventory
    decisions = decisions_of(seen, removed)
    return plan_repository(seen, decisions, used=frozenset(used), capabilities=capabilities, driver="simulated")


def verdict(made: RepositoryPlan, tag: str) -> tuple[Verdict, tuple[Reason, ...]]:
    found = next(decision for decision in made.decisions if decision.tag == tag)
    return found.verdict, found.reasons


def deleted(made: RepositoryPlan) -> list[Digest]:
    return [step.digest for step in made.steps if isinstance(step, DeleteManifest)]


# --- one tag is not one digest (T1, hazards 5, 7, 29) -------------------------------------------------------------
def shared() -> tuple[SimulatedRegistry, Digest]:
    registry = SimulatedRegistry()
    child = registry.image("child")
    return registry, registry.index("release", (child,), tags=("2025.8.1", "latest", "sha-12c9d60"))


def test_a_build_tag_that_shares_a_releases_digest_stays_where_only_digests_can_be_deleted() -> None:
    """T1: TensorZero's case; the tag stays, and the release that holds it is named."""
    registry, digest = shared()
    made = plan(registry, ["sha-12c9d60"])
    reasons = (SharesDigest(digest=digest, with_tags=("2025.8.1", "latest")),)
    assert verdict(made, "sha-12c9d60") == (Verdict.KEEP, reasons)
    assert made.steps == ()
    assert set(made.keeps) == {"2025.8.1", "latest", "sha-12c9d60"}


@pytest.mark.parametrize("capabilities", [UNTAGS, UNTAGS_ONLY])
def test_it_is_untagged_where_one_tag_can_go_alone(capabilities: Capabilities) -> None:
    """T1: only the tag goes; its digest is not touched."""
    registry, digest = shared()
    made = plan(registry, ["sha-12c9d60"], capabilities)
    assert made.steps == (Untag(tag="sha-12c9d60", expects=digest),)
    assert made.keeps == {"2025.8.1": digest, "latest": digest}


def test_a_digest_goes_when_all_its_tags_go() -> None:
    """Hazard 7: the step names every tag that it takes along."""
    registry, digest = shared()
    made = plan(registry, ["2025.8.1", "latest", "sha-12c9d60"])
    first = made.steps[0]
    assert isinstance(first, DeleteManifest)
    assert (first.digest, first.role) == (digest, Role.ROOT)
    assert first.tags == ("2025.8.1", "latest", "sha-12c9d60")
    assert deleted(made) == [digest, digest_of("child")]


def test_untagging_comes_before_the_deletion_of_what_nothing_names_any_more() -> None:
    """Law 5: where both can be done, tags go first, and the manifests' steps expect no tag."""
    registry, digest = shared()
    made = plan(registry, ["2025.8.1", "latest", "sha-12c9d60"], UNTAGS)
    assert [type(step) for step in made.steps] == [Untag, Untag, Untag, DeleteManifest, DeleteManifest]
    assert deleted(made) == [digest, digest_of("child")]
    assert all(step.tags == () for step in made.steps if isinstance(step, DeleteManifest))


def test_without_any_right_every_tag_stays_and_says_why() -> None:
    """A missing right is a reason to keep, in the registry's words."""
    registry, _ = shared()
    made = plan(registry, ["latest"], NOTHING)
    assert verdict(made, "latest") == (Verdict.KEEP, (CannotDelete(why="read-only token; switched off"),))
    assert made.steps == ()


# --- reach (hazards 1 to 6, 13, T8) -------------------------------------------------------------------------------
def test_children_of_a_removed_index_go_after_it() -> None:
    """Hazard 1: indexes come before their children, which are deeper and name what they come after."""
    registry = SimulatedRegistry()
    leaf = registry.image("leaf")
    inner = registry.index("inner", (leaf,))
    outer = registry.index("outer", (inner, leaf), tags=("build",))
    steps = [step for step in plan(registry, ["build"]).steps if isinstance(step, DeleteManifest)]
    assert [(s.digest, s.role, s.depth, s.after) for s in steps] == [
        (outer, Role.ROOT, 0, ()),
        (inner, Role.CHILD, 1, (outer,)),
        (leaf, Role.CHILD, 2, tuple(sorted((outer, inner)))),
    ]
    assert (steps[0].media_type, steps[0].size) == (OCI_INDEX, 200)


def test_a_child_that_a_kept_index_shares_stays() -> None:
    """Hazard 4: the other parent counts, whichever index comes first."""
    registry = SimulatedRegistry()
    common, own = registry.image("common"), registry.image("own")
    gone = registry.index("gone", (common, own), tags=("build",))
    registry.index("release", (common,), tags=("1.0",))
    assert deleted(plan(registry, ["build"])) == [gone, own]


@pytest.mark.parametrize("depth", [0, 1, 5])
def test_a_staging_tag_inside_a_kept_index_stays(depth: int) -> None:
    """Hazard 5: a tag whose digest is a child of a kept index, at any depth, is no root to delete."""
    registry = SimulatedRegistry()
    staged = registry.image("staged", tags=("12c9d60-amd64",))
    top = staged
    for level in range(depth + 1):
        top = registry.index(f"level {level}", (top,))
    registry.tags["1.0"] = top
    made = plan(registry, ["12c9d60-amd64"])
    assert verdict(made, "12c9d60-amd64") == (Verdict.KEEP, (ReachedBy(digest=staged, tags=("1.0",)),))
    assert made.steps == ()
    assert plan(registry, ["12c9d60-amd64"], UNTAGS).steps == (Untag(tag="12c9d60-amd64", expects=staged),)


def test_a_child_with_a_kept_tag_of_its_own_stays() -> None:
    """Hazard 6: a cascade looks at the tags of what it would take."""
    registry = SimulatedRegistry()
    child = registry.image("child", tags=("amd64",))
    index = registry.index("index", (child,), tags=("build",))
    assert deleted(plan(registry, ["build"])) == [index]


def test_a_turned_tag_keeps_what_it_reaches_in_turn() -> None:
    """Law 4: turning goes on to the fixpoint: a tag that stays only because of another one holds its own children."""
    registry = SimulatedRegistry()
    child = registry.image("child", tags=("removed child",))
    middle = registry.index("middle", (child,), tags=("removed middle", "kept"))
    registry.index("top", (middle,), tags=("removed top",))
    made = plan(registry, ["removed child", "removed middle", "removed top"])
    assert deleted(made) == [digest_of("top")]
    assert made.removed_tags == ("removed top",)
    assert verdict(made, "removed child") == (
        Verdict.KEEP,
        (ReachedBy(digest=child, tags=("kept", "removed middle")),),
    )


def test_a_tag_turns_because_of_one_that_turned_after_it_was_looked_at() -> None:
    """Law 4: the fixpoint does not depend on the order of the tags."""
    registry = SimulatedRegistry()
    outside = registry.image("outside")
    child = registry.image("child", tags=("first",))
    registry.index("sbom", (child,), tags=("second",), subject=outside)
    made = plan(registry, ["first", "second"])
    assert verdict(made, "second") == (Verdict.KEEP, (FollowsSubject(subject=outside),))
    assert verdict(made, "first") == (Verdict.KEEP, (ReachedBy(digest=child, tags=("second",)),))


def test_a_used_untagged_digest_holds_everything_that_it_reaches() -> None:
    """Law 3: what runs by digest keeps its children and whatever tags are on them."""
    registry = SimulatedRegistry()
    child = registry.image("child", tags=("build",))
    running = registry.index("running", (child,))
    made = plan(registry, ["build"], used=[running])
    found, reasons = verdict(made, "build")
    assert found is Verdict.KEEP
    assert [type(reason) for reason in reasons] == [InUse]
    assert made.steps == ()
    untagged = plan(registry, ["build"], UNTAGS, used=[running])
    assert untagged.steps == (Untag(tag="build", expects=child),)


def test_what_a_missing_child_leaves_is_still_removed_and_the_child_needs_no_step() -> None:
    """Hazard 44: an image that the registry does not have is no reason to delete more, and nothing to delete."""
    registry = SimulatedRegistry()
    index = registry.index("index", (digest_of("lost"),), tags=("build",))
    assert deleted(plan(registry, ["build"])) == [index]


# --- referrers and derived tags (hazards 9 to 11, T12) ------------------------------------------------------------
def test_referrers_go_after_their_subject() -> None:
    """Hazard 9: untagged referrers, signatures by tag and their own signatures follow, each after its subject."""
    registry = SimulatedRegistry()
    platform = registry.image("platform")
    index = registry.index("index", (platform,), tags=("build",))
    attestation = registry.image("attestation", subject=platform)
    signature = registry.image("signature", tags=(derived_names(index)[1],))
    countersigned = registry.image("countersigned", tags=(derived_names(signature)[1],))
    removed = ["build", derived_names(index)[1], derived_names(signature)[1]]
    steps = [step for step in plan(registry, removed).steps if isinstance(step, DeleteManifest)]
    found = {step.digest: step for step in steps}
    assert found.keys() == {index, platform, attestation, signature, countersigned}
    assert found[signature].role is found[countersigned].role is found[attestation].role is Role.REFERRER
    assert found[signature].after == (index,)
    assert found[signature].tags == (derived_names(index)[1],)
    assert found[countersigned].after == (signature,)
    assert found[attestation].after == (platform,)
    assert found[attestation].depth == 2


@pytest.mark.parametrize("capabilities", [BY_DIGEST, UNTAGS, UNTAGS_ONLY])
@pytest.mark.parametrize("suffix", range(4))
def test_a_derived_tag_stays_with_a_subject_that_stays(capabilities: Capabilities, suffix: int) -> None:
    """T12: a listing, signature, attestation or SBOM is kept when its subject's removal is taken back."""
    registry = SimulatedRegistry()
    subject = registry.image("subject", tags=("build",))
    registry.index("release", (subject,), tags=("1.0",))
    derived = derived_names(subject)[suffix]
    registry.image("signature", tags=(derived,))
    made = plan(registry, ["build", derived], capabilities)
    assert verdict(made, derived) == (Verdict.KEEP, (FollowsSubject(subject=subject),))


def test_a_signature_is_untagged_after_what_it_signs() -> None:
    """Law 9: stopping in between never leaves a tag without its signature."""
    registry = SimulatedRegistry()
    subject = digest_of("subject")
    registry.image("signature", tags=(derived_names(subject)[1],))
    registry.image("subject", tags=("build",))
    made = plan(registry, ["build", derived_names(subject)[1]], UNTAGS_ONLY)
    assert [step.key for step in made.steps] == ["untag build", f"untag {derived_names(subject)[1]}"]


def test_a_derived_tag_whose_subject_nothing_removes_stays() -> None:
    """Hazard 9: an untagged subject that is there keeps its signature."""
    registry = SimulatedRegistry()
    subject = registry.image("subject")
    registry.image("signature", tags=(derived_names(subject)[1],))
    made = plan(registry, [derived_names(subject)[1]])
    assert verdict(made, derived_names(subject)[1]) == (Verdict.KEEP, (FollowsSubject(subject=subject),))


def test_an_ambiguous_derived_tag_is_never_removed() -> None:
    """Hazard 11: a name that only looks derived from a digest stays, whoever decided otherwise."""
    registry = SimulatedRegistry()
    registry.image("odd", tags=("sha256-" + "a" * 63,))
    found, reasons = verdict(plan(registry, ["sha256-" + "a" * 63], UNTAGS), "sha256-" + "a" * 63)
    assert found is Verdict.UNDECIDED
    assert [type(reason) for reason in reasons] == [SubjectUnknown]


def test_a_kept_artifact_keeps_its_subject() -> None:
    """Law 4: the subject of something kept stays, and so does its tag where only digests can be deleted."""
    registry = SimulatedRegistry()
    subject = registry.image("subject", tags=("build",))
    registry.image("sbom", tags=("sbom-1",), subject=subject)
    made = plan(registry, ["build"])
    assert verdict(made, "build") == (Verdict.KEEP, (ReachedBy(digest=subject, tags=("sbom-1",)),))


# --- the unknown (hazards 2, 35, 52) ------------------------------------------------------------------------------
@pytest.mark.parametrize("capabilities", [BY_DIGEST, UNTAGS, UNTAGS_ONLY])
def test_a_tag_with_something_unknown_below_is_undecided(capabilities: Capabilities) -> None:
    """Law 2: what an unreadable manifest reaches is unknown, so what holds it stays."""
    registry = SimulatedRegistry()
    child = registry.image("child")
    registry.index("index", (child,), tags=("build",))
    made = plan(registry, ["build"], capabilities, inventory=without_sight(registry.inventory(), child))
    found, reasons = verdict(made, "build")
    assert found is Verdict.UNDECIDED
    assert [type(reason) for reason in reasons] == [ManifestUnknown]
    assert made.steps == ()


def test_no_manifest_is_deleted_while_something_that_stays_is_unreadable() -> None:
    """Laws 2 and 10: a kept index that could not be read may list the very manifest that would go."""
    registry = SimulatedRegistry()
    staged = registry.image("staged", tags=("amd64",))
    release = registry.index("release", (staged,), tags=("1.0",))
    blind = without_sight(registry.inventory(), release)
    made = plan(registry, ["amd64"], inventory=blind)
    assert made.steps == ()
    assert verdict(made, "amd64")[0] is Verdict.UNDECIDED
    assert "1.0" in made.notes[0]
    untagged = plan(registry, ["amd64"], UNTAGS, inventory=blind)
    assert untagged.steps == (Untag(tag="amd64", expects=staged),)


def test_no_manifest_is_deleted_while_a_tag_is_unresolved() -> None:
    """Laws 2 and 5: an unresolved tag may be on the digest that would go."""
    registry = SimulatedRegistry()
    registry.image("image", tags=("build", "release"))
    tags = tuple(replace(t, digest=None) if t.name == "release" else t for t in registry.inventory().tags)
    made = plan(registry, ["build"], inventory=replace(registry.inventory(), tags=tags))
    assert made.steps == ()
    assert verdict(made, "build")[0] is Verdict.UNDECIDED
    assert made.keeps == {"build": digest_of("image")}


def test_a_tag_that_the_registry_denies_blocks_nothing() -> None:
    """A broken tag names nothing, so no deletion can take it along; it stays all the same."""
    registry = SimulatedRegistry()
    build = registry.image("image", tags=("build",))
    registry.image("broken", tags=("broken",))
    tags = tuple(replace(t, digest=None, absent=True) if t.name == "broken" else t for t in registry.inventory().tags)
    made = plan(registry, ["build", "broken"], inventory=replace(registry.inventory(), tags=tags))
    assert deleted(made) == [build]
    assert verdict(made, "broken")[0] is Verdict.UNDECIDED


def test_an_unread_index_that_a_kept_signature_signs_blocks_deletions_unless_it_is_absent() -> None:
    """Law 4: what the subject of a kept signature needs is unknown until it was looked for."""
    registry = SimulatedRegistry()
    build = registry.image("build", tags=("build",))
    signed = digest_of("signed elsewhere")
    registry.image("signature", tags=(derived_names(signed)[1],))
    absent = registry.inventory()
    assert signed in absent.missing
    assert deleted(plan(registry, ["build"], inventory=absent)) == [build]
    assert deleted(plan(registry, ["build"], inventory=replace(absent, missing=frozenset()))) == []


def test_a_tag_without_digest_is_never_removed() -> None:
    """Law 2: an unresolved tag stays, whoever decided otherwise."""
    registry = SimulatedRegistry()
    registry.image("image", tags=("build",))
    tags = tuple(replace(tag, digest=None) for tag in registry.inventory().tags)
    made = plan(registry, ["build"], UNTAGS, inventory=replace(registry.inventory(), tags=tags))
    assert verdict(made, "build")[0] is Verdict.UNDECIDED
    assert (made.steps, made.keeps) == ((), {})


def test_a_child_stays_whose_own_subject_is_not_going() -> None:
    """Law 4: a manifest that describes something outside the removed index is not that index's alone."""
    registry = SimulatedRegistry()
    outside = registry.image("outside")
    child = registry.image("child", subject=outside)
    index = registry.index("index", (child,), tags=("build",))
    assert deleted(plan(registry, ["build"])) == [index]


def test_names_in_a_circle_are_still_put_in_an_order() -> None:
    """An index that poses as the signature of its own child goes before that child."""
    registry = SimulatedRegistry()
    child = registry.image("child", tags=("child",))
    index = registry.index("index", (child,), tags=(derived_names(child)[1],))
    steps = plan(registry, ["child", derived_names(child)[1]]).steps
    assert [(s.digest, s.depth, s.after) for s in steps if isinstance(s, DeleteManifest)] == [
        (index, 0, ()),
        (child, 1, (index,)),
    ]


def test_a_decision_that_stays_is_passed_on_unchanged() -> None:
    """Law 1: planning changes nothing about a tag that is not to be removed."""
    registry = SimulatedRegistry()
    registry.image("image", tags=("kept",))
    decisions = (
        Decision(tag="kept", digest=digest_of("image"), verdict=Verdict.UNDECIDED, reasons=(ManifestUnknown(why="x"),)),
    )
    made = plan_repository(registry.inventory(), decisions, used=frozenset(), capabilities=UNTAGS, driver="simulated")
    assert made.decisions == decisions
    assert made.keeps == {"kept": digest_of("image")}


def test_a_removed_and_a_referrer_listed_by_api_is_known_by_its_descriptor() -> None:
    """Media type and size of an unread referrer come from the list that names it."""
    registry = SimulatedRegistry()
    image = registry.image("image", tags=("build",))
    sbom = digest_of("sbom")
    media_type = "application/vnd.oci.image.manifest.v1+json"
    inventory = replace(
        registry.inventory(), referrers={image: (Descriptor(digest=sbom, media_type=media_type, size=77),)}
    )
    last = plan(registry, ["build"], inventory=inventory).steps[-1]
    assert isinstance(last, DeleteManifest)
    assert (last.digest, last.role, last.media_type, last.size) == (sbom, Role.REFERRER, media_type, 77)


# --- registries of their own mind ---------------------------------------------------------------------------------
LAST_TAG_TAKES = replace(UNTAGS, last_tag_takes_manifest=True)


@pytest.mark.parametrize("capabilities", [BY_DIGEST, UNTAGS, LAST_TAG_TAKES])
def test_a_locked_tag_stays_with_the_registrys_reason(capabilities: Capabilities) -> None:
    """Hazard 36: a tag that the registry would refuse to remove stays, and keeps what only digests could remove."""
    registry, digest = shared()
    seen = registry.inventory()
    locked = tuple(replace(tag, locked="an immutable tag") if tag.name == "latest" else tag for tag in seen.tags)
    made = plan(registry, ["latest", "sha-12c9d60"], capabilities, inventory=replace(seen, tags=locked))
    assert verdict(made, "latest") == (Verdict.KEEP, (CannotDelete(why="an immutable tag"),))
    if capabilities is BY_DIGEST:
        reasons = (SharesDigest(digest=digest, with_tags=("2025.8.1", "latest")),)
        assert verdict(made, "sha-12c9d60") == (Verdict.KEEP, reasons)
    else:
        assert [step.key for step in made.steps] == [Untag(tag="sha-12c9d60", expects=digest).key]


def test_the_last_tag_of_something_needed_stays_where_it_would_take_the_manifest_along() -> None:
    """Where removing the last tag deletes the manifest, the only tag on a child of a kept index stays."""
    registry = SimulatedRegistry()
    child = registry.image("child", tags=("sha-amd64",))
    registry.index("release", (child,), tags=("v1",))
    made = plan(registry, ["sha-amd64"], LAST_TAG_TAKES)
    assert verdict(made, "sha-amd64") == (Verdict.KEEP, (ReachedBy(digest=child, tags=("v1",)),))
    assert made.steps == ()
    assert len(plan(registry, ["sha-amd64"], UNTAGS).steps) == 1


def test_one_of_several_tags_still_goes_alone_where_the_last_takes_the_manifest() -> None:
    """Another tag that stays on the digest keeps the manifest there, so that one alone can go."""
    registry, digest = shared()
    made = plan(registry, ["sha-12c9d60"], LAST_TAG_TAKES)
    assert made.steps == (Untag(tag="sha-12c9d60", expects=digest),)


TAKES_CHILDREN = replace(UNTAGS, delete_takes_children=True)


def test_an_index_stays_untagged_where_its_deletion_would_take_along_what_stays() -> None:
    """Law 4: a platform that only a kept signature needs is not deleted with its index; the plan says what stays."""
    registry = SimulatedRegistry()
    child, other = registry.image("child"), registry.image("other")
    index = registry.index("index", (child, other), tags=("build",))
    registry.image("signature", tags=("signature",), subject=child)
    made = plan(registry, ["build"], TAKES_CHILDREN)
    assert made.steps == (Untag(tag="build", expects=index),)
    assert made.notes == ("2 untagged manifests are not deleted: the registry would take along what stays below them",)
    assert set(deleted(plan(registry, ["build"], UNTAGS))) == {index, other}


@pytest.mark.parametrize("held_by", ["tag", "index"])
def test_an_index_goes_where_what_it_shares_is_held_by_something_that_stays(held_by: str) -> None:
    """A platform that a staying tag or index holds is left by such a registry, so that the index can go."""
    registry = SimulatedRegistry()
    child, other = registry.image("child", tags=("v1",) if held_by == "tag" else ()), registry.image("other")
    index = registry.index("index", (child, other), tags=("build",))
    if held_by == "index":
        registry.index("release", (child,), tags=("v1",))
    made = plan(registry, ["build"], TAKES_CHILDREN)
    assert deleted(made) == [index, other]
    assert made.notes == ()
