"""Holding tags to the naming policy: the class of each, what is wrong with it, and what a good name would be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum
from typing import Final

from tagsweep.core.classify import Classifier
from tagsweep.core.derived import DIGEST_DERIVED
from tagsweep.model.policy import Glob, Names, NamingClass, Pattern, Policy, Regex, VersionPattern, VersionScheme
from tagsweep.model.reference import is_tag

_LITERAL: Final = re.compile(r"(?:[A-Za-z0-9_-]|\\[.-])+(?![?*+{])")
_EXAMPLES: Final = {VersionScheme.SEMVER: "1.4.2", VersionScheme.PEP440: "1.4.2"}
_TOKENS: Final = (
    ("YYYY", "2026"),
    ("0Y", "26"),
    ("YY", "26"),
    ("0M", "04"),
    ("MM", "4"),
    ("0W", "07"),
    ("WW", "7"),
    ("0D", "09"),
    ("DD", "9"),
    ("MAJOR", "1"),
    ("MINOR", "4"),
    ("MICRO", "2"),
    ("MODIFIER", "rc1"),
)


STANDARD_INPUT: Final = "standard input"
"""Where a tag is written that no file has."""


class Fault(Enum):
    """How a tag breaks the policy."""

    INVALID = "no registry accepts it as a tag"
    UNNAMED = "it is of no class of the naming policy"
    MOVED = "its class is immutable, and it was moved to another digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A tag to check. ``where`` and ``line`` say where it is written; ``moved`` that it was seen on another digest."""

    tag: str
    where: str = ""
    line: int = 0
    moved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found about one tag. ``rules`` are the rules that may remove it one day; a tag of none is kept.

    ``better`` is the tag as it would be right, ``example`` a tag of the ``nearest`` class, ``expression`` the pattern
    of that class where no example is known; each may be empty.
    """

    candidate: Candidate
    naming_class: str
    rules: tuple[str, ...] = ()
    fault: Fault | None = None
    better: str = ""
    example: str = ""
    nearest: str = ""
    expression: str = ""


def check(candidates: Iterable[Candidate], policy: Policy, known: Iterable[str] = ()) -> tuple[Verdict, ...]:
    """Return the verdict on each candidate, in their order. ``known`` are tags from which examples are taken."""
    classifier = Classifier(policy.naming)
    examples: dict[str, str] = {}
    for tag in sorted(known):
        found = classifier.class_of(tag) if is_tag(tag) else ""
        if found:
            examples.setdefault(found, tag)
    return tuple(_verdict(candidate, policy, classifier, examples) for candidate in candidates)


def _verdict(candidate: Candidate, policy: Policy, classifier: Classifier, examples: Mapping[str, str]) -> Verdict:
    tag = candidate.tag
    valid = is_tag(tag)
    found = classifier.class_of(tag) if valid else ""
    if not found:
        better, named = _better(tag, policy.naming)
        near = named or _nearest(tag, policy.naming, examples)
        example = _example(near, policy.naming, examples)
        return Verdict(
            candidate=candidate,
            naming_class="",
            fault=Fault.UNNAMED if valid else Fault.INVALID,
            better=better,
            example=example,
            nearest=near,
            expression="" if example else _expression(near, policy.naming),
        )
    rules = [
        rule.name
        for rule in policy.rules
        if classifier.matches(rule.match, tag) and not classifier.matches(rule.exclude, tag)
    ]
    immutable = any(each.immutable for each in policy.naming if each.name == found)
    fault = Fault.MOVED if candidate.moved and immutable and found != DIGEST_DERIVED else None
    return Verdict(candidate=candidate, naming_class=found, rules=tuple(rules), fault=fault)


# --- what would be right ------------------------------------------------------------------------------------------
def _better(tag: str, naming: Sequence[NamingClass]) -> tuple[str, str]:
    """Return the nearest tag that a class has, by the mistakes that are usually made, and that class."""
    classifier = Classifier(naming)  # one for this tag: it remembers, and there are a hundred repairs of each
    leads = dict.fromkeys(filter(None, (literal_lead(pattern) for each in naming for pattern in each.patterns)))
    for text in _repairs(tag, leads):
        if is_tag(text):
            found = classifier.class_of(text)
            if found and found != DIGEST_DERIVED:
                return text, found
    return "", ""


def _repairs(tag: str, leads: Iterable[str]) -> Iterator[str]:
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", tag.strip()).strip("-.")
    lower = plain.lower()
    for text in dict.fromkeys((plain, lower, lower.replace("_", "-"), lower.replace("_", "."))):
        unpadded = re.sub(r"(?<=\.)0+(?=[0-9])", "", text)
        padded = re.sub(r"(?<=\.)([0-9])(?=\.)", r"0\1", text)
        for one in dict.fromkeys((text, unpadded, padded)):
            yield one
            yield one.removeprefix("v")
            yield f"v{one}"
            yield f"{one}.0"
            yield one.rpartition(".")[0]
            for lead in leads:
                yield lead + one
                yield lead + re.split(r"[-_]", one)[-1]


def _nearest(tag: str, naming: Sequence[NamingClass], examples: Mapping[str, str]) -> str:
    for each in naming:
        leads = [lead for pattern in each.patterns if (lead := literal_lead(pattern))]
        if any(tag.startswith(lead) for lead in leads):
            return each.name

    def likeness(each: NamingClass) -> float:
        example = _example(each.name, naming, examples)
        return SequenceMatcher(None, _form(tag), _form(example)).ratio() if example else 0.0

    best = max(naming, key=likeness, default=None)
    return best.name if best is not None and likeness(best) > 0 else ""


def _form(text: str) -> str:
    return re.sub(r"[0-9]+", "0", text.lower())


def _example(name: str, naming: Sequence[NamingClass], examples: Mapping[str, str]) -> str:
    if name in examples:
        return examples[name]
    patterns = [pattern for each in naming if each.name == name for pattern in each.patterns]
    return next((text for pattern in patterns if (text := _of_pattern(pattern))), "")


def _expression(name: str, naming: Sequence[NamingClass]) -> str:
    patterns = [pattern for each in naming if each.name == name for pattern in each.patterns]
    return next((pattern.pattern for pattern in patterns if isinstance(pattern, Regex | Glob)), "")


def _of_pattern(pattern: Pattern) -> str:
    match pattern:
        case Names():
            return min(pattern.names, default="")
        case VersionPattern():
            text = pattern.formats[0] if pattern.formats else _EXAMPLES.get(pattern.scheme, "")
            for token, value in _TOKENS:
                text = text.replace(token, value)
            return pattern.prefix + text
        case _:
            return ""


def literal_lead(pattern: Pattern) -> str:
    """Return the text that every tag of the pattern begins with, as far as it can be read from the pattern."""
    if isinstance(pattern, VersionPattern):
        return pattern.prefix
    if not isinstance(pattern, Regex) or "|" in re.sub(r"\([^()]*\)", "", pattern.pattern):
        return ""
    found = _LITERAL.match(pattern.pattern)
    return found[0].replace("\\", "") if found is not None else ""
