"""The values: what is known of a tag, and a family of tags with the pattern that means exactly its members."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from tagsweep.model.policy import Pattern
from tagsweep.model.reference import Digest


class FamilyKind(Enum):
    """What a person would call the tags of a family."""

    RELEASE = "release"
    """Whole versions: SemVer, CalVer, PEP 440, or the project's own."""
    PRERELEASE = "prerelease"
    """Versions that come before a release: ``1.4.0-rc1``."""
    FLOATING_VERSION = "floating version"
    """Parts of versions, which move from release to release: ``18`` beside ``18.6``."""
    FLOATING = "floating"
    """Names that move: ``latest``, ``alpine``, ``main``."""
    BRANCH = "branch"
    """Branches that are worked on and merged, slashes turned to dashes: ``feature-login``."""
    COMMIT = "commit"
    """Commit hashes, with whatever stands around them."""
    PULL_REQUEST = "pull request"
    BUILD = "build"
    """Running numbers of a build server."""
    NIGHTLY = "nightly"
    """Dated builds of a line that always moves: ``nightly-20260810``."""
    DATED = "dated"
    """Dates and timestamps."""
    DERIVED = "digest-derived"
    """Tags made from a digest, which follow their subject and are matched by no pattern of a policy."""
    OTHER = "other"
    """What fits nothing else. It stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagFacts:
    """One tag name, over all repositories that are looked at together.

    ``digests`` are those that it is on now, ``past`` those that it was on before (the ledger's). ``oldest`` and
    ``newest`` are UTC and None where no time is known.
    """

    name: str
    digests: frozenset[Digest] = frozenset()
    past: frozenset[Digest] = frozenset()
    oldest: datetime | None = None
    newest: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Tags of one habit. ``name`` is what a policy calls the class; ``patterns`` match all of ``tags`` in full, and no
    tag of another family (there are none for digest-derived tags).

    ``moved`` are the members that were seen on another digest before. ``targets`` gives for floating members the
    whole versions that are on the same digest. ``variants`` are the endings that come with and without, such as
    ``alpine3.23`` or ``amd64``. ``proven`` says that each name tells of one build. ``temporary`` says that a careful
    person would let a rule remove old members; ``doubt`` why they would not, although the names look like builds, and
    ``overruled`` which doubt a person has set aside.
    """

    kind: FamilyKind
    name: str
    tags: tuple[str, ...]
    patterns: tuple[Pattern, ...]
    moved: tuple[str, ...] = ()
    targets: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    variants: tuple[str, ...] = ()
    scheme: str = ""
    oldest: datetime | None = None
    newest: datetime | None = None
    proven: bool = False
    temporary: bool = False
    doubt: str = ""
    overruled: str = ""
