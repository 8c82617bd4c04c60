"""What vendors' own APIs tell in lists, read with care: times with their offset, and numbered pages to their end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from tagsweep.model.errors import InvalidReference, ProtocolViolation
from tagsweep.model.reference import Digest, is_tag
from tagsweep.ports import ListedTag

_READINGS: Final = 3
_FIRST_YEAR: Final = 1970
"""A time before it is the zero of some programming language, and means that there is none."""


def moment(value: Any) -> datetime | None:
    """Return a time, or None for one that is absent, not readable or without its offset: unknown is unknown."""
    try:
        read = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return read if read is not None and read.tzinfo is not None and read.year > _FIRST_YEAR else None


def newest(*values: Any) -> datetime | None:
    """Return the latest of some times, because something may only ever look younger than it is; None without one."""
    return max((read for value in values if (read := moment(value)) is not None), default=None)


def digest_in(value: Any) -> Digest | None:
    """Return a digest that a list tells, or None where it tells none that can be used: the registry API does then."""
    try:
        return Digest.parse(value) if isinstance(value, str) else None
    except InvalidReference:
        return None


def within(document: Any, *keys: str) -> Any:
    """Return what an answer has under these keys, one within the other; None where there is no such thing."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def objects(document: Any, key: str, *, place: str, doing: str) -> Sequence[Mapping[str, Any]]:
    """Return the list of objects that an answer has under ``key``, or raise ProtocolViolation."""
    return listed(within(document, key), key, place=place, doing=doing)


def listed(found: Any, what: str, *, place: str, doing: str) -> Sequence[Mapping[str, Any]]:
    """Return a list of objects, or raise ProtocolViolation: what is none never reads as an empty one."""
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise ProtocolViolation(f"{place}: cannot {doing}: the answer has no list of {what}")
    return found


def whole(
    read: Callable[[int], tuple[Sequence[Mapping[str, Any]], int | None]], *, key: str, place: str, doing: str
) -> dict[str, Mapping[str, Any]]:
    """Return all entries of a numbered list by their text under ``key``. ``read`` returns one page and the total.

    What is pushed or removed meanwhile moves entries to other pages: the totals tell, and the list is read anew.
    """
    for _ in range(_READINGS):
        entries: dict[str, Mapping[str, Any]] = {}
        totals: set[int | None] = set()
        seen = 0
        for page in range(1, 1_000_000):
            found, total = read(page)
            totals.add(total)
            seen += len(found)
            known = len(entries)
            for entry in found:
                entries[text_in(entry, key, place=place, doing=doing)] = entry
            if len(entries) == known or (total is not None and seen >= total):
                break  # the end, or a server that gives the same page for ever
        if totals == {len(entries)}:
            return entries
    raise ProtocolViolation(
        f"{place}: cannot {doing}: it changed each of the {_READINGS} times that it was read, or lists less than it "
        "counts",
        remedy="run it again when nobody pushes; nothing is planned from an incomplete listing",
    )


def text_in(entry: Mapping[str, Any], key: str, *, place: str, doing: str) -> str:
    """Return a text that every entry of a list has, or raise ProtocolViolation: what has no name is not left out."""
    found = entry.get(key)
    if not isinstance(found, str) or not found:
        raise ProtocolViolation(f"{place}: cannot {doing}: an entry of the list has no {key}")
    return found


def as_tag(name: str, *, place: str, doing: str) -> str:
    """Return a name that a list has as a tag, or raise ProtocolViolation where it is none."""
    if not is_tag(name):
        raise ProtocolViolation(f"{place}: cannot {doing}: the list holds {name[:130]!r}, which is no tag")
    return name


def in_order(names: Iterable[str], told: Mapping[str, ListedTag]) -> tuple[ListedTag, ...]:
    """Return every tag once: those of ``names`` in their order, with what is told of them, then what is only told.

    The registry API names every tag; a vendor's list knows more of them and may hide some, or cut the list.
    """
    return tuple(told.get(name, ListedTag(name=name)) for name in dict.fromkeys((*names, *told)))
