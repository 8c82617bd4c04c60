"""What Docker Hub's API tells in lists: their pages, and the times of a tag with their origins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from tagsweep.model.errors import InvalidReference, ProtocolViolation
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.reference import Digest, is_tag
from tagsweep.ports import ListedTag

TIMES: Final = MappingProxyType(
    {
        TimeOrigin.PUSHED: "tag_last_pushed",
        TimeOrigin.UPDATED: "last_updated",
        TimeOrigin.PULLED: "tag_last_pulled",
    }
)
_FIRST_YEAR: Final = 1970
"""A time before it is the zero of some programming language, and means that there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a listing: its entries by name, how many there are on all pages, and where the next one is."""

    entries: Mapping[str, dict[str, Any]] = field(hash=False)
    count: int
    following: str | None


def read_page(document: Any, *, place: str, doing: str) -> Page:
    """Return the page that ``document`` is, or raise ProtocolViolation."""
    page = document if isinstance(document, dict) else {}
    results, count, following = page.get("results"), page.get("count"), page.get("next")
    named = isinstance(results, list) and all(
        isinstance(entry, dict) and isinstance(entry.get("name"), str) and entry["name"] for entry in results
    )
    if not named or not isinstance(count, int) or not (following is None or isinstance(following, str)):
        raise ProtocolViolation(f"{place}: cannot {doing}: the answer is not a page of Docker Hub's API")
    return Page(entries={entry["name"]: entry for entry in results or ()}, count=count, following=following or None)


def read_tag(entry: dict[str, Any], *, place: str, doing: str) -> ListedTag:
    """Return the tag that an entry describes.

    Its digest is the one at the top, which the live API has and the official description has not. The digests of
    ``images`` are those of platforms: two tags with the same ones can be different indexes.
    """
    name = str(entry["name"])
    if not is_tag(name):
        raise ProtocolViolation(f"{place}: cannot {doing}: the list holds {name[:130]!r}, which is no tag")
    times = {origin: moment for origin, key in TIMES.items() if (moment := _moment(entry.get(key))) is not None}
    return ListedTag(name=name, digest=_digest(entry.get("digest")), times=times)


def _digest(value: Any) -> Digest | None:
    try:
        return Digest.parse(value) if isinstance(value, str) else None
    except InvalidReference:
        return None  # the registry API tells it then


def _moment(value: Any) -> datetime | None:
    """Return a time in UTC, or None for one that is absent, not readable or without its offset: unknown is unknown."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None and moment.year > _FIRST_YEAR else None
