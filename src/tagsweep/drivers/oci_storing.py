"""Sending blobs to a registry: what sweeping never needs and a state in a registry does.

Rules: OCI distribution specification 1.1, "Pushing a blob monolithically": POST opens an upload, PUT sends it whole.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urljoin

from tagsweep.drivers.credentials import CredentialStore
from tagsweep.drivers.oci import OciDriver
from tagsweep.drivers.oci_answers import expect
from tagsweep.drivers.oci_hosts import endpoint
from tagsweep.http.challenge import Scope
from tagsweep.http.retry import RetryPolicy
from tagsweep.http.transport import CurlTransport
from tagsweep.model.errors import ProtocolViolation
from tagsweep.model.reference import Digest

if TYPE_CHECKING:
    from tagsweep.model.policy import RegistrySettings
    from tagsweep.ports import Clock, Progress

_OK, _CREATED, _ACCEPTED, _NO_CONTENT = 200, 201, 202, 204
_ACCEPT: Final = {"Accept": "application/json"}
_IMPATIENT: Final = RetryPolicy(tries=3, longest_wait=5.0, longest_pause=120.0, patience=120.0)
"""A run that cannot keep its state must say so soon: nothing is deleted while it waits."""


def connect_for_state(settings: RegistrySettings, *, clock: Clock, progress: Progress) -> OciDriver:
    """Return a driver for the registry that keeps the state; nothing is sent yet."""
    transport = CurlTransport(
        place=settings.host,
        ca=settings.ca,
        client_certificate=settings.client_certificate,
        client_key=settings.client_key,
    )
    lookup = CredentialStore(endpoint(settings).host).find
    return OciDriver(settings, transport=transport, lookup=lookup, clock=clock, progress=progress, policy=_IMPATIENT)


def push_blob(driver: OciDriver, repository: str, data: bytes) -> Digest:
    """Store ``data`` in the repository and return its digest; nothing is sent where it is there already.

    Sending it twice does no harm, so a caller may simply try again.
    """
    digest = Digest(f"sha256:{hashlib.sha256(data).hexdigest()}")
    if driver.has_blob(repository, digest):
        return digest
    client, doing = driver.client, f"store the blob {digest.short} in {repository}"
    scope = Scope.repository(repository, "pull", "push")
    begun = client.send("POST", f"/v2/{repository}/blobs/uploads/", scope=scope, headers=_ACCEPT, body=b"")
    expect(begun, _ACCEPTED, _CREATED, place=client.place, doing=doing)
    location = begun.headers.get("location", "")
    if not location:
        raise ProtocolViolation(f"{client.place}: cannot {doing}: the registry does not say where to send it")
    url = urljoin(f"{client.base_url}/v2/{repository}/blobs/uploads/", location)
    url += f"{'&' if '?' in url else '?'}digest={quote(digest, safe='')}"
    ended = client.send(
        "PUT", url, scope=scope, headers={**_ACCEPT, "Content-Type": "application/octet-stream"}, body=data
    )
    expect(ended, _CREATED, _OK, _ACCEPTED, _NO_CONTENT, place=client.place, doing=doing)
    return digest
