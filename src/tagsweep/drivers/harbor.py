"""HarborDriver: Harbor, whose own API lists tags with their times and removes one tag; all else is the registry API's.

Facts: the registry API of Harbor refuses to delete by tag (400 UNSUPPORTED); its own API removes one tag from one
artifact, so that a tag that has moved is not found there. Deleting a digest takes its tags, its signatures and the
platforms below it that nothing else needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from tagsweep.core.options import OptionReader
from tagsweep.drivers import oci_probe
from tagsweep.drivers.connection import Connection
from tagsweep.drivers.credentials import CredentialStore
from tagsweep.drivers.harbor_api import HarborApi
from tagsweep.drivers.over_oci import Remembering
from tagsweep.drivers.vendor_access import once
from tagsweep.drivers.vendor_lists import in_order
from tagsweep.http.auth import Lookup
from tagsweep.http.failures import failure, read_error
from tagsweep.model.capability import NOT_PROBED, Capabilities, Capability, Support
from tagsweep.model.errors import AuthenticationFailed, PermissionDenied
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import Clock, ListedTag, Progress

_NOT_FOUND, _FORBIDDEN = 404, 403
_RIGHTS: Final = (
    "use an account or robot account that may list, read and delete artifacts and tags, and pull, in this project"
)
_RECLAIM: Final = (
    "Harbor frees space in its own garbage collection: Administration, Clean Up, with its dry run first. Untagged "
    "artifacts go there only where that is ticked; it would take those that somebody uses by digest as well."
)


class HarborDriver(Remembering):
    """Implements :class:`tagsweep.ports.RegistryDriver` for Harbor 2. Made by :meth:`connect`; it has no options."""

    name = "harbor"

    def __init__(self, connection: Connection, *, lookup: Lookup) -> None:
        where = connection.where
        rest = connection.rest(f"{where.base_url}/api/v2.0")
        super().__init__(place=where.host, oci=connection.oci(lookup), beside=rest)
        self._api = HarborApi(rest, lookup=once(lookup))
        self._progress = connection.progress

    @classmethod
    def connect(cls, settings: RegistrySettings, *, clock: Clock, progress: Progress) -> HarborDriver:
        """Return a driver for the Harbor that ``settings`` describe; nothing is sent yet."""
        OptionReader(f"registries: {settings.host}", settings.options).done()
        connection = Connection.to(settings, clock=clock, progress=progress)
        return cls(connection, lookup=CredentialStore(connection.where.host).find)

    # --- abilities ------------------------------------------------------------------------------------------------
    def declared(self) -> Capabilities:
        """Return what holds for every Harbor; deletion is Unknown."""
        return Capabilities(
            delete_tag=NOT_PROBED,
            delete_manifest=NOT_PROBED,
            referrers=NOT_PROBED,
            times=frozenset({TimeOrigin.PUSHED, TimeOrigin.PULLED}),
            reads_count_as_pulls=True,
            delete_takes_children=True,
            reclaim=_RECLAIM,
        )

    def find_out(self, repository: str) -> Capabilities:
        """Ask to remove what does not exist, by both APIs, and tell what Harbor's own rules do beside a sweep."""
        by_registry = self._oci.probe(repository)
        for habit in self._api.habits(repository):
            self._progress.note(f"{self._place}: {habit}")
        delete_tag = self._probe_tag(repository)
        delete_manifest = by_registry.delete_manifest
        if delete_manifest.usable and not delete_tag.usable:
            why = f"a digest would take the platforms below it along, so its tags are removed first: {delete_tag.why}"
            delete_manifest = Capability(why=why)
        return replace(
            self.declared(),
            delete_tag=delete_tag,
            delete_manifest=delete_manifest,
            referrers=by_registry.referrers,
        )

    def _probe_tag(self, repository: str) -> Capability:
        doing = f"remove a tag of {repository}"
        try:
            response = self._api.remove(repository, oci_probe.random_digest(), oci_probe.random_tag())
        except (PermissionDenied, AuthenticationFailed) as error:
            return Capability(why=f"{error}; {_RIGHTS}")
        if response.status == _FORBIDDEN:
            return Capability(why=f"{failure(response, place=self._place, doing=doing)}; {_RIGHTS}")
        if response.status == _NOT_FOUND and read_error(response.body).structured:
            return Capability(support=Support.YES, why="Harbor answers a try to remove an absent tag with 404")
        return Capability(support=Support.UNKNOWN, why=str(failure(response, place=self._place, doing=doing)))

    # --- listing --------------------------------------------------------------------------------------------------
    def list_repositories(self) -> Iterator[str]:
        """Yield the repositories that these credentials may see."""
        return self._api.repositories()

    def list_namespace(self, namespace: str) -> Iterator[str]:
        """Yield the repositories of one project."""
        return self._api.repositories(namespace)

    def list_tags(self, repository: str) -> tuple[ListedTag, ...]:
        """Return every tag; with digest, times and immutability for all but those of signatures, which Harbor hides."""
        return in_order(self.names(repository), self._api.tags(repository))

    # --- removing -------------------------------------------------------------------------------------------------
    def _remove(self, repository: str, tag: str, doing: str) -> bool:
        """Remove the tag and nothing else; False if it was absent.

        It is removed from the digest on which it was seen last, so that Harbor itself refuses where it has moved since.
        """
        expected = self._expected(repository, tag)
        response = self._api.remove(repository, expected or tag, tag)
        if response.status == _NOT_FOUND and expected is not None:
            now = self._oci.resolve_tag(repository, tag)
            if now is not None and now != expected:
                raise self._moved(tag, now)
        return self._ended(repository, tag, response, doing)
