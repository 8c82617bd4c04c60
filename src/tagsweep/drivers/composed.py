"""ComposedDriver: what a vendor's driver leaves to the registry API, by the ``oci`` driver inside it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from tagsweep.drivers.oci import OciDriver
from tagsweep.drivers.oci_hosts import endpoint
from tagsweep.drivers.over_oci import OverOci, need
from tagsweep.http.auth import Credentials, Lookup
from tagsweep.http.hosts import url_is_loopback
from tagsweep.http.redact import redact_url
from tagsweep.http.rest import RestClient
from tagsweep.http.transport import CurlTransport
from tagsweep.model.capability import Capabilities, Capability, Support
from tagsweep.model.errors import ConfigurationError
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import Digest
from tagsweep.ports import ListedTag

NOT_PROBED: Final = Capability(support=Support.UNKNOWN, why="not probed yet")


class ComposedDriver(OverOci):
    """A registry driver whose manifests and blobs are the registry API's. A subclass gives what its vendor adds:
    ``declared``, ``find_out``, ``list_tags``, ``list_repositories`` and ``delete_tag``.
    """

    def __init__(self, settings: RegistrySettings, *, oci: OciDriver, rest: RestClient) -> None:
        self.place = endpoint(settings).host
        self._oci = oci
        self.rest = rest
        self._probed: dict[str, Capabilities] = {}
        self._probing = threading.Lock()

    @property
    def counts(self) -> Mapping[str, int]:
        """How many requests were sent so far to both APIs, by method."""
        return Counter(self._oci.counts) + Counter(self.rest.counts)

    def close(self) -> None:
        """Give back the connections."""
        self._oci.close()
        self.rest.close()

    # --- abilities ------------------------------------------------------------------------------------------------
    def declared(self) -> Capabilities:
        """Return what is known of this registry without asking it."""
        raise NotImplementedError

    def find_out(self, repository: str) -> Capabilities:
        """Ask what these credentials may do in ``repository``, without any side effect."""
        raise NotImplementedError

    def capabilities(self, repository: str) -> Capabilities:
        """Return what was probed in ``repository``, or Unknown for what a probe would tell."""
        return self._probed.get(repository) or self.declared()

    def probe(self, repository: str) -> Capabilities:
        """Find out, once, what these credentials may do in ``repository``; nothing is changed by it."""
        with self._probing:
            if repository not in self._probed:
                self._probed[repository] = self.find_out(repository)
            return self._probed[repository]

    def require(self, repository: str, ability: Callable[[Capabilities], Capability], doing: str) -> None:
        """Raise Unsupported, before anything is sent, where an ability is not certain."""
        need(ability(self.capabilities(repository)), place=self.place, doing=doing)

    # --- the registry API -----------------------------------------------------------------------------------------
    def names(self, repository: str) -> tuple[str, ...]:
        """Return the names of all tags by the registry API, which is complete or raises."""
        return tuple(tag.name for tag in self._oci.list_tags(repository))

    def delete_manifest(self, repository: str, digest: Digest) -> bool:
        """Delete the manifest with every tag on it; False if it was absent."""
        digest = Digest.parse(digest)
        self.require(repository, lambda able: able.delete_manifest, f"delete the manifest {digest.short}")
        return self._oci.delete_manifest(repository, digest)


def once(lookup: Lookup) -> Lookup:
    """Return a look-up that asks once for each repository: a credential helper may ask a person."""
    found: dict[str, Credentials | None] = {}
    looking = threading.Lock()

    def find(repository: str) -> Credentials | None:
        with looking:
            if repository not in found:
                found[repository] = lookup(repository)
            return found[repository]

    return find


def transports(settings: RegistrySettings) -> tuple[CurlTransport, CurlTransport]:
    """Return a transport for the registry API and one for the vendor's own."""
    first, second = (
        CurlTransport(
            place=settings.host,
            ca=settings.ca,
            client_certificate=settings.client_certificate,
            client_key=settings.client_key,
        )
        for _ in range(2)
    )
    return first, second


def api_address(given: str, settings: RegistrySettings, *, example: str) -> str:
    """Return where a vendor's API answers, as somebody named it; https, unless it is on this machine or the policy
    allows plain http in words.
    """
    url = given.rstrip("/")
    scheme, _, rest = url.partition("://")
    where = f"registries: {settings.host}"
    if scheme not in ("http", "https") or not rest or any(mark in rest for mark in "@?# "):
        raise ConfigurationError(f"{where}: {redact_url(url)} is no address of an API", remedy=f"api: {example}")
    if scheme == "http" and not url_is_loopback(url) and not settings.plain_http:
        raise ConfigurationError(
            f"{where}: {redact_url(url)} would get credentials unencrypted", remedy="name its https address"
        )
    return url


def in_order(names: Iterable[str], told: Mapping[str, ListedTag]) -> tuple[ListedTag, ...]:
    """Return every tag once: those of ``names`` in their order, with what is told of them, then what is only told.

    The registry API names every tag; a vendor's list knows more of them and may hide some, or cut the list.
    """
    return tuple(told.get(name, ListedTag(name=name)) for name in dict.fromkeys((*names, *told)))
