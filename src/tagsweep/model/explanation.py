"""Everything about one tag that ``tagsweep explain`` shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tagsweep.model.decision import Decision
from tagsweep.model.inventory import TagState, TimeOrigin
from tagsweep.model.manifest import Descriptor, Manifest, Unreadable
from tagsweep.model.plan import Step
from tagsweep.model.reference import Digest, Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOutcome:
    """What one rule of the policy says about the tag: ``matched`` or not, and the words of its keep clauses."""

    rule: str
    matched: bool
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One tag, the verdict about it, and what stands around it in the repository."""

    reference: Reference
    now: datetime
    tag: TagState
    decision: Decision
    manifest: Manifest | Unreadable | None
    siblings: tuple[str, ...] = ()
    """Other tags on the same digest."""
    parents: tuple[tuple[Digest, tuple[str, ...]], ...] = ()
    """Indexes that contain the digest, each with its tags."""
    referrers: tuple[Descriptor, ...] = ()
    rules: tuple[RuleOutcome, ...] = ()
    steps: tuple[Step, ...] = ()
    """What a plan made now would do about it."""
    times: frozenset[TimeOrigin] | None = None
    """The origins of the times that are known here of any tag, or that the registry reports; None if nobody looked."""
