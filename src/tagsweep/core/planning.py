"""From decisions to steps: what will be deleted in a repository, in which order, given what its registry can do.

Deciding says which tags may go; planning finds out what that means for manifests. A digest goes only if every tag on
it goes and nothing that stays reaches it: children at any depth, referrers, subjects. Where the registry cannot remove
one tag alone, a tag whose digest must stay stays too; that keeps more digests, so it is repeated until nothing changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from tagsweep.core.derived import Ambiguous, derived_from
from tagsweep.core.graph import Graph
from tagsweep.core.ordering import order_manifests
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
    SubjectRemoved,
    SubjectUnknown,
    UndecidedReason,
    Verdict,
)
from tagsweep.model.inventory import Inventory
from tagsweep.model.plan import RepositoryPlan, Step, Untag
from tagsweep.model.reference import Digest

_MOST_NAMED: Final = 20
"""How many tags a reason or note names; a reader needs examples, and a plan file has to stay readable."""


def plan_repository(
    inventory: Inventory,
    decisions: Sequence[Decision],
    *,
    used: frozenset[Digest],
    capabilities: Capabilities,
    driver: str,
    graph: Graph | None = None,
) -> RepositoryPlan:
    """Return the steps for one repository, with the decisions as they are after the registry's abilities were heard.

    ``decisions`` has one entry for each tag of the inventory; only those to REMOVE can turn, and only towards staying.
    ``used`` are digests in use, whether tagged or not. ``graph`` is that of the inventory, made here if it is None.
    """
    known = Graph.of(inventory) if graph is None else graph
    draft = _Planning(inventory, known, decisions, used, capabilities)
    draft.settle()
    final = tuple(draft.final)
    victims = draft.victims()
    spared = draft.spared(victims) if capabilities.delete_takes_children else frozenset[Digest]()
    return RepositoryPlan(
        repository=inventory.repository,
        driver=driver,
        capabilities=capabilities,
        taken_at=inventory.taken_at,
        decisions=final,
        steps=_steps(final, victims - spared, known, inventory, capabilities),
        keeps={d.tag: d.digest for d in final if d.verdict is not Verdict.REMOVE and d.digest is not None},
        notes=(*draft.notes(), *_notes_on(spared, capabilities)),
    )


def _steps(
    decisions: Sequence[Decision],
    victims: frozenset[Digest],
    graph: Graph,
    inventory: Inventory,
    capabilities: Capabilities,
) -> tuple[Step, ...]:
    """Return all steps in order: tags that go alone first, then manifests, each before what it contains."""
    untagging = capabilities.delete_tag.usable
    removed = {d.tag: d.digest for d in decisions if d.verdict is Verdict.REMOVE and d.digest is not None}
    # A signature's tag goes after the tags of what it signs: nothing that is still tagged loses its signature.
    in_order = sorted(removed.items(), key=lambda item: bool(graph.derived_subjects(item[0])))
    # Where untagging means to write to the tag first, it is spared those that go with their digest anyway.
    moving = capabilities.untag_moves and capabilities.delete_manifest.usable
    alone = [(tag, digest) for tag, digest in in_order if not (moving and digest in victims)]
    untags = tuple(Untag(tag=tag, expects=digest) for tag, digest in alone) if untagging else ()
    if not capabilities.delete_manifest.usable:
        return untags
    deletes = order_manifests(victims, graph, inventory, removed=removed)
    if moving or not untagging:
        return (*untags, *deletes)
    # Once untagged, a manifest has no tags left to expect: it goes only so that the registry can free its space.
    return (*untags, *(replace(step, tags=()) for step in deletes))


@dataclass(frozen=True, slots=True)
class _Stay:
    """Why a tag that was to be removed stays after all."""

    verdict: Verdict
    reasons: tuple[Reason, ...]


class _Planning:
    """The decisions while tags turn from going to staying. Never leaves :func:`plan_repository`."""

    def __init__(
        self,
        inventory: Inventory,
        graph: Graph,
        decisions: Sequence[Decision],
        used: frozenset[Digest],
        capabilities: Capabilities,
    ) -> None:
        self.graph = graph
        self.missing = inventory.missing
        # A tag that the registry lists and then denies names nothing, so that no deletion can take it along.
        self.unresolved = tuple(tag.name for tag in inventory.tags if tag.digest is None and not tag.absent)
        self.locked = {tag.name: tag.locked for tag in inventory.tags if tag.locked}
        self.final = list(decisions)
        self.capabilities = capabilities
        self.used = used
        self.kept: set[Digest] = set()
        """Closed under reach: everything that must stay."""
        self._staying: set[str] = set()
        self._unknown: dict[Digest, tuple[Digest, ...]] = {}
        self._blocking: tuple[str, ...] = ()

    # --- until nothing changes ------------------------------------------------------------------------------------
    def settle(self) -> None:
        """Turn decisions until every tag that still goes can go. Tags only ever turn towards staying, so it ends."""
        self.graph.extend(self.kept, self.used)
        for decision in self.final:
            if decision.verdict is not Verdict.REMOVE:
                self._let_stay(decision)
        self._blocking = self._find_blocking()
        changed = True
        while changed:
            changed = self._pass()
            self._blocking = self._find_blocking()
            changed |= self._keep_strays()
        self._complete_reasons()

    def _pass(self) -> bool:
        doomed = self._doomed()
        changed = False
        for at, decision in enumerate(self.final):
            if decision.verdict is not Verdict.REMOVE:
                continue
            stay = self._why_stay(decision, doomed)
            if stay is not None:
                self.final[at] = replace(decision, verdict=stay.verdict, reasons=stay.reasons)
                self._let_stay(decision)
                changed = True
        return changed

    def _let_stay(self, decision: Decision) -> None:
        """Let everything stay that a tag that stays needs; a digest-derived tag needs its subject."""
        self._staying.add(decision.tag)
        if decision.digest is not None:
            self.graph.extend(self.kept, (decision.digest, *self.graph.derived_subjects(decision.tag)))

    def _keep_strays(self) -> bool:
        """Let stay what would go as part of something else although its own subject is not going."""
        victims = self.victims()
        rooted = {d.digest for d in self.final if d.verdict is Verdict.REMOVE}
        strays = [
            digest
            for digest in victims - rooted
            if any(subject not in victims for subject in self._own_subject(digest))
        ]
        self.graph.extend(self.kept, strays)
        return bool(strays)

    # --- why a tag stays ------------------------------------------------------------------------------------------
    def _why_stay(self, decision: Decision, doomed: frozenset[Digest]) -> _Stay | None:
        """Return why this tag cannot go, or None. The first cause decides the verdict."""
        if decision.tag in self.locked:
            return _keep(CannotDelete(why=self.locked[decision.tag]))
        if decision.digest is None:
            return _undecided(ManifestUnknown(why="it did not resolve to a digest"))
        doubt = self._doubt(decision.tag, decision.digest)
        if doubt is not None:
            return _undecided(doubt)
        subjects = self._standing_subjects(decision, doomed)
        if subjects:
            return _keep(*(FollowsSubject(subject=subject) for subject in subjects))
        return self._why_not_possible(decision, decision.digest)

    def _doubt(self, tag: str, digest: Digest) -> UndecidedReason | None:
        unknown = self._unknown_with(digest)
        if unknown:
            return ManifestUnknown(why=f"what {unknown[0].short} reaches is not known")
        derived = derived_from(tag)
        if isinstance(derived, Ambiguous) and not self.graph.derived_subjects(tag):
            return SubjectUnknown(why=derived.why)
        return None

    def _why_not_possible(self, decision: Decision, digest: Digest) -> _Stay | None:
        """Return why this registry cannot remove the tag without taking more along, or None if it can."""
        if not self.capabilities.delete_tag.usable:
            return self._why_not_by_digest(decision, digest)
        if self.capabilities.last_tag_takes_manifest and not self._stays_tagged(digest):
            return self._why_not_by_last_tag(decision, digest)
        return None

    def _why_not_by_digest(self, decision: Decision, digest: Digest) -> _Stay | None:
        """Return why a tag stays that only the deletion of its digest could remove, or None if it can go."""
        if not self.capabilities.delete_manifest.usable:
            return _keep(CannotDelete(why=_why_no_deletion(self.capabilities)))
        if self._blocking:
            why = f"{_named(self._blocking)} stays, could not be read, and may need this manifest"
            return _undecided(ManifestUnknown(why=why))
        reasons = self._why_digest_stays(decision, digest)
        return _keep(*reasons) if reasons else None

    def _stays_tagged(self, digest: Digest) -> bool:
        return any(tag in self._staying for tag in self.graph.tags_on(digest))

    def _why_not_by_last_tag(self, decision: Decision, digest: Digest) -> _Stay | None:
        """Return why a tag stays whose removal, as the last one on its digest, would delete the manifest."""
        if self._blocking:
            why = f"{_named(self._blocking)} stays, could not be read, and may need this manifest"
            return _undecided(ManifestUnknown(why=why))
        reasons = self._why_digest_stays(decision, digest)
        return _keep(*reasons) if reasons else None

    def _why_digest_stays(self, decision: Decision, digest: Digest) -> tuple[Reason, ...]:
        """Return why a manifest cannot be deleted by digest; empty if it can."""
        if digest not in self.kept:
            return ()
        reasons: list[Reason] = []
        sharing = tuple(tag for tag in self.graph.tags_on(digest) if tag in self._staying and tag != decision.tag)
        if sharing:
            reasons.append(SharesDigest(digest=digest, with_tags=sharing[:_MOST_NAMED]))
        holders = self.graph.holders(digest)
        if holders & self.used:
            reasons.append(_in_use(digest))
        tags = self._tags_that_need(holders).difference(self.graph.tags_on(digest))
        if tags or not reasons:
            reasons.append(ReachedBy(digest=digest, tags=tuple(sorted(tags))[:_MOST_NAMED]))
        return tuple(reasons)

    def _tags_that_need(self, holders: frozenset[Digest]) -> set[str]:
        return {tag for holder in holders for tag in self.graph.tags_on(holder) if tag in self._staying}

    def _complete_reasons(self) -> None:
        """Name all tags that keep a shared or reached digest, including those that turned later."""
        for at, decision in enumerate(self.final):
            if decision.digest is None or not any(isinstance(r, SharesDigest | ReachedBy) for r in decision.reasons):
                continue
            self.final[at] = replace(decision, reasons=self._why_digest_stays(decision, decision.digest))

    def _standing_subjects(self, decision: Decision, doomed: frozenset[Digest]) -> tuple[Digest, ...]:
        """Return the subjects of this tag that stay, because of which it has to stay as well; sorted.

        An untagged subject that nothing removes stays too, and so does one of which nothing is known. A manifest
        whose own subject is certainly absent from the registry refers to nothing.
        """
        named = {reason.subject for reason in decision.reasons if isinstance(reason, SubjectRemoved)}
        named |= self.graph.derived_subjects(decision.tag)
        if decision.digest is not None:
            named.update(self._own_subject(decision.digest))
        standing = {subject for subject in named if subject in self.kept or subject not in doomed}
        if self._blocking:
            standing |= named  # what cannot be read may need the subject, and then its signature too
        return tuple(sorted(standing))

    def _own_subject(self, digest: Digest) -> tuple[Digest, ...]:
        subject = self.graph.subject_of(digest)
        return () if subject is None or subject in self.missing else (subject,)

    # --- what goes ------------------------------------------------------------------------------------------------
    def victims(self) -> frozenset[Digest]:
        """Return the manifests that go: what the removed tags name and what is below, less everything that stays."""
        if self._blocking:
            return frozenset()
        roots = (d.digest for d in self.final if d.verdict is Verdict.REMOVE and d.digest is not None)
        return self.graph.below(roots) - self.kept

    def spared(self, victims: frozenset[Digest]) -> frozenset[Digest]:
        """Return the victims that must not be deleted where an index takes along what it lists: those above something
        that stays and that no staying tag or index would hold, with all that is below them.
        """
        loose = {
            digest
            for digest in self.kept & self.graph.below(victims)
            if not self._stays_tagged(digest) and self.graph.parents(digest) <= victims
        }
        above = [digest for digest in victims if loose & self.graph.below((digest,))]
        return self.graph.below(above) & victims

    def _doomed(self) -> frozenset[Digest]:
        """Return what goes because of ordinary tags; a digest-derived tag dooms nothing, it follows."""
        roots = (
            d.digest
            for d in self.final
            if d.verdict is Verdict.REMOVE and d.digest is not None and not self.graph.derived_subjects(d.tag)
        )
        return self.graph.below(roots)

    # --- the unknown ----------------------------------------------------------------------------------------------
    def _unknown_with(self, digest: Digest) -> tuple[Digest, ...]:
        """Return the unknown things that would go together with this digest."""
        found = self._unknown.get(digest)
        if found is None:
            found = tuple(sorted(d for d in self.graph.below((digest,)) if self.graph.is_unknown(d)))
            self._unknown[digest] = found
        return found

    def _find_blocking(self) -> tuple[str, ...]:
        """Return the names of things that stay and might need any manifest whatever: unresolved tags, and what is
        unreadable, whether or not anything leads there. Deleting by digest could take the tag or a part along.
        """
        # A digest in use that nothing here names is most likely of another repository: evidence is matched by digest.
        named = (digest for digest in self.kept if self.graph.is_known(digest))
        signed = (subject for tag in self._staying for subject in self.graph.derived_subjects(tag))
        opaque = sorted({d for d in (*named, *signed, *self.graph.unreadable) if self.graph.is_opaque(d)})
        return (*self.unresolved, *(self._name_of(digest) for digest in opaque))

    def _name_of(self, digest: Digest) -> str:
        return next(iter(self.graph.tags_on(digest)), digest.short)

    def notes(self) -> tuple[str, ...]:
        """Return what a reader of the plan has to know about the repository as a whole."""
        if not self._blocking or not self.capabilities.delete_manifest.usable:
            return ()
        return (f"no manifest is deleted: {_named(self._blocking)} stays, could not be read, and may need any of them",)


def _keep(*reasons: Reason) -> _Stay:
    return _Stay(Verdict.KEEP, reasons)


def _undecided(reason: UndecidedReason) -> _Stay:
    return _Stay(Verdict.UNDECIDED, (reason,))


def _in_use(digest: Digest) -> InUse:
    return InUse(source="evidence", where="something in use needs this digest", via="digest", reference=digest)


def _notes_on(spared: frozenset[Digest], capabilities: Capabilities) -> tuple[str, ...]:
    if not spared or not capabilities.delete_manifest.usable:
        return ()
    return (f"{len(spared)} untagged manifests are not deleted: the registry would take along what stays below them",)


def _why_no_deletion(capabilities: Capabilities) -> str:
    reasons = dict.fromkeys((capabilities.delete_tag.why, capabilities.delete_manifest.why))
    return "; ".join(why for why in reasons if why) or "nothing can be deleted here with these credentials"


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"  # noqa: PLR2004  # three examples
