"""What a reference with open parts (``${TAG}``) could mean here, and how the policy wants it read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Final

from tagsweep.core.aliases import canonical_repository, writings_of
from tagsweep.core.patterns import compile_regex, repository_matches
from tagsweep.model.policy import UnresolvedReading, UnresolvedRule
from tagsweep.model.reference import Repository
from tagsweep.model.usage import Unresolved


class Standing(Enum):
    """How an open reference is read: nothing said, or one of the policy's two words."""

    UNDECIDED = "undecided"
    """Nobody said how; whatever fits stays until somebody does."""
    PROTECT = "protect"
    IGNORE = "ignore"


_STANDING: Final = {UnresolvedReading.PROTECT: Standing.PROTECT, UnresolvedReading.IGNORE: Standing.IGNORE}


def standing(entry: Unresolved, rules: Sequence[UnresolvedRule]) -> Standing:
    """Return how ``entry`` is read by the rules of its source.

    A rule with paths is closer to it than one without; of rules that are equally close, protecting wins. Their order
    has no meaning.
    """
    close = [rule for rule in rules if rule.paths and any(repository_matches(glob, entry.path) for glob in rule.paths)]
    found = {_STANDING[rule.read] for rule in close or [rule for rule in rules if not rule.paths]}
    if Standing.PROTECT in found:
        return Standing.PROTECT
    return Standing.IGNORE if found else Standing.UNDECIDED


def could_be_in(entry: Unresolved, repository: Repository, aliases: Mapping[str, str]) -> bool:
    """Tell whether ``entry`` could mean something in ``repository``, which must be canonical."""
    if entry.repository is not None:
        return canonical_repository(entry.repository, aliases) == repository
    try:
        pattern = compile_regex(f"(?i:{entry.repository_pattern})")  # capitals make no other host
    except ValueError:
        return True  # a source wrote a pattern that is none; then it could be any
    return any(pattern.fullmatch(name) is not None for name in writings_of(repository, aliases))


class FittingTags:
    """The tags of one repository that open references could mean. Many references share a few patterns."""

    def __init__(self, tags: Sequence[str]) -> None:
        self._tags = tuple(tags)
        self._found: dict[str, tuple[str, ...]] = {}

    def of(self, entry: Unresolved) -> tuple[str, ...]:
        """Return the tags that the pattern of ``entry`` matches in full, in their order.

        Capitals make no difference: some registries list names in lower case, however they were pushed and are used.
        """
        if entry.tag_pattern not in self._found:
            self._found[entry.tag_pattern] = tuple(self._fitting(entry.tag_pattern))
        return self._found[entry.tag_pattern]

    def _fitting(self, pattern: str) -> Iterator[str]:
        try:
            expression = re.compile(compile_regex(pattern).pattern, re.IGNORECASE)
        except ValueError:
            yield from self._tags  # as above
            return
        yield from (tag for tag in self._tags if expression.fullmatch(tag) is not None)
