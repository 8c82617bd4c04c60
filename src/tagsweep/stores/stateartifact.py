"""The state as an OCI artifact: an image manifest whose layers are the files, each compressed by itself.

Its annotations say who wrote it, and which other artifacts of the state it has taken in: those are history, all others
are heads. No two artifacts have the same digest, because each names its writer.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tagsweep.model.errors import InvalidReference, StateError
from tagsweep.model.manifest import OCI_MANIFEST, RawManifest
from tagsweep.model.reference import Digest

STATE_TYPE: Final = "application/vnd.tagsweep.state.v1+json"
LEASE_TYPE: Final = "application/vnd.tagsweep.lease.v1+json"
EMPTY: Final = b"{}"
"""The config of every artifact: what there is to say stands in the annotations."""
FORMAT: Final = 1
RUN_FILES: Final = ("plan.json", "journal.jsonl", "snapshot.sqlite")
"""What of a run goes along. Its reports do not: they are written from these, and CI keeps them as artifacts."""

_FILE_TYPE: Final = "application/vnd.tagsweep.state.file.v1+gzip"
_OURS: Final = "dev.tagsweep.state."
_TITLE: Final = "org.opencontainers.image.title"
_PATH: Final = re.compile(r"ledger/[a-z_]+|runs/[A-Za-z0-9][A-Za-z0-9_.-]{0,127}/[a-z.]+", re.ASCII)
_LARGEST_FILE: Final = 4 * 1024**3
_NEWER: Final = "use that tagsweep, or begin another state by another name: oci://HOST/REPOSITORY:NAME"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One file, as it is stored: the digest and the size of its compressed bytes."""

    digest: Digest
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StateArtifact:
    """One state. ``covers`` are the tags, each with its digest then, whose content is in this one."""

    generation: int
    writer: str
    covers: Mapping[str, Digest] = field(default_factory=dict)
    layers: Mapping[str, Layer] = field(default_factory=dict)

    def encode(self) -> RawManifest:
        """Return it as the manifest that is put into the registry."""
        layers = [
            {"mediaType": _FILE_TYPE, "digest": layer.digest, "size": layer.size, "annotations": {_TITLE: path}}
            for path, layer in sorted(self.layers.items())
        ]
        notes = {
            "format": str(FORMAT),
            "generation": str(self.generation),
            "writer": self.writer,
            "covers": json.dumps(dict(self.covers), sort_keys=True, separators=(",", ":")),
        }
        return manifest_of(STATE_TYPE, layers, notes)

    @classmethod
    def decode(cls, manifest: RawManifest, *, name: str) -> StateArtifact | None:
        """Return the state in a manifest, None if it is of another kind; StateError, saying ``name``, if broken."""
        document = read_manifest(manifest, STATE_TYPE)
        if document is None:
            return None
        try:
            notes = notes_of(document)
            if int(notes["format"]) > FORMAT:
                raise StateError(f"{name} was written by a newer tagsweep", remedy=_NEWER)
            layers = {
                _path(layer["annotations"][_TITLE]): Layer(
                    digest=Digest.parse(layer["digest"]), size=int(layer["size"])
                )
                for layer in document["layers"]
            }
            covers = {str(tag): Digest.parse(digest) for tag, digest in json.loads(notes["covers"]).items()}
            return cls(generation=int(notes["generation"]), writer=notes["writer"], covers=covers, layers=layers)
        except (KeyError, TypeError, ValueError, AttributeError, InvalidReference) as error:
            raise StateError(
                f"{name} is no state that this tagsweep can read: {type(error).__name__}: {error}",
                remedy="somebody changed it; delete that tag, and the state is what the others hold",
            ) from error


def manifest_of(kind: str, layers: list[dict[str, Any]], notes: Mapping[str, str]) -> RawManifest:
    """Return the manifest of an artifact of ours. Registries before OCI 1.1 know only the kind of the config."""
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": kind,
        "config": {"mediaType": kind, "digest": f"sha256:{hashlib.sha256(EMPTY).hexdigest()}", "size": len(EMPTY)},
        "layers": layers,
        "annotations": {f"{_OURS}{key}": value for key, value in notes.items()},
    }
    data = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    return RawManifest(digest=Digest(f"sha256:{hashlib.sha256(data).hexdigest()}"), media_type=OCI_MANIFEST, data=data)


def read_manifest(manifest: RawManifest, kind: str) -> dict[str, Any] | None:
    """Return the document of an artifact of ours, or None if the manifest is of another kind."""
    try:
        document: Any = json.loads(manifest.data)
        return document if document["config"]["mediaType"] == kind else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def notes_of(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the annotations of ours, by what stands behind our prefix."""
    found = document["annotations"].items()
    return {key.removeprefix(_OURS): str(value) for key, value in found if key.startswith(_OURS)}


def pack(data: bytes) -> bytes:
    """Return the bytes of a layer, the same for the same file."""
    return gzip.compress(data, compresslevel=6, mtime=0)


def unpack(data: bytes, *, name: str) -> bytes:
    """Return the file in a layer; StateError, saying ``name``, where it is damaged or larger than any of ours."""
    reader = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        found = reader.decompress(data, _LARGEST_FILE)
    except zlib.error as error:
        raise StateError(f"{name} is damaged: {error}") from error
    if not reader.eof:
        raise StateError(f"{name} is damaged or has more than {_LARGEST_FILE // 1024**3} GiB")
    return found


def _path(text: str) -> str:
    """Return the path of a file if it is one of ours: nothing is ever written elsewhere in the state directory."""
    if _PATH.fullmatch(text) is None or (text.startswith("runs/") and text.rpartition("/")[2] not in RUN_FILES):
        raise ValueError(f"{text!r} is no file of a state")
    return text
