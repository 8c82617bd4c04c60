"""OciDriver: any registry that speaks the OCI distribution API, and nothing beyond that API.

Rules: OCI distribution specification 1.1. What registries do differently is in the comments where it matters.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from tagsweep.drivers import oci_probe
from tagsweep.drivers.credentials import CredentialStore
from tagsweep.drivers.oci_answers import (
    NOT_FOUND,
    certainly_absent,
    digest_header,
    digest_of,
    expect,
    is_a_registrys,
    lists_null,
    names_in,
    raw_manifest,
    tags_in,
    unclear,
    verified,
)
from tagsweep.drivers.oci_hosts import endpoint
from tagsweep.http.auth import Lookup
from tagsweep.http.challenge import CATALOG, Scope
from tagsweep.http.client import RegistryClient
from tagsweep.http.failures import failure, read_error
from tagsweep.http.paging import listing
from tagsweep.http.retry import RetryPolicy
from tagsweep.http.transport import CurlTransport
from tagsweep.model.capability import NOT_PROBED, Capabilities, Capability, Support
from tagsweep.model.errors import InvalidReference, NotFound, ProtocolViolation, Unsupported
from tagsweep.model.manifest import MANIFEST_TYPES, OCI_INDEX, Descriptor, Manifest, RawManifest, parse_manifest
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import Digest, is_tag, parse_tag
from tagsweep.ports import Clock, ListedTag, Progress, Response, Transport

_ACCEPT_MANIFEST: Final = {"Accept": ", ".join(MANIFEST_TYPES)}
_ACCEPT_INDEX: Final = {"Accept": OCI_INDEX}
_ACCEPT_JSON: Final = {"Accept": "application/json"}
_ACCEPT_ANY: Final = {"Accept": "*/*"}
_MAX_LISTING: Final = 64 * 1024 * 1024
_MAX_MANIFEST: Final = 8 * 1024 * 1024
_OK, _CREATED, _ACCEPTED, _NO_CONTENT = 200, 201, 202, 204
_NO_HEAD: Final = frozenset({405, 501})
_LACKS_SOMETHING: Final = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"})
_COMPONENT: Final = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)


class OciDriver:
    """Implements :class:`tagsweep.ports.RegistryDriver` by the OCI distribution API alone.

    Every method may be called from many threads at once. Made by :meth:`connect`; the constructor takes the parts, so
    that a vendor's driver can be composed from it and tests can script the transport.
    """

    name = "oci"

    def __init__(
        self,
        settings: RegistrySettings,
        *,
        transport: Transport,
        lookup: Lookup,
        clock: Clock,
        progress: Progress,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._endpoint = endpoint(settings)
        self._place = self._endpoint.host
        self._client = RegistryClient(
            transport=transport,
            base_url=self._endpoint.base_url,
            place=self._place,
            lookup=lookup,
            clock=clock,
            progress=progress,
            concurrency=settings.concurrency,
            plain=self._endpoint.plain,
            policy=policy,
        )
        self._probed: dict[str, Capabilities] = {}
        self._referrers: dict[str, Capability] = {}
        self._probing = threading.Lock()

    @classmethod
    def connect(cls, settings: RegistrySettings, *, clock: Clock, progress: Progress) -> OciDriver:
        """Return a driver for the registry that ``settings`` describe; nothing is sent yet."""
        transport = CurlTransport(
            place=settings.host,
            ca=settings.ca,
            client_certificate=settings.client_certificate,
            client_key=settings.client_key,
        )
        lookup = CredentialStore(endpoint(settings).host).find
        return cls(settings, transport=transport, lookup=lookup, clock=clock, progress=progress)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many requests were sent so far, by method."""
        return self._client.counts

    @property
    def client(self) -> RegistryClient:
        """What asks this registry. A vendor's driver asks through it what its registry has at the same host."""
        return self._client

    # --- abilities ------------------------------------------------------------------------------------------------
    def capabilities(self, repository: str) -> Capabilities:
        """Return what was probed in ``repository``, or Unknown for everything that a probe would tell."""
        known = self._probed.get(repository)
        if known is not None:
            return known
        return Capabilities(
            delete_tag=NOT_PROBED,
            delete_manifest=NOT_PROBED,
            referrers=NOT_PROBED,
            reads_count_as_pulls=self._endpoint.reads_count_as_pulls,
        )

    def probe(self, repository: str) -> Capabilities:
        """Find out, once, what these credentials may do in ``repository``; only absent things are asked to be deleted.

        Raises NotFound where the registry says that the repository does not exist.
        """
        with self._probing:
            known = self._probed.get(repository)
            if known is None:
                known = self._probed[repository] = self._probe(repository)
            return known

    def _probe(self, repository: str) -> Capabilities:
        digest, tag = oci_probe.random_digest(), oci_probe.random_tag()
        delete_manifest = oci_probe.by_deletion(
            lambda: self._delete(repository, digest), place=self._place, what="manifest"
        )
        if self.resolve_tag(repository, tag) is None:
            delete_tag = oci_probe.by_deletion(lambda: self._delete(repository, tag), place=self._place, what="tag")
        else:
            delete_tag = Capability(support=Support.UNKNOWN, why="the registry claims to have every tag")
        return oci_probe.summary(
            delete_tag=delete_tag,
            delete_manifest=delete_manifest,
            referrers=self.probe_referrers(repository),
            reads_count_as_pulls=self._endpoint.reads_count_as_pulls,
        )

    def probe_referrers(self, repository: str) -> Capability:
        """Find out whether the referrers API answers: all that a vendor's driver asks which deletes by other means."""
        path = f"{_path(repository)}/referrers/{oci_probe.random_digest()}"
        found = oci_probe.by_referrers(self._read("GET", path, repository, _ACCEPT_INDEX), place=self._place)
        self._referrers[repository] = found
        return found

    # --- listing --------------------------------------------------------------------------------------------------
    def list_repositories(self) -> Iterator[str]:
        """Yield the paths of all repositories; raises Unsupported where there is no catalog."""
        doing = "list the repositories"

        def fetch(url: str) -> Response:
            response = self._client.send("GET", url, scope=CATALOG, headers=_ACCEPT_JSON, max_body=_MAX_LISTING)
            if response.status == NOT_FOUND:
                raise Unsupported(
                    f"{self._place} has no catalog of its repositories",
                    remedy="name the repositories in targets",
                    status=NOT_FOUND,
                )
            return expect(response, _OK, place=self._place, doing=doing)

        def read(response: Response) -> tuple[str, ...]:
            return names_in(response, "repositories", place=self._place, doing=doing)

        yield from listing(fetch, f"{self._client.base_url}/v2/_catalog", read, place=self._place)

    # No ``n`` is asked for: without it a registry lists everything or links to the next page, while with it some
    # (crane, Gitea) cut the list and give no Link.
    def list_tags(self, repository: str) -> tuple[ListedTag, ...]:
        """Return every tag, once, in the order of the registry; NotFound where the repository does not exist."""
        return tuple(ListedTag(name=name) for name in self.tag_names(repository))

    def tag_names(self, repository: str, seen: Callable[[Response], None] | None = None) -> Iterator[str]:
        """Yield the names of all tags, as :meth:`list_tags` does; ``seen`` is given each page, for a vendor's driver
        that reads more in it.
        """
        doing = f"list the tags of {repository}"

        def fetch(url: str) -> Response:
            response = self._read("GET", url, repository, _ACCEPT_JSON, max_body=_MAX_LISTING)
            if response.status == NOT_FOUND and not read_error(response.body).structured:
                raise unclear(response, read_error(response.body), place=self._place, doing=doing)
            return expect(response, _OK, place=self._place, doing=doing)

        def read(response: Response) -> tuple[str, ...]:
            names = tags_in(response, place=self._place, doing=doing)
            if seen is not None:
                seen(response)
            return names

        url = f"{self._client.base_url}{_path(repository)}/tags/list"
        yield from listing(fetch, url, read, place=self._place)

    # --- manifests ------------------------------------------------------------------------------------------------
    def resolve_tag(self, repository: str, tag: str) -> Digest | None:
        """Return the digest that ``tag`` is on now, or None if it is certainly absent; a HEAD where that does."""
        return self._resolve(repository, parse_tag(tag))

    def has_manifest(self, repository: str, digest: Digest) -> bool:
        """Tell whether the manifest answers by digest; ProtocolViolation if another digest comes back."""
        found = self._resolve(repository, digest)
        if found is not None and found.algorithm == digest.algorithm and found != digest:
            raise ProtocolViolation(
                f"{self._place}: {repository}@{digest.short} is answered with the digest {found.short}",
                remedy="a proxy or an old registry converts manifests; ask the registry itself",
            )
        return found is not None

    def _resolve(self, repository: str, reference: str) -> Digest | None:
        doing = f"look up {_named(repository, reference)}"
        response = self._read("HEAD", _manifest_path(repository, reference), repository, _ACCEPT_MANIFEST)
        if response.status == _OK:
            digest = digest_header(response, place=self._place)
            if digest is not None:
                return digest
        elif response.status == NOT_FOUND:
            if is_a_registrys(response):
                return None
        elif response.status not in _NO_HEAD:
            raise failure(response, place=self._place, doing=doing)
        # No digest in the header, no HEAD at all, or a 404 that may be a proxy's: only the body can tell.
        manifest = self.fetch_manifest(repository, reference)
        return manifest.digest if manifest is not None else None

    def fetch_manifest(self, repository: str, reference: str) -> RawManifest | None:
        """Return the bytes under a tag or digest, checked against their digest, or None if certainly absent."""
        what = _named(repository, reference)
        path = _manifest_path(repository, reference)
        response = self._read("GET", path, repository, _ACCEPT_MANIFEST, max_body=_MAX_MANIFEST)
        if certainly_absent(response, place=self._place, doing=f"fetch {what}"):
            return None
        expect(response, _OK, place=self._place, doing=f"fetch {what}")
        asked = Digest.parse(reference) if ":" in reference else None
        return raw_manifest(response, asked=asked, place=self._place, what=what)

    def list_referrers(self, repository: str, subject: Digest) -> tuple[Descriptor, ...] | None:
        """Return what refers to ``subject`` by the referrers API, or None where the registry has none.

        Where a probe found the API, a 404 is an error: a missing answer must not read as "nothing refers to it".
        """
        doing = f"list the referrers of {repository}@{subject.short}"
        url = f"{self._client.base_url}{_path(repository)}/referrers/{subject}"
        first = self._read("GET", url, repository, _ACCEPT_INDEX, max_body=_MAX_LISTING)
        known = self._referrers.get(repository)
        if first.status == NOT_FOUND and not (known is not None and known.usable):
            return None
        pages = {url: first}

        def fetch(at: str) -> Response:
            response = pages.pop(at, None) or self._read("GET", at, repository, _ACCEPT_INDEX, max_body=_MAX_LISTING)
            return expect(response, _OK, place=self._place, doing=doing)

        def read(response: Response) -> tuple[Descriptor, ...]:
            parsed = parse_manifest(response.body, media_type=OCI_INDEX, digest=subject)
            if isinstance(parsed, Manifest):
                return parsed.children
            if lists_null(response.body):
                return ()
            raise ProtocolViolation(f"{self._place}: cannot {doing}: {parsed.why}")

        return tuple(listing(fetch, url, read, place=self._place))

    # --- blobs ----------------------------------------------------------------------------------------------------
    def has_blob(self, repository: str, digest: Digest) -> bool:
        """Tell whether the blob answers in this repository, wherever the registry keeps its bytes."""
        path = f"{_path(repository)}/blobs/{digest}"
        doing = f"look up the blob {digest.short} of {repository}"
        response = self._read("HEAD", path, repository, _ACCEPT_ANY)
        if response.status == NOT_FOUND and not is_a_registrys(response):
            # Only a body can tell whose 404 this is; where there is none, the error of a registry is small.
            response = self._read("GET", path, repository, _ACCEPT_ANY)
        # Storage that the registry redirects to does not speak its language; its 404 means that the bytes are gone.
        if response.status == NOT_FOUND and (is_a_registrys(response) or not self._client.is_home(response.url)):
            return False
        if certainly_absent(response, place=self._place, doing=doing):
            return False
        expect(response, _OK, place=self._place, doing=doing)
        return True

    def fetch_blob(self, repository: str, digest: Digest, *, max_bytes: int) -> bytes | None:
        """Return a small blob, checked against its digest, or None if certainly absent."""
        what = f"the blob {digest.short} of {repository}"
        path = f"{_path(repository)}/blobs/{digest}"
        response = self._read("GET", path, repository, _ACCEPT_ANY, max_body=max_bytes)
        if certainly_absent(response, place=self._place, doing=f"fetch {what}"):
            return None
        expect(response, _OK, place=self._place, doing=f"fetch {what}")
        verified(response.body, digest, place=self._place, what=what)
        return response.body

    # --- changes --------------------------------------------------------------------------------------------------
    def delete_tag(self, repository: str, tag: str) -> bool:
        """Remove the tag and nothing else; False if it was absent. There is no other way that is tried instead."""
        parse_tag(tag)
        self._require(repository, lambda known: known.delete_tag, f"delete the tag {tag} alone")
        return self._deleted(repository, tag)

    def delete_manifest(self, repository: str, digest: Digest) -> bool:
        """Delete the manifest with every tag on it; False if it was absent."""
        digest = Digest.parse(digest)
        self._require(repository, lambda known: known.delete_manifest, f"delete the manifest {digest.short}")
        return self._deleted(repository, digest)

    def _require(self, repository: str, ability: Callable[[Capabilities], Capability], doing: str) -> None:
        capability = ability(self.capabilities(repository))
        if not capability.usable:
            raise Unsupported(
                f"{self._place}: cannot {doing} in {repository}: {capability.why}",
                remedy="tagsweep doctor shows what this registry can do",
            )

    def _deleted(self, repository: str, reference: str) -> bool:
        doing = f"delete {_named(repository, reference)}"
        response = self._delete(repository, reference)
        if certainly_absent(response, place=self._place, doing=doing):
            return False
        expect(response, _OK, _ACCEPTED, _NO_CONTENT, place=self._place, doing=doing)
        return True

    def _delete(self, repository: str, reference: str) -> Response:
        scope = Scope.repository(repository, "pull", "delete")
        path = _manifest_path(repository, reference)
        return self._client.send("DELETE", path, scope=scope, headers=_ACCEPT_JSON)

    def put_manifest(self, repository: str, reference: str, manifest: RawManifest) -> Digest:
        """Store exactly these bytes under a tag or their digest and return the digest that the registry gave.

        Raises NotFound if the registry no longer has something that the manifest needs, ProtocolViolation if it
        stored something else.
        """
        doing = f"put {_named(repository, reference)}"
        if digest_of(manifest.data, manifest.digest.algorithm) != manifest.digest:
            raise ProtocolViolation(
                f"{self._place}: cannot {doing}: the bytes to put do not have the digest {manifest.digest.short}; "
                "nothing was sent"
            )
        response = self._client.send(
            "PUT",
            _manifest_path(repository, reference),
            scope=Scope.repository(repository, "pull", "push"),
            headers={**_ACCEPT_JSON, "Content-Type": manifest.media_type},
            body=manifest.data,
        )
        if response.status not in (_OK, _CREATED, _ACCEPTED, _NO_CONTENT):
            error = failure(response, place=self._place, doing=doing)
            if error.code in _LACKS_SOMETHING:
                remedy = "the registry collected it; push the image again"
                raise NotFound(str(error), remedy=remedy, status=error.status, code=error.code)
            raise error
        told = digest_header(response, place=self._place)
        if told is not None and told != manifest.digest and told.algorithm == manifest.digest.algorithm:
            raise ProtocolViolation(f"{self._place}: {doing} stored {told.short} instead of {manifest.digest.short}")
        return manifest.digest

    def close(self) -> None:
        """Give back the connections."""
        self._client.close()

    def _read(
        self, method: str, path: str, repository: str, headers: Mapping[str, str], *, max_body: int = _MAX_MANIFEST
    ) -> Response:
        scope = Scope.repository(repository, "pull")
        return self._client.send(method, path, scope=scope, headers=headers, max_body=max_body)


@lru_cache(maxsize=1024)
def _path(repository: str) -> str:
    if _REPOSITORY.fullmatch(repository) is None:
        raise InvalidReference(f"{repository!r} is not the path of a repository")
    return f"/v2/{repository}"


def _manifest_path(repository: str, reference: str) -> str:
    if not is_tag(reference):
        reference = Digest.parse(reference)
    return f"{_path(repository)}/manifests/{quote(reference, safe=':+')}"


def _named(repository: str, reference: str) -> str:
    return f"{repository}@{Digest(reference).short}" if ":" in reference else f"{repository}:{reference}"
