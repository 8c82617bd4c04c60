"""Tags that are only words: names that move, branches, and what cannot be told."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from typing import Final

from tagsweep.core.families.escaping import escaped
from tagsweep.core.families.family import FamilyKind, TagFacts
from tagsweep.core.families.shapes import ROLLING
from tagsweep.model.reference import Digest

_MOVING: Final = ROLLING | frozenset(
    {
        "latest",
        "stable",
        "current",
        "lts",
        "mainline",
        "rolling",
        "testing",
        "test",
        "beta",
        "alpha",
        "rc",
        "next",
        "pre",
    }
    | {"rawhide", "prod", "production", "staging", "live", "release", "preview", "experimental", "insiders", "default"}
    | {"main", "master", "develop", "development", "trunk", "qa", "uat", "demo"}
)
_PLATFORMS: Final = frozenset(
    {
        "amd64",
        "arm64",
        "arm64v8",
        "arm32v7",
        "arm32v6",
        "armv7",
        "armv6",
        "armhf",
        "aarch64",
        "i386",
        "386",
        "x64",
        "x86",
    }
    | {"ppc64le", "s390x", "riscv64", "mips64le"}
)
_HASH: Final = re.compile(r"g?(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{7,40}")
_BRANCH: Final = re.compile(
    r"(?:feature|features|feat|fix|bugfix|hotfix|bug|chore|refactor|docs|renovate|dependabot|users?|wip|spike|topic|branch|"
    r"revert|[A-Z]{2,}-[0-9]+)[-_].+|[A-Z]{2,}-[0-9]+"
)


def begins_branch(text: str) -> bool:
    """Tell whether ``text`` begins as the names of branches do that are worked on: ``feature-``, ``PROJ-12-``."""
    return _BRANCH.fullmatch(f"{text}x") is not None


def words_of(text: str) -> tuple[str, ...]:
    """Return the parts between dashes and underscores."""
    return tuple(part for part in re.split(r"[-_]", text) if part)


def general_word(word: str) -> str:
    """Return the regular expression for words like this: ``alpine3.24`` stands for every ``alpine`` with a number."""
    if word in _PLATFORMS:
        return word
    if _HASH.fullmatch(word):
        return "[0-9a-f]{7,40}"
    parts = re.findall(r"[0-9][0-9.]*|[^0-9]+", word)
    return "".join("[0-9.]+" if part[0].isdigit() else escaped(part) for part in parts)


def word_kind(
    fact: TagFacts, *, variants: AbstractSet[str], lines: AbstractSet[str], standing: AbstractSet[Digest]
) -> FamilyKind:
    """Return what a tag of words is.

    ``variants`` are the general words that follow versions, ``lines`` the words before dates, ``standing`` the
    digests of whole versions and dated tags.
    """
    words = words_of(fact.name)
    if _BRANCH.fullmatch(fact.name) is not None:
        return FamilyKind.BRANCH
    outer = {words[0].lower(), words[-1].lower()} if words else set()
    known = bool(outer & _MOVING) or (bool(words) and all(general_word(word) in variants for word in words))
    if known or fact.name in lines or fact.past - fact.digests or (fact.digests | fact.past) & standing:
        return FamilyKind.FLOATING
    return FamilyKind.OTHER
