"""A registry in this process, on a real socket: what tests and the demo sweep.

    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        registry.push("team/app", images.multi_platform("one"), "v1", "latest")
        ...  # any client at http://<registry.host>/v2/

It refuses what a registry refuses, keeps a log of what it was asked, and lets a test plan what goes wrong.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Protocol, Self, TypeAlias, assert_never, runtime_checkable

from tagsweep.model.manifest import RawManifest
from tagsweep.model.reference import Digest
from tagsweep.testing.access import Access, Gate, OpenAccess
from tagsweep.testing.answers import error
from tagsweep.testing.dialects import OCI, Dialect
from tagsweep.testing.faults import LOST_CONNECTION, Faults, Moment, RateLimit, TimedLimit, failure
from tagsweep.testing.images import BuiltImage
from tagsweep.testing.reading import Reader
from tagsweep.testing.routes import (
    BlobAt,
    Catalog,
    ManifestAt,
    Nowhere,
    Referrers,
    Root,
    Route,
    TagsList,
    Token,
    Upload,
    parse_target,
)
from tagsweep.testing.storage import Collected, Storage
from tagsweep.testing.wire import Answer, WireRequest, WireServer
from tagsweep.testing.writing import Writer

_OPEN: Final = OpenAccess()
_ROOT_HEADERS: Final = {"Content-Type": "application/json", "Docker-Distribution-Api-Version": "registry/2.0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRequest:
    """One request and the status of its answer: 0 in ``on_request``, before it was answered, and where the connection
    was closed instead. Of an Authorization header only the scheme is kept.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(hash=False)
    status: int = 0


class VendorApi(Protocol):
    """What a vendor serves beside the registry API, over the same storage. It is asked first."""

    def attach(self, storage: Storage, *, base: str) -> None:
        """Take the registry's storage, and the URL under which it answers."""
        ...

    def answer(self, request: WireRequest) -> Answer | None:
        """Return the answer, or None where the request is not this API's. Called from many threads at once."""
        ...


Interposer: TypeAlias = Callable[[WireRequest, Callable[[WireRequest], Answer]], Answer]
"""Stands before a registry: given a request and what answers it, returns the answer that is sent."""


@runtime_checkable
class RefinesRegistry(Protocol):
    """A vendor API whose registry API answers some requests in another way than any dialect. Rights were checked."""

    def refine(self, request: WireRequest) -> Answer | None:
        """Return the answer to a request of the registry API, or None where the dialect answers it."""
        ...


class FakeRegistry:
    """A registry that speaks ``dialect`` at ``host`` (``127.0.0.1:<port>``) from the beginning of a ``with`` block on.

    ``on_request`` is called before each request is answered and may change the registry: that is how a test moves a
    tag between two requests of a client. ``latency`` is added to every answer, in seconds. ``apis`` are what a vendor
    serves beside the registry API. ``interposer``, where set, may answer in the registry's place or change what it
    answers, as a proxy would.
    """

    def __init__(
        self,
        dialect: Dialect = OCI,
        *,
        access: Access = _OPEN,
        rate_limit: RateLimit | TimedLimit | None = None,
        latency: float = 0.0,
        on_request: Callable[[LoggedRequest], None] | None = None,
        tls: ssl.SSLContext | None = None,
        apis: Sequence[VendorApi] = (),
    ) -> None:
        self.dialect = dialect
        self.on_request = on_request
        self.interposer: Interposer | None = None
        self.latency = latency
        self.faults = Faults(rate_limit=rate_limit)
        self._access = access
        self._tls = tls
        self._apis = tuple(apis)
        self._storage = Storage()
        self._log: list[LoggedRequest] = []
        self._log_lock = threading.Lock()
        self._server: WireServer | None = None
        self._blob_server: WireServer | None = None

    # --- life ---------------------------------------------------------------------------------------------------
    def __enter__(self) -> Self:
        """Begin to serve."""
        self._server = WireServer(self._answer, tls=self._tls)
        scheme = "https" if self._tls is not None else "http"
        if self.dialect.blobs_elsewhere:
            self._blob_server = WireServer(self._answer_stored)
        blob_host = self._blob_server.host if self._blob_server is not None else None
        base = f"{scheme}://{self.host}"
        self._reader = Reader(self._storage, self.dialect, base=base, blob_host=blob_host)
        self._writer = Writer(self._storage, self.dialect)
        self._gate = Gate(self._access, base=base)
        for api in self._apis:
            api.attach(self._storage, base=base)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every connection. What was raised while answering (by ``on_request``, say) is raised here, not lost."""
        servers = [server for server in (self._server, self._blob_server) if server is not None]
        for server in servers:
            server.close()
        if problem is None:
            for server in servers:
                if server.raised:
                    raise server.raised[0]

    @property
    def host(self) -> str:
        """Where it answers, for example ``127.0.0.1:40123``."""
        if self._server is None:
            raise RuntimeError("the fake registry serves only inside its with block")
        return self._server.host

    # --- the back door: no request, no log ------------------------------------------------------------------------
    def push(self, repository: str, image: BuiltImage, *tags: str) -> Digest:
        """Store an image and point ``tags`` at it; without tags it stays untagged. Nothing is checked."""
        self._storage.push(repository, image, tags)
        return image.top

    def repositories(self) -> tuple[str, ...]:
        """Return the repositories, sorted."""
        with self._storage.lock:
            return tuple(sorted(path for path, stored in self._storage.repositories.items() if stored.known))

    def tags(self, repository: str) -> dict[str, Digest]:
        """Return every tag with its digest, sorted by tag; empty where there is no such repository."""
        with self._storage.lock:
            stored = self._storage.repositories.get(repository)
            return {tag: manifest.digest for tag, manifest in sorted(stored.tags.items())} if stored else {}

    def manifests(self, repository: str) -> dict[Digest, RawManifest]:
        """Return every manifest that answers by digest."""
        with self._storage.lock:
            stored = self._storage.repositories.get(repository)
            return dict(stored.manifests) if stored else {}

    def blobs(self, repository: str) -> frozenset[Digest]:
        """Return the blobs that answer in the repository."""
        with self._storage.lock:
            stored = self._storage.repositories.get(repository)
            return frozenset(stored.blobs) if stored else frozenset()

    def remove_tag(self, repository: str, tag: str) -> None:
        """Take a tag away, whatever the dialect allows."""
        with self._storage.lock:
            del self._storage.repositories[repository].tags[tag]

    def remove_repository(self, repository: str) -> None:
        """Take a whole repository away."""
        with self._storage.lock:
            del self._storage.repositories[repository]

    def remove_manifest(self, repository: str, digest: Digest) -> None:
        """Lose a manifest and leave everything that names it."""
        with self._storage.lock:
            del self._storage.repositories[repository].manifests[digest]

    def remove_blob(self, repository: str, digest: Digest) -> None:
        """Lose a blob of the repository and leave everything that names it."""
        with self._storage.lock:
            self._storage.repositories[repository].blobs.remove(digest)

    def corrupt(self, repository: str, digest: Digest) -> None:
        """Serve other bytes than its own under a digest, manifest or blob."""
        with self._storage.lock:
            stored = self._storage.repositories[repository]
            if digest in stored.blobs:
                self._storage.blobs[digest] += b"\n"
            if digest in stored.manifests:
                good = stored.manifests[digest]
                bad = RawManifest(digest=digest, media_type=good.media_type, data=good.data + b"\n")
                stored.manifests[digest] = bad
                stored.tags.update(dict.fromkeys(stored.tags_on(digest), bad))

    def stored_bytes(self) -> int:
        """Return what a disk would hold: every manifest and blob once."""
        return self._storage.stored_bytes()

    def collect_garbage(self, *, untagged: bool = True) -> Collected:
        """Remove blobs that no manifest needs and, unless told otherwise, manifests that no tag reaches first.

        ``untagged=False`` is what distribution's plain ``garbage-collect`` does: untagged manifests stay.
        """
        return self._storage.collect(untagged=untagged)

    # --- what goes wrong ------------------------------------------------------------------------------------------
    def fail_next(
        self,
        count: int = 1,
        *,
        status: int = 503,
        code: str = "UNAVAILABLE",
        method: str | None = None,
        path_contains: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer the next ``count`` fitting requests with an error and do nothing of what they ask."""
        answer = failure(status, code=code, headers=headers)
        self.faults.plan(answer, count=count, method=method, path_contains=path_contains)

    def drop_next(
        self, count: int = 1, *, method: str = "DELETE", path_contains: str = "", performed: bool = False
    ) -> None:
        """Close the connection instead of answering, before or after doing (``performed``) what was asked."""
        moment = Moment.AFTER if performed else Moment.BEFORE
        self.faults.plan(LOST_CONNECTION, count=count, method=method, path_contains=path_contains, moment=moment)

    def expire_tokens(self) -> None:
        """Make every bearer token that was handed out worthless."""
        self._gate.expire_tokens()

    # --- the log ----------------------------------------------------------------------------------------------------
    @property
    def requests(self) -> tuple[LoggedRequest, ...]:
        """Everything that was asked over the socket, in the order of the answers."""
        with self._log_lock:
            return tuple(self._log)

    def count(self, method: str, path_contains: str = "") -> int:
        """Return how many requests of this method had a target with this text."""
        return sum(1 for each in self.requests if each.method == method and path_contains in each.target)

    def clear_log(self) -> None:
        """Forget the requests so far."""
        with self._log_lock:
            self._log.clear()

    # --- answering --------------------------------------------------------------------------------------------------
    def _answer(self, request: WireRequest) -> Answer:
        if self.on_request is not None:
            self.on_request(_logged(request, 0))
        if self.latency > 0:
            time.sleep(self.latency)
        answer = self.faults.strike(request, Moment.BEFORE)
        if answer is None:
            interposer = self.interposer
            answer = self._perform(request) if interposer is None else interposer(request, self._perform)
            answer = self.faults.strike(request, Moment.AFTER) or answer
        with self._log_lock:
            self._log.append(_logged(request, answer.status))
        return answer

    def _perform(self, request: WireRequest) -> Answer:
        for api in self._apis:
            if (answered := api.answer(request)) is not None:
                return answered
        route, query = parse_target(request.target)
        if not isinstance(route, Token | Nowhere) and (refused := self._gate.refuse(request, route)) is not None:
            return refused
        for api in self._apis:
            if isinstance(api, RefinesRegistry) and (answered := api.refine(request)) is not None:
                return answered
        reading = request.method in ("GET", "HEAD")
        answer = self._read(route, request, query) if reading else self._write(route, request, query)
        return answer if answer is not None else error(405, "UNSUPPORTED", "The operation is unsupported.")

    def _read(self, route: Route, request: WireRequest, query: Mapping[str, str]) -> Answer | None:  # noqa: PLR0911 - one return a route
        match route:
            case ManifestAt():
                return self._reader.manifest(route, request)
            case BlobAt():
                return self._reader.blob(route, request.method)
            case TagsList():
                return self._reader.tags(route, request, query)
            case Referrers():
                return self._reader.referrers(route, query)
            case Catalog():
                return self._reader.catalog(query)
            case Upload():
                return self._writer.upload(route, request, query)
            case Token():
                return self._gate.token(request)
            case Root():
                return Answer(status=200, headers=_ROOT_HEADERS, body=b"{}")
            case Nowhere():
                return Answer(status=404, headers={"Content-Type": "text/plain"}, body=b"404 page not found\n")
            case _:
                assert_never(route)

    def _write(self, route: Route, request: WireRequest, query: Mapping[str, str]) -> Answer | None:
        match route:
            case ManifestAt():
                if request.method == "DELETE":
                    return self._writer.delete(route)
                return self._writer.put(route, request) if request.method == "PUT" else None
            case Upload():
                return self._writer.upload(route, request, query)
            case Token():
                return self._gate.token(request)
            case BlobAt() | TagsList() | Referrers() | Catalog() | Root() | Nowhere():
                return None
            case _:
                assert_never(route)

    def _answer_stored(self, request: WireRequest) -> Answer:
        """Answer at the other host, where blobs are; it is logged as well, so that leaked credentials show."""
        digest = request.target.partition("?")[0].removeprefix("/stored/")
        with self._storage.lock:
            content = self._storage.blobs.get(Digest(digest))
        answer = error(404, "BLOB_UNKNOWN") if content is None else Answer(status=200, body=content)
        with self._log_lock:
            self._log.append(_logged(request, answer.status))
        return answer


def _logged(request: WireRequest, status: int) -> LoggedRequest:
    headers = request.headers
    if "authorization" in headers:
        headers = {**headers, "authorization": f"{headers['authorization'].partition(' ')[0]} (not kept)"}
    return LoggedRequest(method=request.method, target=request.target, headers=headers, status=status)
