"""A real server behind a proxy of this process, so that the suite can break what it answers."""

from __future__ import annotations

import shutil
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import DriverFactory, RegistryDriver
from tagsweep.testing.fake import Interposer
from tagsweep.testing.harness import InstantClock, Quiet
from tagsweep.testing.wire import Answer, WireRequest, WireServer
from tests.real.harness import RealHarness
from tests.real.servers import Server

_OF_A_CONNECTION: Final = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})
"""Headers that each of the two connections has for itself."""


class InterposedHarness(RealHarness):
    """One repository of its own on a distribution, which is taken away from its disk as by somebody else."""

    def __init__(self, server: Server, factory: DriverFactory) -> None:
        super().__init__(server, factory)
        self.clock = InstantClock()
        self.progress = Quiet()
        self._interposer: Interposer | None = None
        self._proxy = WireServer(self._answer)

    @property
    def base(self) -> str:
        """Where the proxy answers, which is the registry for the driver."""
        return f"http://{self._proxy.host}"

    def connect(self) -> RegistryDriver:
        """Return a new driver that asks the proxy."""
        return self._factory.connect(RegistrySettings(host=self._proxy.host), clock=self.clock, progress=self.progress)

    def interpose(self, interposer: Interposer | None) -> None:
        """Stand in the proxy's place."""
        self._interposer = interposer

    def is_change(self, request: WireRequest) -> bool:
        """Tell it by the method."""
        return request.method in ("DELETE", "PUT", "PATCH")

    def remove_tag(self, tag: str) -> None:
        """Take the tag's directory away."""
        shutil.rmtree(self._place / "_manifests" / "tags" / tag)

    def remove_repository(self) -> None:
        """Take the repository's directory away."""
        shutil.rmtree(self._place)

    def close(self) -> None:
        """End the proxy; what went wrong in it is raised here."""
        super().close()
        self._proxy.close()
        if self._proxy.raised:
            raise self._proxy.raised[0]

    @property
    def _place(self) -> Path:
        assert self.server.root is not None
        return self.server.root / "docker" / "registry" / "v2" / "repositories" / self.repository

    def _answer(self, request: WireRequest) -> Answer:
        return self._perform(request) if self._interposer is None else self._interposer(request, self._perform)

    def _perform(self, request: WireRequest) -> Answer:
        """Let the registry answer: under the proxy's name, which its addresses then have."""
        connection = HTTPConnection(self.server.host, timeout=20)
        try:
            headers = {name: value for name, value in request.headers.items() if name not in _OF_A_CONNECTION}
            connection.request(request.method, request.target, body=request.body or None, headers=headers)
            response = connection.getresponse()
            kept = {name: value for name, value in response.getheaders() if name.lower() not in _OF_A_CONNECTION}
            return Answer(status=response.status, headers=kept, body=response.read())
        finally:
            connection.close()
