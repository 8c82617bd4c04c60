"""What is known of registry hosts before they are asked: where their API answers, and how their reads count."""

from __future__ import annotations

from dataclasses import dataclass

from tagsweep.http.hosts import is_loopback
from tagsweep.model.errors import ConfigurationError
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import DOCKER_HUB, canonical_registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a registry's API answers; ``plain`` where plain http is allowed for it."""

    host: str
    base_url: str
    plain: bool
    reads_count_as_pulls: bool


def endpoint(settings: RegistrySettings) -> Endpoint:
    """Return where the registry in ``settings`` answers.

    https always, except where ``plain_http`` says otherwise in words, and for loopback hosts without a ``ca``: those
    are asked by http, because nothing leaves the machine. A private network is no exception.
    """
    host = canonical_registry(settings.host)
    if not host or any(character in host for character in "/@?#\\ "):
        raise ConfigurationError(
            f"{settings.host!r} is not a registry host", remedy="a host looks like registry.example.com:5000"
        )
    loopback = is_loopback(host)
    plain = settings.plain_http or (loopback and settings.ca is None)
    name = "registry-1.docker.io" if host == DOCKER_HUB else host
    return Endpoint(
        host=host,
        base_url=f"{'http' if plain else 'https'}://{name}",
        plain=plain,
        # A registry that counts pulls looks like one that does not, so everything that is not on this machine is
        # taken to count: it costs one HEAD a tag at most, and spares pull quotas and "last pulled" times.
        reads_count_as_pulls=not loopback,
    )
