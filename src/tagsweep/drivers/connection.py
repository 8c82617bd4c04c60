"""Connection: what every driver with a vendor's API is made of, once the policy says which registry it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tagsweep.drivers.oci import OciDriver
from tagsweep.drivers.oci_hosts import Endpoint, endpoint
from tagsweep.http.auth import Lookup
from tagsweep.http.hosts import url_is_loopback
from tagsweep.http.redact import redact_url
from tagsweep.http.rest import Authorize, RestClient, as_nobody
from tagsweep.http.transport import CurlTransport
from tagsweep.model.errors import ConfigurationError
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import Clock, Progress, Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A registry, with a transport for its registry API and one for the vendor's own. Nothing is sent by it."""

    settings: RegistrySettings
    transport: Transport
    api_transport: Transport
    clock: Clock
    progress: Progress

    @classmethod
    def to(cls, settings: RegistrySettings, *, clock: Clock, progress: Progress) -> Connection:
        """Return a connection with the certificates that ``settings`` name."""
        return cls(
            settings=settings,
            transport=curl_transport(settings),
            api_transport=curl_transport(settings),
            clock=clock,
            progress=progress,
        )

    @property
    def where(self) -> Endpoint:
        """Where the registry API answers."""
        return endpoint(self.settings)

    def oci(self, lookup: Lookup) -> OciDriver:
        """Return a driver for the registry API."""
        return OciDriver(
            self.settings, transport=self.transport, lookup=lookup, clock=self.clock, progress=self.progress
        )

    def rest(
        self, base_url: str, *, authorize: Authorize = as_nobody, headers: Mapping[str, str] | None = None
    ) -> RestClient:
        """Return a client of the vendor's API at ``base_url``."""
        return RestClient(
            transport=self.api_transport,
            base_url=base_url,
            place=self.where.host,
            clock=self.clock,
            progress=self.progress,
            authorize=authorize,
            headers=headers,
            concurrency=self.settings.concurrency,
        )


def curl_transport(settings: RegistrySettings, *, place: str | None = None) -> CurlTransport:
    """Return a transport with the certificates that ``settings`` name; ``place`` names its host where it is another."""
    return CurlTransport(
        place=place or settings.host,
        ca=settings.ca,
        client_certificate=settings.client_certificate,
        client_key=settings.client_key,
    )


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
