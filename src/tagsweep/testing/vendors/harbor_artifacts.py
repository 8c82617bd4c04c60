"""What belongs to an artifact of the fake Harbor, and goes with it."""

from __future__ import annotations

from tagsweep.core.derived import Derived, derived_from
from tagsweep.model.reference import Digest
from tagsweep.testing.storage import Storage, StoredRepository


def accessories(storage: Storage, stored: StoredRepository) -> dict[Digest, Digest]:
    """Return the artifacts that belong to another one, by their tag or by their subject, each with that one."""
    found: dict[Digest, Digest] = {}
    for tag, manifest in stored.tags.items():
        derived = derived_from(tag)
        if isinstance(derived, Derived) and derived.subject in stored.manifests:
            found[manifest.digest] = derived.subject
    for digest, manifest in stored.manifests.items():
        parsed = storage.parsed(manifest)
        if parsed is not None and parsed.subject is not None:
            found[digest] = parsed.subject.digest
    return found


def take(storage: Storage, stored: StoredRepository, digest: Digest) -> None:
    """Delete an artifact with its tags and accessories, and what is below it that has no tag and no other parent."""
    parsed = storage.parsed(stored.manifests[digest])
    belonging = [each for each, subject in accessories(storage, stored).items() if subject == digest]
    for tag in stored.tags_on(digest):
        del stored.tags[tag]
    del stored.manifests[digest]
    for accessory in belonging:
        if accessory in stored.manifests:
            take(storage, stored, accessory)
    for child in parsed.children if parsed is not None else ():
        there = child.digest in stored.manifests
        if there and not stored.tags_on(child.digest) and not stored.parents(child.digest):
            take(storage, stored, child.digest)
