"""ShelfDriver: an invented in-house registry; its JSON API lists, freezes and removes tags over an OCI store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from tagsweep.drivers.connection import Connection
from tagsweep.drivers.credentials import CredentialStore
from tagsweep.drivers.over_oci import OverOci
from tagsweep.drivers.vendor_access import authorized, basic, by_absent_tag
from tagsweep.http.failures import failure
from tagsweep.model.capability import NOT_PROBED, Capabilities, Capability
from tagsweep.model.errors import Conflict, NotFound, ProtocolViolation
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import Digest
from tagsweep.ports import Clock, ListedTag, Progress, Response

_NOT_FOUND, _FROZEN = 404, 409
_NOBODYS_TAG = "tagsweep-asks-whether-it-may-remove"
_BY_DIGEST = Capability(why="Shelf removes tags; it takes manifests that no tag needs by itself")


class ShelfDriver(OverOci):
    """Manifests and blobs are the OCI registry API's, by OverOci; here is what is Shelf's own."""

    name = "shelf"

    def __init__(self, connection: Connection) -> None:
        where = connection.where
        lookup = CredentialStore(where.host).find
        self._rest = connection.rest(f"{where.base_url}/shelf", authorize=authorized(lookup, basic))
        super().__init__(place=where.host, oci=connection.oci(lookup), beside=self._rest)

    @classmethod
    def connect(cls, settings: RegistrySettings, *, clock: Clock, progress: Progress) -> ShelfDriver:
        """Return a driver; nothing is sent yet."""
        return cls(Connection.to(settings, clock=clock, progress=progress))

    def declared(self) -> Capabilities:
        """Return what holds for every Shelf; whether these credentials may remove a tag is not known yet."""
        return Capabilities(
            delete_tag=NOT_PROBED,
            delete_manifest=_BY_DIGEST,
            referrers=NOT_PROBED,
            times=frozenset({TimeOrigin.PUSHED}),
        )

    def find_out(self, repository: str) -> Capabilities:
        """Try to remove a tag that nobody has: a right shows by 404, a missing one by 403."""
        removal = by_absent_tag(lambda: self._ask_to_remove(repository, _NOBODYS_TAG), place=self._place)
        return replace(self.declared(), delete_tag=removal, referrers=self._oci.probe_referrers(repository))

    def list_repositories(self) -> Iterator[str]:
        """Yield what the registry API's catalog has."""
        return self._oci.list_repositories()

    def list_tags(self, repository: str) -> tuple[ListedTag, ...]:
        """Return every tag; a page that is missing or is none raises, so that the list is never shorter."""
        doing = f"list the tags of {repository}"
        found: dict[str, ListedTag] = {}
        query = {"repository": repository}
        while True:
            response = self._rest.send("GET", "/tags", query=query, about=repository)
            if response.status == _NOT_FOUND:
                raise NotFound(f"{self._place}: cannot {doing}: there is no such repository", status=_NOT_FOUND)
            document = self._rest.read(response, doing=doing)
            try:
                page = [self._read(entry) for entry in document["tags"]]
                more = document["more"]
            except (KeyError, TypeError, ValueError) as error:
                raise ProtocolViolation(f"{self._place}: cannot {doing}: the answer is no page of tags") from error
            if more and (not page or page[-1].name in found):
                raise ProtocolViolation(f"{self._place}: cannot {doing}: the pages turn in a circle")
            found.update((tag.name, tag) for tag in page)
            if not more:
                return tuple(found.values())
            query = {"repository": repository, "after": page[-1].name}

    def _read(self, entry: dict[str, str]) -> ListedTag:
        pushed = datetime.fromisoformat(entry["pushed_at"])
        return ListedTag(
            name=entry["name"],
            digest=Digest.parse(entry["digest"]),
            times={TimeOrigin.PUSHED: pushed} if pushed.tzinfo is not None else {},
            locked=entry["frozen"] and f"it is frozen on Shelf: {entry['frozen']}",
        )

    def _remove(self, repository: str, tag: str, doing: str) -> bool:
        """Remove the tag and nothing else, once it is known that this works; False if it was absent."""
        response = self._ask_to_remove(repository, tag)
        if response.status == _FROZEN:
            error = failure(response, place=self._place, doing=doing)
            raise Conflict(str(error), remedy="thaw it, or let it stay", status=_FROZEN)
        return self._ended(repository, tag, response, doing)  # asks the registry API too where the answer is 404

    def _ask_to_remove(self, repository: str, tag: str) -> Response:
        return self._rest.send("DELETE", "/tags", query={"repository": repository, "name": tag}, about=repository)
