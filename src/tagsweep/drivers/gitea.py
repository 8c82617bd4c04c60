"""GiteaDriver: Gitea and Forgejo. The registry API lists and deletes; the package API tells when a tag was pushed.

Facts, from Gitea's source: a tag is a version of a package that has the manifest in it. Pushing the tag again makes the
version anew, so that its creation is the tag's last push. Deleting a tag deletes its version, and what only that
version had: the manifest, unless it was pushed by digest as well, and the layers, which can then not be put back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from tagsweep.core.options import OptionReader
from tagsweep.drivers.connection import Connection, api_address
from tagsweep.drivers.credentials import CredentialStore
from tagsweep.drivers.over_oci import OverOci
from tagsweep.drivers.vendor_access import authorized, basic
from tagsweep.drivers.vendor_lists import listed, moment
from tagsweep.http.failures import failure
from tagsweep.model.capability import NOT_PROBED, Capabilities
from tagsweep.model.errors import AuthenticationFailed, PermissionDenied
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import Clock, ListedTag, Progress

_OK, _FORBIDDEN, _NOT_FOUND = 200, 403, 404
_PAGE: Final = 50
"""The largest page that Gitea gives unless its operator allows more."""
_RECLAIM: Final = (
    "Gitea frees layers that no version uses any more by itself: its task cleanup_packages runs daily and takes what "
    "is older than a day (cron.cleanup_packages: OLDER_THAN)."
)
_NO_WAY_BACK: Final = (
    "layers that nothing else of the image uses go at once, so that to restore it the image has to be pushed again"
)


class GiteaDriver(OverOci):
    """Implements :class:`tagsweep.ports.RegistryDriver` for Gitea and Forgejo. Made by :meth:`connect`.

    Option: ``api``, where the API answers if not at ``/api/v1`` of the registry's host.
    """

    name = "gitea"

    def __init__(self, connection: Connection, *, api: str) -> None:
        where = connection.where
        lookup = CredentialStore(where.host).find
        self._rest = connection.rest(api, authorize=authorized(lookup, basic))
        super().__init__(place=where.host, oci=connection.oci(lookup), beside=self._rest)
        self._progress = connection.progress

    @classmethod
    def connect(cls, settings: RegistrySettings, *, clock: Clock, progress: Progress) -> GiteaDriver:
        """Return a driver for the registry that ``settings`` describe; nothing is sent yet."""
        connection = Connection.to(settings, clock=clock, progress=progress)
        options = OptionReader(f"registries: {settings.host}", settings.options)
        given = options.text("api") or f"{connection.where.base_url}/api/v1"
        options.done()
        return cls(connection, api=api_address(given, settings, example="https://git.example.com/api/v1"))

    # --- abilities ------------------------------------------------------------------------------------------------
    def declared(self) -> Capabilities:
        """Return what is known without asking: pushes are told, and a tag's version holds its manifest."""
        return Capabilities(
            delete_tag=NOT_PROBED,
            delete_manifest=NOT_PROBED,
            referrers=NOT_PROBED,
            times=frozenset({TimeOrigin.PUSHED}),
            reads_count_as_pulls=self._oci.capabilities("").reads_count_as_pulls,
            last_tag_takes_manifest=True,
            reclaim=_RECLAIM,
        )

    def find_out(self, repository: str) -> Capabilities:
        """Ask as the registry API does: by deletions of what is absent."""
        found = self._oci.probe(repository)
        tag = found.delete_tag
        if tag.usable:
            tag = replace(tag, why=f"{tag.why}; {_NO_WAY_BACK}")
        manifest = found.delete_manifest
        if manifest.usable:
            manifest = replace(manifest, why=f"{manifest.why}; {_NO_WAY_BACK}")
        return replace(self.declared(), delete_tag=tag, delete_manifest=manifest, referrers=found.referrers)

    # --- listing --------------------------------------------------------------------------------------------------
    def list_tags(self, repository: str) -> tuple[ListedTag, ...]:
        """Return every tag of the registry API, with the time of its push where the package API tells it."""
        names = self.names(repository)
        versions = self._versions(repository)
        tags = []
        for name in names:
            pushed = moment(versions.get(name.lower(), {}).get("created_at"))
            tags.append(ListedTag(name=name, times={TimeOrigin.PUSHED: pushed} if pushed is not None else {}))
        return tuple(tags)

    def _versions(self, repository: str) -> Mapping[str, Mapping[str, Any]]:
        """Return the versions of the image's package. A page that is missed costs times only: they are then unknown."""
        owner, _, image = repository.partition("/")
        found: dict[str, Mapping[str, Any]] = {}
        known: set[tuple[str, str]] = set()
        seen = 0
        for page in range(1, 1_000_000):
            entries, total = self._page(owner, image, page, doing=f"list the versions of {repository}")
            found.update({str(entry.get("version")).lower(): entry for entry in entries if entry.get("name") == image})
            seen += len(entries)
            fresh = {(str(entry.get("name")), str(entry.get("version"))) for entry in entries} - known
            known |= fresh
            if not fresh or (total is not None and seen >= total):
                break  # the end, or a server that gives the same page for ever
        return found

    def _page(self, owner: str, image: str, page: int, *, doing: str) -> tuple[Sequence[Mapping[str, Any]], int | None]:
        query: dict[str, str | int] = {"type": "container", "q": image, "page": page, "limit": _PAGE}
        try:
            response = self._rest.send("GET", f"/packages/{quote(owner, safe='')}", query=query, about=owner)
        except (AuthenticationFailed, PermissionDenied):
            self._without_times(owner, "wants other credentials")
            return (), 0
        if response.status in (_FORBIDDEN, _NOT_FOUND):
            self._without_times(owner, f"answers {response.status}")
            return (), 0
        if response.status != _OK:
            raise failure(response, place=self._place, doing=doing)
        document = self._rest.read(response, doing=doing)
        packages = listed(document, "packages", place=self._place, doing=doing)
        total = response.headers.get("x-total-count", "")
        return packages, int(total) if total.isascii() and total.isdigit() else None

    def _without_times(self, owner: str, why: str) -> None:
        self._progress.note(
            f"{self._place}: the package API of {owner} {why}, so that nothing is known of when tags were pushed "
            "(a token needs read:package)"
        )
