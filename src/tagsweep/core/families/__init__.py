"""Families of tags: what the tags of a repository are, found from their names, digests and past moves alone."""

from __future__ import annotations

from tagsweep.core.families.family import Family, FamilyKind, TagFacts
from tagsweep.core.families.finding import find_families
from tagsweep.core.families.trust import overrule

__all__ = ["Family", "FamilyKind", "TagFacts", "find_families", "overrule"]
