"""One list of a cluster, page by page: continued, begun anew where it is gone, in smaller pages where too large."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tagsweep.model.errors import ProtocolViolation
from tagsweep.sources.kube.client import GONE, KubeClient

_MOST_RESTARTS: Final = 3
_MOST_PAGES: Final = 1_000_000


class PagedList:
    """The list at ``path``, read once. Only one page is held at a time."""

    def __init__(self, client: KubeClient, path: str, *, page_size: int, selector: str = "") -> None:
        self._client = client
        self._path = path
        self._page_size = page_size
        self._selector = selector
        self._token = ""
        self._seen: set[str] = set()
        self._restarts = 0

    def read(self, *, each: Callable[[dict[str, Any]], None], restart: Callable[[], None]) -> None:
        """Call ``each`` with every object of the list.

        Where the server has forgotten the state that was being read (410), ``restart`` is called and the list begins
        anew. Raises RegistryError where it cannot be read to its end.
        """
        for _ in range(_MOST_PAGES):
            try:
                page = self._client.get(self._path, self._query())
            except ProtocolViolation as error:
                self._after(error, restart)
                continue
            for item in self._items(page):
                each(item)
            self._token = self._next(page)
            if not self._token:
                return
            if self._token in self._seen:
                raise ProtocolViolation(f"{self._client.place}: {self._path} sends the same page again and again")
            self._seen.add(self._token)
        raise ProtocolViolation(f"{self._client.place}: {self._path} does not end")

    def _query(self) -> dict[str, str]:
        query = {"limit": str(self._page_size)}
        if self._selector:
            query["labelSelector"] = self._selector
        if self._token:
            query["continue"] = self._token
        return query

    def _after(self, error: ProtocolViolation, restart: Callable[[], None]) -> None:
        """Prepare the next try where there can be one, or raise ``error`` again."""
        if error.status == GONE and self._restarts < _MOST_RESTARTS:
            self._restarts += 1
            self._token = ""
            self._seen.clear()
            restart()
        elif error.status is None and self._page_size > 1:  # larger than is read at once
            self._page_size = max(1, self._page_size // 4)
        else:
            raise error

    def _items(self, page: Any) -> list[dict[str, Any]]:
        items = page.get("items", 0) if isinstance(page, dict) else 0
        if items is None:  # how Go writes a list that is empty
            return []
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise self._no_list()
        return items

    def _next(self, page: dict[str, Any]) -> str:
        """Return where the next page begins, or nothing at the end; what says neither could hide the rest."""
        metadata = page.get("metadata") or {}
        token = (metadata.get("continue") or "") if isinstance(metadata, dict) else 0
        if not isinstance(token, str):
            raise self._no_list()
        return token

    def _no_list(self) -> ProtocolViolation:
        # With a status, so that it is not taken for a page that was too large.
        place = f"{self._client.place}: {self._path}"
        return ProtocolViolation(f"{place} answers with something that is no list of objects", status=200)
