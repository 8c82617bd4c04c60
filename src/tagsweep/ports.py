"""Every Protocol that a plugin or a lower layer meets. Nothing in here does anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

from tagsweep.model.capability import Capabilities
from tagsweep.model.errors import RegistryError
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.manifest import Descriptor, RawManifest
from tagsweep.model.policy import RegistrySettings, SourceSettings
from tagsweep.model.reference import Digest
from tagsweep.model.usage import UsageReport


# --- transport ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request. ``url`` is absolute; ``max_body`` bounds the answer in bytes."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    body: bytes | None = None
    max_body: int = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One HTTP answer. Header names are lower case; repeated headers are joined with a comma and a space."""

    status: int
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    body: bytes = b""


class Transport(Protocol):
    """Sends one request and returns the answer of any status; safe to call from many threads at once.

    Follows no redirect by itself. Raises Unreachable where there is no answer, ProtocolViolation where the body is
    larger than the request allows.
    """

    def send(self, request: Request) -> Response:
        """Send ``request`` and return what came back."""
        ...

    def close(self) -> None:
        """Give back the connections."""
        ...


class Clock(Protocol):
    """Time, passed in so that tests own it."""

    def now(self) -> datetime:
        """Return the current instant, UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only ever grow."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait that long."""
        ...


# --- registries ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTag:
    """What a listing tells of a tag: its name, and whatever else that registry lists.

    ``locked`` says in words why the registry would refuse to remove it (an immutability rule, a lock, a protection);
    empty where nothing of that kind is known.
    """

    name: str
    digest: Digest | None = None
    times: Mapping[TimeOrigin, datetime] = field(default_factory=dict, hash=False)
    locked: str = ""


class RegistryDriver(Protocol):
    """One registry, reached with one set of credentials. Every method may be called from many threads at once.

    ``repository`` arguments are paths within the registry. All errors are RegistryError or ConfigurationError.
    Nothing here retries a deletion blindly, follows a foreign host with credentials, or guesses.
    """

    name: str
    """The driver's name: ``oci``, ``ocilayout``, …"""

    def capabilities(self, repository: str) -> Capabilities:
        """Return what is declared, without asking the registry: deletion is Unknown or No before it is probed."""
        ...

    def probe(self, repository: str) -> Capabilities:
        """Find out what this registry lets these credentials do in ``repository``, without any side effect."""
        ...

    def list_repositories(self) -> Iterable[str]:
        """Yield the paths of all repositories, or raise Unsupported or PermissionDenied where there is no catalog."""
        ...

    def list_tags(self, repository: str) -> tuple[ListedTag, ...]:
        """Return every tag, once, in the order of the registry; raise rather than return an incomplete list.

        Raises NotFound if the repository does not exist.
        """
        ...

    def resolve_tag(self, repository: str, tag: str) -> Digest | None:
        """Return the digest that ``tag`` is on now, or None if the tag is certainly absent. Never counts as a pull
        where the registry lets that be avoided.
        """
        ...

    def has_manifest(self, repository: str, digest: Digest) -> bool:
        """Tell whether the manifest answers by digest, without counting as a pull where that can be avoided."""
        ...

    def fetch_manifest(self, repository: str, reference: str) -> RawManifest | None:
        """Return the bytes under a tag or digest, checked against their digest, or None if certainly absent."""
        ...

    def list_referrers(self, repository: str, subject: Digest) -> tuple[Descriptor, ...] | None:
        """Return what refers to ``subject`` by the referrers API, or None where the registry has none.

        The fallback tag schema is read by whoever has the tag list; it is not read here.
        """
        ...

    def has_blob(self, repository: str, digest: Digest) -> bool:
        """Tell whether the blob answers in this repository."""
        ...

    def fetch_blob(self, repository: str, digest: Digest, *, max_bytes: int) -> bytes | None:
        """Return a small blob (a config), checked against its digest, or None if certainly absent."""
        ...

    def delete_tag(self, repository: str, tag: str) -> bool:
        """Remove the tag and nothing else; False if it was absent. Raises Unsupported before anything is sent where
        the capability is not declared or probed as Yes.
        """
        ...

    def delete_manifest(self, repository: str, digest: Digest) -> bool:
        """Delete the manifest with every tag on it; False if it was absent. Raises Unsupported as above."""
        ...

    def put_manifest(self, repository: str, reference: str, manifest: RawManifest) -> Digest:
        """Store exactly these bytes under a tag or their digest and return the digest the registry gave.

        Raises NotFound if the registry no longer has something that the manifest needs.
        """
        ...

    def close(self) -> None:
        """Give back the connections."""
        ...


@runtime_checkable
class CountsRequests(Protocol):
    """A driver that can tell how many requests it sent, by method. Reports show it where it is there."""

    @property
    def counts(self) -> Mapping[str, int]:
        """The number of requests sent so far, by HTTP method."""
        ...


@runtime_checkable
class TakesBack(Protocol):
    """A driver whose registry can take a deletion back by itself. Restore asks it first."""

    def take_back(self, repository: str, digest: Digest, tags: Sequence[str]) -> bool:
        """Bring a deleted manifest back with these tags (none: untagged), by the registry's own means.

        True where it is done; False where the registry no longer has it, and the saved bytes are then put again.
        """
        ...


@runtime_checkable
class TellsTags(Protocol):
    """A driver whose registry tells, for one manifest, which tags are on it."""

    def tags_on(self, repository: str, digest: Digest) -> frozenset[str] | None:
        """Return the tags that are on ``digest`` now, or None where the registry does not know the digest (yet)."""
        ...


@runtime_checkable
class Recognises(Protocol):
    """A driver that removes a tag in more than one call, and knows what an interruption between them left behind."""

    def leftover(self, repository: str, tag: str, *, found: Digest, expected: Digest) -> bool:
        """Tell whether ``tag``, found on another digest than expected, is there because its removal was interrupted.

        It is asked only then. Where it is so, ``delete_tag`` carries the removal on.
        """
        ...


@runtime_checkable
class ReadsTimes(Protocol):
    """A driver whose registry tells some times of a tag by a request of its own. It is asked only where a rule needs
    one of ``detailed_times`` that the listing does not tell.
    """

    @property
    def detailed_times(self) -> frozenset[TimeOrigin]:
        """The origins that can be told so; empty where there are none."""
        ...

    def read_times(self, repository: str, tag: str) -> Mapping[TimeOrigin, datetime]:
        """Return what the registry tells of the times of one tag; an origin that it does not know is left out."""
        ...


@runtime_checkable
class ListsNamespaces(Protocol):
    """A driver whose registry lists the repositories of one namespace, where a list of everything is not to be had."""

    def list_namespace(self, namespace: str) -> Iterable[str]:
        """Yield the paths of all repositories below ``namespace/``, or raise as ``list_repositories`` does."""
        ...


@runtime_checkable
class DeletesMany(Protocol):
    """A driver whose registry removes many tags by one request. Apply looks at every tag directly before it."""

    largest_batch: int

    def delete_tags(self, repository: str, tags: Mapping[str, Digest]) -> Mapping[str, bool | RegistryError]:
        """Remove these tags, each of which was on its digest a moment ago, and nothing else.

        Returns for each True, False if it was absent, or the error that it alone had; what the answer does not
        mention is an error too. Raises RegistryError where the request as a whole failed.
        """
        ...


class DriverFactory(Protocol):
    """What the entry point of a driver (group ``tagsweep.drivers``) is: a class with this constructor-like method."""

    def connect(self, settings: RegistrySettings, *, clock: Clock, progress: Progress) -> RegistryDriver:
        """Return a driver for the registry that ``settings`` describes; nothing is sent yet."""
        ...


# --- evidence -----------------------------------------------------------------------------------------------------
class UsageSource(Protocol):
    """One place where images are in use."""

    @property
    def name(self) -> str:
        """The policy's name of it, such as ``kubernetes/prod``."""
        ...

    def collect(self, now: datetime) -> UsageReport:
        """Return everything in use that this source knows; what it could not see is a gap, never an empty answer."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceContext:
    """What a source may work with. ``base`` is the directory of the policy file, against which relative paths are read;
    ``cache`` a directory of its own that may be lost at any time, or empty where there is none.
    """

    base: str
    clock: Clock
    progress: Progress
    cache: str = ""


class SourceFactory(Protocol):
    """What the entry point of a usage source (group ``tagsweep.sources``) is."""

    def configure(self, settings: SourceSettings, *, context: SourceContext) -> UsageSource:
        """Return the source that ``settings`` describe, or raise ConfigurationError naming the wrong option.

        Nothing is asked yet.
        """
        ...


# --- progress -----------------------------------------------------------------------------------------------------
class Progress(Protocol):
    """What long work tells about itself. Called from many threads at once."""

    def begin(self, task: str, total: int | None) -> None:
        """Say that a task of ``total`` units (None: unknown) begins; ends the task before it."""
        ...

    def advance(self, count: int = 1) -> None:
        """Say that ``count`` more units are done."""
        ...

    def note(self, message: str) -> None:
        """Say something that a person should see now: a pause that a registry asked for, a retry, a skip."""
        ...
