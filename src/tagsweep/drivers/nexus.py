"""NexusDriver: Sonatype Nexus Repository 3. Its API knows each tag as a component, which it deletes alone.

Facts: the search API gives components with a continuation token; a component of format docker is one name and one tag.
What Nexus keeps of a manifest whose last tag went is not described, so that it is taken to go. The search index is a
copy that can be late: tags are listed by the registry API, and a component is looked at by its id before it is deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

from tagsweep.core.options import OptionReader
from tagsweep.drivers.connection import Connection, api_address
from tagsweep.drivers.credentials import CredentialStore
from tagsweep.drivers.over_oci import OverOci
from tagsweep.drivers.vendor_access import authorized, basic, by_absent_tag
from tagsweep.drivers.vendor_lists import newest, objects, within
from tagsweep.http.failures import failure
from tagsweep.model.capability import NOT_PROBED, Capabilities, Capability
from tagsweep.model.errors import AuthenticationFailed, Conflict, InvalidReference, PermissionDenied
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import Clock, ListedTag, Progress, Response

_NOT_FOUND: Final = 404
_REMOVED: Final = frozenset({200, 202, 204})
_ABSENT: Final = "ZG9ja2VyOjAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw"
"""The id of a component that nobody has: base64 of a repository and an id, as Nexus makes its own."""
_BY_DIGEST: Final = Capability(
    why="what Nexus deletes by digest is not described, so that only tags are removed; its task takes manifests that "
    "no tag needs"
)
_RECLAIM: Final = (
    "Nexus frees space by two tasks, one after the other: Docker - Delete unused manifests and images, then Admin - "
    "Compact blob store. Only the second one makes deletions final."
)


class NexusDriver(OverOci):
    """Implements :class:`tagsweep.ports.RegistryDriver` for Nexus Repository 3. Made by :meth:`connect`.

    Options: ``api``, the address of Nexus where that is not the registry's (a connector has a port of its own);
    ``repository``, the name of the hosted repository (otherwise it is the first part of the path).
    """

    name = "nexus"

    def __init__(self, connection: Connection, *, api: str, hosted: str) -> None:
        where = connection.where
        lookup = CredentialStore(where.host).find
        self._rest = connection.rest(f"{api}/service/rest/v1", authorize=authorized(lookup, basic))
        super().__init__(place=where.host, oci=connection.oci(lookup), beside=self._rest)
        self._hosted = hosted
        self._progress = connection.progress

    @classmethod
    def connect(cls, settings: RegistrySettings, *, clock: Clock, progress: Progress) -> NexusDriver:
        """Return a driver for the registry that ``settings`` describe; nothing is sent yet."""
        connection = Connection.to(settings, clock=clock, progress=progress)
        options = OptionReader(f"registries: {settings.host}", settings.options)
        given = options.text("api") or connection.where.base_url
        hosted = options.text("repository") or ""
        options.done()
        api = api_address(given, settings, example="https://nexus.example.com")
        return cls(connection, api=api, hosted=hosted)

    # --- abilities ------------------------------------------------------------------------------------------------
    def declared(self) -> Capabilities:
        """Return what is known without asking."""
        return Capabilities(
            delete_tag=NOT_PROBED,
            delete_manifest=_BY_DIGEST,
            referrers=NOT_PROBED,
            times=frozenset({TimeOrigin.PUSHED, TimeOrigin.PULLED}),
            reads_count_as_pulls=self._oci.capabilities("").reads_count_as_pulls,
            last_tag_takes_manifest=True,
            reclaim=_RECLAIM,
        )

    def find_out(self, repository: str) -> Capabilities:
        """Ask to delete a component that nobody has."""
        deletion = by_absent_tag(lambda: self._delete(_ABSENT, repository), place=self._place)
        return replace(self.declared(), delete_tag=deletion, referrers=self._oci.probe_referrers(repository))

    # --- listing --------------------------------------------------------------------------------------------------
    def list_tags(self, repository: str) -> tuple[ListedTag, ...]:
        """Return every tag of the registry API, with the times that the search tells of it."""
        names = self.names(repository)
        try:
            told = {str(entry.get("version")): entry for entry in self._components(repository)} if names else {}
        except (AuthenticationFailed, PermissionDenied) as error:
            self._progress.note(f"{error}: nothing is known of pushes and pulls")
            told = {}
        return tuple(ListedTag(name=name, times=_times(told.get(name, {}))) for name in names)

    def _components(self, repository: str, *, tag: str | None = None) -> Iterator[Mapping[str, Any]]:
        """Yield the components of an image, or of one of its tags, as the search has them."""
        hosted, image = self._where(repository)
        doing = f"search for the tags of {repository}"
        query: dict[str, str | int] = {"repository": hosted, "format": "docker", "name": image}
        if tag is not None:
            query["version"] = tag
        first = "/search"

        def following(_: Response, document: Any) -> str | None:
            token = within(document, "continuationToken")
            return f"{first}?{urlencode({**query, 'continuationToken': token})}" if token else None

        for document in self._rest.pages(first, query=query, doing=doing, about=repository, following=following):
            for entry in objects(document, "items", place=self._place, doing=doing):
                if (entry.get("repository"), entry.get("name")) == (hosted, image):
                    yield entry

    def _where(self, repository: str) -> tuple[str, str]:
        if self._hosted:
            return self._hosted, repository
        hosted, _, image = repository.partition("/")
        if not image:
            raise InvalidReference(
                f"{repository!r} names no image of Nexus",
                remedy="name the hosted repository: options: {repository: docker-hosted}",
            )
        return hosted, image

    # --- changes --------------------------------------------------------------------------------------------------
    def _remove(self, repository: str, tag: str, doing: str) -> bool:
        """Remove the component of the tag and nothing else; False if it was absent."""
        hosted, image = self._where(repository)
        for found in self._components(repository, tag=tag):
            identity = found.get("id")
            if found.get("version") != tag or not isinstance(identity, str) or not identity:
                continue
            known = self._rest.find(f"/components/{quote(identity, safe='')}", doing=doing, about=repository)
            if known is None:
                continue
            if [within(known, key) for key in ("repository", "name", "version")] != [hosted, image, tag]:
                raise Conflict(f"{self._place}: cannot {doing}: Nexus's search names another component")
            response = self._delete(identity, repository)
            if response.status in _REMOVED:
                return True
            if response.status != _NOT_FOUND:
                raise failure(response, place=self._place, doing=doing)
        if self._oci.resolve_tag(repository, tag) is None:
            return False
        raise Conflict(
            f"{self._place}: cannot {doing}: Nexus's search does not find it, though the registry has it",
            remedy="the task Repair - Rebuild repository search brings the search up to date",
        )

    def _delete(self, identity: str, about: str) -> Response:
        return self._rest.send("DELETE", f"/components/{quote(identity, safe='')}", about=about)


def _times(component: Mapping[str, Any]) -> dict[TimeOrigin, datetime]:
    """Return the times of a component: of its assets, the one that changed last."""
    listed = component.get("assets")
    assets = [asset for asset in listed if isinstance(asset, dict)] if isinstance(listed, list) else []
    found = {
        TimeOrigin.PUSHED: newest(*(asset.get(key) for asset in assets for key in ("lastModified", "blobCreated"))),
        TimeOrigin.PULLED: newest(*(asset.get("lastDownloaded") for asset in assets)),
    }
    return {origin: time for origin, time in found.items() if time is not None}
