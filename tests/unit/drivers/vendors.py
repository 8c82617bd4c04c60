"""What the tests of drivers with a vendor's API share: a connection to a fake, and transports that script or record."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tagsweep.drivers.connection import Connection
from tagsweep.http.transport import CurlTransport
from tagsweep.model.errors import Unreachable
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import RegistryDriver, Request, Response, Transport
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import InstantClock, Quiet


class Scripted:
    """A transport that answers each request as a function says."""

    def __init__(self, answer: Callable[[Request], Response]) -> None:
        self._answer = answer

    def send(self, request: Request) -> Response:
        return self._answer(request)

    def close(self) -> None:
        """Hold nothing."""


class Recorder:
    """A transport that keeps what went through it."""

    def __init__(self, host: str) -> None:
        self._inner = CurlTransport(place=host)
        self.exchanges: list[tuple[Request, Response]] = []

    def send(self, request: Request) -> Response:
        response = self._inner.send(request)
        self.exchanges.append((request, response))
        return response

    def close(self) -> None:
        self._inner.close()


def connected(
    host: str, *, api: Transport | None = None, progress: Quiet | None = None, clock: InstantClock | None = None
) -> Connection:
    """Return a connection to a fake registry; ``api`` takes what goes to the vendor's API."""
    return Connection(
        settings=RegistrySettings(host=host),
        transport=CurlTransport(place=host),
        api_transport=api or CurlTransport(place=host),
        clock=clock or InstantClock(),
        progress=progress or Quiet(),
    )


def lose_the_answer_to_a_removal(registry: FakeRegistry, driver: RegistryDriver, repository: str, tag: str) -> None:
    """Remove a tag and lose the answer on the way: that is Unreachable, the tag is gone, and one DELETE was sent."""
    driver.probe(repository)
    registry.clear_log()
    registry.drop_next(performed=True)
    with pytest.raises(Unreachable):
        driver.delete_tag(repository, tag)
    assert registry.count("DELETE") == 1
    assert driver.delete_tag(repository, tag) is False
