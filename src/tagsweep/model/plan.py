"""What will be done, in which order, and what each step expects to find: Plan, Step, Precondition, Estimate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import TypeAlias

from tagsweep.model.capability import Capabilities
from tagsweep.model.decision import Decision, Verdict
from tagsweep.model.policy import ApplySettings, Check, Evidence, RecordSettings, RegistrySettings, SourceSettings
from tagsweep.model.reference import Digest, Repository


class Role(Enum):
    """Why a manifest is deleted; also the order: roots, then children, then referrers."""

    ROOT = "root"
    """Tags of the plan named it."""
    CHILD = "child"
    """Only removed manifests reach it."""
    REFERRER = "referrer"
    """It refers to a removed manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Untag:
    """Remove one tag and nothing else. Expects the tag to be on ``expects`` immediately before the call."""

    tag: str
    expects: Digest

    @property
    def key(self) -> str:
        """The step's name within its repository, the same in plan, journal and report."""
        return f"untag {self.tag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteManifest:
    """Delete one manifest with all tags on it.

    Expects every one of ``tags`` to be on ``digest`` immediately before the call, and that everything in ``after``
    (digests of the same plan: its parents, or its subject) is gone; a step whose ``after`` was skipped is skipped.
    """

    digest: Digest
    role: Role
    tags: tuple[str, ...] = ()
    after: tuple[Digest, ...] = ()
    depth: int = 0
    """0 for roots; a manifest's depth is larger than that of everything in ``after``. Equal depths may run together."""
    media_type: str = ""
    size: int | None = None

    @property
    def key(self) -> str:
        """The step's name within its repository, the same in plan, journal and report."""
        return f"delete {self.digest}"


Step: TypeAlias = Untag | DeleteManifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Bytes in a repository, each blob and manifest counted once. ``complete`` is False if some sizes are unknown."""

    before: int
    reclaimable: int
    """What only removed manifests reference."""
    complete: bool = True

    @property
    def after(self) -> int:
        """What is left when the registry has collected."""
        return self.before - self.reclaimable


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryPlan:
    """The plan for one repository.

    ``steps`` are in the order of execution. ``keeps`` maps every tag that stays to the digest it had; tags that did
    not resolve are not in it.
    """

    repository: Repository
    driver: str
    capabilities: Capabilities
    taken_at: datetime
    decisions: tuple[Decision, ...]
    steps: tuple[Step, ...]
    keeps: Mapping[str, Digest] = field(default_factory=dict, hash=False)
    space: Space | None = None
    """None where sizes were not read."""
    forecast: timedelta | None = None
    notes: tuple[str, ...] = ()

    @property
    def removed_tags(self) -> tuple[str, ...]:
        """The tags that go, in the order of the decisions."""
        return tuple(d.tag for d in self.decisions if d.verdict is Verdict.REMOVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceAnswer:
    """What one evidence source said when the plan was made, for the reader of the plan.

    ``relevant`` counts the usages in the plan's repositories, ``remembered`` those among them that only earlier answers
    had. Open references that could mean a tag there are ``unresolved``, or in ``protecting`` or ``ignored`` where the
    policy says how they are read. ``invalid`` are texts that name no image, ``dangling`` usages of a tag or digest that
    is not there: a broken deployment, most likely.
    """

    source: str
    taken_at: datetime
    examined: int
    unit: str
    relevant: int
    gaps: tuple[str, ...] = ()
    unresolved: tuple[str, ...] = ()
    protecting: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()
    remembered: int = 0
    dangling: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCount:
    """How many tags a rule or protection matched, with samples, so that a pattern that matches nothing is seen."""

    rule: str
    repository: str
    matched: int
    kept: int
    samples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The contract between deciding and deleting. ``now`` is the one clock of the plan, UTC."""

    id: str
    now: datetime
    valid_until: datetime
    tool: str
    policy_path: str
    policy_fingerprint: str
    repositories: tuple[RepositoryPlan, ...]
    evidence: tuple[SourceAnswer, ...] = ()
    """What the sources answered when the plan was made."""
    asked: Evidence = Evidence(waived=True)
    """Which evidence the policy asks for; apply reads it again."""
    sources: tuple[SourceSettings, ...] = ()
    rules: tuple[RuleCount, ...] = ()
    apply: ApplySettings = ApplySettings()
    checks: tuple[Check, ...] = ()
    record: RecordSettings = RecordSettings()
    registries: tuple[RegistrySettings, ...] = ()
    state: str = ""
    """Where the state lives, if the policy says so, so that apply looks where the plan was noted."""

    @property
    def removals(self) -> int:
        """How many tags go in all repositories."""
        return sum(len(r.removed_tags) for r in self.repositories)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardRefusal:
    """One reason why a whole plan is refused: the guard, the facts, and what the user can do about it."""

    guard: str
    repository: str
    message: str
    remedy: str
