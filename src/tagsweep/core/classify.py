"""Which naming class a tag belongs to, and whether a rule's match means it."""

from __future__ import annotations

from collections.abc import Sequence

from tagsweep.core.derived import DIGEST_DERIVED, derived_from
from tagsweep.core.patterns import matches
from tagsweep.model.errors import PolicyError
from tagsweep.model.policy import InClass, Match, NamingClass, Pattern


class Classifier:
    """Gives every tag its class: the first of ``naming``, in the policy's order, that has a matching pattern.

    Digest-derived tags are of the reserved class and are matched by nothing that a user wrote. Not for use from many
    threads: it remembers the answers.
    """

    def __init__(self, naming: Sequence[NamingClass]) -> None:
        self._naming = tuple(naming)
        self._names = frozenset(each.name for each in naming)
        self._classes: dict[str, str] = {}

    def class_of(self, tag: str) -> str:
        """Return the name of the tag's class, ``digest-derived`` for the reserved one, or the empty string."""
        known = self._classes.get(tag)
        if known is None:
            known = self._classes[tag] = self._classify(tag)
        return known

    def matches(self, match: Match, tag: str) -> bool:
        """Tell whether any part of ``match`` means ``tag``; never true for digest-derived tags.

        Raises PolicyError for a class that the policy does not define: matching nothing would make an exclude or a
        protection silently void.
        """
        for part in match:
            if isinstance(part, InClass):
                self._require(part.name)
        naming_class = self.class_of(tag)
        if naming_class == DIGEST_DERIVED:
            return False
        return any(naming_class == part.name if isinstance(part, InClass) else matches(part, tag) for part in match)

    def patterns(self, match: Match) -> tuple[Pattern, ...]:
        """Return all patterns that stand behind ``match``, those of its classes included, in their order."""
        found: list[Pattern] = []
        for part in match:
            if isinstance(part, InClass):
                self._require(part.name)
                found.extend(p for each in self._naming if each.name == part.name for p in each.patterns)
            else:
                found.append(part)
        return tuple(found)

    def _require(self, name: str) -> None:
        if name not in self._names:
            raise PolicyError(
                f"the class {name!r} is not defined",
                remedy=f"define it under naming, or use one of: {', '.join(sorted(self._names)) or '(none defined)'}",
            )

    def _classify(self, tag: str) -> str:
        if derived_from(tag) is not None:
            return DIGEST_DERIVED
        for each in self._naming:
            if any(matches(pattern, tag) for pattern in each.patterns):
                return each.name
        return ""
