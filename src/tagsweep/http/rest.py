"""RestClient: a vendor's own JSON API beside the registry API, with the same patience, limits and manners.

Redirects are never followed and pages of another origin are refused, because Authorization would go along. A GET may
be repeated; whether a DELETE or POST is, the rules of :mod:`tagsweep.http.retry` decide.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol
from urllib.parse import urlencode, urljoin

from tagsweep.http.breaker import CircuitBreaker
from tagsweep.http.failures import failure
from tagsweep.http.hosts import origin
from tagsweep.http.limit import HostLimit
from tagsweep.http.paging import next_link
from tagsweep.http.redact import redact_url
from tagsweep.http.retry import Retrier, RetryPolicy
from tagsweep.model.errors import AuthenticationFailed, ProtocolViolation
from tagsweep.ports import Clock, Progress, Request, Response, Transport

_LARGEST_ANSWER: Final = 64 * 1024 * 1024
_MOST_PAGES: Final = 100_000
_OK: Final = 200
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _BAD_REQUEST = 401, 403, 404, 400
_REDIRECTS: Final = range(300, 400)


class Authorize(Protocol):
    """Gives the headers that authorize a request: none for nobody, or a fresh token where there was one."""

    def __call__(self, refused: Mapping[str, str] | None) -> Mapping[str, str]:
        """Return the headers. ``refused`` are those that the API just answered 401 to, None at first; returning the
        same again means that there are no others.
        """
        ...


def as_nobody(refused: Mapping[str, str] | None) -> Mapping[str, str]:  # noqa: ARG001 - the shape of Authorize
    """Return no headers: the API is asked without credentials."""
    return {}


class RestClient:
    """Asks one API. Safe to use from many threads at once.

    ``base_url`` is scheme, authority and perhaps a path without a slash at the end; ``place`` names it in messages.
    """

    def __init__(
        self,
        *,
        transport: Transport,
        base_url: str,
        place: str,
        clock: Clock,
        progress: Progress,
        authorize: Authorize = as_nobody,
        headers: Mapping[str, str] | None = None,
        concurrency: int = 8,
        policy: RetryPolicy | None = None,
    ) -> None:
        self.base_url = base_url
        self.place = place
        self._transport = transport
        self._authorize = authorize
        self._headers = {"Accept": "application/json", **(headers or {})}
        self._retrier = Retrier(
            self._count_and_send,
            limit=HostLimit(concurrency, clock),
            clock=clock,
            progress=progress,
            place=place,
            policy=policy,
        )
        self._breaker = CircuitBreaker(place)
        self._counts: Counter[str] = Counter()
        self._counting = threading.Lock()

    @property
    def counts(self) -> Mapping[str, int]:
        """How many requests were sent, by method."""
        with self._counting:
            return MappingProxyType(dict(self._counts))

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        about: str = "",
    ) -> Response:
        """Send one request to ``path`` below the base (or a URL of its origin) and return the answer, of any status.

        ``body`` is sent as JSON, bytes as they are. ``about`` names what the request is about, for the circuit breaker:
        a refusal of one thing says nothing of another. Without it the request is about the API as a whole.
        Raises AuthenticationFailed for a 401 that no other credentials cure, ProtocolViolation for a redirect.
        """
        about = about or self.place
        self._breaker.check(method, about)
        request = Request(
            method=method,
            url=self._url(path, query),
            headers={
                **self._headers,
                **({"Content-Type": "application/json"} if body is not None else {}),
                **(headers or {}),
            },
            body=body if body is None or isinstance(body, bytes) else json.dumps(body).encode(),
            max_body=_LARGEST_ANSWER,
        )
        response = self._authorized(request)
        if response.status in (_UNAUTHORIZED, _FORBIDDEN):
            self._breaker.refused(method, about)
        elif response.status < _BAD_REQUEST:
            self._breaker.answered(method, about)
        if response.status == _UNAUTHORIZED:
            raise failure(response, place=self.place, doing=f"{method} {redact_url(request.url)}")
        if response.status in _REDIRECTS:
            raise ProtocolViolation(
                f"{self.place}: {method} {redact_url(request.url)} is redirected ({response.status}), which is not "
                "followed",
                remedy="name the API's own host",
                status=response.status,
            )
        return response

    def excuse(self, method: str, about: str) -> None:
        """Say that a 403 was about one thing, such as a tag that is protected, so that the rest is asked on."""
        self._breaker.answered(method, about)

    def ask(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        query: Mapping[str, str | int] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        expect: tuple[int, ...] = (_OK,),
        about: str = "",
    ) -> Any:
        """Return the JSON document that answers with one of ``expect`` (None for an empty body), or raise what another
        status stands for; ``doing`` completes "cannot …" in that error.
        """
        response = self.send(method, path, query=query, body=body, headers=headers, about=about)
        return self.read(response, doing=doing, expect=expect)

    def read(self, response: Response, *, doing: str, expect: tuple[int, ...] = (_OK,)) -> Any:
        """Return the JSON document in an answer, as :meth:`ask` does."""
        if response.status not in expect:
            raise failure(response, place=self.place, doing=doing)
        if not response.body.strip():
            return None
        try:
            return json.loads(response.body)
        except (ValueError, RecursionError) as error:
            raise ProtocolViolation(f"{self.place}: cannot {doing}: the answer is not JSON") from error

    def find(self, path: str, *, doing: str, query: Mapping[str, str | int] | None = None, about: str = "") -> Any:
        """Return the JSON document at ``path``, or None for a 404. An empty answer is an error, and not None."""
        response = self.send("GET", path, query=query, about=about)
        if response.status == _NOT_FOUND:
            return None
        document = self.read(response, doing=doing)
        if document is None:
            raise ProtocolViolation(f"{self.place}: cannot {doing}: the answer is empty")
        return document

    def pages(
        self,
        path: str,
        *,
        doing: str,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        about: str = "",
        following: Callable[[Response, Any], str | None] | None = None,
    ) -> Iterator[Any]:
        """Yield the JSON document of each page, the first at ``path``. ``following`` returns the path or URL of the
        next one (by default that of the Link header), None on the last.

        Raises ProtocolViolation where a page leads to another origin or to one that was read already.
        """
        url = self._url(path, query)
        visited: set[str] = set()
        while len(visited) < _MOST_PAGES:
            if url in visited:
                break
            visited.add(url)
            response = self.send("GET", url, headers=headers, about=about)
            document = self.read(response, doing=doing)
            yield document
            target = next_link(response, place=self.place) if following is None else following(response, document)
            if not target:
                return
            url = self._url(urljoin(url, target) if "://" not in target and target.startswith("?") else target, None)
        raise ProtocolViolation(f"{self.place}: cannot {doing}: the pages turn in a circle, so the end was not seen")

    def close(self) -> None:
        """Give back the connections."""
        self._transport.close()

    def _url(self, path: str, query: Mapping[str, str | int] | None) -> str:
        url = path if "://" in path else f"{self.base_url}{path}"
        if origin(url) != origin(self.base_url):
            raise ProtocolViolation(
                f"{self.place}: {redact_url(url).partition('?')[0]} is at another host, which is not asked in its place"
            )
        if not query:
            return url
        return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"

    def _authorized(self, request: Request) -> Response:
        authorization = self._authorize(None)
        response = self._retrier.send(_with(request, authorization))
        if response.status != _UNAUTHORIZED:
            return response
        try:
            fresh = self._authorize(authorization)
        except AuthenticationFailed:
            return response
        return response if fresh == authorization else self._retrier.send(_with(request, fresh))

    def _count_and_send(self, request: Request) -> Response:
        with self._counting:
            self._counts[request.method] += 1
        return self._transport.send(request)


def _with(request: Request, headers: Mapping[str, str]) -> Request:
    return Request(
        method=request.method,
        url=request.url,
        headers={**request.headers, **headers},
        body=request.body,
        max_body=request.max_body,
    )
