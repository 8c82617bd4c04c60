"""Asking an API that answers in JSON, with GET only: retries, bounds, and errors whose remedy speaks of the source."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote, urlencode

from tagsweep.http.failures import failure
from tagsweep.http.limit import HostLimit
from tagsweep.http.retry import Retrier, RetryPolicy
from tagsweep.http.transport import CurlTransport
from tagsweep.model.errors import (
    ConfigurationError,
    PermissionDenied,
    ProtocolViolation,
    RegistryError,
    TagsweepError,
    Unreachable,
)
from tagsweep.ports import Request, Response, SourceContext

Page = TypeVar("Page")

_AT_ONCE: Final = 4
_MOST_PAGES: Final = 100_000
_TRIES: Final = 3
_LARGEST_ANSWER: Final = 64 * 1024 * 1024
_GOOD: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where an API answers. ``url`` is scheme, authority and perhaps a path, without a slash at the end.

    ``unix_socket`` is the path of a socket to go through; the files are PEM files, or empty for none.
    """

    url: str
    unix_socket: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedies:
    """What a person does about each kind of failure of this source."""

    unreachable: str
    refused: str

    def for_error(self, error: TagsweepError) -> str:
        """Return the remedy for ``error``, which may be empty."""
        if isinstance(error, Unreachable):
            return self.unreachable
        if isinstance(error, RegistryError) and (isinstance(error, PermissionDenied) or error.status in (401, 403)):
            return self.refused
        return ""


class JsonApi:
    """One API, asked with GET. Use it as a context manager: its end gives back the connections."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        place: str,
        remedies: Remedies,
        context: SourceContext,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._place = place
        self._remedies = remedies
        self._headers = {"Accept": "application/json", **(headers or {})}
        self._transport = _transport(endpoint, place)
        self._retrier = Retrier(
            self._transport.send,
            limit=HostLimit(_AT_ONCE, context.clock),
            clock=context.clock,
            progress=context.progress,
            place=place,
            policy=RetryPolicy(tries=_TRIES, longest_pause=60.0),
        )

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give back the connections."""
        self._transport.close()

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """Return the JSON document at ``path``, or raise RegistryError."""
        document, _ = self.ask(path, query)
        return document

    def ask(self, path: str, query: Mapping[str, str] | None = None) -> tuple[Any, Mapping[str, str]]:
        """Return the JSON document at ``path`` and the answer's headers, their names in lower case.

        Raises NotFound where there is none, and other RegistryErrors; a redirect is not followed, because the headers
        may hold a token.
        """
        asked = f"?{urlencode(query, quote_via=quote)}" if query else ""
        request = Request(
            method="GET",
            url=f"{self._endpoint.url}{path}{asked}",
            headers=self._headers,
            max_body=_LARGEST_ANSWER,
        )
        try:
            response = self._retrier.send(request)
            return self._read(response, path), response.headers
        except RegistryError as error:
            remedy = self._remedies.for_error(error)
            raise type(error)(str(error), remedy=remedy, status=error.status, code=error.code) from error

    def _read(self, response: Response, path: str) -> Any:
        if response.status in _REDIRECTS:
            raise ProtocolViolation(
                f"{self._place}: GET {path} is redirected ({response.status}), which is not followed",
                status=response.status,
            )
        if response.status not in _GOOD:
            raise failure(response, place=self._place, doing=f"read {path}")
        try:
            return json.loads(response.body)
        except (ValueError, RecursionError) as error:
            raise ProtocolViolation(f"{self._place}: the answer to GET {path} is not JSON") from error


def _transport(endpoint: Endpoint, place: str) -> CurlTransport:
    try:
        return CurlTransport(
            place=place,
            ca=endpoint.ca or None,
            client_certificate=endpoint.certificate or None,
            client_key=endpoint.key or None,
            unix_socket=endpoint.unix_socket or None,
            connect_timeout=10.0,
            total_timeout=300.0,
        )
    except ConfigurationError as error:
        raise ConfigurationError(
            f"source {place}: {error}", remedy=f"sources: {place}: ca, cert and key must name readable PEM files"
        ) from error


def as_gap(error: TagsweepError) -> str:
    """Return the error with its remedy as one line for Coverage."""
    return f"{error}: {error.remedy}" if error.remedy else str(error)


def entries(document: Any, *, place: str, what: str) -> list[dict[str, Any]]:
    """Return the objects of a list in a JSON document, or raise ProtocolViolation where it is no list of objects.

    ``null`` is an empty list: both Docker and Nomad are written in Go, where the two are easily confused.
    """
    if document is None:
        return []
    if isinstance(document, list) and all(isinstance(entry, dict) for entry in document):
        return document
    raise ProtocolViolation(f"{place}: {what} are not in the form that the API documents, a list of objects")


def pages(ask: Callable[[str], tuple[Page, str]], *, place: str, what: str) -> Iterator[Page]:
    """Yield the pages of a listing. ``ask`` gets the mark of a page, empty for the first one, and returns the page with
    the mark of the next, empty at the end. Raises ProtocolViolation rather than end before that, or never.
    """
    mark, seen = "", set[str]()
    for _ in range(_MOST_PAGES):
        page, mark = ask(mark)
        yield page
        if not mark:
            return
        if mark in seen:
            break
        seen.add(mark)
    raise ProtocolViolation(f"{place}: the listing {what} repeats itself, so it may be incomplete")


def dig(value: Any, *keys: str) -> Any:
    """Return what is below ``keys`` in nested objects, or None where the way ends before."""
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def text_at(value: Any, *keys: str) -> str:
    """Return the text below ``keys``, or an empty one."""
    found = dig(value, *keys)
    return found.strip() if isinstance(found, str) else ""


def texts_at(value: Any, *keys: str) -> tuple[str, ...]:
    """Return the texts in the list below ``keys``; whatever else is in it is left out."""
    found = dig(value, *keys)
    return tuple(entry for entry in found if isinstance(entry, str)) if isinstance(found, list) else ()


def objects_at(value: Any, *keys: str) -> tuple[dict[str, Any], ...]:
    """Return the objects in the list below ``keys``; whatever else is in it is left out."""
    found = dig(value, *keys)
    return tuple(entry for entry in found if isinstance(entry, dict)) if isinstance(found, list) else ()
