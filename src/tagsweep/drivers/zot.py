"""ZotDriver: zot. The registry API lists and deletes; its search extension, where it is on, tells pushes and pulls.

Facts, from zot's source: a deletion by tag untags, the manifest stays until garbage collection; the child of an index
is refused (405 DENIED), a digest with several tags too where the policy detects collisions (409). Tags are listed
without ``n``, because a page after a tag that has vanished is 404.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from tagsweep.core.options import OptionReader
from tagsweep.drivers.connection import Connection
from tagsweep.drivers.credentials import CredentialStore
from tagsweep.drivers.over_oci import OverOci
from tagsweep.drivers.vendor_access import authorized, basic
from tagsweep.drivers.vendor_lists import moment, newest, objects, within
from tagsweep.http.failures import failure
from tagsweep.model.capability import NOT_PROBED, Capabilities
from tagsweep.model.errors import AuthenticationFailed, PermissionDenied, ProtocolViolation
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import Clock, ListedTag, Progress

_OK, _FORBIDDEN, _NOT_FOUND, _UNPROCESSABLE = 200, 403, 404, 422
_SEARCH: Final = "/v2/_zot/ext/search"
_FIELDS: Final = (
    ("PushTimestamp", "LastPullTimestamp", "TaggedTimestamp"),
    ("PushTimestamp", "LastPullTimestamp"),
)
"""What is asked of each tag: older versions do not know everything, and refuse a query with an unknown field."""
_RECLAIM: Final = (
    "zot collects by itself (storage: gc, gcInterval): manifests that lost their last tag and their layers go after "
    "gcDelay, two hours by default, or as its retention policy says. Until then restore can put the tags back."
)


class ZotDriver(OverOci):
    """Implements :class:`tagsweep.ports.RegistryDriver` for zot. Made by :meth:`connect`; it has no options."""

    name = "zot"

    def __init__(self, connection: Connection) -> None:
        where = connection.where
        lookup = CredentialStore(where.host).find
        self._rest = connection.rest(where.base_url, authorize=authorized(lookup, basic))
        super().__init__(place=where.host, oci=connection.oci(lookup), beside=self._rest)
        self._progress = connection.progress

    @classmethod
    def connect(cls, settings: RegistrySettings, *, clock: Clock, progress: Progress) -> ZotDriver:
        """Return a driver for the registry that ``settings`` describe; nothing is sent yet."""
        OptionReader(f"registries: {settings.host}", settings.options).done()
        return cls(Connection.to(settings, clock=clock, progress=progress))

    # --- abilities ------------------------------------------------------------------------------------------------
    def declared(self) -> Capabilities:
        """Return what is known without asking."""
        return Capabilities(
            delete_tag=NOT_PROBED,
            delete_manifest=NOT_PROBED,
            referrers=NOT_PROBED,
            times=frozenset({TimeOrigin.PUSHED, TimeOrigin.UPDATED, TimeOrigin.PULLED}),
            reads_count_as_pulls=self._oci.capabilities("").reads_count_as_pulls,
            last_tag_takes_manifest=True,  # its index has an entry for each tag; seen on 1.4
            reclaim=_RECLAIM,
        )

    def find_out(self, repository: str) -> Capabilities:
        """Ask as the registry API does: by deletions of what is absent."""
        found = self._oci.probe(repository)
        return replace(
            self.declared(),
            delete_tag=found.delete_tag,
            delete_manifest=found.delete_manifest,
            referrers=found.referrers,
        )

    # --- listing --------------------------------------------------------------------------------------------------
    def list_tags(self, repository: str) -> tuple[ListedTag, ...]:
        """Return every tag of the registry API, with the times that the search extension tells of it."""
        names = self.names(repository)
        told = self._told(repository) if names else {}
        return tuple(ListedTag(name=name, times=_times(told.get(name, {}))) for name in names)

    def _told(self, repository: str) -> Mapping[str, Mapping[str, Any]]:
        for fields in _FIELDS:
            try:
                response = self._rest.send(
                    "GET", _SEARCH, query={"query": _query(repository, fields)}, about=repository
                )
            except (AuthenticationFailed, PermissionDenied):
                self._without_times("wants other credentials")
                return {}
            if response.status == _UNPROCESSABLE:
                continue
            if response.status in (_FORBIDDEN, _NOT_FOUND):
                self._without_times("is not on, or not for these credentials")
                return {}
            doing = f"search for the tags of {repository}"
            if response.status != _OK:
                raise failure(response, place=self._place, doing=doing)
            return self._read(self._rest.read(response, doing=doing), doing=doing)
        self._without_times("knows no times, in this version of zot")
        return {}

    def _read(self, document: Any, *, doing: str) -> Mapping[str, Mapping[str, Any]]:
        """Return what is told of each tag. Who may not search gets errors with status 200, and no times then."""
        found = within(document, "data", "ImageList")
        if found is None:
            if within(document, "errors"):
                self._without_times("answers with errors")
                return {}
            raise ProtocolViolation(f"{self._place}: cannot {doing}: the answer is none of zot's")
        entries = objects(found, "Results", place=self._place, doing=doing)
        return {str(entry.get("Tag")): entry for entry in entries}

    def _without_times(self, why: str) -> None:
        self._progress.note(f"{self._place}: zot's search {why}, so that nothing is known of pushes and pulls")


def _query(repository: str, fields: tuple[str, ...]) -> str:
    return f"{{ImageList(repo: {json.dumps(repository)}) {{Results {{Tag {' '.join(fields)}}}}}}}"


def _times(entry: Mapping[str, Any]) -> dict[TimeOrigin, Any]:
    """Return the times of an entry. A digest keeps its push when another tag is set to it, so the newer counts."""
    found = {
        TimeOrigin.PUSHED: newest(entry.get("PushTimestamp"), entry.get("TaggedTimestamp")),
        TimeOrigin.UPDATED: moment(entry.get("TaggedTimestamp")),
        TimeOrigin.PULLED: moment(entry.get("LastPullTimestamp")),
    }
    return {origin: time for origin, time in found.items() if time is not None}
