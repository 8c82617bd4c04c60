"""From tags to families: who belongs together, what a person would call it, and whether old members may go."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tagsweep.core.derived import DIGEST_DERIVED, derived_from
from tagsweep.core.families import exact
from tagsweep.core.families.dates import date_expression
from tagsweep.core.families.escaping import escaped
from tagsweep.core.families.family import Family, FamilyKind, TagFacts
from tagsweep.core.families.identity import BUILD_MARK, proven
from tagsweep.core.families.lines import version_kinds
from tagsweep.core.families.schemes import scheme_of
from tagsweep.core.families.settling import generalised, rolls, settle
from tagsweep.core.families.shapes import Shape
from tagsweep.core.families.trust import judged
from tagsweep.core.families.wording import general_word, word_kind, words_of
from tagsweep.model.policy import Regex
from tagsweep.model.reference import Digest

_OWN_FAMILY: Final = 3
"""Hashes with one prefix are a family of their own from so many on; fewer are put together with others."""
_SMALL_DIGITS: Final = 3
"""Where all numbers of a build server have more digits, a number with fewer is something else."""
_WHOLE: Final = frozenset({FamilyKind.RELEASE, FamilyKind.PRERELEASE, FamilyKind.DATED, FamilyKind.NIGHTLY})
_BY_MIDDLE: Final = {
    "hash": FamilyKind.COMMIT,
    "pull": FamilyKind.PULL_REQUEST,
    "build": FamilyKind.BUILD,
}
_ORDER: Final = tuple(FamilyKind)


@dataclass(frozen=True, slots=True)
class _Key:
    kind: FamilyKind
    prefix: str = ""
    proven: bool = False


def find_families(facts: Iterable[TagFacts]) -> tuple[Family, ...]:
    """Return the families of these tags, each tag in one of them: releases first, what is temporary later.

    The same tags give the same families in whatever order they come.
    """
    known = {fact.name: fact for fact in sorted(facts, key=lambda fact: fact.name)}
    derived = [name for name in known if derived_from(name) is not None]
    shapes = settle(name for name in known if name not in set(derived))
    members = _members(known, shapes)
    standing = _standing(members, known)
    patterned = [_family(key, tags, known, shapes, standing) for key, tags in members.items()]
    ordered = sorted(patterned, key=lambda one: (_ORDER.index(one.kind), -len(one.tags), one.tags))
    named = _named(judged(ordered, known))
    if derived:
        named.append(Family(kind=FamilyKind.DERIVED, name=DIGEST_DERIVED, tags=tuple(derived), patterns=()))
    return tuple(named)


# --- who belongs together -----------------------------------------------------------------------------------------
def _members(known: Mapping[str, TagFacts], shapes: Mapping[str, Shape]) -> dict[_Key, list[str]]:
    members: dict[_Key, list[str]] = {}
    lines: dict[str, dict[str, Shape]] = {}
    words: list[str] = []
    builds = proven(shapes)
    for name, shape in shapes.items():
        if shape.kind == "version":
            lines.setdefault(shape.prefix, {})[name] = shape
        elif shape.kind == "words":
            words.append(name)
        elif shape.kind == "date":
            kind = FamilyKind.NIGHTLY if rolls(shape.prefix) else FamilyKind.DATED
            members.setdefault(_Key(kind, proven=name in builds), []).append(name)
        else:
            key = _Key(_BY_MIDDLE[shape.kind], generalised(shape.prefix), name in builds)
            members.setdefault(key, []).append(name)
    for prefix, line in lines.items():
        for name, kind in version_kinds(line).items():
            members.setdefault(_Key(kind, prefix), []).append(name)
    _join_few(members)
    variants = {
        general_word(word) for line in lines.values() for shape in line.values() for word in words_of(shape.suffix)
    }
    before_dates = {shape.prefix.rstrip("-_.") for shape in shapes.values() if shape.kind == "date"} - {""}
    standing = frozenset(_standing(members, known))
    for name in words:
        kind = word_kind(known[name], variants=variants, lines=before_dates, standing=standing)
        members.setdefault(_Key(kind), []).append(name)
    return members


def _join_few(members: dict[_Key, list[str]]) -> None:
    """Put hashes of many branches together: each prefix has few, and all of them have some branch in front."""
    few = [
        key for key, tags in members.items() if key.kind is FamilyKind.COMMIT and key.prefix and len(tags) < _OWN_FAMILY
    ]
    if len(few) > 1:
        joined = [tag for key in few for tag in members.pop(key)]
        members[_Key(FamilyKind.COMMIT, "*", proven=True)] = sorted(joined)


def _standing(members: Mapping[_Key, Sequence[str]], known: Mapping[str, TagFacts]) -> dict[Digest, list[str]]:
    """Return the digests that whole versions and dated tags are on, with their names."""
    found: dict[Digest, list[str]] = {}
    for key, tags in members.items():
        for tag in tags if key.kind in _WHOLE else ():
            for digest in known[tag].digests:
                found.setdefault(digest, []).append(tag)
    return found


# --- one family ---------------------------------------------------------------------------------------------------
def _family(
    key: _Key,
    tags: Sequence[str],
    known: Mapping[str, TagFacts],
    shapes: Mapping[str, Shape],
    standing: Mapping[Digest, Sequence[str]],
) -> Family:
    own = [shapes[tag] for tag in tags]
    inside = set(tags)
    others = [tag for tag in known if tag not in inside]
    oldest = [fact.oldest for tag in tags if (fact := known[tag]).oldest is not None]
    newest = [fact.newest for tag in tags if (fact := known[tag]).newest is not None]
    endings = {word for shape in own for word in words_of(shape.suffix)}
    return Family(
        kind=key.kind,
        name=key.prefix,
        tags=tuple(tags),
        patterns=_patterns(key, own, tags, others, shapes),
        moved=tuple(tag for tag in tags if known[tag].past - known[tag].digests),
        targets=_targets(tags, known, standing)
        if key.kind in (FamilyKind.FLOATING, FamilyKind.FLOATING_VERSION)
        else {},
        variants=tuple(sorted(word for word in endings if BUILD_MARK.fullmatch(word) is None)),
        scheme=scheme_of(own) if key.kind in (FamilyKind.RELEASE, FamilyKind.PRERELEASE) else "",
        oldest=min(oldest, default=None),
        newest=max(newest, default=None),
        proven=key.proven,
    )


def _targets(
    tags: Sequence[str], known: Mapping[str, TagFacts], standing: Mapping[Digest, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    found = {}
    for tag in tags:
        on = {name for digest in known[tag].digests for name in standing.get(digest, ())}
        if on:
            found[tag] = tuple(sorted(on, key=lambda name: (len(name), name)))
    return found


def _patterns(
    key: _Key, own: Sequence[Shape], tags: Sequence[str], others: Sequence[str], shapes: Mapping[str, Shape]
) -> exact.Candidate:
    match key.kind:
        case FamilyKind.RELEASE | FamilyKind.PRERELEASE | FamilyKind.FLOATING_VERSION:
            candidates = [*exact.of_versions(own), *_without_others(key, own, others, shapes)]
        case FamilyKind.COMMIT:
            lengths = exact.hex_digits(len(shape.core) for shape in own)
            candidates = [*exact.of_middles(own, lengths), *exact.of_middles(own, f"(?=[a-f]*[0-9]){lengths}")]
        case FamilyKind.DATED | FamilyKind.NIGHTLY:
            candidates = list(exact.of_middles(own, date_expression(own)))
        case FamilyKind.PULL_REQUEST if key.proven:
            candidates = list(exact.of_marked(tags, BUILD_MARK))
        case FamilyKind.BUILD if key.proven and all(len(shape.core) > _SMALL_DIGITS for shape in own):
            candidates = list(exact.of_middles(own, "[0-9]{4,}"))
        case FamilyKind.PULL_REQUEST | FamilyKind.BUILD:
            candidates = list(exact.of_middles(own, "[0-9]+"))
        case FamilyKind.BRANCH:
            first = sorted({escaped(re.split(r"[-_]", tag, maxsplit=1)[0]) for tag in tags})
            lead = exact.alternatives(sorted({"[A-Z]+" if one.isupper() else one for one in first}))
            candidates = [(Regex(f"{lead}[-_][A-Za-z0-9._-]+"),)]
        case _:
            candidates = []
    return exact.choose(candidates, tags, others)


def _without_others(
    key: _Key, own: Sequence[Shape], others: Sequence[str], shapes: Mapping[str, Shape]
) -> Iterable[exact.Candidate]:
    """Yield expressions that leave out, or mean only, the numbers of the other versions with this prefix."""
    cores = {shape.core for shape in own}
    foreign = {
        shapes[tag].core
        for tag in others
        if tag in shapes
        and shapes[tag].kind == "version"
        and shapes[tag].prefix == key.prefix
        and not shapes[tag].early
    }
    lead = exact.version_lead(own)
    for text in exact.version_expressions(own):
        if not cores & foreign:
            fewer = {core for core in foreign if core.count(".") in {one.count(".") for one in cores}}
            yield (Regex(exact.without_cores(text, lead, fewer)),)
            yield (Regex(exact.only_cores(text, lead, cores)),)


# --- names --------------------------------------------------------------------------------------------------------
_PLAIN: Final = {
    FamilyKind.RELEASE: "release",
    FamilyKind.PRERELEASE: "prerelease",
    FamilyKind.FLOATING_VERSION: "floating-version",
    FamilyKind.FLOATING: "floating",
    FamilyKind.BRANCH: "branch",
    FamilyKind.COMMIT: "ci-build",
    FamilyKind.PULL_REQUEST: "pull-request",
    FamilyKind.BUILD: "build",
    FamilyKind.NIGHTLY: "nightly",
    FamilyKind.DATED: "dated",
    FamilyKind.OTHER: "other",
}


def _named(families: Sequence[Family]) -> list[Family]:
    """Give each family the name of its kind, with its prefix in front where there are several of a kind.

    Where some names of a kind tell of one build and others move, the former are called builds.
    """
    taken: set[str] = set()
    named = []
    for family in families:
        alike = [other for other in families if other.kind is family.kind]
        alone = sum(other.proven == family.proven for other in alike) == 1
        plain = _PLAIN[family.kind]
        if family.proven and not all(other.proven for other in alike):
            plain += "-build"
        words = "-".join(re.findall(r"[a-z]+", re.sub(r"\[0-9\]\+", "", family.name).lower()))
        name = plain if alone or not words else _joined(words, plain)
        unique = name
        number = 2
        while unique in taken:
            unique, number = f"{name}-{number}", number + 1
        taken.add(unique)
        named.append(replace(family, name=unique))
    return named


def _joined(words: str, plain: str) -> str:
    tail = "build" if plain == "ci-build" else plain
    return words if words.endswith(tail) else f"{words}-{tail}"
