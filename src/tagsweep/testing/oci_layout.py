"""Images written as directories in the OCI image layout, as `skopeo copy … oci:` and `buildx --output type=oci` do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tagsweep.testing.images import BuiltImage, encode

REF_NAME = "org.opencontainers.image.ref.name"


def write_layout(directory: Path, image: BuiltImage, *tags: str) -> None:
    """Add an image to the layout in ``directory``, which is made if need be, with an entry for each tag.

    Without tags it gets no entry, as the platform manifests of an index have none.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "oci-layout").write_bytes(encode({"imageLayoutVersion": "1.0.0"}))
    contents = {**image.blobs, **{manifest.digest: manifest.data for manifest in image.manifests}}
    for digest, content in contents.items():
        place = directory / "blobs" / digest.algorithm / digest.hex
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    index = directory / "index.json"
    document: dict[str, Any] = {"schemaVersion": 2, "manifests": []}
    if index.exists():
        document = json.loads(index.read_bytes())
    top = image.manifest
    kept = [entry for entry in document["manifests"] if (entry.get("annotations") or {}).get(REF_NAME) not in tags]
    added = [
        {
            "mediaType": top.media_type,
            "digest": top.digest,
            "size": len(top.data),
            "annotations": {REF_NAME: tag},
        }
        for tag in tags
    ]
    index.write_bytes(encode({**document, "manifests": [*kept, *added]}))
