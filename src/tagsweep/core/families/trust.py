"""Whether a careful person would let a rule remove old members of a family, and why not. In doubt they stay.

Only what is certainly one build each may be temporary: a name without that proof may be on another image tomorrow, and
nobody who did not watch can tell.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from tagsweep.core.families.family import Family, FamilyKind, TagFacts
from tagsweep.model.policy import Names
from tagsweep.model.reference import Digest

_VERSION: Final = re.compile(r"[vV]?[0-9]+\.[0-9]+(?:\.[0-9]+)*[-_.]")
_COUNTED: Final = re.compile(r"[vV]?[0-9]+\.[0-9]+(?:\.[0-9]+)*(?:-[A-Za-z0-9.]+)?-[0-9]+-g[0-9a-f]+.*")
_TOO_MANY_MOVED: Final = 10
_MOVED: Final = "more than one in ten was moved, so they are no records of one build"
_DAY: Final = "a day is not a build: what is built again that day, or for it later, takes the same name"
_NEVER: Final = frozenset(
    {
        FamilyKind.RELEASE,
        FamilyKind.PRERELEASE,
        FamilyKind.FLOATING,
        FamilyKind.FLOATING_VERSION,
        FamilyKind.OTHER,
        FamilyKind.DERIVED,
    }
)


def judged(families: Sequence[Family], known: Mapping[str, TagFacts]) -> list[Family]:
    """Return the families with ``temporary`` and ``doubt`` filled in."""
    releases = any(family.kind is FamilyKind.RELEASE for family in families)
    moving = _digests(families, known, {FamilyKind.RELEASE, FamilyKind.FLOATING, FamilyKind.FLOATING_VERSION})
    found = []
    for family in families:
        doubt = "" if family.kind in _NEVER else _doubt(family, known, releases=releases, others=moving)
        found.append(replace(family, temporary=family.kind not in _NEVER and not doubt, doubt=doubt))
    return found


def overrule(families: Sequence[Family], names: Collection[str]) -> tuple[Family, ...]:
    """Return the families; where a person has named one that is in doubt, the doubt is set aside and a rule is made."""
    return tuple(
        replace(family, temporary=True, doubt="", overruled=family.doubt)
        if family.doubt and family.name in names
        else family
        for family in families
    )


def _digests(families: Sequence[Family], known: Mapping[str, TagFacts], kinds: set[FamilyKind]) -> frozenset[Digest]:
    tags = [tag for family in families if family.kind in kinds for tag in family.tags]
    return frozenset(digest for tag in tags for digest in known[tag].digests | known[tag].past)


def _doubt(family: Family, known: Mapping[str, TagFacts], *, releases: bool, others: frozenset[Digest]) -> str:
    doubts = (
        _doubt_any(family),
        _doubt_kind(family, known, releases=releases, others=others),
        _MOVED if _often_moved(family) else "",
    )
    return next((doubt for doubt in doubts if doubt), "")


def _doubt_any(family: Family) -> str:
    if any(_may_be_release(tag) for tag in family.tags):
        return "they begin with a version, so they may be the releases themselves"
    if any(isinstance(pattern, Names) for pattern in family.patterns):
        return "no pattern tells them from the other tags"
    return ""


def _doubt_kind(family: Family, known: Mapping[str, TagFacts], *, releases: bool, others: frozenset[Digest]) -> str:
    match family.kind:
        case FamilyKind.BRANCH:
            return "a registry does not know which branches were merged"
        case FamilyKind.DATED:
            return _doubt_dated(family, known, releases=releases, others=others)
        case FamilyKind.NIGHTLY:
            return "" if family.proven else _DAY
        case FamilyKind.PULL_REQUEST if not family.proven:
            return "such a tag moves with each push, and a registry does not know which pull requests are open"
        case FamilyKind.BUILD:
            return _doubt_numbers(family, releases=releases)
        case _:
            return ""


def _doubt_dated(family: Family, known: Mapping[str, TagFacts], *, releases: bool, others: frozenset[Digest]) -> str:
    if any((known[tag].digests | known[tag].past) & others for tag in family.tags):
        return "versions or moving names are on the same digests, so these are what others call their releases"
    if not releases:
        return "there are no other versions here, so these may be the releases"
    return "" if family.proven else _DAY


def _doubt_numbers(family: Family, *, releases: bool) -> str:
    if not family.proven:
        return "these numbers may be versions, years or months as well as builds"
    if not all(tag.isdigit() for tag in family.tags):
        return ""
    if family.moved:
        return "some of these numbers were moved, so they may be versions"
    return "" if releases else "there are no other versions here, so these numbers may be the releases"


def _often_moved(family: Family) -> bool:
    return _TOO_MANY_MOVED * len(family.moved) > len(family.tags)


def _may_be_release(tag: str) -> bool:
    return _VERSION.match(tag) is not None and _COUNTED.fullmatch(tag) is None
