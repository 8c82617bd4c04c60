"""What `tagsweep init` found and proposes: the value that its pages are made from, and the JSON document of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tagsweep.core.families import Family
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.plan import GuardRefusal, RepositoryPlan
from tagsweep.model.policy import Names, Pattern, Regex, VersionPattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A proposed policy. ``chosen`` is False while the evidence is still to be chosen by a person, and the policy
    cannot be used. ``preview`` is the plan that it makes if nothing is asked.
    """

    text: str
    families: tuple[Family, ...]
    clock: TimeOrigin
    at: datetime
    chosen: bool
    preview: tuple[RepositoryPlan, ...]
    refusals: tuple[GuardRefusal, ...]
    requests: Mapping[str, int] = field(default_factory=dict, hash=False)


def proposal_document(proposal: Proposal, *, path: str) -> dict[str, Any]:
    """Return the JSON document of a proposal; ``path`` is where the policy was written."""
    return {
        "schema": "tagsweep/proposal",
        "version": 1,
        "path": path,
        "evidence_chosen": proposal.chosen,
        "clock": proposal.clock.value,
        "families": [_family(family) for family in proposal.families],
        "preview": [
            {
                "repository": str(part.repository),
                "tags": len(part.decisions),
                "remove": list(part.removed_tags),
            }
            for part in proposal.preview
        ],
        "refusals": [
            {"guard": refusal.guard, "repository": refusal.repository, "message": refusal.message}
            for refusal in proposal.refusals
        ],
        "requests": dict(proposal.requests),
        "policy": proposal.text,
    }


def _family(family: Family) -> dict[str, Any]:
    return {
        "kind": family.kind.value,
        "class": family.name,
        "tags": list(family.tags),
        "patterns": [pattern_words(pattern) for pattern in family.patterns],
        "scheme": family.scheme,
        "variants": list(family.variants),
        "moved": list(family.moved),
        "targets": {tag: list(targets) for tag, targets in family.targets.items()},
        "oldest": _moment(family.oldest),
        "newest": _moment(family.newest),
        "temporary": family.temporary,
        "doubt": family.doubt,
        "overruled": family.overruled,
    }


def pattern_words(pattern: Pattern) -> str:
    """Return a pattern as a person would say it, in one line."""
    match pattern:
        case Regex():
            return f"regex {pattern.pattern}"
        case VersionPattern():
            formats = f" {', '.join(pattern.formats)}" if pattern.formats else ""
            prefix = f" after {pattern.prefix!r}" if pattern.prefix else ""
            return f"{pattern.scheme.value}{formats}{prefix}"
        case Names():
            return f"the names {', '.join(sorted(pattern.names))}"
        case _:
            return f"glob {pattern.pattern}"


def _moment(instant: datetime | None) -> str | None:
    return instant.isoformat().replace("+00:00", "Z") if instant is not None else None
