"""What a registry can and cannot do, as declared by its driver and found out by probing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from tagsweep.model.inventory import TimeOrigin


class Support(Enum):
    """Whether something works; Unknown until it was probed, and then treated as No."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One ability, with the reason why it is what it is (in words for the person who asks)."""

    support: Support = Support.NO
    why: str = ""

    @property
    def usable(self) -> bool:
        """True only where the ability is certain."""
        return self.support is Support.YES


NOT_PROBED: Final = Capability(support=Support.UNKNOWN, why="not probed yet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """Everything that planning needs to know about a registry. Every default is the cautious one."""

    delete_tag: Capability = Capability()
    """One tag can be removed while its digest and the other tags on it stay."""
    delete_manifest: Capability = Capability()
    """A manifest can be removed by digest; all tags on it go with it."""
    referrers: Capability = Capability()
    """The referrers API answers. Where it does not, the fallback tag schema is read."""
    times: frozenset[TimeOrigin] = frozenset()
    """The time origins that the registry itself reports for each tag."""
    reads_count_as_pulls: bool = True
    """A GET of a manifest is counted as a pull, so HEAD comes first and each digest is fetched once for ever."""
    delete_cost_grows_with_tags: bool = False
    """Deleting a manifest costs the server time in proportion to the tags of its repository (distribution 2.x)."""
    last_tag_takes_manifest: bool = False
    """Removing the last tag of a manifest deletes the manifest, at once (Amazon ECR) or soon after (Quay, GitLab)."""
    delete_takes_children: bool = False
    """Deleting an index takes along what it lists, unless that has a tag or another index lists it too (Harbor)."""
    untag_moves: bool = False
    """Removing one tag writes to it first (it is moved to a throw-away manifest), so that is done only to tags whose
    digest has to stay; all others go with their digest.
    """
    undo: str = ""
    """The registry's own way to take back a deletion, in words; empty where it has none."""
    reclaim: str = ""
    """How the operator gets the space back safely on this registry, in words."""
