"""A verdict about one tag with every reason for it. Reasons are codes with facts; the words are made in ``report``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TypeAlias

from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import KeepClause
from tagsweep.model.reference import Digest


class Verdict(Enum):
    """What happens to a tag."""

    KEEP = "keep"
    UNDECIDED = "undecided"
    """Something needed for a decision is not known, so the tag stays."""
    REMOVE = "remove"


# --- why a tag is kept --------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class NoRuleMatches:
    """No rule of the policy matches it (default keep)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptByClause:
    """A keep clause of a rule says so. ``detail`` are the facts: a rank, an age, a bucket, a version line."""

    rule: str
    clause: KeepClause
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protected:
    """The policy's ``protect`` names it, with a person's reason."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InUse:
    """Evidence names it. ``via`` is the way: ``tag``, ``digest``, ``index`` (an index above it is in use), ``child`` (a
    part of it is), ``pattern`` (an open reference that the policy protects) or ``pull`` (the registry's record).

    ``last_seen`` is the time of the last answer that had it, for what is only remembered.
    """

    source: str
    where: str
    via: str
    reference: str
    note: str = ""
    last_seen: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SharesDigest:
    """It shares its digest with tags that stay, and this registry cannot remove one tag alone."""

    digest: Digest
    with_tags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachedBy:
    """Its digest is part of what these kept tags need (a child of their index, at any depth)."""

    digest: Digest
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowsSubject:
    """It is a signature, attestation, SBOM or other referrer of a digest that stays."""

    subject: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class CannotDelete:
    """The registry cannot remove it, for the reason given."""

    why: str


# --- why nothing could be decided ---------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class TimeUnknown:
    """A clause of a rule needs a time of this origin and none is known."""

    rule: str
    origin: TimeOrigin


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionUnreadable:
    """A clause of a rule compares versions and this tag is none of that scheme."""

    rule: str
    scheme: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsUnknown:
    """A clause of a rule asks for a label or annotation that could not be read."""

    rule: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestUnknown:
    """The tag did not resolve, or its manifest (or one below it) could not be read or understood."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnresolvedReference:
    """A reference in use is incomplete and could mean this tag. ``path`` is its name in the policy's ``unresolved``."""

    source: str
    where: str
    text: str
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceMissing:
    """A required source did not answer completely and freshly."""

    source: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectUnknown:
    """It looks like a digest-derived tag, but what it belongs to is unknown or ambiguous."""

    why: str


# --- why a tag is removed -----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class NotKept:
    """This rule matches it and none of the rule's keep clauses keeps it."""

    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectRemoved:
    """It is derived from a digest that is removed in the same plan."""

    subject: Digest


KeepReason: TypeAlias = (
    NoRuleMatches | KeptByClause | Protected | InUse | SharesDigest | ReachedBy | FollowsSubject | CannotDelete
)
UndecidedReason: TypeAlias = (
    TimeUnknown
    | VersionUnreadable
    | LabelsUnknown
    | ManifestUnknown
    | UnresolvedReference
    | EvidenceMissing
    | SubjectUnknown
)
RemoveReason: TypeAlias = NotKept | SubjectRemoved
Reason: TypeAlias = KeepReason | UndecidedReason | RemoveReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The verdict about one tag. ``naming_class`` is empty for a tag of no class; ``reasons`` is never empty."""

    tag: str
    digest: Digest | None
    verdict: Verdict
    reasons: tuple[Reason, ...]
    naming_class: str = ""
