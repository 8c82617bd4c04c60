"""The driver suite's view of a real server: filled over plain HTTP, looked at over plain HTTP."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import Digest
from tagsweep.ports import DriverFactory, RegistryDriver
from tagsweep.testing.harness import InstantClock, Quiet
from tagsweep.testing.images import BuiltImage
from tests.real.interview import Interviewer
from tests.real.servers import Server, ServerKind

_numbers = itertools.count()


class RealHarness:
    """One repository of its own on a running server, filled with the ``authorization`` for it."""

    def __init__(
        self, server: Server, factory: DriverFactory, *, authorization: Callable[[str], str] = lambda _: ""
    ) -> None:
        self.repository = f"suite/number-{next(_numbers)}"
        self.server = server
        self.digest_delete_takes_tags = server.kind is not ServerKind.CRANE
        self.put_checks_blobs = server.kind is not ServerKind.CRANE
        self._factory = factory
        self._asker = Interviewer(server.host, authorization(self.repository))

    def connect(self) -> RegistryDriver:
        """Return a new driver."""
        return self._factory.connect(RegistrySettings(host=self.server.host), clock=InstantClock(), progress=Quiet())

    def seed(self, image: BuiltImage, *tags: str) -> None:
        """Push as a client does."""
        self._asker.push(self.repository, image, *tags)

    def tags(self) -> Mapping[str, Digest]:
        """Return what a client sees that asks for each tag."""
        names = self._asker.tags(self.repository)
        assert isinstance(names, tuple), names
        found: dict[str, Digest] = {}
        for name in sorted(names):
            reply = self._asker.ask("HEAD", f"{self.repository}/manifests/{name}")
            found[name] = Digest.parse(reply.headers["docker-content-digest"])
        return found

    def corrupt(self, digest: Digest) -> bool:
        """Spoil the file, where the server keeps files."""
        if self.server.root is None:
            return False
        if self.server.kind in (ServerKind.ZOT, ServerKind.OLAREG):
            place = self.server.root / self.repository / "blobs" / digest.algorithm / digest.hex
        else:
            blobs = self.server.root / "docker" / "registry" / "v2" / "blobs"
            place = blobs / digest.algorithm / digest.hex[:2] / digest.hex / "data"
        content = place.read_bytes()
        # A manifest must still be JSON; a blob must keep its length, which the server remembers.
        manifest = b'"schemaVersion"' in content
        place.write_bytes(content + b"\n" if manifest else content[:-1] + bytes([content[-1] ^ 1]))
        return True

    def changes(self) -> int | None:
        """Return None: the servers keep no log that could be asked."""
        return None

    def close(self) -> None:
        """Give back the connection."""
        self._asker.close()
