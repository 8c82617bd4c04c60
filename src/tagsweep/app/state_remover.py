"""What removes old states on registries whose registry API deletes nothing: the driver of that registry's own API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tagsweep.app.plugins import driver_factory
from tagsweep.drivers.detect import by_host
from tagsweep.model.errors import RateLimited
from tagsweep.ports import TellsTags

if TYPE_CHECKING:
    from datetime import datetime

    from tagsweep.model.policy import RegistrySettings
    from tagsweep.model.reference import Digest
    from tagsweep.ports import Clock, Progress, RegistryDriver

_BY_THEIR_OWN_API: Final = frozenset({"dockerhub", "ghcr"})
_LONGEST_WAIT: Final = 10.0
"""Tidying up is for the next command as well: no command waits longer for it, in all."""


def remover_for(settings: RegistrySettings, *, clock: Clock, progress: Progress) -> RegistryDriver | None:
    """Return the driver that removes old states there, or None where the registry API itself does. Nothing is sent yet.

    Raises ConfigurationError where the settings do not fit it.
    """
    name = settings.driver if settings.driver is not None else by_host(settings.host)
    if name not in _BY_THEIR_OWN_API:
        return None
    return driver_factory(name).connect(settings, clock=_Hasty(clock), progress=progress)


def is_alone(driver: RegistryDriver, repository: str, tag: str, digest: Digest) -> bool:
    """Tell whether a deletion of the digest takes no other tag along, as far as the registry can tell."""
    if not isinstance(driver, TellsTags):
        return True
    return driver.tags_on(repository, digest) == frozenset({tag})


@dataclass(slots=True)
class _Hasty:
    """A clock for what can be done another time: whoever would wait long for it gives up."""

    clock: Clock
    waited: float = 0.0

    def now(self) -> datetime:
        """Return the current instant, UTC."""
        return self.clock.now()

    def monotonic(self) -> float:
        """Return seconds that only ever grow."""
        return self.clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait that long; raises RateLimited where it is too long."""
        self.waited += seconds
        if self.waited > _LONGEST_WAIT:
            raise RateLimited("the registry wants tidying up to wait")
        self.clock.sleep(seconds)
