"""From the wire to patterns: naming classes and ``match``/``exclude``, each checked where it is written."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Final

from tagsweep.config.places import Place, did_you_mean, foreign_character, listing
from tagsweep.config.wire import MatchWire, NamingWire, NewestVersionsWire, OneOrMore
from tagsweep.core import patterns
from tagsweep.core.versions import check_formats
from tagsweep.model.policy import (
    Glob,
    InClass,
    Match,
    Names,
    NamingClass,
    Pattern,
    Regex,
    VersionPattern,
    VersionScheme,
)
from tagsweep.model.reference import is_tag

RESERVED_CLASS: Final = "digest-derived"
"""The class of tags such as ``sha256-<hex>.sig``; they follow their subject and no pattern matches them."""

_CALVER_HELP: Final = (
    "join calver.org's YYYY, YY, 0Y, MM, 0M, WW, 0W, DD, 0D, MAJOR, MINOR, MICRO and MODIFIER, such as YYYY.0M.MICRO"
)
_CLASS_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
_CHARACTER_CLASS: Final = re.compile(r"\[[!^]?+.[^\]]*\]", re.DOTALL)
_NEVER_IN_TAG: Final = re.compile(r"[^A-Za-z0-9_.*?-]", re.ASCII)
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")
_PREFIX: Final = re.compile(r"[A-Za-z0-9_.-]*", re.ASCII)


def naming_class(name: str, wire: NamingWire, place: Place) -> NamingClass:
    """Return one class of ``naming``; it has at least one pattern."""
    if _CLASS_NAME.fullmatch(name) is None:
        raise place.error(f"{name!r} is no name for a class", remedy="write letters, digits, - and _, such as ci-build")
    if name == RESERVED_CLASS:
        raise place.error(f"the class {name!r} is tagsweep's own", remedy="choose another name")
    found: list[Pattern] = version_patterns(wire, place)
    if wire.prefix is not None and not found:
        raise place.at("prefix").error(
            "'prefix' belongs to versions, and this class has none", remedy="put the prefix into the pattern itself"
        )
    found += texts(glob=wire.glob, regex=wire.regex, names=wire.names, place=place)
    if not found:
        raise place.error(
            f"the class {name!r} has no pattern", remedy="write one of calver, semver, pep440, regex, glob and names"
        )
    return NamingClass(name=name, patterns=tuple(found), immutable=wire.immutable)


def version_patterns(wire: NamingWire | NewestVersionsWire, place: Place) -> list[Pattern]:
    """Return the version schemes that are written in ``wire``, with its prefix."""
    prefix = wire.prefix or ""
    if _PREFIX.fullmatch(prefix) is None:
        raise place.at("prefix").error(f"no tag begins with {prefix!r}", remedy="tags have letters, digits, _ . and -")
    found: list[Pattern] = []
    if wire.calver is not None:
        formats = tuple(_calver(text, at) for at, text in place.at("calver").entries(wire.calver))
        if not formats:
            raise place.at("calver").error("'calver' names no format", remedy="write one, such as YYYY.0M.MICRO")
        found.append(VersionPattern(VersionScheme.CALVER, formats, prefix))
    for scheme, given in ((VersionScheme.SEMVER, wire.semver), (VersionScheme.PEP440, wire.pep440)):
        if given is not None:
            if not given:
                raise place.at(scheme.value).error(f"{scheme.value!r} can only be true", remedy="remove the key")
            found.append(VersionPattern(scheme, (), prefix))
    return found


def texts(*, glob: OneOrMore | None, regex: OneOrMore | None, names: OneOrMore | None, place: Place) -> list[Pattern]:
    """Return the patterns that are written as text under these three keys of ``place``."""
    found: list[Pattern] = []
    if glob is not None:
        found += [_glob(text, at) for at, text in _some(glob, place.at("glob"))]
    if regex is not None:
        found += [_regex(text, at) for at, text in _some(regex, place.at("regex"))]
    if names is not None:
        found.append(Names(frozenset(_tag(text, at) for at, text in _some(names, place.at("names")))))
    return found


def match(wire: MatchWire, place: Place, classes: Mapping[str, NamingClass]) -> Match:
    """Return a ``match`` or ``exclude``: exactly one of its keys is written."""
    keys = {"class": wire.class_, "glob": wire.glob, "regex": wire.regex, "names": wire.names}
    given = [key for key, value in keys.items() if value is not None]
    if not given:
        raise place.error(f"{place.name} says no tags", remedy=f"write one of {listing(keys)}")
    if len(given) > 1:
        raise place.at(given[1]).error(
            f"{place.name} has both {given[0]!r} and {given[1]!r}",
            remedy="write one; several patterns of one kind are a list, and a naming class joins kinds",
        )
    if wire.class_ is not None:
        named = [class_name(text, at, classes) for at, text in _some(wire.class_, place.at("class"))]
        return tuple(InClass(name) for name in named)
    return tuple(texts(glob=wire.glob, regex=wire.regex, names=wire.names, place=place))


def class_name(text: str, place: Place, classes: Mapping[str, NamingClass]) -> str:
    """Return the name of a class that the policy has."""
    if text in classes:
        return text
    remedy = did_you_mean(text, classes) if classes else f"describe it: naming: {{{text}: {{glob: …}}}}"
    raise place.error(f"'naming' has no class {text!r}", remedy=remedy)


def group_names(matched: Match, classes: Mapping[str, NamingClass]) -> list[tuple[str, frozenset[str]]]:
    """Return every pattern that ``matched`` comes down to, in words, with the names of its groups."""
    found: list[tuple[str, frozenset[str]]] = []
    for pattern in matched:
        inner = classes[pattern.name].patterns if isinstance(pattern, InClass) else (pattern,)
        for one in inner:
            words = one.pattern if isinstance(one, Regex | Glob) else "a list of names or versions"
            found.append((words, patterns.group_names(one)))
    return found


def _some(value: OneOrMore, place: Place) -> list[tuple[Place, str]]:
    entries = place.entries(value)
    if not entries:
        raise place.error(f"{place.name} is empty", remedy="write at least one entry")
    return entries


def _glob(text: str, place: Place) -> Glob:
    glob = Glob(text)
    try:
        too_wide = patterns.accepts_empty(glob)
    except ValueError as error:
        raise place.error(str(error), remedy="[abc] stands for one of these characters; [[] for the bracket") from error
    if too_wide:
        raise place.error(f"the glob {text!r} matches the empty string", remedy="write '?*' to match every tag")
    never = _NEVER_IN_TAG.search(_CHARACTER_CLASS.sub("", text)) or _NOT_ASCII.search(text)
    if never is not None:
        # Under keep or exclude, a pattern that cannot match would let go what it was written to hold.
        raise place.error(
            f"the glob {text!r} matches no tag: none has the character {_in_words(never[0])}",
            remedy="a glob has *, ? and [abc], else letters, digits, _ . and -; several globs are a list",
        )
    return glob


def _regex(text: str, place: Place) -> Regex:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            re.compile(text)
    except re.error as error:
        where = "" if error.pos is None else f" at character {error.pos + 1}"
        raise place.error(
            f"{text!r} is not a regular expression: {error.msg}{where}",
            remedy="put it in single quotes, so that YAML leaves the backslashes alone" if "\\" in text else "",
        ) from error
    except (FutureWarning, OverflowError, RecursionError) as error:
        raise place.error(f"{text!r} is not a safe regular expression: {error}") from error
    if not text.isascii():
        raise place.error(
            f"the regular expression {text!r} has the character {foreign_character(text)}, and no tag has it",
            remedy="tags have letters A to Z, digits, _ . and -; retype what only looks like one of them",
        )
    regex = Regex(text)
    if patterns.accepts_empty(regex):
        raise place.error(
            f"the regular expression {text!r} matches the empty string",
            remedy="write + instead of *, so that at least one character is needed",
        )
    return regex


def _in_words(character: str) -> str:
    return foreign_character(character) or repr(character)


def _tag(text: str, place: Place) -> str:
    if not is_tag(text):
        odd = foreign_character(text)
        raise place.error(
            f"{text!r} is not a tag{f': it has {odd}' if odd else ''}",
            remedy="names are whole tags: 1 to 128 letters, digits, _ . and -; use glob for a pattern",
        )
    return text


def _calver(text: str, place: Place) -> str:
    try:
        check_formats(VersionPattern(VersionScheme.CALVER, (text,)))
    except ValueError as error:
        raise place.error(f"{text!r} is not a calver format: {error}", remedy=_CALVER_HELP) from error
    return text
