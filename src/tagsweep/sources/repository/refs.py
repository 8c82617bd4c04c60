"""Choosing branches and tags by names and globs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from typing import Final

from tagsweep.sources.pathglobs import shown

HEADS: Final = "refs/heads/"
TAGS: Final = "refs/tags/"
REMOTES: Final = "refs/remotes/"
HEAD: Final = "HEAD"


@dataclass(frozen=True, slots=True)
class Ref:
    """A name in a repository and the object that it is on."""

    name: str
    target: str

    @property
    def label(self) -> str:
        """The short name, fit for any output."""
        return shown(self.short)

    @property
    def short(self) -> str:
        """The name as a person writes it: ``main``, ``origin/main``, ``v1``."""
        for prefix in (HEADS, TAGS, REMOTES):
            if self.name.startswith(prefix):
                return self.name.removeprefix(prefix)
        return self.name

    @property
    def is_tag(self) -> bool:
        """Whether it is a tag."""
        return self.name.startswith(TAGS)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which refs are read: ``branches`` and ``tags`` are globs in which ``*`` also crosses slashes.

    A branch glob means the branch, its remote-tracking copies (``main`` also ``origin/main``), or, where it begins with
    ``refs/``, any ref by its whole name; ``HEAD`` is itself. No branch glob, as ``*``, means every branch, and a HEAD
    that is on none of them.
    """

    branches: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def choose(self, refs: Iterable[Ref], *, default: str = "") -> Choice:
        """Return the refs that are meant, and the globs that mean none. ``default`` is the branch that HEAD names."""
        every = not self.branches or "*" in self.branches
        found: dict[str, Ref] = {}
        used: set[str] = set()
        head: Ref | None = None
        for ref in refs:
            head = ref if ref.name == HEAD else head
            wanted = [glob for glob in self.branches if _means(glob, ref)]
            tagged = [glob for glob in self.tags if ref.is_tag and _expression(glob).fullmatch(ref.short)]
            used.update(("branch " + glob for glob in wanted), ("tag " + glob for glob in tagged))
            if wanted or tagged or (not self.branches and _branch_names(ref)):
                found[ref.name] = ref
        if head is not None and every and all(ref.target != head.target for ref in found.values()):
            found[HEAD] = head  # on no branch, as CI systems check out
        return Choice(
            tuple(sorted(found.values(), key=lambda ref: (ref.is_tag, ref.name != default, ref.short, ref.name))),
            tuple(glob for glob in self.branches if "branch " + glob not in used),
            tuple(glob for glob in self.tags if "tag " + glob not in used),
        )


EVERY_BRANCH: Final = Selection()
"""What is read where nothing is said."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The refs to read, branches first and the default one before the others, and the globs that matched nothing."""

    refs: tuple[Ref, ...]
    idle_branches: tuple[str, ...] = ()
    idle_tags: tuple[str, ...] = ()


def _means(glob: str, ref: Ref) -> bool:
    if ref.name == HEAD:
        return glob == HEAD
    names = (ref.name,) if glob.startswith("refs/") else _branch_names(ref)
    return any(_expression(glob).fullmatch(name) for name in names)


def _branch_names(ref: Ref) -> tuple[str, ...]:
    """Return the names that a branch goes by; none for what is no branch."""
    if ref.name.startswith(HEADS):
        return (ref.short,)
    if ref.name.startswith(REMOTES):
        remote, _, name = ref.short.partition("/")
        return () if name == HEAD or not remote else (ref.short, name)
    return ()


@lru_cache(maxsize=256)
def _expression(glob: str) -> re.Pattern[str]:
    return re.compile(translate(glob))
