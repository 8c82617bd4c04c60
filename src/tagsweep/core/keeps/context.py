"""What every keep clause is told: the rule it stands in, the one clock, and what is known of the repository."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from tagsweep.model.decision import KeptByClause, LabelsUnknown, TimeUnknown, VersionUnreadable
from tagsweep.model.inventory import Inventory
from tagsweep.model.policy import Pattern

Says: TypeAlias = KeptByClause | TimeUnknown | VersionUnreadable | LabelsUnknown
"""What a clause says about one tag: kept, or what it would have to know. It has no word for removing."""

Verdicts: TypeAlias = Mapping[str, Says]
"""What a clause says, by tag; it has nothing to say about a tag that is not in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The surroundings of a clause. ``patterns`` are all patterns behind the rule's match, in their order."""

    rule: str
    patterns: tuple[Pattern, ...]
    now: datetime
    inventory: Inventory
