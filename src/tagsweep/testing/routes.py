"""Which part of the distribution API an address names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qs, unquote


@dataclass(frozen=True, slots=True)
class Root:
    """``/v2/``: does the API answer, and with which credentials."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """``/v2/_catalog``."""


@dataclass(frozen=True, slots=True)
class Token:
    """``/token``: the token server of bearer authentication."""


@dataclass(frozen=True, slots=True)
class TagsList:
    """``/v2/<repository>/tags/list``."""

    repository: str


@dataclass(frozen=True, slots=True)
class ManifestAt:
    """``/v2/<repository>/manifests/<tag or digest>``."""

    repository: str
    reference: str


@dataclass(frozen=True, slots=True)
class BlobAt:
    """``/v2/<repository>/blobs/<digest>``."""

    repository: str
    digest: str


@dataclass(frozen=True, slots=True)
class Upload:
    """``/v2/<repository>/blobs/uploads/[<id>]``; an empty id opens a new upload."""

    repository: str
    upload: str


@dataclass(frozen=True, slots=True)
class Referrers:
    """``/v2/<repository>/referrers/<digest>``."""

    repository: str
    digest: str


@dataclass(frozen=True, slots=True)
class Nowhere:
    """Any other address."""


Route: TypeAlias = Root | Catalog | Token | TagsList | ManifestAt | BlobAt | Upload | Referrers | Nowhere


def parse_target(target: str) -> tuple[Route, dict[str, str]]:
    """Return the route of a request target, and its query (the last value of each name)."""
    path, _, query = target.partition("?")
    return parse_path(path), {name: values[-1] for name, values in parse_qs(query).items()} if query else {}


def parse_path(path: str) -> Route:  # noqa: PLR0911 - one return a route
    """Return the route that ``path`` names."""
    if not path.startswith("/v2"):
        return Token() if path == "/token" else Nowhere()
    rest = unquote(path.removeprefix("/v2").strip("/"))
    if not rest:
        return Root()
    if rest == "_catalog":
        return Catalog()
    if rest.endswith("/blobs/uploads"):
        return Upload(rest.removesuffix("/blobs/uploads"), "")
    head, _, last = rest.rpartition("/")
    if head.endswith("/manifests"):
        return ManifestAt(head.removesuffix("/manifests"), last)
    if head.endswith("/blobs/uploads"):
        return Upload(head.removesuffix("/blobs/uploads"), last)
    if head.endswith("/blobs"):
        return BlobAt(head.removesuffix("/blobs"), last)
    if head.endswith("/tags") and last == "list":
        return TagsList(head.removesuffix("/tags"))
    if head.endswith("/referrers"):
        return Referrers(head.removesuffix("/referrers"), last)
    return Nowhere()
