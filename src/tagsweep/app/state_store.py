"""The artifacts of a state in its repository: which there are, which of them are heads, reading, writing, tidying.

Registries have no compare-and-swap, so no two writers ever write one tag: each has its own. What a writer has taken in
it names; whatever nobody has named is a head, and whoever comes next takes in all heads.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from tagsweep.app.state_remover import is_alone
from tagsweep.drivers.oci_storing import push_blob
from tagsweep.model.errors import (
    NotFound,
    RegistryError,
    ServerFailed,
    StateError,
    TagsweepError,
    Unreachable,
)
from tagsweep.model.reference import Digest
from tagsweep.stores.stateartifact import EMPTY, Layer, StateArtifact, pack, unpack

if TYPE_CHECKING:
    from tagsweep.drivers.oci import OciDriver
    from tagsweep.model.manifest import RawManifest
    from tagsweep.model.stateplace import StatePlace
    from tagsweep.ports import RegistryDriver

T = TypeVar("T")

_LARGEST_LAYER: Final = 2 * 1024**3
_TRIES: Final = 4
"""How often the heads are looked for anew where another runner tidied up between a look and a read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A state that nobody has taken in yet, under its tag."""

    tag: str
    digest: Digest
    artifact: StateArtifact


@dataclass(slots=True, kw_only=True)
class StateStore:
    """The repository of a state. Every error of the registry becomes one StateError that says what it means."""

    place: StatePlace
    driver: OciDriver
    remover: RegistryDriver | None = None
    """What removes old states, where the registry API deletes nothing."""
    sent: set[Digest] = field(default_factory=set)
    """Blobs that are known to be there."""

    @property
    def path(self) -> str:
        """The repository's path within its registry."""
        return self.place.repository.path

    def heads(self) -> tuple[tuple[Head, ...], Mapping[str, Digest]]:
        """Return the heads, and every other state that is there with the digest that a head has taken in."""
        return self.reading(self._heads)

    def reading(self, do: Callable[[], T]) -> T:
        """Return what ``do`` returns; it is done again where something went away meanwhile."""
        for attempt in range(1, _TRIES + 1):
            try:
                return do()
            except NotFound as error:
                if attempt == _TRIES:
                    raise self.refused(error, "read", "nothing was deleted") from error
            except RegistryError as error:
                raise self.refused(error, "read", "nothing was deleted") from error
        raise AssertionError  # the loop returns or raises

    def is_as(self, known: Mapping[str, Digest]) -> bool:
        """Tell whether every state that is there is one of ``known``, by tag and digest; nothing is pulled for it."""
        names = self.reading(self._named)
        return names.keys() <= known.keys() and all(
            self.reading(partial(self.driver.resolve_tag, self.path, name)) in (known[name], None) for name in names
        )

    def _named(self) -> dict[str, re.Match[str]]:
        pattern = re.compile(rf"{re.escape(self.place.tag)}-(?P<generation>[0-9]+)-[0-9a-f]+")
        return {name: match for name in self.tags() if (match := pattern.fullmatch(name)) is not None}

    def _heads(self) -> tuple[tuple[Head, ...], Mapping[str, Digest]]:
        named = self._named()
        heads: list[Head] = []
        covered: dict[str, Digest] = {}
        # The newest first: what it has taken in need only be looked up, not read.
        for tag in sorted(named, key=lambda name: (-int(named[name]["generation"]), name)):
            if tag in covered and self.driver.resolve_tag(self.path, tag) in (covered[tag], None):
                continue
            head = self._head(tag)
            if head is not None:
                heads.append(head)
                covered.update({name: digest for name, digest in head.artifact.covers.items() if name in named})
        for head in heads:
            covered.pop(head.tag, None)
        return tuple(heads), covered

    def _head(self, tag: str) -> Head | None:
        manifest = self.driver.fetch_manifest(self.path, tag)
        if manifest is None:
            raise NotFound(f"{self.place.repository}:{tag} went away")
        artifact = StateArtifact.decode(manifest, name=f"{self.place.repository}:{tag}")
        if artifact is None:
            return None
        self.sent.update(layer.digest for layer in artifact.layers.values())
        return Head(tag=tag, digest=manifest.digest, artifact=artifact)

    def tags(self) -> tuple[str, ...]:
        """Return all tags of the repository; none where it does not exist yet. Raises RegistryError."""
        try:
            return tuple(self.driver.tag_names(self.path))
        except NotFound:
            return ()

    def read(self, layer: Layer) -> bytes:
        """Return the file in a layer. Raises RegistryError, NotFound where it went away."""
        data = self.driver.fetch_blob(self.path, layer.digest, max_bytes=min(_LARGEST_LAYER, layer.size + 1))
        if data is None:
            raise NotFound(f"{self.place.repository}: the blob {layer.digest.short} went away")
        return unpack(data, name=f"{self.place.repository}@{layer.digest.short}")

    def writing(self, do: Callable[[], None], *, again: Callable[[], None] = lambda: None) -> None:
        """Do ``do``, and once more after ``again`` where its end is not certain. Raises StateError if it fails.

        Then nothing is certain, not even that what was there still is: every blob is asked for.
        """
        try:
            try:
                do()
            except (Unreachable, ServerFailed, NotFound):
                self.sent.clear()
                again()
                do()
        except RegistryError as error:
            raise self.refused(error, "written", "so nothing more is deleted") from error

    def send(self, file: bytes) -> Layer:
        """Store a file, if it is not there already, and return what it is there. Raises RegistryError."""
        packed = pack(file)
        return Layer(digest=self._send(packed), size=len(packed))

    def put(self, tag: str, manifest: RawManifest) -> None:
        """Put an artifact under its tag, and look whether it is there. Raises RegistryError."""
        self._send(EMPTY)
        self.driver.put_manifest(self.path, tag, manifest)
        found = self.driver.resolve_tag(self.path, tag)
        if found != manifest.digest:
            raise ServerFailed(f"{self.place.repository}:{tag} was put and is answered with {found or 'nothing'}")

    def _send(self, data: bytes) -> Digest:
        digest = Digest(f"sha256:{hashlib.sha256(data).hexdigest()}")
        if digest not in self.sent:
            push_blob(self.driver, self.path, data)
            self.sent.add(digest)
        return digest

    def tidy(self, covered: Mapping[str, Digest]) -> None:
        """Remove artifacts whose content is elsewhere. What the registry does not let go stays; it does no harm."""
        try:
            remover: RegistryDriver = self.driver if self.remover is None else self.remover
            able = remover.probe(self.path) if covered else None
            for tag, digest in covered.items():
                if able is None or self.driver.resolve_tag(self.path, tag) != digest:
                    continue  # its writer has gone on: it is a head again
                if able.delete_manifest.usable and is_alone(remover, self.path, tag, digest):
                    remover.delete_manifest(self.path, digest)
                # Where a tag outlives its manifest (crane), or only tags can be removed.
                if able.delete_tag.usable and self.driver.resolve_tag(self.path, tag) == digest:
                    remover.delete_tag(self.path, tag)
        except TagsweepError:
            return

    def close(self) -> None:
        """Give all connections back."""
        self.driver.close()
        if self.remover is not None:
            self.remover.close()

    def refused(self, error: RegistryError, doing: str, consequence: str) -> StateError:
        """Return the one message about a registry that does not keep the state."""
        return StateError(
            f"the state in {self.place} cannot be {doing}, {consequence}: {error}",
            remedy=error.remedy
            or "these credentials need pull and push in that repository; another place: --state or TAGSWEEP_STATE",
        )
