"""Whether bytes are what their digest says."""

from __future__ import annotations

import hashlib
from typing import Final

from tagsweep.model.reference import Digest

_ALGORITHMS: Final = frozenset({"sha256", "sha384", "sha512"})


def fits(digest: Digest, data: object) -> bool:
    """Tell whether ``data`` certainly has this digest.

    False for an algorithm that cannot be checked, and for what is not bytes: a damaged database may give text.
    """
    if digest.algorithm not in _ALGORITHMS or not isinstance(data, bytes):
        return False
    return hashlib.new(digest.algorithm, data, usedforsecurity=True).hexdigest() == digest.hex
