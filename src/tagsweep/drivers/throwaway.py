"""The throw-away manifest to which a tag is moved before it is deleted: what is in it, and how it is known again.

It is an OCI image manifest without layers. Its config is one that the moved image already has, because a registry
refuses a manifest whose blobs it lacks. Its annotations name the repository, the tag and the digest: no two tags ever
share one, and the same tag of the same digest always gets the same.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from tagsweep.drivers import oci_probe
from tagsweep.model.manifest import OCI_MANIFEST, Descriptor, RawManifest
from tagsweep.model.reference import Digest

NAMESPACE: Final = "dev.tagsweep.removing."
"""What the keys of its annotations begin with."""
_OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
_SAID: Final = "The tag is being removed. If this stays, apply the plan again that removes it."


def build(repository: str, tag: str, digest: Digest, config: Descriptor) -> RawManifest:
    """Return the throw-away manifest for ``tag`` of ``digest``; ``config`` must be in the repository."""
    document = _document(config.media_type or _OCI_CONFIG, config.digest, config.size)
    document["annotations"] = {
        f"{NAMESPACE}repository": repository,
        f"{NAMESPACE}tag": tag,
        f"{NAMESPACE}digest": digest,
        f"{NAMESPACE}note": _SAID,
    }
    return _raw(document)


def unacceptable() -> RawManifest:
    """Return a manifest that a registry has to refuse: its config is nowhere, and it is pushed under another digest."""
    return _raw(_document(_OCI_CONFIG, oci_probe.random_digest(), 2))


def _document(media_type: str, digest: Digest, size: int | None) -> dict[str, Any]:
    config = {"mediaType": media_type, "digest": digest, "size": 0 if size is None else size}
    return {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": []}


def _raw(document: dict[str, Any]) -> RawManifest:
    data = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
    digest = Digest(f"sha256:{hashlib.sha256(data).hexdigest()}")
    return RawManifest(digest=digest, media_type=OCI_MANIFEST, data=data)
