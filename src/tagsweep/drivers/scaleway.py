"""ScalewayDriver: Scaleway's registry. Its API lists tags and removes one; all else is the registry API's.

Facts, from Scaleway's own client library: namespaces have images, images have tags, each with an id; numbered pages of
at most 100. A tag whose digest another tag has cannot be removed: only ``force`` would, of which nobody says what
becomes of the other tag, so it is never sent. Such tags are told as locked.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from tagsweep.core.options import OptionReader
from tagsweep.drivers.connection import Connection, api_address
from tagsweep.drivers.credentials import CredentialStore
from tagsweep.drivers.oci_hosts import endpoint
from tagsweep.drivers.over_oci import Remembering
from tagsweep.drivers.vendor_access import authorized, by_absent_tag, store_with_variables
from tagsweep.drivers.vendor_lists import as_tag, digest_in, in_order, moment, objects, text_in, whole, within
from tagsweep.http.auth import Credentials
from tagsweep.http.failures import failure
from tagsweep.model.capability import NOT_PROBED, Capabilities, Capability
from tagsweep.model.errors import ConfigurationError, Conflict, InvalidReference, NotFound, Unsupported
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import Digest
from tagsweep.ports import Clock, ListedTag, Progress, Response

API: Final = "https://api.scaleway.com"
VARIABLES: Final = ("SCW_SECRET_KEY",)
_NO_TAG: Final = "00000000-0000-0000-0000-000000000000"
_NOT_FOUND, _BAD_REQUEST = 404, 400
_PAGE: Final = 100
_HOST: Final = re.compile(r"rg\.([a-z]{2}-[a-z]{3})\.scw\.cloud")
_REGION: Final = re.compile(r"[a-z]{2}-[a-z]{3}")
_BY_DIGEST: Final = Capability(
    why="Scaleway describes no deletion by digest; what a removed tag was on goes with the last tag"
)
_RECLAIM: Final = (
    "Scaleway frees the space of what lost its last tag by itself; the console shows the size of the image."
)
_STATES: Final = {
    "locked": "Scaleway has locked it",
    "deleting": "Scaleway is deleting it already",
    "error": "Scaleway reports an error about it",
}


class ScalewayDriver(Remembering):
    """Implements :class:`tagsweep.ports.RegistryDriver` for rg.<region>.scw.cloud. Made by :meth:`connect`.

    Options: ``api``, another address of the API; ``region``, where the host's name does not tell it.
    """

    name = "scaleway"

    def __init__(self, connection: Connection, *, api: str, region: str) -> None:
        where = connection.where
        lookup = store_with_variables(CredentialStore(where.host), VARIABLES, _as_credentials)
        self._rest = connection.rest(api, authorize=authorized(lookup, _header))
        super().__init__(place=where.host, oci=connection.oci(lookup), beside=self._rest)
        self._root = f"/registry/v1/regions/{region}"
        self._images: dict[str, str] = {}
        self._looking = threading.Lock()

    @classmethod
    def connect(cls, settings: RegistrySettings, *, clock: Clock, progress: Progress) -> ScalewayDriver:
        """Return a driver for the registry that ``settings`` describe; nothing is sent yet."""
        options = OptionReader(f"registries: {settings.host}", settings.options)
        api = api_address(options.text("api") or API, settings, example=API)
        named = _HOST.fullmatch(endpoint(settings).host)
        region = options.text("region") or (named[1] if named is not None else "")
        options.done()
        if _REGION.fullmatch(region) is None:
            raise ConfigurationError(
                f"registries: {settings.host}: the region of this registry is not known", remedy="region: fr-par"
            )
        return cls(Connection.to(settings, clock=clock, progress=progress), api=api, region=region)

    # --- abilities ------------------------------------------------------------------------------------------------
    def declared(self) -> Capabilities:
        """Return what is known without asking."""
        return Capabilities(
            delete_tag=NOT_PROBED,
            delete_manifest=_BY_DIGEST,
            referrers=NOT_PROBED,
            times=frozenset({TimeOrigin.UPDATED}),
            reads_count_as_pulls=self._oci.capabilities("").reads_count_as_pulls,
            last_tag_takes_manifest=True,
            reclaim=_RECLAIM,
        )

    def find_out(self, repository: str) -> Capabilities:
        """Ask to delete a tag that nobody has."""
        deletion = by_absent_tag(lambda: self._delete(_NO_TAG, repository), place=self._place)
        if deletion.usable:
            deletion = replace(deletion, why=f"{deletion.why}; tags that share their digest stay")
        return replace(self.declared(), delete_tag=deletion, referrers=self._oci.probe_referrers(repository))

    # --- listing --------------------------------------------------------------------------------------------------
    def list_repositories(self) -> Iterator[str]:
        """Raise Unsupported: images are listed by namespace."""
        raise Unsupported(
            f"{self._place} lists images only by namespace",
            remedy=f"name it in the target, such as {self._place}/acme/*",
        )

    def list_namespace(self, namespace: str) -> Iterator[str]:
        """Yield the images of one namespace."""
        doing = f"list the images of {namespace}"
        query = {"namespace_id": self._namespace(namespace)}
        images = self._all(f"{self._root}/images", "images", query, key="id", doing=doing)
        for image in images.values():
            yield f"{namespace}/{text_in(image, 'name', place=self._place, doing=doing)}"

    def list_tags(self, repository: str) -> tuple[ListedTag, ...]:
        """Return every tag with its digest and when it was last updated, and why Scaleway would not remove it."""
        doing = f"list the tags of {repository}"
        entries = self._tags(repository, doing=doing)
        sharing = Counter(entry.get("digest") for entry in entries.values())
        listed = {
            as_tag(name, place=self._place, doing=doing): _listed(name, entry, sharing)
            for name, entry in entries.items()
        }
        return in_order(self.names(repository), listed)

    def _tags(self, repository: str, *, doing: str, name: str | None = None) -> dict[str, Mapping[str, Any]]:
        path = f"{self._root}/images/{self._image(repository)}/tags"
        query = {"order_by": "created_at_asc"} if name is None else {"name": name}
        return self._all(path, "tags", query, key="name", doing=doing)

    def _namespace(self, name: str) -> str:
        found = self._all(f"{self._root}/namespaces", "namespaces", {"name": name}, key="name", doing=f"find {name}")
        return self._id(found.get(name), f"namespace {name}")

    def _image(self, repository: str) -> str:
        """Return the id of an image; asked once, because every removal needs it."""
        with self._looking:
            if repository not in self._images:
                self._images[repository] = self._find_image(repository)
            return self._images[repository]

    def _find_image(self, repository: str) -> str:
        namespace, _, name = repository.partition("/")
        if not name:
            raise InvalidReference(f"{repository!r} is no image of Scaleway", remedy="they look like acme/app")
        query = {"namespace_id": self._namespace(namespace), "name": name}
        found = self._all(f"{self._root}/images", "images", query, key="name", doing=f"find {repository}")
        return self._id(found.get(name), f"image {repository}")

    def _id(self, entry: Mapping[str, Any] | None, what: str) -> str:
        identity = entry.get("id") if entry is not None else None
        if not isinstance(identity, str) or re.fullmatch(r"[0-9a-f-]{36}", identity) is None:
            raise NotFound(
                f"{self._place}: there is no {what}, or the key may not see it",
                remedy="check the name, the region and the project of the key",
                status=_NOT_FOUND,
            )
        return identity

    def _all(
        self, path: str, what: str, query: Mapping[str, str], *, key: str, doing: str
    ) -> dict[str, Mapping[str, Any]]:
        def read(page: int) -> tuple[Sequence[Mapping[str, Any]], int | None]:
            asked: dict[str, str | int] = {**query, "page": page, "page_size": _PAGE}
            document = self._rest.ask("GET", path, query=asked, doing=doing, about=path)
            total = within(document, "total_count")
            return objects(document, what, place=self._place, doing=doing), total if isinstance(total, int) else None

        return whole(read, key=key, place=self._place, doing=doing)

    # --- changes --------------------------------------------------------------------------------------------------
    def _remove(self, repository: str, tag: str, doing: str) -> bool:
        """Remove the tag, which is alone on its digest; False if it was absent.

        Raises Conflict where it was moved since it was seen last, and where Scaleway refuses because another tag is on
        its digest by now.
        """
        expected = self._expected(repository, tag)
        entry = self._tags(repository, doing=doing, name=tag).get(tag)
        if entry is None:
            absent = NotFound(f"{self._place}: cannot {doing}: Scaleway's list has it not", status=_NOT_FOUND)
            return not self._is_gone(repository, tag, absent)
        now = digest_in(entry.get("digest"))
        if expected is not None and now is not None and now != expected:
            raise self._moved(tag, now)
        response = self._delete(self._id(entry, f"tag {tag} with an id"), repository)
        if response.status == _BAD_REQUEST:
            error = failure(response, place=self._place, doing=doing)
            raise Conflict(str(error), remedy="it may share its digest with another tag", status=_BAD_REQUEST)
        return self._ended(repository, tag, response, doing)

    def _delete(self, identity: str, about: str) -> Response:
        return self._rest.send("DELETE", f"{self._root}/tags/{identity}", about=about)


def _as_credentials(key: str, found_in: str) -> Credentials:
    """Return a secret key as the registry takes it: as the password of nobody in particular."""
    return Credentials(username="nologin", password=key, found_in=found_in)


def _header(credentials: Credentials) -> Mapping[str, str]:
    return {"X-Auth-Token": credentials.password} if credentials.password else {}


def _listed(name: str, entry: Mapping[str, Any], sharing: Mapping[Any, int]) -> ListedTag:
    updated = moment(entry.get("updated_at"))
    digest: Digest | None = digest_in(entry.get("digest"))
    locked = _STATES.get(str(entry.get("status")), "")
    if not locked and (digest is None or sharing[entry.get("digest")] > 1):
        locked = "Scaleway does not remove a tag whose digest another tag has"
    return ListedTag(
        name=name,
        digest=digest,
        times={TimeOrigin.UPDATED: updated} if updated is not None else {},
        locked=locked,
    )
