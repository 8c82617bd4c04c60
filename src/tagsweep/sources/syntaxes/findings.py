"""What an extractor finds: complete references, open ones, and texts that are no references."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from tagsweep.model.reference import Reference, Repository
from tagsweep.model.usage import Unresolved, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A complete reference. ``line`` begins at 1, 0 is none; ``at`` is what else tells the spot: ``container api``."""

    reference: Reference
    line: int = 0
    at: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A reference with parts that are not known here. The patterns are those of :class:`Unresolved`."""

    text: str
    repository: Repository | None = None
    repository_pattern: str = ".*"
    tag_pattern: str = ".*"
    line: int = 0
    at: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoReference:
    """Text where an image was to be named, and that no registry could have under that name."""

    text: str
    why: str
    line: int = 0
    at: str = ""


Finding: TypeAlias = Found | Open | NoReference


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a text was found: ``where`` for a person (``deploy main:compose.yml``), ``path`` for the policy's globs."""

    source: str
    where: str
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Findings as the parts of a report."""

    usages: tuple[Usage, ...] = ()
    unresolved: tuple[Unresolved, ...] = ()
    invalid: tuple[str, ...] = ()


def evidence(findings: Iterable[Finding], place: Place) -> Evidence:
    """Return what was found at ``place`` as usages, unresolved references and texts that are neither; each once."""
    usages: dict[Usage, None] = {}
    unresolved: dict[Unresolved, None] = {}
    invalid: dict[str, None] = {}
    for finding in findings:
        where = _where(place, finding)
        match finding:
            case Found():
                usage = Usage(reference=finding.reference, source=place.source, where=where, note=finding.note)
                usages[usage] = None
            case Open():
                entry = Unresolved(
                    text=finding.text,
                    source=place.source,
                    where=where,
                    repository=finding.repository,
                    repository_pattern=finding.repository_pattern,
                    tag_pattern=finding.tag_pattern,
                    path=place.path,
                    note=finding.note,
                )
                unresolved[entry] = None
            case NoReference():
                invalid[f"{where}  {finding.text!r}: {finding.why}"] = None
    return Evidence(usages=tuple(usages), unresolved=tuple(unresolved), invalid=tuple(invalid))


def _where(place: Place, finding: Finding) -> str:
    line = f":{finding.line}" if finding.line else ""
    at = f", {finding.at}" if finding.at else ""
    return f"{place.where}{line}{at}"
