"""What happened when a plan was applied: Outcome of each step, RunRecord, and what verification found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from tagsweep.model.plan import Plan, Space
from tagsweep.model.reference import Digest, Repository


class OutcomeKind(Enum):
    """How a step ended. Only DONE and GONE mean that the thing is no longer there."""

    DONE = "done"
    GONE = "gone"
    """It was already absent, from an earlier try of this run or by somebody else."""
    SKIPPED = "skipped"
    """What the step expected was not so, or something it depends on stayed."""
    FAILED = "failed"
    """The registry refused or did not answer."""

    @property
    def absent(self) -> bool:
        """Whether the step's object is known to be gone."""
        return self in (OutcomeKind.DONE, OutcomeKind.GONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of one step at ``at`` (UTC), with the reason in words where it is not DONE."""

    repository: Repository
    step: str
    kind: OutcomeKind
    at: datetime
    why: str = ""


class RunStatus(Enum):
    """Where a run stands."""

    RUNNING = "running"
    """Begun and not ended: running now, or interrupted."""
    DONE = "done"
    PARTIAL = "partial"
    """Ended, and some steps failed or were skipped."""
    DAMAGED = "damaged"
    """Ended, and verification found something kept that no longer works."""
    RESTORED = "restored"
    """Taken back, at least in part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One line of the history."""

    id: str
    plan_id: str
    status: RunStatus
    started_at: datetime
    ended_at: datetime | None
    repositories: tuple[str, ...]
    planned_tags: int
    removed_tags: int
    counts: Mapping[str, int] = field(default_factory=dict, hash=False)
    """How many steps ended in each OutcomeKind, by its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that verification found wrong: ``what`` in words, ``remedy`` what to do about it."""

    repository: Repository
    subject: str
    what: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What verification looked at and found. ``damage`` is about kept things, ``leftovers`` about planned victims."""

    run_id: str
    at: datetime
    tags: int
    manifests: int
    blobs: int
    damage: tuple[Finding, ...] = ()
    leftovers: tuple[Finding, ...] = ()
    moved: tuple[Finding, ...] = ()
    """Kept tags that somebody moved after the sweep began; not damage."""
    restored: tuple[Finding, ...] = ()
    """Tags that the run removed and that a restore of it put back; checked like kept ones, and not wrong."""

    @property
    def ok(self) -> bool:
        """Whether nothing that was to stay is broken and everything planned and done is gone."""
        return not self.damage and not self.leftovers


class RestoreKind(Enum):
    """How the restoring of one tag or manifest ended."""

    RESTORED = "restored"
    PRESENT = "present"
    """It was there already with the same digest."""
    MOVED = "moved"
    """The tag is now on another digest, and was left alone."""
    COLLECTED = "collected"
    """The registry no longer has blobs or children that it needs."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreOutcome:
    """The end of restoring one tag (or one untagged manifest, then ``tag`` is empty)."""

    repository: Repository
    tag: str
    digest: Digest
    kind: RestoreKind
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountPoint:
    """How many tags of one naming class a repository had at ``at``; ``origin`` says how that is known, in words."""

    at: datetime
    repository: Repository
    naming_class: str
    tags: int
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """Everything that the record of one sweep needs, whichever format it is written in.

    ``space`` has an entry for each repository whose sizes are known; ``counts`` is the series for the picture.
    """

    run: RunRecord
    plan: Plan
    outcomes: tuple[Outcome, ...]
    verification: VerifyReport | None
    space: Mapping[Repository, Space] = field(default_factory=dict, hash=False)
    counts: tuple[CountPoint, ...] = ()
