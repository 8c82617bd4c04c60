"""What DriverSuite needs of a registry besides the driver under test: a way to fill it and a look behind its back."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from tagsweep.model.errors import NotFound
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import Digest
from tagsweep.testing.oci_layout import REF_NAME, write_layout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tagsweep.ports import Clock, DriverFactory, Progress, RegistryDriver
    from tagsweep.testing.fake import FakeRegistry, Interposer
    from tagsweep.testing.images import BuiltImage
    from tagsweep.testing.wire import WireRequest


class Harness(Protocol):
    """One registry with an empty ``repository``, and what the suite cannot learn through the driver alone."""

    repository: str
    """The path of a repository that is this test's own."""
    digest_delete_takes_tags: bool
    """False only for registries that break the specification and let tags outlive their digest."""
    put_checks_blobs: bool
    """False only for registries that accept a manifest whose blobs they do not have."""

    def connect(self) -> RegistryDriver:
        """Return a new driver, on which nothing was probed."""
        ...

    def seed(self, image: BuiltImage, *tags: str) -> None:
        """Store an image in the repository, not through the driver."""
        ...

    def tags(self) -> Mapping[str, Digest]:
        """Return the tags with their digests, not through the driver."""
        ...

    def corrupt(self, digest: Digest) -> bool:
        """Spoil the bytes under a digest; False where that cannot be done here, and the test is then skipped."""
        ...

    def changes(self) -> int | None:
        """Return how many requests were sent so far that delete or write; None where that cannot be told."""
        ...


@runtime_checkable
class Interposes(Protocol):
    """A harness whose registry is in this process, or behind a proxy in it, so that the suite can break its answers.

    Real servers by themselves are none: what needs this is then skipped. ``clock`` is the one that drivers got.
    """

    clock: InstantClock
    progress: Quiet

    @property
    def base(self) -> str:
        """The scheme and authority that the registry answers at."""
        ...

    def interpose(self, interposer: Interposer | None) -> None:
        """Let this answer in the registry's place from now on; None: let nothing stand before it."""
        ...

    def is_change(self, request: WireRequest) -> bool:
        """Tell whether a request changes what the registry holds."""
        ...

    def remove_tag(self, tag: str) -> None:
        """Take a tag away, as somebody else would."""
        ...

    def remove_repository(self) -> None:
        """Take the whole repository away."""
        ...


@runtime_checkable
class Locks(Protocol):
    """A harness that can lock one tag by the registry's own means."""

    def lock(self, tag: str) -> None:
        """Let the registry refuse to remove ``tag``."""
        ...


class InstantClock:
    """A clock on which waiting takes no time; ``slept`` is how long was waited in all. Many threads may wait on it."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._lock = threading.Lock()
        self.slept = 0.0

    def now(self) -> datetime:
        """Return the start, moved on by what was slept."""
        return datetime.fromtimestamp(self._start.timestamp() + self.slept, UTC)

    def monotonic(self) -> float:
        """Return what was slept."""
        return self.slept

    def sleep(self, seconds: float) -> None:
        """Move on at once."""
        with self._lock:
            self.slept += max(0.0, seconds)


class Quiet:
    """Progress that keeps its notes and shows nothing."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def begin(self, task: str, total: int | None) -> None:
        """Show nothing."""

    def advance(self, count: int = 1) -> None:
        """Show nothing."""

    def note(self, message: str) -> None:
        """Keep the message."""
        self.notes.append(message)


class FakeHarness:
    """A driver for the distribution API against a fake registry."""

    repository = "team/app"

    def __init__(self, registry: FakeRegistry, factory: DriverFactory) -> None:
        self.registry = registry
        self._factory = factory
        self.clock = InstantClock()
        self.progress = Quiet()
        self.digest_delete_takes_tags = registry.dialect.digest_delete_takes_tags
        self.put_checks_blobs = registry.dialect.checks_blobs

    def connect(self) -> RegistryDriver:
        """Return a new driver with a clock on which retries take no time."""
        settings = RegistrySettings(host=self.registry.host)
        return self._factory.connect(settings, clock=self.clock, progress=self.progress)

    def seed(self, image: BuiltImage, *tags: str) -> None:
        """Store an image by the back door."""
        self.registry.push(self.repository, image, *tags)

    def tags(self) -> Mapping[str, Digest]:
        """Return what the registry holds."""
        return self.registry.tags(self.repository)

    def corrupt(self, digest: Digest) -> bool:
        """Spoil the bytes."""
        self.registry.corrupt(self.repository, digest)
        return True

    def changes(self) -> int | None:
        """Count what the log shows."""
        return sum(1 for request in self.registry.requests if request.method not in ("GET", "HEAD"))

    @property
    def base(self) -> str:
        """Where the fake answers."""
        return f"http://{self.registry.host}"

    def interpose(self, interposer: Interposer | None) -> None:
        """Stand before the fake."""
        self.registry.interposer = interposer

    def is_change(self, request: WireRequest) -> bool:
        """Tell it by the method; POST signs in and searches."""
        return request.method in ("DELETE", "PUT", "PATCH")

    def remove_tag(self, tag: str) -> None:
        """Take the tag away by the back door."""
        self.registry.remove_tag(self.repository, tag)

    def remove_repository(self) -> None:
        """Take the repository away by the back door."""
        self.registry.remove_repository(self.repository)


class LayoutHarness:
    """A driver for directories in the OCI image layout."""

    repository = "app"
    digest_delete_takes_tags = True
    put_checks_blobs = True

    def __init__(self, root: Path, factory: DriverFactory) -> None:
        self.directory = root / self.repository
        self._factory = factory
        self._root = root

    def connect(self) -> RegistryDriver:
        """Return a new driver for the directory above the layout."""
        clock: Clock = InstantClock()
        progress: Progress = Quiet()
        return self._factory.connect(RegistrySettings(host=f"oci-layout:{self._root}"), clock=clock, progress=progress)

    def seed(self, image: BuiltImage, *tags: str) -> None:
        """Write the files."""
        write_layout(self.directory, image, *tags)

    def tags(self) -> Mapping[str, Digest]:
        """Read index.json."""
        place = self.directory / "index.json"
        if not place.exists():
            raise NotFound(f"{place} does not exist")
        entries = json.loads(place.read_bytes())["manifests"]
        named = ((entry.get("annotations", {}).get(REF_NAME), Digest(entry["digest"])) for entry in entries)
        return {name: digest for name, digest in named if name is not None}

    def corrupt(self, digest: Digest) -> bool:
        """Spoil the file."""
        place = self.directory / "blobs" / digest.algorithm / digest.hex
        place.write_bytes(place.read_bytes() + b"\n")
        return True

    def changes(self) -> int | None:
        """Nothing is sent to a directory."""
        return None
