"""GarDriver: Google Artifact Registry, at pkg.dev and gcr.io.

Its registry API lists tags with digests and times in one call and removes one tag alone; its REST API, where there is a
token for it, tells whether tags are immutable and which repositories there are.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit

from tagsweep.core.options import OptionReader
from tagsweep.drivers.connection import curl_transport
from tagsweep.drivers.gar_login import GoogleLogin
from tagsweep.drivers.gar_names import GarHost, known_host
from tagsweep.drivers.oci import OciDriver
from tagsweep.drivers.oci_hosts import endpoint
from tagsweep.drivers.over_oci import OverOci, as_digest
from tagsweep.http.hosts import url_is_loopback
from tagsweep.http.rest import RestClient
from tagsweep.http.transport import CurlTransport
from tagsweep.model.capability import Capabilities, Capability
from tagsweep.model.errors import NotFound, ProtocolViolation, RegistryError, Unsupported
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import Clock, ListedTag, Progress, Response

_API: Final = "https://artifactregistry.googleapis.com"
_TIMES: Final = {TimeOrigin.PUSHED: "timeUploadedMs", TimeOrigin.CREATED: "timeCreatedMs"}
_PAGE: Final = 1000
_IMMUTABLE: Final = "its repository has immutable tags (Artifact Registry): no tag can be moved or deleted"
_RECLAIM: Final = "Artifact Registry frees the space of deleted images by itself; nothing has to be done."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What the REST API tells of a repository: whether its tags are immutable, of which mode it is, and more."""

    immutable: bool = False
    virtual: bool = False
    words: tuple[str, ...] = ()


class GarDriver(OverOci):
    """Implements :class:`tagsweep.ports.RegistryDriver` and :class:`tagsweep.ports.ListsNamespaces`, whose namespaces
    are projects. Made by :meth:`connect`.
    """

    name = "gar"

    def __init__(
        self, *, oci: OciDriver, rest: RestClient, login: GoogleLogin, host: GarHost | None, place: str
    ) -> None:
        super().__init__(place=place, oci=oci, beside=rest)
        self._rest = rest
        self._login = login
        self._host = host
        self._lock = threading.Lock()
        self._told: dict[str, _Told] = {}

    @classmethod
    def connect(cls, settings: RegistrySettings, *, clock: Clock, progress: Progress) -> GarDriver:
        """Return a driver for the registry that ``settings`` describe; nothing is sent yet.

        Options: ``api``, another address of the REST API; ``location``, for a host whose name does not tell it.
        """
        options = OptionReader(f"registries: {settings.host}", settings.options)
        place = endpoint(settings).host
        location, given = options.text("location"), options.text("api")
        api = (given or _API).rstrip("/")
        options.done()
        parts = urlsplit(api)
        safe = parts.scheme == "https" or (parts.scheme == "http" and url_is_loopback(api))
        if not safe or not parts.hostname or "@" in parts.netloc or parts.query:
            raise options.error("api", "is no place to which a token of Google may be sent", remedy=f"api: {_API}")
        login = GoogleLogin(place, transport=CurlTransport(place="Google's token server"), clock=clock)
        rest = RestClient(
            transport=CurlTransport(place=parts.netloc, ca=settings.ca),
            base_url=api,
            place=place,
            clock=clock,
            progress=progress,
            authorize=login.authorize,
        )
        oci = OciDriver(
            settings,
            transport=curl_transport(settings),
            lookup=login.find,
            clock=clock,
            progress=progress,
        )
        return cls(oci=oci, rest=rest, login=login, host=known_host(place, location), place=place)

    def close(self) -> None:
        """Give back the connections."""
        super().close()
        self._login.close()

    # --- abilities ------------------------------------------------------------------------------------------------
    def declared(self) -> Capabilities:
        """Return what is known of this registry without asking it."""
        return _as_google(self._oci.capabilities(""))

    def find_out(self, repository: str) -> Capabilities:
        """Ask to delete a tag and a digest that are absent."""
        told = self._tell(repository)
        found = _as_google(self._oci.probe(repository))
        if told.virtual:
            virtual = Capability(why="it is a virtual repository, which only passes on what others hold")
            found = replace(found, delete_tag=virtual, delete_manifest=virtual)
        if told.words and found.delete_tag.usable:
            why = "; ".join((found.delete_tag.why, *told.words))
            found = replace(found, delete_tag=replace(found.delete_tag, why=why))
        return found

    def _tell(self, repository: str) -> _Told:
        """Return what the REST API tells of the repository, asked once; what it does not tell is said in words."""
        with self._lock:
            if repository not in self._told:
                self._told[repository] = self._ask(repository)
            return self._told[repository]

    def _ask(self, repository: str) -> _Told:
        unknown = "whether its tags are immutable is not known"
        path = self._host.repository_path(repository) if self._host is not None else None
        if path is None:
            return _Told(words=(f"{unknown}: {self._place} does not tell its place in Artifact Registry",))
        if not self._login.authorize():
            return _Told(words=(f"{unknown}: these credentials are of no use at Google's REST API",))
        try:
            found = self._rest.find(f"/v1/{path}", doing=f"read the settings of {path}", about=repository)
        except RegistryError as error:
            return _Told(words=(f"{unknown} (artifactregistry.repositories.get: {error.status or 'no answer'})",))
        if not isinstance(found, dict):
            return _Told(words=(f"{unknown}: the REST API does not show {path}",))
        docker = found.get("dockerConfig")
        words: list[str] = []
        if found.get("cleanupPolicies"):
            dry = " (dry run)" if found.get("cleanupPolicyDryRun") else ""
            words.append(f"it has clean-up policies of its own{dry}")
        return _Told(
            immutable=isinstance(docker, dict) and docker.get("immutableTags") is True,
            virtual=found.get("mode") == "VIRTUAL_REPOSITORY",
            words=tuple(words),
        )

    # --- listing --------------------------------------------------------------------------------------------------
    def list_namespace(self, namespace: str) -> Iterator[str]:
        """Yield the images of one project at this host."""
        if self._host is None or not self._login.authorize():
            raise Unsupported(
                f"{self._place}: images of {namespace} are listed by Google's REST API, and there is no token for it",
                remedy="name the repositories in targets, or sign in (gcloud auth application-default login) with "
                "pip install 'tagsweep[gcp]'",
            )
        if self._host.repository:
            parents = [f"{self._host.project_path(namespace)}/repositories/{self._host.repository}"]
        else:
            found = self._every(f"/v1/{self._host.project_path(namespace)}/repositories", "repositories")
            parents = [str(each.get("name")) for each in found if each.get("format") == "DOCKER"]
        for parent in parents:
            for package in self._every(f"/v1/{parent}/packages", "packages"):
                yield self._host.image(namespace, str(package.get("name")))

    def _every(self, path: str, key: str) -> Iterator[dict[str, Any]]:
        doing = f"list {key}"

        def following(response: Response, document: Any) -> str | None:
            token = document.get("nextPageToken") if isinstance(document, dict) else None
            base = response.url.partition("&pageToken=")[0]
            return f"{base}&pageToken={quote(str(token), safe='')}" if token else None

        query = {"pageSize": _PAGE}
        for page in self._rest.pages(path, doing=doing, query=query, following=following):
            entries = page.get(key, []) if isinstance(page, dict) else None
            if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
                raise ProtocolViolation(f"{self._place}: cannot {doing}: the answer is no page of them")
            yield from entries

    def list_tags(self, repository: str) -> tuple[ListedTag, ...]:
        """Return every tag, with digest and times where the answer has them; NotFound where there is no such image."""
        doing = f"list the tags of {repository}"
        images: dict[str, dict[str, Any]] = {}

        def seen(page: Response) -> None:
            images.update(_images(page, place=self._place, doing=doing))

        names = tuple(self._oci.tag_names(repository, seen))
        if not names and not images and self._is_absent(repository):
            raise NotFound(f"{self._place}: there is no image {repository}", remedy="check its name and your rights")
        locked = _IMMUTABLE if self._tell(repository).immutable else ""
        return tuple(replace(tag, locked=locked) for tag in self._joined(names, images, doing=doing))

    def _joined(self, names: tuple[str, ...], images: Mapping[str, dict[str, Any]], *, doing: str) -> list[ListedTag]:
        """Return the tags with what the images tell; one that two images claim comes without digest."""
        on: dict[str, list[str]] = {}
        for digest, image in images.items():
            for tag in image.get("tag") or ():
                on.setdefault(str(tag), []).append(digest)
        joined = []
        for name in names:
            digests = on.get(name, [])
            if len(digests) != 1:
                joined.append(ListedTag(name=name))
                continue
            image = images[digests[0]]
            times = {origin: at for origin, key in _TIMES.items() if (at := _moment(image.get(key))) is not None}
            on_digest = as_digest(digests[0], place=self._place, doing=doing)
            joined.append(ListedTag(name=name, digest=on_digest, times=times))
        return joined

    def _is_absent(self, repository: str) -> bool:
        """Tell whether an image without tags and manifests is none at all: gcr.io lists whatever is asked for."""
        path = self._host.package_path(repository) if self._host is not None else None
        if path is None or not self._login.authorize():
            return False
        try:
            return self._rest.find(f"/v1/{path}", doing=f"look for {repository}", about=repository) is None
        except RegistryError:
            return False


def _as_google(found: Capabilities) -> Capabilities:
    return replace(
        found,
        times=frozenset(_TIMES),
        delete_cost_grows_with_tags=False,
        reclaim=_RECLAIM,
    )


def _images(response: Response, *, place: str, doing: str) -> dict[str, dict[str, Any]]:
    """Return the ``manifest`` map of a tag list, by digest; empty where the answer has none."""
    document = json.loads(response.body)
    found = document.get("manifest") if isinstance(document, dict) else None
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(each, dict) for each in found.values()):
        raise ProtocolViolation(f"{place}: cannot {doing}: its manifest map is none")
    return found


def _moment(value: object) -> datetime | None:
    """Return a time that is written as a text of milliseconds since 1970; zero and nonsense are no time."""
    try:
        milliseconds = int(str(value))
        return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds > 0 else None
    except (ValueError, OverflowError, OSError):
        return None
