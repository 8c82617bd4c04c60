"""OverOci: a vendor's driver over the registry API, so that it holds only what is its vendor's."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from tagsweep.drivers.oci import OciDriver
from tagsweep.drivers.passed_through import PassedThrough
from tagsweep.http.failures import failure
from tagsweep.model.capability import Capabilities, Capability
from tagsweep.model.errors import Conflict, InvalidReference, ProtocolViolation, RegistryError, Unsupported
from tagsweep.model.reference import Digest, parse_tag
from tagsweep.ports import Response

_DONE: Final = frozenset({200, 202, 204})
_NOT_FOUND: Final = 404


class Beside(Protocol):
    """What asks the vendor's own API: a :class:`tagsweep.http.rest.RestClient`, or whatever a vendor needs."""

    @property
    def counts(self) -> Mapping[str, int]:
        """How many requests were sent, by method."""
        ...

    def close(self) -> None:
        """Give back the connections."""
        ...


class OverOci(PassedThrough):
    """The part of :class:`tagsweep.ports.RegistryDriver` that is the same everywhere.

    A vendor gives ``declared``, ``find_out`` and ``list_tags``, and ``_remove`` where a tag is removed in another way
    than by the registry API. Everything else is the registry API's, which ``_oci`` asks.
    """

    _oci: OciDriver

    def __init__(self, *, place: str, oci: OciDriver, beside: Beside | None = None) -> None:
        self._place = place
        self._oci = oci
        self._beside = beside
        self._probed: dict[str, Capabilities] = {}
        self._probing = threading.Lock()

    @property
    def _through(self) -> OciDriver:
        return self._oci

    @property
    def counts(self) -> Mapping[str, int]:
        """How many requests were sent so far to both APIs, by method."""
        return Counter(self._oci.counts) + Counter(self._beside.counts if self._beside is not None else {})

    def close(self) -> None:
        """Give back the connections."""
        self._oci.close()
        if self._beside is not None:
            self._beside.close()

    # --- abilities ------------------------------------------------------------------------------------------------
    @abstractmethod
    def declared(self) -> Capabilities:
        """Return what is known of this registry without asking it."""

    @abstractmethod
    def find_out(self, repository: str) -> Capabilities:
        """Ask what these credentials may do in ``repository``, without any side effect."""

    def capabilities(self, repository: str) -> Capabilities:
        """Return what was probed in ``repository``, or Unknown for what a probe would tell."""
        return self._probed.get(repository) or self.declared()

    def probe(self, repository: str) -> Capabilities:
        """Find out, once, what these credentials may do in ``repository``; nothing is changed by it."""
        with self._probing:
            if repository not in self._probed:
                self._probed[repository] = self.find_out(repository)
            return self._probed[repository]

    # --- listing --------------------------------------------------------------------------------------------------
    def names(self, repository: str) -> tuple[str, ...]:
        """Return the names of all tags by the registry API, which is complete or raises."""
        return tuple(tag.name for tag in self._oci.list_tags(repository))

    # --- changes --------------------------------------------------------------------------------------------------
    def delete_tag(self, repository: str, tag: str) -> bool:
        """Remove the tag and nothing else; False if it was absent. Unsupported, and nothing sent, before a probe."""
        doing = f"remove the tag {parse_tag(tag)} of {repository}"
        self._require(repository, lambda able: able.delete_tag, doing)
        return self._remove(repository, tag, doing)

    def _remove(self, repository: str, tag: str, doing: str) -> bool:  # noqa: ARG002 - others name it in their errors
        """Remove the tag by the vendor's means: here by the registry API. ``doing`` completes "cannot …"."""
        return self._oci.delete_tag(repository, tag)

    def delete_manifest(self, repository: str, digest: Digest) -> bool:
        """Delete the manifest with every tag on it; False if it was absent."""
        digest = Digest.parse(digest)
        self._require(repository, lambda able: able.delete_manifest, f"delete {repository}@{digest.short}")
        return self._oci.delete_manifest(repository, digest)

    def _require(self, repository: str, ability: Callable[[Capabilities], Capability], doing: str) -> None:
        """Raise Unsupported, before anything is sent, where an ability is not certain."""
        need(ability(self.capabilities(repository)), place=self._place, doing=doing)

    def _ended(self, repository: str, tag: str, response: Response, doing: str) -> bool:
        """Return what the vendor's answer to a removal means: True where it is done, False where the tag was gone.

        Raises what any other answer stands for.
        """
        if response.status in _DONE:
            return True
        error = failure(response, place=self._place, doing=doing)
        if response.status == _NOT_FOUND:
            return not self._is_gone(repository, tag, error)
        raise error

    def _is_gone(self, repository: str, tag: str, error: RegistryError) -> bool:
        """Tell that a tag of which the vendor's API says 404 is gone for the registry too.

        Raises Conflict where the registry has it: vendors say 404 of what one may not see or change, and some lists
        are late. Neither is a tag that is gone.
        """
        if self._oci.resolve_tag(repository, tag) is None:
            return True
        raise Conflict(
            f"{error}, though the registry has it",
            remedy="run it again later, and check the rights of the credentials",
            status=error.status,
        )


class Remembering(OverOci):
    """A vendor's driver that can tell its vendor on which digest a tag was a moment ago, or compare it."""

    def __init__(self, *, place: str, oci: OciDriver, beside: Beside) -> None:
        super().__init__(place=place, oci=oci, beside=beside)
        self._seen: dict[tuple[str, str], Digest] = {}

    def resolve_tag(self, repository: str, tag: str) -> Digest | None:
        """Return the digest that ``tag`` is on now, by a HEAD, and remember it until the tag is removed."""
        found = super().resolve_tag(repository, tag)
        if found is not None:
            self._seen[repository, tag] = found
        return found

    def _expected(self, repository: str, tag: str) -> Digest | None:
        """Return the digest on which the tag was seen last, once; None where nobody looked."""
        return self._seen.pop((repository, tag), None)

    def _moved(self, tag: str, now: Digest) -> Conflict:
        return Conflict(f"{self._place}: {tag} was moved to {now.short} a moment ago, and was left there")


def need(capability: Capability, *, place: str, doing: str) -> None:
    """Raise Unsupported where the ability is not certain, so that nothing is sent."""
    if not capability.usable:
        raise Unsupported(
            f"{place}: cannot {doing}: {capability.why}", remedy="tagsweep doctor shows what this registry can do"
        )


def as_digest(text: object, *, place: str, doing: str) -> Digest:
    """Return a digest that an answer names, or raise ProtocolViolation."""
    try:
        return Digest.parse(str(text))
    except InvalidReference as error:
        raise ProtocolViolation(f"{place}: cannot {doing}: the answer names {str(text)[:80]!r} as a digest") from error
