"""What is in use and how completely that is known: Usage, Unresolved, Coverage, UsageReport."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tagsweep.model.reference import Reference, Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A reference found in use. ``source`` is the policy's name of the source, ``where`` the place for a person.

    ``note`` says how it is in use where that matters: a rollback target, a job that is not due. ``last_seen`` is None
    for what the source answered just now, and the time of the last answer that had it for what is only remembered.
    """

    reference: Reference
    source: str
    where: str
    note: str = ""
    last_seen: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unresolved:
    """A reference whose text is not complete (``${TAG}``). It could mean any tag that ``tag_pattern`` matches in full.

    Patterns are regular expressions made from the literal parts. ``repository`` is None when even that is open; it can
    then be any whose name, in full or in one of Docker's short forms, ``repository_pattern`` matches in full. ``path``
    is the place within the source (a file's path, a namespace and object) that the policy's ``unresolved`` is about.
    """

    text: str
    source: str
    where: str
    repository: Repository | None = None
    repository_pattern: str = ".*"
    tag_pattern: str = ".*"
    path: str = ""
    note: str = ""


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
    """What one source answered at ``taken_at`` (UTC). ``examined`` counts what it looked through, in ``unit``.

    ``invalid`` are texts where an image was to be named that no registry could have, and charts that were only read
    because they cannot be rendered, each with its place: they protect nothing, and are shown so that nothing is left
    out in silence.
    """

    source: str
    taken_at: datetime
    usages: tuple[Usage, ...] = ()
    unresolved: tuple[Unresolved, ...] = ()
    coverage: Coverage = Coverage()
    invalid: tuple[str, ...] = ()
    examined: int = 0
    unit: str = "references"
