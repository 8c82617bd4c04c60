"""ArtifactoryDriver: JFrog Artifactory. A tag is a folder: AQL tells its times, deleting the folder removes the tag.

Facts: each tag has a folder of its own, with the manifest in it, so that tags of one digest are independent; platforms
of an index are in folders sha256__<hex> beside the tags. What is deleted goes to the trash can where that is on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import quote, urlsplit

from tagsweep.core.options import OptionReader
from tagsweep.drivers import oci_probe
from tagsweep.drivers.artifactory_files import PLATFORM, Place, TagFolder, folders, stands_alone
from tagsweep.drivers.connection import Connection, api_address
from tagsweep.drivers.credentials import CredentialStore
from tagsweep.drivers.over_oci import OverOci
from tagsweep.drivers.vendor_access import authorized, basic, bearer, by_absent_tag, store_with_variables
from tagsweep.drivers.vendor_lists import listed, within
from tagsweep.http.auth import Credentials, Lookup
from tagsweep.http.failures import failure
from tagsweep.model.capability import NOT_PROBED, Capabilities, Capability
from tagsweep.model.errors import AuthenticationFailed, Conflict, InvalidReference, ProtocolViolation, Unsupported
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import Digest
from tagsweep.ports import Clock, ListedTag, Progress, Response

_OK: Final = 200
_RESTORED: Final = frozenset({200, 202, 204})
_NOT_IN_TRASH: Final = frozenset({400, 403, 404})
_BY_DIGEST: Final = Capability(
    why="what Artifactory deletes by digest is not described, so that only tags are removed; it cleans up platforms "
    "(folders sha256__…) that no tag needs by its own policies"
)
_UNDO: Final = "the trash can, where it is on (14 days by default); an administrator's credentials restore from it"
_RECLAIM: Final = (
    "Artifactory frees the files of removed tags once they leave the trash can, in its own garbage collection. "
    "Platforms of removed multi-platform tags stay in folders sha256__… until a cleanup policy takes them: look for "
    "their parent manifest lists first."
)


class ArtifactoryDriver(OverOci):
    """Implements :class:`tagsweep.ports.RegistryDriver` and :class:`tagsweep.ports.TakesBack`. Made by :meth:`connect`.

    Options: ``api``, where Artifactory answers if not at ``/artifactory`` of the host; ``repository``, the key of the
    repository where the host's name tells it (otherwise it is the first part of the path).
    """

    name = "artifactory"

    def __init__(self, connection: Connection, *, api: str, key: str) -> None:
        where = connection.where
        lookup = _lookup(CredentialStore(where.host), api)
        self._rest = connection.rest(api, authorize=authorized(lookup, lambda found: basic(found) or bearer(found)))
        super().__init__(place=where.host, oci=connection.oci(lookup), beside=self._rest)
        self._key = key
        self._progress = connection.progress

    @classmethod
    def connect(cls, settings: RegistrySettings, *, clock: Clock, progress: Progress) -> ArtifactoryDriver:
        """Return a driver for the registry that ``settings`` describe; nothing is sent yet."""
        connection = Connection.to(settings, clock=clock, progress=progress)
        options = OptionReader(f"registries: {settings.host}", settings.options)
        given = options.text("api") or f"{connection.where.base_url}/artifactory"
        key = options.text("repository") or ""
        options.done()
        return cls(connection, api=api_address(given, settings, example="https://acme.jfrog.io/artifactory"), key=key)

    def _where(self, repository: str) -> Place:
        if self._key:
            return Place(key=self._key, image=repository)
        key, _, image = repository.partition("/")
        if not image:
            raise InvalidReference(
                f"{repository!r} names no image of Artifactory",
                remedy="they look like docker-local/app; or name the repository's key: options: {repository: docker}",
            )
        return Place(key=key, image=image)

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
            undo=_UNDO,
            reclaim=_RECLAIM,
        )

    def find_out(self, repository: str) -> Capabilities:
        """Ask which repositories are local, and to delete the folder of a tag that is absent."""
        place = self._where(repository)
        deletion = self._not_local(place) or by_absent_tag(
            lambda: self._delete(place, oci_probe.random_tag()), place=self._place
        )
        return replace(self.declared(), delete_tag=deletion, referrers=self._oci.probe_referrers(repository))

    def _not_local(self, place: Place) -> Capability | None:
        """Return why nothing is deleted in a virtual or remote repository, None for a local one."""
        doing = "list the repositories"
        response = self._rest.send("GET", "/api/repositories", about=place.key)
        if response.status != _OK:
            return None  # the deletion itself tells what these credentials may
        known = listed(self._rest.read(response, doing=doing), "repositories", place=self._place, doing=doing)
        kinds = {str(each.get("key")): str(each.get("type")).lower() for each in known}
        kind = kinds.get(place.key, "local")
        if kind in ("local", "federated"):
            return None
        return Capability(why=f"{place.key} is a {kind} repository; tags are removed where they are, in a local one")

    # --- listing --------------------------------------------------------------------------------------------------
    def list_repositories(self) -> Iterator[str]:
        """Yield the images of the repository that the option names; Unsupported without it."""
        if not self._key:
            raise Unsupported(
                f"{self._place} lists images only by repository",
                remedy=f"name it in the target, such as {self._place}/docker-local/*",
            )
        return self._images(self._key)

    def list_namespace(self, namespace: str) -> Iterator[str]:
        """Yield the images of one repository, or those below a first part of their paths."""
        if not self._key:
            return (f"{namespace}/{image}" for image in self._images(namespace))
        return (image for image in self._images(self._key) if image.startswith(f"{namespace}/"))

    def _images(self, key: str) -> Iterator[str]:
        path = f"/api/docker/{quote(key, safe='')}/v2/_catalog"
        doing = f"list the images of {key}"
        for document in self._rest.pages(path, doing=doing):
            names = within(document, "repositories")
            if not isinstance(names, list):
                raise ProtocolViolation(f"{self._place}: cannot {doing}: the answer has no list of repositories")
            yield from map(str, names)

    def list_tags(self, repository: str) -> tuple[ListedTag, ...]:
        """Return every tag of the registry API, with what the search tells of its folder."""
        names = self.names(repository)
        found = folders(self._rest, self._where(repository), note=self._progress.note) if names else {}
        return tuple(_listed(name, found.get(name, TagFolder(times={}))) for name in names)

    # --- changes --------------------------------------------------------------------------------------------------
    def _remove(self, repository: str, tag: str, doing: str) -> bool:
        """Remove the folder of the tag, which holds nothing else; False if it was absent.

        Raises Conflict where the folder holds other images, or is not where the registry API has the tag from.
        """
        place = self._where(repository)
        if PLATFORM.fullmatch(tag) is not None:
            raise Conflict(f"{self._place}: {repository}:{tag} is the folder of a platform, not of a tag")
        if not stands_alone(self._rest, place, tag):
            if self._oci.resolve_tag(repository, tag) is None:
                return False
            raise Conflict(
                f"{self._place}: {repository}:{tag} has no folder in {place.key}, though the registry has it",
                remedy="name the local repository in the target, not a virtual or remote one",
            )
        return self._ended(repository, tag, self._delete(place, tag), doing)

    def _delete(self, place: Place, tag: str) -> Response:
        # Rights are given by path: a refusal in one image says nothing of the others in its repository.
        return self._rest.send("DELETE", f"/{place.folder(tag)}", about=f"{place.key}/{place.image}")

    def take_back(self, repository: str, digest: Digest, tags: Sequence[str]) -> bool:
        """Restore the folders of these tags from the trash can; False where it has not all of them.

        Nothing is restored over a tag that is there. What came back on another digest is not this deletion's.
        """
        place = self._where(repository)
        if not tags or any(self._oci.resolve_tag(repository, tag) is not None for tag in tags):
            return False
        for tag in tags:
            folder = place.folder(tag)
            try:
                response = self._rest.send("POST", f"/api/trash/restore/{folder}?to={folder}", about=place.key)
            except AuthenticationFailed:
                return False
            if response.status in _NOT_IN_TRASH:
                return False
            if response.status not in _RESTORED:
                raise failure(response, place=self._place, doing=f"restore {repository}:{tag} from the trash can")
        return all(self._oci.resolve_tag(repository, tag) == digest for tag in tags)


def _listed(name: str, folder: TagFolder) -> ListedTag:
    locked = ""
    if PLATFORM.fullmatch(name) is not None:
        locked = "it is a platform of multi-platform images, which Artifactory shows as a tag"
    elif folder.holds_images:
        locked = "Artifactory keeps other images in the folder of this tag, which would go with it"
    return ListedTag(name=name, digest=folder.digest, times=folder.times, locked=locked)


def _lookup(store: CredentialStore, api: str) -> Lookup:
    """Return a look-up that also knows JFrog's variables, where they are for this host."""
    url = urlsplit(os.environ.get("JF_URL", ""))
    ours = url.hostname is not None and url.hostname == urlsplit(api).hostname
    return store_with_variables(store, ("JF_ACCESS_TOKEN",) if ours else (), _as_credentials)


def _as_credentials(token: str, found_in: str) -> Credentials:
    """Return an access token as the registry takes it: as the password of the user that it is for."""
    return Credentials(username=os.environ.get("JF_USER") or "token", password=token, found_in=found_in)
