"""Which registry is behind a host: by its name where that is certain, else by how it asks for credentials.

Facts: the vendors' host names; the realm and service of the challenge at ``/v2/``, and headers of their own. Only what
is certain is told: every registry can be used through the OCI API alone, so that not knowing costs convenience only.
"""

from __future__ import annotations

import re
from typing import Final

from tagsweep.drivers.oci_hosts import endpoint
from tagsweep.http.challenge import parse_challenges
from tagsweep.http.transport import CurlTransport
from tagsweep.model.errors import TagsweepError
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import canonical_registry
from tagsweep.ports import Request, Response, Transport

OCI: Final = "oci"
_AZURE: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.azurecr\.(?:io|cn|us)")
_HOSTS: Final = (
    (re.compile(r"docker\.io"), "dockerhub"),
    (re.compile(r"ghcr\.io|containers\.[a-z0-9.-]+\.ghe\.com"), "ghcr"),
    (re.compile(r"[0-9]{12}\.dkr[.-]ecr(?:-fips)?\.[a-z0-9-]+\.(?:amazonaws\.com(?:\.cn)?|on\.aws)"), "ecr"),
    (re.compile(r"public\.ecr\.aws"), "ecr-public"),
    (re.compile(r"(?:[a-z0-9-]+-docker\.pkg\.dev|(?:[a-z]+\.)?gcr\.io)"), "gar"),
    (_AZURE, "acr"),
    (re.compile(r"quay\.io"), "quay"),
    (re.compile(r"registry\.gitlab\.com"), "gitlab"),
    (re.compile(r"codeberg\.org|gitea\.com"), "gitea"),
    (re.compile(r"registry\.digitalocean\.com"), "digitalocean"),
    (re.compile(r"rg\.[a-z]{2}-[a-z]{3}\.scw\.cloud"), "scaleway"),
    (re.compile(r"[a-z0-9-]+\.jfrog\.io"), "artifactory"),
)
_HEADERS: Final = (
    ("gitlab-container-registry-version", "gitlab"),
    ("x-jfrog-version", "artifactory"),
    ("x-artifactory-id", "artifactory"),
)
_PULPS: Final = ("docker-distribution-api-version", "x-registry-supports-signatures", "correlation-id")
"""What Pulp sends together with every answer; OpenShift's registry sends the second, and other programs the third."""

_ANY: Final = re.compile(r".*", re.DOTALL)
_CHALLENGES: Final = (
    (_ANY, re.compile(r"harbor-registry"), "harbor"),
    (re.compile(r".*/jwt/auth"), re.compile(r"container_registry"), "gitlab"),
    (re.compile(r".*/v2/token"), re.compile(r"container_registry"), "gitea"),
    (re.compile(r"https?://([^/]+)/v2/auth"), _ANY, "quay"),
    (
        re.compile(r"https://([^/]+)/oauth2/token"),
        re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.azurecr\.(?:io|cn|us)"),
        "acr",
    ),
    (re.compile(r".*/api/docker/.*/v2/token"), _ANY, "artifactory"),
    (re.compile(r"Sonatype Nexus Repository Manager"), _ANY, "nexus"),
)
"""Realm and service of a challenge, both in full, and whose they are. Where the realm's host is a group, the service
has to be that host: anybody's token server may answer at such a path, and these registries name themselves.
"""


def by_host(host: str) -> str | None:
    """Return the driver for a host whose name tells it, or None."""
    name = canonical_registry(host)
    return next((driver for pattern, driver in _HOSTS if pattern.fullmatch(name)), None)


def by_answer(response: Response) -> str | None:
    """Return the driver for the registry that gave this answer at ``/v2/``, or None."""
    headers = response.headers
    for header, driver in _HEADERS:
        if header in headers:
            return driver
    if headers.get("server", "").startswith("Nexus/"):
        return "nexus"
    if all(header in headers for header in _PULPS):
        return "pulp"
    for challenge in parse_challenges(headers.get("www-authenticate", "")):
        realm, service = challenge.parameters.get("realm", ""), challenge.parameters.get("service", "")
        for wanted_realm, wanted_service, driver in _CHALLENGES:
            at = wanted_realm.fullmatch(realm)
            if at is not None and wanted_service.fullmatch(service) and all(host == service for host in at.groups()):
                return driver
    return None


def detect(settings: RegistrySettings, *, transport: Transport | None = None) -> str:
    """Return the name of the driver for the registry that ``settings`` describe.

    Asks at most twice, without credentials. A registry that does not answer is taken for one that speaks the OCI API:
    whoever uses it next says what is wrong.
    """
    named = by_host(settings.host)
    if named is not None:
        return named
    own = transport is None
    try:
        transport = transport or CurlTransport(
            place=settings.host,
            ca=settings.ca,
            client_certificate=settings.client_certificate,
            client_key=settings.client_key,
            connect_timeout=10.0,
            total_timeout=30.0,
        )
        base = endpoint(settings).base_url
        found = by_answer(transport.send(Request(method="GET", url=f"{base}/v2/", max_body=65_536)))
        if found is None and _is_zot(transport.send(Request(method="GET", url=f"{base}/v2/_oci/ext/discover"))):
            found = "zot"
    except TagsweepError:
        found = None
    finally:
        if own and transport is not None:
            transport.close()
    return found or OCI


def _is_zot(response: Response) -> bool:
    return response.status == 200 and b'"_zot"' in response.body  # noqa: PLR2004 - OK
