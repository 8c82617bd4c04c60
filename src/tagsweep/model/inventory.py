"""A repository at one instant: its tags, its manifests, and the times that are known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from tagsweep.model.manifest import Descriptor, Manifest, Unreadable
from tagsweep.model.reference import Digest, Repository


class TimeOrigin(Enum):
    """Where a time comes from. A rule names the origin that it trusts; they are never mixed."""

    PUSHED = "pushed"
    """The registry's record of when the manifest or tag was last pushed."""
    UPDATED = "updated"
    """The registry's record of when the tag was last set to another digest."""
    FIRST_SEEN = "first-seen"
    """When tagsweep first saw this tag on this digest (its ledger). It can only make things look younger."""
    CREATED = "created"
    """What the builder wrote into the image config. Forgeable, often 1970."""
    PULLED = "pulled"
    """The registry's record of the last pull. It can only protect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagState:
    """One tag as it was found. ``digest`` is None where it could not be resolved, and ``problem`` then says why.

    ``labels`` are the config labels of the image and of all its platforms together, or None where they were not read.
    """

    name: str
    digest: Digest | None
    times: Mapping[TimeOrigin, datetime] = field(default_factory=dict, hash=False)
    labels: Mapping[str, frozenset[str]] | None = field(default=None, hash=False)
    problem: str = ""
    absent: bool = False
    """The registry lists the tag and answers that there is nothing under it: it is broken, and reaches nothing."""
    locked: str = ""
    """Why the registry would refuse to remove the tag, in words; empty where nothing of that kind is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Everything known of one repository at ``taken_at`` (UTC).

    ``manifests`` holds what was read, by digest; a digest that some tag or index names and that is missing here was
    not read. ``referrers`` maps a subject to the manifests that refer to it, where that was asked; a subject that is
    not a key was not asked. ``missing`` are digests that are referred to and that the registry does not have.
    """

    repository: Repository
    taken_at: datetime
    tags: tuple[TagState, ...]
    manifests: Mapping[Digest, Manifest | Unreadable] = field(default_factory=dict, hash=False)
    referrers: Mapping[Digest, tuple[Descriptor, ...]] = field(default_factory=dict, hash=False)
    missing: frozenset[Digest] = frozenset()

    @property
    def digests(self) -> frozenset[Digest]:
        """The digests that at least one tag names."""
        return frozenset(tag.digest for tag in self.tags if tag.digest is not None)
