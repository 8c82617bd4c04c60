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
                if isinstance(item, dict):
                    each(item)
            self._token = _next(page)
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

    def _items(self, page: Any) -> list[Any]:
        if not isinstance(page, dict) or "items" not in page or not isinstance(page["items"] or [], list):
            raise ProtocolViolation(f"{self._client.place}: {self._path} answers with something that is no list")
        return page["items"] or []


def _next(page: dict[str, Any]) -> str:
    metadata = page.get("metadata")
    token = metadata.get("continue") if isinstance(metadata, dict) else None
    return token if isinstance(token, str) else ""
