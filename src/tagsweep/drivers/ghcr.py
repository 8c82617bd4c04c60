"""GhcrDriver: GitHub's container registry, whose packages are listed, deleted and brought back by GitHub's REST API.

The registry API gives manifests, digests and blobs; it deletes nothing. What GitHub deletes is a version: a digest with
all the tags on it. Rules: docs.github.com, "REST API endpoints for packages", "Deleting and restoring a package".
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tagsweep.core.options import OptionReader
from tagsweep.drivers.connection import curl_transport
from tagsweep.drivers.ghcr_abilities import abilities, by_answer, by_token, refused
from tagsweep.drivers.ghcr_access import LOG_IN, GitHubCredentials, PatientTransport, api_url
from tagsweep.drivers.ghcr_versions import API_VERSION, PackageVersions, Version
from tagsweep.drivers.oci import OciDriver
from tagsweep.drivers.oci_hosts import endpoint
from tagsweep.drivers.over_oci import OverOci
from tagsweep.http.auth import Lookup
from tagsweep.http.failures import failure, read_error
from tagsweep.http.rest import RestClient
from tagsweep.http.transport import CurlTransport
from tagsweep.model.capability import NOT_PROBED, Capabilities
from tagsweep.model.errors import Conflict, PermissionDenied, ProtocolViolation, Unsupported
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import Digest
from tagsweep.ports import Clock, ListedTag, Progress, Response, Transport

_BAD_REQUEST, _NOT_FOUND, _NO_CONTENT = 400, 404, 204
_PAGE_SIZES: Final = (30, 100)
_LOOKS: Final = 4
"""How often is looked for a version that the registry has and GitHub's list does not show yet."""
_NO_SUCH_VERSION: Final = 2**53 - 1
"""The number of no version: the largest whole number that JSON carries safely."""


class GhcrDriver(OverOci):
    """Implements :class:`tagsweep.ports.RegistryDriver`, :class:`tagsweep.ports.TakesBack` and
    :class:`tagsweep.ports.TellsTags` for ghcr.io, ghe.com and GitHub Enterprise Server.
    """

    name = "ghcr"

    def __init__(
        self,
        settings: RegistrySettings,
        *,
        transport: Transport,
        api_transport: Transport,
        api: str,
        owners: Sequence[str],
        lookup: Lookup,
        clock: Clock,
        progress: Progress,
    ) -> None:
        place = endpoint(settings).host
        rest = RestClient(
            transport=PatientTransport(api_transport),
            base_url=api,
            place=place,
            clock=clock,
            progress=progress,
            headers=API_VERSION,
            concurrency=settings.concurrency,
        )
        oci = OciDriver(settings, transport=transport, lookup=lookup, clock=clock, progress=progress)
        super().__init__(place=place, oci=oci, beside=rest)
        self._owners = tuple(owners)
        self._lookup = lookup
        self._clock = clock
        self._progress = progress
        self._versions = PackageVersions(
            rest, authorization=self._authorization, log_in=LOG_IN.format(host=place), place=place
        )
        self._lock = threading.Lock()
        self._ids: dict[str, dict[Digest, int]] = {}
        self._restoring = threading.Lock()
        self._deleted: dict[str, dict[Digest, Version]] = {}
        self._tokens: dict[str, str] = {}

    @classmethod
    def connect(cls, settings: RegistrySettings, *, clock: Clock, progress: Progress) -> GhcrDriver:
        """Return a driver for the registry that ``settings`` describe; nothing is sent yet.

        Options: ``api``, the URL of GitHub's API; ``owners``, whose packages globs in targets are matched with.
        """
        options = OptionReader(f"registries: {settings.host}", settings.options)
        api = api_url(settings, options.text("api"))
        owners = options.texts("owners")
        options.done()
        return cls(
            settings,
            transport=curl_transport(settings),
            api_transport=CurlTransport(place=settings.host, ca=settings.ca),
            api=api,
            owners=owners,
            lookup=GitHubCredentials(endpoint(settings).host, api).find,
            clock=clock,
            progress=progress,
        )

    # --- abilities ------------------------------------------------------------------------------------------------
    def declared(self) -> Capabilities:
        """Return what is known without asking: no deletion is known to work."""
        return abilities(NOT_PROBED, NOT_PROBED)

    def find_out(self, repository: str) -> Capabilities:
        """Ask what the token may do: by its scopes, and by the deletion of a version that nobody has."""
        _, headers = self._versions.package(repository)
        deletion = by_token(self._token(repository), headers.get("x-oauth-scopes"))
        if deletion is None:
            deletion = by_answer(self._versions.delete(repository, _NO_SUCH_VERSION), place=self._place)
        return abilities(deletion, self._oci.probe_referrers(repository))

    # --- listing --------------------------------------------------------------------------------------------------
    def list_repositories(self) -> Iterator[str]:
        """Yield the container packages of the option ``owners``; GitHub has no list of everybody's."""
        if not self._owners:
            raise Unsupported(
                f"{self._place} lists packages only by their owner",
                remedy=f'name the repositories in targets, or registries: {self._place}: options: {{owners: ["acme"]}}',
            )
        for owner in self._owners:
            yield from self._versions.packages_of(owner)

    def list_tags(self, repository: str) -> tuple[ListedTag, ...]:
        """Return every tag with its digest and the times of its version; NotFound where there is no such package.

        A tag that the list shows on two versions, because it was moved meanwhile, comes without digest.
        """
        versions = self._complete(repository)
        with self._lock:
            self._ids[repository] = {version.digest: version.id for version in versions}
        listed: dict[str, ListedTag] = {}
        for version in versions:
            times = {TimeOrigin.PUSHED: version.created, TimeOrigin.UPDATED: version.updated}
            for tag in version.tags:
                twice = tag in listed
                listed[tag] = ListedTag(name=tag) if twice else ListedTag(name=tag, digest=version.digest, times=times)
        return tuple(listed.values())

    def _complete(self, repository: str) -> list[Version]:
        """Return all versions. Pages are numbered, so that a deletion meanwhile moves one past the reader unseen.

        GitHub's own count tells: where fewer were seen, the list is read again, and believed if it is the same twice
        and does not end with a full page, as a list does that was cut.
        """
        expected = self._versions.package(repository)[0].get("version_count")
        seen = self._read(repository)
        if not isinstance(expected, int) or len(seen) >= expected:
            return list(seen.values())
        again = self._read(repository)
        if again.keys() != seen.keys():
            raise ProtocolViolation(
                f"{self._place}: the versions of {repository} change while they are listed, so none may be missed",
                remedy="run it again when nobody else deletes there",
            )
        if any(len(again) % size == 0 for size in _PAGE_SIZES):
            raise ProtocolViolation(
                f"{self._place}: GitHub counts {expected:,} versions of {repository} and lists {len(again):,}, all of "
                "them on full pages, so that some may be missing",
                remedy="use a token of the user or organization that owns the package",
            )
        self._progress.note(
            f"{self._place}: GitHub counts {expected:,} versions of {repository} and lists {len(again):,}, twice alike"
        )
        return list(again.values())

    def _read(self, repository: str) -> dict[int, Version]:
        return {version.id: version for version in self._versions.every(repository)}

    def tags_on(self, repository: str, digest: Digest) -> frozenset[str] | None:
        """Return the tags that GitHub has on the version with this digest, or None where it lists no such version."""
        version = self._version(repository, digest)
        return frozenset(version.tags) if version is not None else None

    def _version(self, repository: str, digest: Digest) -> Version | None:
        """Return the version as it is now: by its number where that is known, else by looking through the list."""
        number = self._number(repository, digest)
        known = self._versions.find(repository, number) if number is not None else None
        if known is not None and known.digest == digest:
            return known
        for version in self._versions.every(repository):
            with self._lock:
                self._ids.setdefault(repository, {})[version.digest] = version.id
            if version.digest == digest:
                return version
        return None

    def _number(self, repository: str, digest: Digest) -> int | None:
        with self._lock:
            return self._ids.get(repository, {}).get(digest)

    # --- changes --------------------------------------------------------------------------------------------------
    def delete_manifest(self, repository: str, digest: Digest) -> bool:
        """Delete the version of this digest with all its tags; False if GitHub has none such.

        Raises Conflict where GitHub refuses for good: the last tagged version, a public one with many downloads.
        """
        self._require(repository, lambda able: able.delete_manifest, f"delete {repository}@{digest.short}")
        number = self._number_of(repository, digest)
        if number is None:
            return False
        doing = f"delete {repository}@{digest.short} (version {number})"
        with self._restoring:
            self._deleted.pop(repository, None)
        response = self._versions.delete(repository, number)
        if response.status == _NO_CONTENT:
            with self._lock:
                self._ids.get(repository, {}).pop(digest, None)
            return True
        if response.status == _NOT_FOUND:
            return self._gone_or_hidden(repository, number, response, doing)
        if response.status == _BAD_REQUEST:
            raise refused(response, place=self._place, doing=doing)
        raise failure(response, place=self._place, doing=doing)

    def _number_of(self, repository: str, digest: Digest) -> int | None:
        """Return the number of the version with this digest, waiting a little where only the registry has it yet."""
        number = self._number(repository, digest)
        for look in range(_LOOKS):
            if number is not None:
                return number
            version = self._version(repository, digest)
            if version is not None:
                return version.id
            if not self._oci.has_manifest(repository, digest):
                return None
            self._clock.sleep(2.0**look)
        raise Conflict(
            f"{self._place}: the registry has {repository}@{digest.short}, and GitHub lists no version of it",
            remedy="GitHub's lists are late at times: run it again later",
        )

    def _gone_or_hidden(self, repository: str, number: int, response: Response, doing: str) -> bool:
        """Return False where a 404 to a deletion means what it says; raise where GitHub hides a missing right by it."""
        if self._versions.find(repository, number) is None:
            return False
        said = read_error(response.body).message
        raise PermissionDenied(
            f"{self._place}: cannot {doing}: GitHub shows the version and answers 404 to its deletion ({said})",
            remedy="the token needs delete:packages, and its owner the Admin role for the package",
            status=response.status,
        )

    def take_back(self, repository: str, digest: Digest, tags: Sequence[str]) -> bool:
        """Let GitHub restore a version that was deleted in the last 30 days.

        False where it has none such, or where it would bring back more than these tags, or take one from an image that
        has it now: the bytes are put again then, and each tag by itself.
        """
        version = self._deleted_version(repository, digest)
        if version is None or not set(version.tags) <= set(tags):
            return False
        if any(self._oci.resolve_tag(repository, tag) is not None for tag in tags):
            return False
        response = self._versions.restore(repository, version.id)
        if response.status == _NO_CONTENT:
            with self._lock:
                self._ids.setdefault(repository, {})[digest] = version.id
            return True
        if response.status in (_BAD_REQUEST, _NOT_FOUND):
            return False
        raise failure(response, place=self._place, doing=f"restore {repository}@{digest.short}")

    def _deleted_version(self, repository: str, digest: Digest) -> Version | None:
        with self._restoring:
            if repository not in self._deleted:
                found = self._versions.every(repository, state="deleted")
                # The newest deletion of a digest has the highest number, and is the one to bring back.
                self._deleted[repository] = {each.digest: each for each in sorted(found, key=lambda each: each.id)}
            return self._deleted[repository].get(digest)

    # --- the token ------------------------------------------------------------------------------------------------
    def _token(self, repository: str) -> str:
        with self._lock:
            if repository not in self._tokens:
                found = self._lookup(repository)
                self._tokens[repository] = found.password or found.identity_token if found is not None else ""
            return self._tokens[repository]

    def _authorization(self, repository: str) -> Mapping[str, str]:
        token = self._token(repository)
        return {"Authorization": f"Bearer {token}"} if token else {}
