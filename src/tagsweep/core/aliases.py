"""Other names of one repository: aliases of its registry, and mirrors and pull-through caches that the policy names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tagsweep.model.reference import DOCKER_HUB, DOCKER_HUB_ALIASES, Repository, canonical_registry

_LIBRARY = "library/"


def canonical_repository(repository: Repository, aliases: Mapping[str, str]) -> Repository:
    """Return the repository under the one name of its registry.

    ``aliases`` maps another name to the registry's host: a host, or a host with the path under which it serves that
    registry (``harbor.example/hub-proxy``). The longest that fits counts. Docker Hub's short form is understood behind
    a cache as well: ``harbor.example/hub-proxy/postgres`` is ``docker.io/library/postgres``.
    """
    host = canonical_registry(repository.registry)
    name = f"{host}/{repository.path}"
    fitting = [alias for alias in aliases if name.startswith(f"{alias}/")]
    if not fitting:
        return Repository(host, repository.path)
    alias = max(fitting, key=len)
    return _in_full(canonical_registry(aliases[alias]), name[len(alias) + 1 :])


def _in_full(registry: str, path: str) -> Repository:
    short = registry == DOCKER_HUB and "/" not in path
    return Repository(registry, f"{_LIBRARY}{path}" if short else path)


def names_of(repository: Repository, aliases: Mapping[str, str]) -> Iterator[str]:
    """Yield every text that can name this repository, which must be canonical: in full, in short, through aliases."""
    paths = [repository.path]
    if repository.registry == DOCKER_HUB:
        paths += [repository.path.removeprefix(_LIBRARY)] if repository.path.startswith(_LIBRARY) else []
        yield from paths
    hosts = [repository.registry]
    hosts += [alias for alias, host in aliases.items() if canonical_registry(host) == repository.registry]
    for host in hosts:
        for path in paths:
            yield f"{host}/{path}"


def writings_of(repository: Repository, aliases: Mapping[str, str]) -> Iterator[str]:
    """Yield the names of :func:`names_of`, also behind the other hosts of Docker Hub and with the port of https."""
    for name in names_of(repository, aliases):
        yield name
        host, slash, path = name.partition("/")
        if not slash or "." not in host:
            continue  # a short form, whose first part is no host
        for other in (host, *(sorted(DOCKER_HUB_ALIASES) if host == DOCKER_HUB else ())):
            yield f"{other}/{path}"
            yield f"{other}:443/{path}"
