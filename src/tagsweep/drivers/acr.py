"""AcrDriver: Azure Container Registry. Its own API lists tags with digests and locks and untags; deleting by digest,
manifests and blobs are the registry API's.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote

from tagsweep.core.options import OptionReader
from tagsweep.drivers import oci_probe
from tagsweep.drivers.acr_login import AcrLogin
from tagsweep.drivers.connection import Connection
from tagsweep.drivers.oci import OciDriver
from tagsweep.drivers.oci_answers import NOT_FOUND, certainly_absent, expect, unclear
from tagsweep.drivers.over_oci import OverOci, as_digest
from tagsweep.drivers.vendor_lists import moment
from tagsweep.http.challenge import Scope
from tagsweep.http.failures import read_error
from tagsweep.http.paging import next_link
from tagsweep.model.capability import NOT_PROBED, Capabilities, Capability, Support
from tagsweep.model.errors import Conflict, ProtocolViolation
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.manifest import Manifest
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import Digest, is_tag
from tagsweep.ports import Clock, ListedTag, Progress, Response

_VERSION: Final = "api-version=2021-07-01"
_PAGE: Final = 100
_MOST_PAGES: Final = 100_000
_OK, _ACCEPTED = 200, 202
_HEADERS: Final = {"Accept": "application/json"}
_LARGEST_PAGE: Final = 64 * 1024 * 1024
# createdTime is that of the first push, which a later push of the same tag leaves as it was: it would make tags older.
_TIMES: Final = {TimeOrigin.PUSHED: "lastUpdateTime", TimeOrigin.UPDATED: "lastUpdateTime"}
_UNDO: Final = (
    "where soft delete (a preview) is on, what was deleted stays in the recycle bin for 1 to 90 days: az acr manifest "
    "restore; else tagsweep restore, as long as the layers are there"
)
_RECLAIM: Final = (
    "Azure frees the space of deleted manifests by itself (with soft delete after its days). Removing tags frees "
    "nothing: a retention policy for untagged manifests (Premium) or az acr purge --untagged does; neither knows what "
    "runs by digest."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Locks:
    """Why manifests are not to be deleted: those that are locked, and what locked ones without a tag reach."""

    everything: str
    """Why nothing in the repository is to be deleted, or empty."""
    locked: Mapping[Digest, str] = field(hash=False)
    reached: Mapping[Digest, str] = field(hash=False)

    def why(self, digest: Digest) -> str:
        """Return the reason in words, or nothing."""
        return self.everything or self.locked.get(digest) or self.reached.get(digest) or ""


class AcrDriver(OverOci):
    """Implements :class:`tagsweep.ports.RegistryDriver`. Made by :meth:`connect`."""

    name = "acr"

    def __init__(self, *, oci: OciDriver, login: AcrLogin, place: str) -> None:
        super().__init__(place=place, oci=oci)
        self._login = login
        self._lock = threading.Lock()
        self._locks: dict[str, _Locks] = {}

    @classmethod
    def connect(cls, settings: RegistrySettings, *, clock: Clock, progress: Progress) -> AcrDriver:
        """Return a driver for the registry that ``settings`` describe; nothing is sent yet.

        Option ``entra``: also give the token of the Azure identity to a registry whose host name is not Azure's.
        """
        options = OptionReader(f"registries: {settings.host}", settings.options)
        entra = options.flag("entra")
        options.done()
        connection = Connection.to(settings, clock=clock, progress=progress)
        where = connection.where
        login = AcrLogin(where.host, where.base_url, transport=connection.api_transport, clock=clock, entra=entra)
        return cls(oci=connection.oci(login.find), login=login, place=where.host)

    def close(self) -> None:
        """Give back the connections."""
        super().close()
        self._login.close()

    # --- abilities ------------------------------------------------------------------------------------------------
    def declared(self) -> Capabilities:
        """Return what is known of this registry without asking it."""
        return Capabilities(
            delete_tag=NOT_PROBED,
            delete_manifest=NOT_PROBED,
            referrers=NOT_PROBED,
            times=frozenset(_TIMES),
            reads_count_as_pulls=self._oci.capabilities("").reads_count_as_pulls,
            undo=_UNDO,
            reclaim=_RECLAIM,
        )

    def find_out(self, repository: str) -> Capabilities:
        """Ask to untag and to delete what is absent."""
        return replace(
            self.declared(),
            delete_tag=self._probe_untag(repository),
            delete_manifest=self._oci.probe(repository).delete_manifest,
            referrers=self._oci.probe_referrers(repository),
        )

    def _probe_untag(self, repository: str) -> Capability:
        tag = oci_probe.random_tag()
        if self._oci.resolve_tag(repository, tag) is not None:
            return Capability(support=Support.UNKNOWN, why="the registry claims to have every tag")
        return oci_probe.by_deletion(lambda: self._untag(repository, tag), place=self._place, what="tag")

    # --- listing --------------------------------------------------------------------------------------------------
    def list_tags(self, repository: str) -> tuple[ListedTag, ...]:
        """Return every tag with its digest, its times and why it is locked, if it or its manifest is."""
        doing = f"list the tags of {repository}"
        locks = self._read_locks(repository)
        listed: dict[str, ListedTag] = {}
        for entry in self._every(repository, "tags", doing=doing):
            name = entry.get("name")
            if not isinstance(name, str) or not is_tag(name):
                raise ProtocolViolation(f"{self._place}: cannot {doing}: the list holds {str(name)[:130]!r}")
            digest = as_digest(entry.get("digest"), place=self._place, doing=doing)
            times = {origin: at for origin, key in _TIMES.items() if (at := moment(entry.get(key))) is not None}
            locked = _lock_of(entry, "the tag") or locks.why(digest)
            twice = name in listed and listed[name].digest != digest  # it was moved while the pages were read
            listed[name] = ListedTag(
                name=name, digest=None if twice else digest, times={} if twice else times, locked=locked
            )
        return tuple(listed.values())

    def _read_locks(self, repository: str) -> _Locks:
        """Return what locks hold, read anew. A locked tag keeps what it reaches by itself, as all tags that stay do;
        a locked manifest that has no tag is known to nobody else, so what it reaches is held here (hazard 36).
        """
        doing = f"read the locks of {repository}"
        url = f"{self._oci.client.base_url}{_path(repository)}?{_VERSION}"
        everything = _lock_of(_document(self._ask(repository, url, doing=doing), self._place, doing), "the repository")
        locked: dict[Digest, str] = {}
        alone: list[Digest] = []
        for entry in self._every(repository, "manifests", doing=doing):
            why = _lock_of(entry, "the manifest")
            if why:
                digest = as_digest(entry.get("digest"), place=self._place, doing=doing)
                locked[digest] = why
                if not entry.get("tags"):
                    alone.append(digest)
        reached: dict[Digest, str] = {}
        for root in alone:
            pending = [root]
            while pending:
                for child in self._children(repository, pending.pop()):
                    if child not in reached:
                        reached[child] = f"{root.short}, which is locked in Azure Container Registry, needs it"
                        pending.append(child)
        found = _Locks(everything=everything, locked=locked, reached=reached)
        with self._lock:
            self._locks[repository] = found
        return found

    def _children(self, repository: str, digest: Digest) -> list[Digest]:
        raw = self._oci.fetch_manifest(repository, digest)
        parsed = raw.parse() if raw is not None else None
        if not isinstance(parsed, Manifest):
            return []
        subject = [parsed.subject.digest] if parsed.subject is not None else []
        return [*(child.digest for child in parsed.children), *subject]

    def _every(self, repository: str, key: str, *, doing: str) -> Iterator[dict[str, Any]]:
        url = f"{self._oci.client.base_url}{_path(repository)}/_{key}?n={_PAGE}&{_VERSION}"
        visited: set[str] = set()
        while url not in visited and len(visited) < _MOST_PAGES:
            visited.add(url)
            response = self._ask(repository, url, doing=doing)
            yield from _entries(response, key, place=self._place, doing=doing)
            following = next_link(response, place=self._place)
            if following is None:
                return
            url = following
        raise ProtocolViolation(f"{self._place}: cannot {doing}: the pages turn in a circle, so the end was not seen")

    def _ask(self, repository: str, url: str, *, doing: str) -> Response:
        scope = Scope.repository(repository, "metadata_read")
        response = self._oci.client.send("GET", url, scope=scope, headers=_HEADERS, max_body=_LARGEST_PAGE)
        said = read_error(response.body) if response.status == NOT_FOUND else None
        if said is not None and not said.structured:
            raise unclear(response, said, place=self._place, doing=doing)
        return expect(response, _OK, place=self._place, doing=doing)

    # --- changes --------------------------------------------------------------------------------------------------
    def _remove(self, repository: str, tag: str, doing: str) -> bool:
        response = self._untag(repository, tag)
        if certainly_absent(response, place=self._place, doing=doing):
            return False
        expect(response, _OK, _ACCEPTED, place=self._place, doing=doing)
        return True

    def delete_manifest(self, repository: str, digest: Digest) -> bool:
        """Delete the manifest with every tag on it; False if it was absent. Conflict where a lock needs it."""
        doing = f"delete {repository}@{digest.short}"
        self._require(repository, lambda able: able.delete_manifest, doing)
        with self._lock:
            known = self._locks.get(repository)
        why = (known if known is not None else self._read_locks(repository)).why(digest)
        if why:
            raise Conflict(f"{self._place}: cannot {doing}: {why}", remedy="unlock it, or let it stay")
        return self._oci.delete_manifest(repository, digest)

    def _untag(self, repository: str, tag: str) -> Response:
        return self._oci.client.send(
            "DELETE",
            f"{_path(repository)}/_tags/{quote(tag, safe='')}?{_VERSION}",
            scope=Scope.repository(repository, "delete"),
            headers=_HEADERS,
        )


def _path(repository: str) -> str:
    return f"/acr/v1/{quote(repository, safe='/')}"


def _document(response: Response, place: str, doing: str) -> dict[str, Any]:
    try:
        found = json.loads(response.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ProtocolViolation(f"{place}: cannot {doing}: the answer is no JSON object")
    return found


def _entries(response: Response, key: str, *, place: str, doing: str) -> list[dict[str, Any]]:
    document = _document(response, place, doing)
    found = document.get(key, document)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise ProtocolViolation(f"{place}: cannot {doing}: the answer has no {key}")
    return found


def _lock_of(entry: Mapping[str, Any], what: str) -> str:
    """Return why a tag or manifest cannot be deleted. What may not be written may not be deleted either."""
    attributes = entry.get("changeableAttributes")
    if not isinstance(attributes, dict):
        return ""
    off = [name for name in ("deleteEnabled", "writeEnabled") if attributes.get(name) is False]
    return f"{what} is locked in Azure Container Registry ({', '.join(off)}: false)" if off else ""
