"""Referrers live exactly as long as their subject: digest-derived tags, and ordinary tags whose manifest has a subject.

A subject stays if anything that stays reaches it, or if it is in the registry without anything that removes it. It
goes if only removed tags reach it. What cannot be found may exist all the same, so whatever belongs to it stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tagsweep.core.derived import Ambiguous, Derived, resolve_cut
from tagsweep.core.draft import Draft
from tagsweep.core.graph import Graph
from tagsweep.model.decision import FollowsSubject, SubjectUnknown, Verdict
from tagsweep.model.inventory import Inventory
from tagsweep.model.manifest import Manifest
from tagsweep.model.reference import Digest


@dataclass(slots=True, kw_only=True)
class _Follower:
    """A tag and the subjects, all known to exist, that it belongs to: by its name, and by its manifest."""

    draft: Draft
    subjects: tuple[Digest, ...]


def follow_subjects(drafts: Sequence[Draft], inventory: Inventory, graph: Graph, *, used: frozenset[Digest]) -> None:
    """Add to each referrer among ``drafts`` the reason that its subject gives it.

    Keeping one referrer can keep what it reaches in turn (a signature of a signature), so this goes on until nothing
    changes. Verdicts only ever change from remove to stay, which is why it ends.
    """
    followers = _find_followers(drafts, inventory)
    firm = frozenset(_digests(draft for draft in drafts if draft.derived is None and _stays(draft)))
    _keep_followers(followers, graph.reach(firm | used), all_derived=True)
    standing: frozenset[Digest] = frozenset()
    changed = True
    while changed:
        standing = graph.reach(used.union(_digests(draft for draft in drafts if _stays(draft))))
        changed = _keep_followers(followers, standing, all_derived=False)
        going = graph.below(_digests(draft for draft in drafts if draft.derived is None and not _stays(draft)))
        changed |= _keep_untouched(followers, going)
    unreadable = _blind_spot(drafts, standing, inventory, graph)
    for follower in followers:
        if _stays(follower.draft):
            continue
        if unreadable:
            why = f"{unreadable} stays, could not be read, and may need its subject"
            follower.draft.undecided.append(SubjectUnknown(why=why))
        elif follower.draft.derived is not None:
            follower.draft.removed_with = follower.subjects[0]


def _blind_spot(drafts: Sequence[Draft], standing: frozenset[Digest], inventory: Inventory, graph: Graph) -> str:
    """Return the name of something that stays and may need anything at all, or an empty string."""
    # A tag with certainly nothing under it reaches nothing, though it is unknown what it was for.
    unresolved = (d.tag.name for d in drafts if d.tag.digest is None and not d.tag.absent and _stays(d))
    name = min(unresolved, default=None)
    if name is not None:
        return name
    opaque = (digest for digest in standing if digest not in inventory.missing and graph.is_opaque(digest))
    first = min(opaque, default=None)
    return "" if first is None else min(graph.tags_on(first), default=first.short)


def _find_followers(drafts: Sequence[Draft], inventory: Inventory) -> tuple[_Follower, ...]:
    """Return the tags that have a subject; those whose subject cannot be found become undecided on the way."""
    known = _known_digests(inventory)
    followers: list[_Follower] = []
    for draft in drafts:
        if not draft.removable:
            continue
        named = () if draft.derived is None else _named_subject(draft, draft.derived, known)
        found = dict.fromkeys((*named, *_own_subject(draft, inventory, known)))
        if found:
            followers.append(_Follower(draft=draft, subjects=tuple(found)))
    return tuple(followers)


def _named_subject(draft: Draft, derived: Derived | Ambiguous, known: frozenset[Digest]) -> tuple[Digest, ...]:
    subject = derived.subject if isinstance(derived, Derived) else resolve_cut(derived, known)
    if subject is None:
        why = derived.why if isinstance(derived, Ambiguous) else ""
        draft.undecided.append(SubjectUnknown(why=why))
        return ()
    if subject not in known:
        draft.undecided.append(SubjectUnknown(why=f"its subject {subject.short} was not found in this repository"))
        return ()
    return (subject,)


def _own_subject(draft: Draft, inventory: Inventory, known: frozenset[Digest]) -> tuple[Digest, ...]:
    """Return the subject that the tag's own manifest names, which is what makes it a referrer.

    A listing of referrers only repeats that, and may itself be unreadable; a tag whose manifest was not read stays.
    """
    manifest = inventory.manifests.get(draft.tag.digest) if draft.tag.digest is not None else None
    if not isinstance(manifest, Manifest) or manifest.subject is None:
        return ()
    subject = manifest.subject.digest
    if subject in known:
        return (subject,)
    if subject not in inventory.missing:
        draft.undecided.append(SubjectUnknown(why=f"its subject {subject.short} was not found in this repository"))
    return ()


def _known_digests(inventory: Inventory) -> frozenset[Digest]:
    """Return every digest that the registry is known to have: tagged, read, or part of something that was read.

    Being named as a subject proves nothing: a referrer may be pushed before its subject, or outlive it.
    """
    known = set(inventory.digests)
    known.update(inventory.manifests)
    for manifest in inventory.manifests.values():
        if isinstance(manifest, Manifest):
            known.update(child.digest for child in manifest.children)
    for descriptors in inventory.referrers.values():
        known.update(descriptor.digest for descriptor in descriptors)
    return frozenset(known - inventory.missing)


def _keep_followers(followers: Sequence[_Follower], standing: frozenset[Digest], *, all_derived: bool) -> bool:
    """Keep followers of a subject in ``standing``: those that would go, or every derived one; tell if any was."""
    changed = False
    for follower in followers:
        if _stays(follower.draft) and not (all_derived and follower.draft.derived is not None):
            continue
        for subject in follower.subjects:
            if subject in standing:
                follower.draft.keep.append(FollowsSubject(subject=subject))
                changed = True
    return changed


def _keep_untouched(followers: Sequence[_Follower], going: frozenset[Digest]) -> bool:
    """Keep what would go although nothing removes its subject: one that is there without a tag stays there."""
    changed = False
    for follower in followers:
        untouched = [subject for subject in follower.subjects if subject not in going]
        if untouched and not _stays(follower.draft):
            follower.draft.keep.extend(FollowsSubject(subject=subject) for subject in untouched)
            changed = True
    return changed


def _digests(drafts: Iterable[Draft]) -> Iterable[Digest]:
    return (draft.tag.digest for draft in drafts if draft.tag.digest is not None)


def _stays(draft: Draft) -> bool:
    return draft.verdict is not Verdict.REMOVE
