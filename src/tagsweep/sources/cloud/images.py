"""The image that a cloud's container names, together with the digest that the cloud found under it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tagsweep.model.errors import InvalidReference
from tagsweep.model.reference import Digest, Reference
from tagsweep.sources.jsonapi import objects_at, text_at
from tagsweep.sources.syntaxes.findings import Finding, Found, NoReference
from tagsweep.sources.syntaxes.image import read_image


def image_in_use(text: str, *, digest: str = "", at: str = "", note: str = "") -> Iterator[Finding]:
    """Yield what ``text`` names, with ``digest`` beside its tag where the cloud tells what it is on."""
    resolved = _digest(digest)
    for finding in read_image(text, at=at, note=note):
        if not isinstance(finding, Found) or resolved is None or finding.reference.digest == resolved:
            yield finding
        elif finding.reference.digest is None:
            yield replace(finding, reference=replace(finding.reference, digest=resolved))
        else:  # the index is named, and the cloud tells the platform's manifest
            yield finding
            yield replace(finding, reference=Reference(finding.reference.repository, None, resolved))
    if digest and resolved is None:
        yield NoReference(text=digest, why="it is not the digest of an image", at=at)


def containers_in(value: Any, *keys: str, kind: str = "container", note: str = "") -> Iterator[Finding]:
    """Yield the ``image`` of each object in the list below ``keys``; ``kind`` is what each is called."""
    for container in objects_at(value, *keys):
        yield from image_in_use(
            text_at(container, "image"),
            digest=text_at(container, "imageDigest"),
            at=f"{kind} {text_at(container, 'name')}".strip(),
            note=note,
        )


def _digest(text: str) -> Digest | None:
    try:
        return Digest.parse(text.rpartition("@")[2].strip())
    except InvalidReference:
        return None
