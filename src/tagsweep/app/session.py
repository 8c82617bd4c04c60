"""What every use case works with: the state on disk, the clock, the progress, and one driver for each registry."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Hashable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar

from tagsweep.app.plugins import driver_factory, has_driver
from tagsweep.app.tracing import NoTrace, Trace
from tagsweep.http.pool import Pool
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import CountsRequests

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tagsweep.model.manifest import RawManifest
    from tagsweep.model.reference import Digest, Repository
    from tagsweep.ports import Clock, Progress, RegistryDriver
    from tagsweep.stores.state import StateDirectory

Item = TypeVar("Item", bound=Hashable)
Result = TypeVar("Result")

LAYOUT_PREFIX: Final = "oci-layout:"
"""A registry whose name begins so is a directory in the OCI image layout."""


class Session:
    """One command's working set; a context manager that gives the connections back.

    ``settings`` are the policy's (or the plan's) registry settings; hosts without any get the defaults.
    """

    def __init__(
        self,
        *,
        state: StateDirectory,
        clock: Clock,
        progress: Progress,
        settings: Iterable[RegistrySettings] = (),
        trace: Trace | None = None,
    ) -> None:
        self.state = state
        self.clock = clock
        self.progress = progress
        self.trace: Trace = NoTrace() if trace is None else trace
        self.ledger = state.ledger()
        self.manifests = state.manifests()
        self._settings = {entry.host: entry for entry in settings}
        self._drivers: dict[str, RegistryDriver] = {}
        self._connecting = threading.Lock()

    def settings(self, registry: str) -> RegistrySettings:
        """Return how ``registry`` is reached."""
        found = self._settings.get(registry)
        return found if found is not None else RegistrySettings(host=registry)

    def driver(self, repository: Repository) -> RegistryDriver:
        """Return the driver for the repository's registry, the same one each time, whichever thread asks first."""
        registry = repository.registry
        with self._connecting:
            if registry not in self._drivers:
                self._drivers[registry] = self._connect(registry)
            return self._drivers[registry]

    def _connect(self, registry: str) -> RegistryDriver:
        settings = self.settings(registry)
        factory = driver_factory(settings.driver if settings.driver is not None else self._detect(settings))
        driver = factory.connect(settings, clock=self.clock, progress=self.progress)
        return self._by_moving(driver) if settings.untag_by_moving else driver

    def _by_moving(self, driver: RegistryDriver) -> RegistryDriver:
        """Return the driver with single tags removed by moving them, which the policy names for its registry."""
        from tagsweep.drivers.moving import untag_by_moving  # noqa: PLC0415 (only for registries that name it)

        def known(digest: Digest) -> RawManifest | None:
            return self.manifests.get({digest}).get(digest)

        return untag_by_moving(driver, clock=self.clock, known=known)

    def _detect(self, settings: RegistrySettings) -> str:
        """Return the driver of a registry that the policy names none for."""
        if settings.host.startswith(LAYOUT_PREFIX):
            return "ocilayout"
        from tagsweep.drivers.detect import OCI, detect  # noqa: PLC0415 (not where the policy says it)

        found = detect(settings)
        return found if has_driver(found) else OCI

    def work(
        self,
        repository: Repository,
        task: str,
        items: Iterable[Item],
        function: Callable[[Item], Result],
        *,
        threads: int | None = None,
    ) -> Generator[tuple[Item, Result], None, None]:
        """Yield each item with what ``function`` returns for it, as they are ready, and tell the progress of ``task``.

        As many run at once as the settings of the registry say, or ``threads``; how it ends is :class:`Pool`'s.
        """
        queue = list(items)
        if not queue:
            return
        self.progress.begin(f"{repository}: {task}", len(queue))
        with Pool(self.settings(repository.registry).concurrency if threads is None else threads) as pool:
            for item, result in pool.map_unordered(function, queue):
                self.progress.advance()
                yield item, result

    def aliases(self) -> Mapping[str, str]:
        """Return other names of registry hosts, each with the name that is used here."""
        return {alias: entry.host for entry in self._settings.values() for alias in entry.aliases}

    def checkpoint(self) -> None:
        """Return when everything on disk is where the state lives; StateError if that cannot be.

        On this machine it is there already. Where the state lives in a registry it is sent there now.
        """
        if self.state.elsewhere is not None:
            self.state.elsewhere.push(self.ledger)

    def requests(self) -> dict[str, int]:
        """Return how many requests were sent so far, by method, over all registries that can tell."""
        total: dict[str, int] = {}
        for driver in self._drivers.values():
            if isinstance(driver, CountsRequests):
                for method, count in driver.counts.items():
                    total[method] = total.get(method, 0) + count
        return total

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give back all connections and files."""
        try:
            if self.state.elsewhere is not None:
                self.state.elsewhere.close(self.ledger, failed=error is not None)
        finally:
            for driver in self._drivers.values():
                driver.close()
            self.manifests.close()
            self.ledger.close()
