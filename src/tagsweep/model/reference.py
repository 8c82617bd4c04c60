"""Names of things in registries: Digest, Repository, Reference, and the grammar of distribution/reference.

Every rule about what text is a valid name, and what Docker's short forms mean, lives in this file.
Grammar: github.com/distribution/reference (v0.6.0) and the OCI distribution specification.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tagsweep.model.errors import InvalidReference

DOCKER_HUB: Final = "docker.io"
"""The canonical name of Docker Hub; its registry API answers at ``registry-1.docker.io``."""

DOCKER_HUB_ALIASES: Final = frozenset({"index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})
"""Other names of its hosts, which mean the same registry."""
_MAX_NAME: Final = 255
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_DIGEST: Final = re.compile(
    r"(?P<algorithm>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*):(?P<hex>[0-9a-fA-F]{32,})", re.ASCII
)
_REGISTERED_HEX: Final = {"sha256": 64, "sha384": 96, "sha512": 128}
_COMPONENT: Final = r"[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*"
_PATH: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)
_DOMAIN_COMPONENT: Final = r"(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])"
_DOMAIN: Final = re.compile(
    rf"(?:{_DOMAIN_COMPONENT}(?:\.{_DOMAIN_COMPONENT})*|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?", re.ASCII
)
_BARE_IDENTIFIER: Final = re.compile(r"[a-f0-9]{64}", re.ASCII)


class Digest(str):
    """A content digest such as ``sha256:9f86…``; equal, hashable and sortable as its text.

    Made by :meth:`parse` only. Registered algorithms must have lower-case hex of their exact length.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Return the digest that ``text`` is, or raise InvalidReference."""
        match = _DIGEST.fullmatch(text)
        if match is None:
            raise InvalidReference(f"{text!r} is not a digest", remedy="a digest looks like sha256:<64 hex digits>")
        wanted = _REGISTERED_HEX.get(match["algorithm"])
        if wanted is not None and (len(match["hex"]) != wanted or match["hex"] != match["hex"].lower()):
            raise InvalidReference(f"{text!r} is not a digest: {match['algorithm']} has {wanted} lower-case hex digits")
        return cls(text)

    @property
    def algorithm(self) -> str:
        """The part before the colon."""
        return self.partition(":")[0]

    @property
    def hex(self) -> str:
        """The part after the colon."""
        return self.partition(":")[2]

    @property
    def short(self) -> str:
        """Enough of the digest for a person to recognise it: the algorithm and twelve hex digits."""
        return f"{self.algorithm}:{self.hex[:12]}"

    def fallback_tag(self) -> str:
        """Return the tag that holds this digest's referrers where the registry has no referrers API.

        Rule: OCI distribution specification, "Referrers Tag Schema": algorithm cut to 32 characters, hex cut to 64.
        """
        algorithm = re.sub(r"[^A-Za-z0-9_.-]", "-", self.algorithm[:32])
        return f"{algorithm}-{self.hex[:64]}"


def is_tag(text: str) -> bool:
    """Tell whether ``text`` is a valid tag name."""
    return _TAG.fullmatch(text) is not None


def parse_tag(text: str) -> str:
    """Return ``text`` if it is a valid tag name, or raise InvalidReference."""
    if not is_tag(text):
        raise InvalidReference(
            f"{text!r} is not a tag", remedy="a tag has 1 to 128 letters, digits, _ . - and does not begin with . or -"
        )
    return text


@dataclass(frozen=True, slots=True, order=True)
class Repository:
    """A repository in a registry, fully named.

    ``registry`` is a host with an optional port, Docker Hub always as ``docker.io``, or an absolute directory for an
    OCI layout (``oci-layout:/…``). ``path`` has no leading slash.
    """

    registry: str
    path: str

    @classmethod
    def parse(cls, text: str) -> Repository:
        """Return the repository that ``text`` names, without tag or digest; Docker's short forms are understood."""
        reference = Reference.parse(text)
        if reference.tag is not None or reference.digest is not None:
            raise InvalidReference(f"{text!r} names a tag or digest; a repository was expected")
        return reference.repository

    def __str__(self) -> str:
        """The full name, as it can be parsed again."""
        return f"{self.registry}/{self.path}"


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """What people write to name a manifest: a repository with a tag, a digest, both or neither.

    Both are kept: where ``tag@digest`` is used, the digest decides what runs and the tag deserves protection too.
    """

    repository: Repository
    tag: str | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Return the reference that ``text`` is, normalised as Docker does, or raise InvalidReference.

        No tag and no digest stay None here; :meth:`with_default_tag` adds ``latest`` where a client would.
        """
        if not text or text != text.strip():
            raise InvalidReference(f"{text!r} is not an image reference")
        if _BARE_IDENTIFIER.fullmatch(text):
            raise InvalidReference(f"{text!r} is a bare image id, not a repository name")
        rest, at, digest_text = text.partition("@")
        digest = Digest.parse(digest_text) if at else None
        name, tag = _split_tag(rest)
        if tag is not None and not is_tag(tag):
            raise InvalidReference(f"{text!r}: {tag!r} is not a tag")
        domain, path = _split_domain(name)
        _check_name(text, domain, path)
        return cls(Repository(domain, path), tag, digest)

    def with_default_tag(self) -> Reference:
        """Return the same reference with tag ``latest`` if it has neither tag nor digest."""
        if self.tag is None and self.digest is None:
            return Reference(self.repository, "latest")
        return self

    def __str__(self) -> str:
        """The full form, as it can be parsed again."""
        tag = f":{self.tag}" if self.tag is not None else ""
        digest = f"@{self.digest}" if self.digest is not None else ""
        return f"{self.repository}{tag}{digest}"


def canonical_registry(host: str) -> str:
    """Return the one name under which tagsweep knows this registry host; Docker Hub's aliases become docker.io.

    Capitals and the port of https make no other registry: what runs from ``GHCR.io:443`` is in use on ``ghcr.io``.
    Directories, and what would no longer be read as a host without them, keep them.
    """
    if "/" in host or not is_domain(host.lower()):
        return host
    folded = host.lower()
    name = folded.removesuffix(":443")
    # Loopback hosts are asked by plain http, where 443 is a port like any other.
    if "." in name and not name.startswith("127."):
        folded = name
    return DOCKER_HUB if folded in DOCKER_HUB_ALIASES else folded


def is_domain(part: str) -> bool:
    """Tell whether the first part of a name is a registry host rather than a Docker Hub path (splitDockerDomain)."""
    return part == "localhost" or "." in part or ":" in part or part != part.lower()


def _split_tag(rest: str) -> tuple[str, str | None]:
    # A colon after the last slash begins a tag; one before it is a port.
    slash = rest.rfind("/")
    colon = rest.rfind(":")
    if colon > slash:
        return rest[:colon], rest[colon + 1 :]
    return rest, None


def _split_domain(name: str) -> tuple[str, str]:
    first, slash, remainder = name.partition("/")
    if not slash or not is_domain(first):
        domain, path = DOCKER_HUB, name
    else:
        domain, path = canonical_registry(first), remainder
    if domain == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    return domain, path


def _check_name(text: str, domain: str, path: str) -> None:
    if _DOMAIN.fullmatch(domain) is None:
        raise InvalidReference(f"{text!r}: {domain!r} is not a registry host")
    if _PATH.fullmatch(path) is None:
        why = "repository names are lower case" if path != path.lower() else f"{path!r} is not a repository name"
        raise InvalidReference(f"{text!r}: {why}")
    if len(domain) + 1 + len(path) > _MAX_NAME:
        raise InvalidReference(f"{text!r}: a repository name has at most {_MAX_NAME} characters")
