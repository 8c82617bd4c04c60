"""Which repositories a policy's targets mean, told without asking a registry what exists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tagsweep.core.aliases import canonical_repository, names_of
from tagsweep.core.open_references import could_be_in
from tagsweep.core.patterns import repository_matches
from tagsweep.model.reference import DOCKER_HUB, DOCKER_HUB_ALIASES, Repository
from tagsweep.model.usage import Unresolved

_GLOB: Final = re.compile(r"[*?\[]")
_SPECIAL: Final = frozenset(".^$*+?{}[]()|\\")
_LAYOUT: Final = "oci-layout:"


class Scope:
    """The repositories that ``targets`` mean: names and globs as the policy has them. None means every repository."""

    def __init__(self, targets: Sequence[str] | None, aliases: Mapping[str, str]) -> None:
        self._all = targets is None
        self._aliases = aliases
        self._globs = tuple(target for target in targets or () if _GLOB.search(target))
        self._named = frozenset(
            canonical_repository(_repository(target), aliases) for target in targets or () if not _GLOB.search(target)
        )
        self._known: dict[Repository, bool] = {}

    def has(self, repository: Repository) -> bool:
        """Tell whether it is one of them, under any of its names."""
        if self._all:
            return True
        if repository not in self._known:
            ours = canonical_repository(repository, self._aliases)
            self._known[repository] = ours in self._named or any(
                repository_matches(glob, name) for glob in self._globs for name in (str(ours), *self._names(ours))
            )
        return self._known[repository]

    def could_have(self, entry: Unresolved) -> bool:
        """Tell whether an open reference could mean one of them; where that is not certain, it could."""
        if self._all:
            return True
        if entry.repository is not None:
            return self.has(entry.repository)
        if any(could_be_in(entry, repository, self._aliases) for repository in self._named):
            return True
        begin = _literal_beginning(entry.repository_pattern).lower()  # capitals make no other host
        return any(
            begin.startswith(known) or known.startswith(begin)
            for glob in self._globs
            for known in self._beginnings(glob)
        )

    def _names(self, repository: Repository) -> Iterator[str]:
        return names_of(repository, self._aliases)

    def _beginnings(self, glob: str) -> Iterator[str]:
        """Yield how the names that a glob matches begin, in full, in Docker's short form, and through aliases."""
        beginning = glob[: match.start()] if (match := _GLOB.search(glob)) else glob
        yield beginning
        host, _, rest = beginning.partition("/")
        if host == DOCKER_HUB:
            yield rest.removeprefix("library/")
            yield rest
            yield from (f"{other}/{rest}" for other in sorted(DOCKER_HUB_ALIASES))
        yield from (f"{alias}/{rest}" for alias, registry in self._aliases.items() if registry == host)


def _repository(target: str) -> Repository:
    registry, _, path = target.rpartition("/") if target.startswith(_LAYOUT) else target.partition("/")
    return Repository(registry, path)


def _literal_beginning(pattern: str) -> str:
    """Return what every text that a regular expression matches in full begins with, as far as that is easily seen."""
    if "|" in pattern:
        return ""
    found: list[str] = []
    at = 0
    while at < len(pattern):
        escaped = pattern[at] == "\\" and at + 1 < len(pattern) and not pattern[at + 1].isalnum()
        if not escaped and pattern[at] in _SPECIAL:
            break
        found.append(pattern[at + escaped])
        at += 1 + escaped
    # A quantifier may make the last character optional.
    if at < len(pattern) and pattern[at] in "*?{":
        found = found[:-1]
    return "".join(found)
