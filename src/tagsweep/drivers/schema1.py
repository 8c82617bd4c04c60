"""Docker's old schema 1: its digest is that of the signed payload, not of the bytes that a registry sends.

Rule: distribution, docs/spec/manifest-v2-1: the payload is the first ``formatLength`` bytes and the decoded
``formatTail``, both from the protected header of the signature.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from tagsweep.model.manifest import DOCKER_SCHEMA_1


def signed_payload(data: bytes, media_type: str) -> bytes | None:
    """Return the bytes of which a signed schema 1 manifest has the digest, or None where it is none."""
    if media_type not in DOCKER_SCHEMA_1:
        return None
    try:
        document: Any = json.loads(data)
        if "fsLayers" not in document or "layers" in document or "manifests" in document:
            return None  # only what can reach nothing may differ from the bytes that its digest covers
        signature = document["signatures"][0]
        protected = json.loads(_decode(signature["protected"]))
        length, tail = protected["formatLength"], _decode(protected["formatTail"])
    except (ValueError, KeyError, IndexError, TypeError, RecursionError, binascii.Error):
        return None
    if not isinstance(length, int) or isinstance(length, bool) or not 0 <= length <= len(data):
        return None
    return data[:length] + tail


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
