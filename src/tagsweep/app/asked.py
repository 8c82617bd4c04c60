"""What a call of ``tagsweep run`` wants beyond the policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a call of ``tagsweep run`` wants beyond the policy."""

    force: bool = False
    """Run although no date is due."""
    plan_only: bool = False
    """Write the plan for people to approve, and stop."""
    plan: Path | None = None
    """Carry out this plan, which was written so and approved."""
    output: Path | None = None
    """Where the plan is written as well."""
    summary: Path | None = None
    """Where a summary in Markdown is written."""
    link: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)
