"""HubDriver: Docker Hub. Its own API lists tags with their times and removes one tag; all else is the registry API's.

Removing a tag takes the tag alone: the manifest stays in storage, and no list shows it any more.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from tagsweep.core.options import OptionReader
from tagsweep.drivers import oci_probe
from tagsweep.drivers.connection import curl_transport
from tagsweep.drivers.credentials import CredentialStore
from tagsweep.drivers.dockerhub_api import HubApi, api_address
from tagsweep.drivers.dockerhub_login import ORGANIZATION_TOKEN, PERSONAL_TOKEN
from tagsweep.drivers.dockerhub_tags import TIMES
from tagsweep.drivers.oci import OciDriver
from tagsweep.drivers.oci_hosts import endpoint
from tagsweep.drivers.over_oci import OverOci
from tagsweep.http.auth import Lookup
from tagsweep.http.failures import failure, read_error
from tagsweep.http.retry import RetryPolicy
from tagsweep.model.capability import NOT_PROBED, Capabilities, Capability, Support
from tagsweep.model.errors import (
    AuthenticationFailed,
    Conflict,
    PermissionDenied,
    ProtocolViolation,
    RegistryError,
    Unsupported,
)
from tagsweep.model.manifest import Descriptor
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import Digest
from tagsweep.ports import Clock, ListedTag, Progress, Transport

_FORBIDDEN, _NOT_FOUND = 403, 404
_REMOVED: Final = frozenset({200, 202, 204})
_NOT_BY_DIGEST: Final = Capability(
    why="what Docker Hub deletes by digest is not certain, so it is done only where the policy says so "
    "(registries: docker.io: options: {delete_manifests: true})"
)
_BY_DIGEST_WARNING: Final = (
    "by docs.docker.com only untagged manifests go; others saw an index take its tags and all platforms along, also "
    "those that another index lists: verify afterwards"
)
_RECLAIM: Final = (
    "Removing tags frees nothing on Docker Hub: manifests and layers stay, and the tag list no longer shows them. "
    "An owner deletes what is untagged in My Hub, Image Management; the run's report and snapshot have the digests."
)
_RIGHTS: Final = "log in as an account that administers the repository, with a token for Read, Write & Delete"


class HubDriver(OverOci):
    """Implements :class:`tagsweep.ports.RegistryDriver` for Docker Hub. Made by :meth:`connect`.

    Options: ``api``, another address of the API (``DOCKER_HUB_API_URL`` in the environment does the same), and
    ``delete_manifests``, which also deletes manifests by digest once they are untagged.
    """

    name = "dockerhub"

    def __init__(
        self,
        settings: RegistrySettings,
        *,
        transport: Transport,
        api_transport: Callable[[str], Transport],
        lookup: Lookup,
        clock: Clock,
        progress: Progress,
        environ: Mapping[str, str] | None = None,
        policy: RetryPolicy | None = None,
    ) -> None:
        options = OptionReader(f"registries: {settings.host}", settings.options)
        given = options.text("api") or (os.environ if environ is None else environ).get("DOCKER_HUB_API_URL") or None
        self._by_digest = options.flag("delete_manifests")
        options.done()
        address = api_address(given, settings)
        self._api = HubApi(
            address,
            transport=api_transport(urlsplit(address).netloc),
            lookup=lookup,
            clock=clock,
            progress=progress,
            concurrency=settings.concurrency,
            policy=policy,
        )
        oci = OciDriver(settings, transport=transport, lookup=lookup, clock=clock, progress=progress, policy=policy)
        super().__init__(place=self._api.place, oci=oci, beside=self._api)
        self._progress = progress

    @classmethod
    def connect(cls, settings: RegistrySettings, *, clock: Clock, progress: Progress) -> HubDriver:
        """Return a driver for Docker Hub; nothing is sent yet."""
        return cls(
            settings,
            transport=curl_transport(settings),
            api_transport=lambda place: curl_transport(settings, place=place),
            lookup=CredentialStore(endpoint(settings).host).find,
            clock=clock,
            progress=progress,
        )

    # --- abilities ------------------------------------------------------------------------------------------------
    def declared(self) -> Capabilities:
        """Return what is known of Docker Hub without asking it."""
        return Capabilities(
            delete_tag=NOT_PROBED,
            delete_manifest=NOT_PROBED if self._by_digest else _NOT_BY_DIGEST,
            referrers=NOT_PROBED,
            times=frozenset(TIMES),
            reads_count_as_pulls=True,
            reclaim=_RECLAIM,
        )

    def find_out(self, repository: str) -> Capabilities:
        """Ask for the account's rights on the repository, and to remove a tag that is absent. Raises NotFound where
        they cannot see the repository.
        """
        return replace(
            self.declared(),
            delete_tag=self._probe_tag(repository),
            delete_manifest=self._probe_manifest(repository),
            referrers=self._probe_referrers(repository),
        )

    def _probe_tag(self, repository: str) -> Capability:
        described = self._api.describe(repository)
        credentials = self._api.credentials(repository)
        if credentials is None:
            return Capability(why=f"no credentials for Docker Hub were found; {_RIGHTS}")
        who = f"{credentials.whose} ({credentials.found_in})"
        if credentials.password.startswith(ORGANIZATION_TOKEN):
            why = "is an organization access token, which can pull and push but not delete"
            return Capability(why=f"{who} {why}; {_RIGHTS}")
        permissions = described.get("permissions")
        administers = permissions.get("admin") if isinstance(permissions, dict) else None
        if administers is False:
            return Capability(why=f"{who} does not administer {repository}, which removing tags needs; {_RIGHTS}")
        if credentials.password.startswith(PERSONAL_TOKEN):
            who += " with a personal access token"
        return self._try_to_remove(repository, who, administers=administers is True)

    def _try_to_remove(self, repository: str, who: str, *, administers: bool) -> Capability:
        """Return what the answer to the removal of an absent tag shows."""
        tag = oci_probe.random_tag()
        if not self._api.knows_absent(repository, tag):
            return Capability(support=Support.UNKNOWN, why="Docker Hub does not say that a tag is absent")
        try:
            response = self._api.remove(repository, tag)
        except (PermissionDenied, AuthenticationFailed) as error:
            return Capability(why=f"{error}; {_RIGHTS}")
        said = read_error(response.body).message
        if response.status == _FORBIDDEN:
            locked = self._api.locked(repository, tag)
            return Capability(why=f"{who} may not remove tags of {repository} ({said or 403}); {locked or _RIGHTS}")
        if response.status == _NOT_FOUND and said and "json" in response.headers.get("content-type", ""):
            return Capability(support=Support.YES, why="Docker Hub answers a try to remove an absent tag with 404")
        if response.status in _REMOVED and administers:
            return Capability(support=Support.YES, why=f"{who} administers {repository}")
        doing = f"remove an absent tag of {repository}, to see whether {who} may"
        return Capability(support=Support.UNKNOWN, why=str(failure(response, place=self._place, doing=doing)))

    def _probe_manifest(self, repository: str) -> Capability:
        if not self._by_digest:
            return _NOT_BY_DIGEST
        found = self._oci.probe(repository).delete_manifest
        if found.usable:
            self._progress.note(f"{repository}: manifests are deleted by digest as well; {_BY_DIGEST_WARNING}")
            found = replace(found, why=f"{found.why}; {_BY_DIGEST_WARNING}")
        return found

    def _probe_referrers(self, repository: str) -> Capability:
        try:
            found = self._oci.list_referrers(repository, oci_probe.random_digest())
        except Unsupported:
            found = None
        except RegistryError as error:
            return Capability(support=Support.UNKNOWN, why=str(error))
        if found is None:
            return Capability(why="Docker Hub answers no referrers here; the fallback tags are read")
        return Capability(support=Support.YES, why="the referrers API answers")

    # --- listing --------------------------------------------------------------------------------------------------
    def list_repositories(self) -> Iterator[str]:
        """Yield the repositories of the account's own namespace; Docker Hub has no list of everything."""
        credentials = self._api.credentials("")
        if credentials is None or not credentials.username:
            raise Unsupported(
                "Docker Hub has no list of all its repositories",
                remedy="name the namespace in the target, such as docker.io/acme/*, or log in",
            )
        return self.list_namespace(credentials.username)

    def list_namespace(self, namespace: str) -> Iterator[str]:
        """Yield the repositories of one namespace that these credentials may see."""
        return self._api.repositories(namespace)

    def list_tags(self, repository: str) -> tuple[ListedTag, ...]:
        """Return every tag with its times, its digest where Docker Hub tells it, and why it is immutable, if it is."""
        return self._api.tags(repository)

    # --- removing -------------------------------------------------------------------------------------------------
    def _remove(self, repository: str, tag: str, doing: str) -> bool:
        response = self._api.remove(repository, tag)
        if response.status in _REMOVED:
            return True
        error = failure(response, place=self._place, doing=doing)
        if response.status == _NOT_FOUND:
            # The same answer hides what one may not see, so the registry itself is asked.
            if self._oci.resolve_tag(repository, tag) is None:
                return False
            raise PermissionDenied(str(error), remedy=_RIGHTS, status=_NOT_FOUND)
        if response.status == _FORBIDDEN:
            raise self._forbidden(repository, tag, error)
        raise error

    def _forbidden(self, repository: str, tag: str, error: RegistryError) -> RegistryError:
        """Return what a 403 means: it stands for an immutable tag as well as for a missing right."""
        locked = self._api.locked(repository, tag)
        if not locked:
            return PermissionDenied(str(error), remedy=_RIGHTS, status=_FORBIDDEN)
        return Conflict(f"{error}; {locked}", remedy="make a new plan, in which it stays", status=_FORBIDDEN)

    # --- the registry API -----------------------------------------------------------------------------------------
    def list_referrers(self, repository: str, subject: Digest) -> tuple[Descriptor, ...] | None:
        """Return what refers to ``subject``, or None where Docker Hub has no such list."""
        found = self._oci.list_referrers(repository, subject)
        if found is None and self.capabilities(repository).referrers.usable:
            raise ProtocolViolation(f"{self._place}: the referrers of {repository}@{subject.short} did not answer")
        return found
