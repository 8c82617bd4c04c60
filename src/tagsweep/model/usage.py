"""What is in use and how completely that is known: Usage, Unresolved, Coverage, UsageReport."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tagsweep.model.reference import Reference, Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A reference found in use. ``source`` is the policy's name of the source, ``where`` the place for a person."""

    reference: Reference
    source: str
    where: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unresolved:
    """A reference whose text is not complete (``${TAG}``). It could mean any tag that ``tag_pattern`` matches in full.

    ``tag_pattern`` is a regular expression made from the literal parts; ``repository`` is None when even that is open.
    """

    text: str
    source: str
    where: str
    repository: Repository | None = None
    tag_pattern: str = ".*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of what a source should see it saw: complete when ``gaps`` is empty."""

    gaps: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.gaps


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """What one source answered at ``taken_at`` (UTC). ``examined`` counts what it looked through, in ``unit``."""

    source: str
    taken_at: datetime
    usages: tuple[Usage, ...] = ()
    unresolved: tuple[Unresolved, ...] = ()
    coverage: Coverage = Coverage()
    examined: int = 0
    unit: str = "references"
