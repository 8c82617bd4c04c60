"""A fake registry whose vendor can lock one tag, for the part of DriverSuite that is about locks."""

from __future__ import annotations

from collections.abc import Callable

from tagsweep.ports import DriverFactory
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import FakeHarness


class LockableHarness(FakeHarness):
    """Implements :class:`tagsweep.testing.harness.Locks`; ``how`` is given the repository and the tag."""

    def __init__(self, registry: FakeRegistry, factory: DriverFactory, how: Callable[[str, str], None]) -> None:
        super().__init__(registry, factory)
        self._how = how

    def lock(self, tag: str) -> None:
        """Lock the tag by the vendor's own means."""
        self._how(self.repository, tag)
