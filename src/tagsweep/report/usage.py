"""What ``tagsweep usage`` shows, as values: references in use with their places, open ones, and who was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tagsweep.core.open_references import Standing
from tagsweep.model.decision import EvidenceMissing
from tagsweep.model.plan import SourceAnswer
from tagsweep.model.policy import Evidence, SourceSettings
from tagsweep.model.reference import Reference
from tagsweep.model.usage import Unresolved, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """One reference with every place that has it: what is there now first, then what is only remembered.

    ``exists`` is False where the registry has no such tag or digest, and None where nobody asked it.
    """

    reference: Reference
    places: tuple[Usage, ...]
    exists: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenReference:
    """A reference with open parts and how the policy reads it."""

    entry: Unresolved
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageView:
    """What is in use at ``now``. ``targets`` is None where everything is shown, not only what the policy is about.

    ``missing`` is why required evidence does not suffice; ``unchecked`` what a registry could not be asked, and why.
    """

    now: datetime
    targets: tuple[str, ...] | None
    used: Sequence[Used]
    opened: Sequence[OpenReference]
    answers: Sequence[SourceAnswer]
    asked: Evidence
    sources: tuple[SourceSettings, ...]
    missing: tuple[EvidenceMissing, ...] = ()
    checked: bool = False
    unchecked: tuple[str, ...] = ()

    @property
    def places(self) -> int:
        """In how many places something is in use."""
        return sum(len(used.places) for used in self.used)
