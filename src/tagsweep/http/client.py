"""RegistryClient: transport, authorization, retries, limits and redirects put together for one registry host."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urljoin

from tagsweep.http.auth import AuthSession, Lookup
from tagsweep.http.breaker import CircuitBreaker
from tagsweep.http.challenge import Scope
from tagsweep.http.hosts import origin, url_is_loopback
from tagsweep.http.limit import HostLimit
from tagsweep.http.redact import redact_url
from tagsweep.http.retry import SAFE_METHODS, Retrier, RetryPolicy
from tagsweep.model.errors import AuthenticationFailed, PermissionDenied, ProtocolViolation
from tagsweep.ports import Clock, Progress, Request, Response, Transport

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MAX_HOPS: Final = 5
_FORBIDDEN: Final = 403
_BAD_REQUEST: Final = 400


class RegistryClient:
    """Sends requests to one registry. Safe to use from many threads at once.

    ``base_url`` is scheme and authority without a slash at the end; ``place`` names the registry in messages.
    ``plain`` says that the user allowed plain http for this host (or it is loopback).
    """

    def __init__(
        self,
        *,
        transport: Transport,
        base_url: str,
        place: str,
        lookup: Lookup,
        clock: Clock,
        progress: Progress,
        concurrency: int = 16,
        plain: bool = False,
        policy: RetryPolicy | None = None,
    ) -> None:
        self.place = place
        self.base_url = base_url
        self._plain = plain
        self._transport = transport
        self._auth = AuthSession(base_url=base_url, place=place, lookup=lookup, monotonic=clock.monotonic, plain=plain)
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
        """How many requests were sent, by method: tokens, redirects and retries included."""
        with self._counting:
            return MappingProxyType(dict(self._counts))

    def send(
        self,
        method: str,
        path: str,
        *,
        scope: Scope,
        headers: Mapping[str, str],
        body: bytes | None = None,
        max_body: int = 8 * 1024 * 1024,
    ) -> Response:
        """Send one request to ``path`` (from the root, or a URL of this registry) and return the final answer.

        ``scope`` is the right that it needs. Redirects of GET and HEAD are followed, to another origin without
        Authorization. The answer may have any status but 401 and the redirects; errors are RegistryError. A URL of
        another origin is refused: a listing that was redirected there would otherwise take Authorization along.
        """
        about = scope.name
        self._breaker.check(method, about)
        url = path if "://" in path else self.base_url + path
        if url is path and not self.is_home(url):
            raise ProtocolViolation(
                f"{self.place}: {redact_url(url).partition('?')[0]} is at another host than the registry, which is not "
                "asked in its place",
                remedy="a proxy before the registry must pass on Host and X-Forwarded-Proto",
            )
        request = Request(method=method, url=url, headers=headers, body=body, max_body=max_body)
        try:
            response = self._converse(request, scope)
        except (AuthenticationFailed, PermissionDenied):
            self._breaker.refused(method, about)
            raise
        if response.status == _FORBIDDEN:
            self._breaker.refused(method, about)
        elif response.status < _BAD_REQUEST:
            self._breaker.answered(method, about)
        if response.status in _REDIRECTS:
            response = self._follow(request, response, scope)
        return response

    def excuse(self, method: str, repository: str) -> None:
        """Say that a 403 was about one thing, such as a tag that is protected, so that the rest is asked on."""
        self._breaker.answered(method, repository)

    def is_home(self, url: str) -> bool:
        """Tell whether ``url`` is of the registry's own origin, rather than of storage that it redirects to."""
        return origin(url) == origin(self.base_url)

    def close(self) -> None:
        """Give back the connections."""
        self._transport.close()

    def _converse(self, request: Request, scope: Scope) -> Response:
        exchange = self._auth.exchange(request, scope)
        try:
            step = next(exchange)
            while True:
                step = exchange.send(self._retrier.send(step))
        except StopIteration as end:
            response: Response = end.value
            return response
        finally:
            exchange.close()  # gives back the lock on the tokens where sending failed

    def _count_and_send(self, request: Request) -> Response:
        with self._counting:
            self._counts[request.method] += 1
        return self._transport.send(request)

    def _follow(self, request: Request, response: Response, scope: Scope) -> Response:
        for _ in range(_MAX_HOPS):
            target = self._target(request, response)
            hop = Request(method=request.method, url=target, headers=request.headers, max_body=request.max_body)
            response = self._converse(hop, scope) if self.is_home(target) else self._retrier.send(hop)
            if response.status not in _REDIRECTS:
                return response
            request = hop
        raise ProtocolViolation(f"{self.place}: more than {_MAX_HOPS} redirects from {redact_url(request.url)}")

    def _target(self, request: Request, response: Response) -> str:
        location = response.headers.get("location", "")
        target = urljoin(request.url, location)
        scheme, host, _ = origin(target)
        if not location or request.method not in SAFE_METHODS or not host:
            raise ProtocolViolation(
                f"{self.place}: {request.method} {redact_url(request.url)} is redirected ({response.status}), "
                "which tagsweep does not follow",
                remedy="give the registry's own host name",
                status=response.status,
            )
        if scheme == "https" or (scheme == "http" and self._plain):
            return target
        # From this machine to this machine; a registry elsewhere has no business with what listens here.
        if scheme == "http" and url_is_loopback(target) and url_is_loopback(self.base_url):
            return target
        raise ProtocolViolation(
            f"{self.place}: {redact_url(request.url)} is redirected to {scheme}, which is not encrypted",
            status=response.status,
        )
