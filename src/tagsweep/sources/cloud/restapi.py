"""RestApi: the GET requests of a cloud's management API, with its tokens, its paging and its form of errors.

Google and Azure give errors alike: ``{"error": {"code": …, "message": …}}``. The tokens come from the cloud's own
package, a new one whenever that says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import quote, urlencode

from tagsweep.http.hosts import origin
from tagsweep.http.limit import HostLimit
from tagsweep.http.redact import HIDDEN, excerpt
from tagsweep.http.retry import Retrier, RetryPolicy
from tagsweep.http.transport import CurlTransport
from tagsweep.model.errors import (
    AuthenticationFailed,
    NotFound,
    PermissionDenied,
    ProtocolViolation,
    RateLimited,
    RegistryError,
    ServerFailed,
)
from tagsweep.ports import Request, Response, SourceContext, Transport
from tagsweep.sources.jsonapi import dig, objects_at, pages, text_at, texts_at

_AT_ONCE: Final = 8
_LARGEST_ANSWER: Final = 64 * 1024 * 1024
_OK: Final = 200
_REDIRECTS: Final = range(300, 400)
_SERVER_ERROR: Final = 500
_BY_STATUS: Final[Mapping[int, type[RegistryError]]] = {
    401: AuthenticationFailed,
    403: PermissionDenied,
    404: NotFound,
    429: RateLimited,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """How a listing goes on: ``items`` is the key of its entries.

    ``token`` is the key of what the parameter ``parameter`` of the next request is to be; where there is no parameter,
    it is the URL of the next page, which must be of the same host. ``omits_empty``: a page has no list rather than an
    empty one.
    """

    items: str
    token: tuple[str, ...]
    parameter: str = ""
    omits_empty: bool = False


def open_transport(place: str) -> CurlTransport:
    """Return a transport with the bounds for management APIs."""
    return CurlTransport(place=place, connect_timeout=10.0, total_timeout=300.0)


class RestApi:
    """One management API at ``url`` (scheme and authority). ``token`` returns the bearer token to send now.

    ``remedy`` returns what a person does about an error, or an empty text. Safe for several threads at once if
    ``token`` is.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        url: str,
        place: str,
        token: Callable[[], str],
        remedy: Callable[[RegistryError], str],
        context: SourceContext,
    ) -> None:
        self.place = place
        self._url = url
        self._transport = transport
        self._token = token
        self._remedy = remedy
        self._retrier = Retrier(
            transport.send,
            limit=HostLimit(_AT_ONCE, context.clock),
            clock=context.clock,
            progress=context.progress,
            place=place,
            policy=RetryPolicy(tries=4, longest_pause=120.0, patience=600.0),
        )

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give back the connections."""
        self._transport.close()

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """Return the JSON object at ``path``, or raise RegistryError with the remedy."""
        asked = f"?{urlencode(query, quote_via=quote)}" if query else ""
        return self._read(f"{self._url}{path}{asked}", path)

    def many(self, path: str, paging: Paging, **query: str) -> Iterator[dict[str, Any]]:
        """Yield the entries of a listing, page after page; raise rather than end before its end."""

        def ask(mark: str) -> tuple[dict[str, Any], str]:
            if mark and not paging.parameter:
                page = self._read(mark, path)
            else:
                page = self.get(path, **query, **({paging.parameter: mark} if mark else {}))
            return page, text_at(page, *paging.token)

        for page in pages(ask, place=self.place, what=path):
            yield from self._entries(page, path, paging)
            unreachable = ", ".join(texts_at(page, "unreachable"))
            if unreachable:
                raise ProtocolViolation(
                    f"{self.place}: GET {path} leaves out what it cannot reach now: {excerpt(unreachable)}",
                    remedy="run it again later",
                )

    def _entries(self, page: dict[str, Any], path: str, paging: Paging) -> tuple[dict[str, Any], ...]:
        listed = page.get(paging.items)
        if (
            listed is None
            and paging.omits_empty
            and not set(page) - {paging.token[0], "unreachable", "kind", "apiVersion"}
        ):
            return ()
        if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
            raise ProtocolViolation(
                f"{self.place}: the answer to GET {path} has no list {paging.items}, so it is not what is documented",
                remedy="check endpoint and the proxy",
            )
        return tuple(listed)

    def _read(self, url: str, path: str) -> dict[str, Any]:
        if origin(url) != origin(self._url):
            raise ProtocolViolation(
                f"{self.place}: the next page of {path} is at another host, which does not get the token"
            )
        token = self._token()
        headers = {"Accept": "application/json", "Authorization": f"Bearer {token}"}
        try:
            response = self._retrier.send(Request(method="GET", url=url, headers=headers, max_body=_LARGEST_ANSWER))
            return self._document(response, path, token)
        except RegistryError as error:
            remedy = self._remedy(error) or error.remedy
            raise type(error)(str(error), remedy=remedy, status=error.status, code=error.code) from error

    def _document(self, response: Response, path: str, token: str) -> dict[str, Any]:
        try:
            document = json.loads(response.body) if response.body else None
        except (ValueError, RecursionError):
            document = None
        if response.status == _OK and isinstance(document, dict):
            return document
        if response.status in _REDIRECTS:
            raise ProtocolViolation(
                f"{self.place}: GET {path} is redirected ({response.status}), which is not followed with a token",
                status=response.status,
            )
        if response.status == _OK:
            raise ProtocolViolation(f"{self.place}: the answer to GET {path} is no JSON object", status=response.status)
        kind = _BY_STATUS.get(response.status, ServerFailed if response.status >= _SERVER_ERROR else RegistryError)
        code = _code(document)
        words = excerpt(text_at(document, "error", "message").replace(token, HIDDEN), limit=200)
        told = " ".join(part for part in (str(response.status), code, words) if part)
        raise kind(f"{self.place}: GET {path} fails: {told}", status=response.status, code=code)


def _code(document: Any) -> str:
    """Return the most exact code of an error: the reason in Google's details, Azure's code, or Google's status."""
    for detail in objects_at(document, "error", "details"):
        if text_at(detail, "reason"):
            return excerpt(text_at(detail, "reason"), limit=64)
    code = dig(document, "error", "code")
    return excerpt(code if isinstance(code, str) else text_at(document, "error", "status"), limit=64)
