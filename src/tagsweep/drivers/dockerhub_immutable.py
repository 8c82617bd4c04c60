"""Which tags Docker Hub would refuse to remove, by the immutable-tag rules of their repository.

Rules are RE2 expressions. Whether one must match a whole tag is not documented: a tag that it matches in part is taken
for immutable unless the registry itself says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any, Final, TypeAlias

Verify: TypeAlias = Callable[[str], frozenset[str] | None]
"""Asks the registry which tags a rule matches; None where it does not say."""
EVERY_TAG: Final = ""
"""The rule of a repository whose tags are all immutable; a real rule is never empty."""
_READ_OTHERWISE: Final = re.compile(r"\[\[|\[:|--|&&|~~|\|\|")
"""What Python reads in another way than RE2, or warns of: such a rule is not read here."""


def immutable_rules(repository: Any) -> tuple[str, ...]:
    """Return the rules in force, from the API's description of a repository; none where tags can be changed.

    A repository that says so and names no rule, or none that can be read, has all its tags immutable.
    """
    settings = repository.get("immutable_tags_settings")
    if isinstance(settings, dict):
        enabled, rules = settings.get("enabled"), settings.get("rules")
    else:  # an earlier form of the same
        enabled, rules = repository.get("immutable_tags"), repository.get("immutable_tags_rules")
    if not enabled:
        return ()
    if not isinstance(rules, list) or not rules or not all(isinstance(rule, str) and rule for rule in rules):
        return (EVERY_TAG,)
    return tuple(rules)


def locked_tags(rules: Collection[str], tags: Collection[str], *, verify: Verify) -> dict[str, str]:
    """Return the tags that are immutable, each with the reason in words. ``verify`` is asked only in doubt."""
    locked: dict[str, str] = {}
    for rule in rules:
        certain, possible = _matched(rule, tags)
        told = verify(rule) if possible else frozenset()
        for tag in certain:
            locked.setdefault(tag, _words(rule))
        for tag in possible:
            if told is None:
                locked.setdefault(tag, f"Docker Hub may hold it for immutable: the rule {rule!r} may match it")
            elif tag in told:
                locked.setdefault(tag, _words(rule))
    return locked


def _words(rule: str) -> str:
    if rule == EVERY_TAG:
        return "all tags of this repository are immutable on Docker Hub"
    return f"it is immutable on Docker Hub, by the rule {rule!r}"


def _matched(rule: str, tags: Collection[str]) -> tuple[list[str], list[str]]:
    """Return the tags that the rule matches whole, and those that it may match besides."""
    if rule == EVERY_TAG:
        return list(tags), []
    expression = _compiled(rule)
    if expression is None:
        return [], list(tags)
    certain = [tag for tag in tags if expression.fullmatch(tag) is not None]
    known = frozenset(certain)
    return certain, [tag for tag in tags if tag not in known and expression.search(tag) is not None]


def _compiled(rule: str) -> re.Pattern[str] | None:
    if _READ_OTHERWISE.search(rule):
        return None
    try:
        return re.compile(rule)
    except (re.error, RecursionError, OverflowError):
        return None
