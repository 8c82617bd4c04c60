"""Following a listing to its end: next links of the same origin only, no loops, nothing lost, nothing twice.

Rules: OCI distribution specification, "Content Discovery"; RFC 8288 for the Link header. Only a Link says that there is
more: distribution 2.x ignores ``n`` and ``last``, so a client that pages by them never ends.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Final, TypeVar
from urllib.parse import urljoin

from tagsweep.http.hosts import origin
from tagsweep.http.redact import redact_url
from tagsweep.model.errors import ProtocolViolation
from tagsweep.ports import Response

Entry = TypeVar("Entry", bound=Hashable)
_MAX_PAGES: Final = 100_000


def next_link(response: Response, *, place: str) -> str | None:
    """Return the absolute URL of the next page, or None on the last; ProtocolViolation if it leads to another origin.

    An http link from an https registry is another origin too: Authorization would go out unencrypted.
    """
    target = _rel_next(response.headers.get("link", ""))
    if target is None:
        return None
    url = urljoin(response.url, target)
    if origin(url) != origin(response.url):
        raise ProtocolViolation(
            f"{place}: the next page of a listing is at another host ({redact_url(url).partition('?')[0]})",
            remedy="a proxy before the registry must pass on Host and X-Forwarded-Proto",
        )
    return url


def _rel_next(header: str) -> str | None:
    position = 0
    while True:
        start = header.find("<", position)
        end = header.find(">", start)
        if start < 0 or end < 0:
            return None
        following = header.find("<", end)
        parameters = header[end + 1 : following if following >= 0 else len(header)]
        for parameter in parameters.replace(",", ";").split(";"):
            name, _, value = parameter.strip().partition("=")
            if name.strip().lower() == "rel" and "next" in value.strip().strip('"').lower().split():
                return header[start + 1 : end]
        position = end


def listing(
    fetch: Callable[[str], Response], url: str, read: Callable[[Response], tuple[Entry, ...]], *, place: str
) -> Iterator[Entry]:
    """Yield every entry of the listing that begins at ``url``, once, in the order of the registry.

    ``fetch`` sends a GET and raises for every answer that is no page; ``read`` returns a page's entries. Raises
    ProtocolViolation where the listing turns in a circle, because then its end was not seen.
    """
    seen: set[Entry] = set()
    visited: set[str] = set()
    after_empty = False
    for _ in range(_MAX_PAGES):
        visited.add(url)
        response = fetch(url)
        entries = read(response)
        fresh = [entry for entry in dict.fromkeys(entries) if entry not in seen]
        if entries and not fresh:
            if after_empty:  # pulp links from its last, empty page back to the first
                return
            raise _circle(place, url)
        yield from fresh
        seen.update(fresh)
        following = next_link(response, place=place)
        if following is None or (following in visited and not entries):
            return
        if following in visited:
            raise _circle(place, url)
        after_empty = not entries
        url = following
    raise _circle(place, url)


def _circle(place: str, url: str) -> ProtocolViolation:
    return ProtocolViolation(
        f"{place}: the listing {redact_url(url)} repeats itself, so it may be incomplete",
        remedy="look at the registry's version; nothing is planned from an incomplete listing",
    )
