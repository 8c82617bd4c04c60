"""Looking at a repository again, during a run: what its tags are on now, and what new or moved tags reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tagsweep.model.manifest import DOCKER_MANIFEST, OCI_MANIFEST, Manifest, Unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from tagsweep.app.session import Session
    from tagsweep.model.plan import RepositoryPlan
    from tagsweep.model.reference import Digest, Repository

_IMAGE_TYPES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """All tags, each with its digest now (None: it is gone), and what new and moved ones are on."""

    tags: Mapping[str, Digest | None]
    manifests: Mapping[Digest, Manifest | Unreadable]


def look_again(part: RepositoryPlan, *, session: Session) -> Look:
    """Read every tag that is there or was to stay, and what those that are new or were moved now reach.

    The tags that are to go are among them: one that was pushed again may need a manifest that the plan deletes.
    """
    driver = session.driver(part.repository)
    path = part.repository.path
    names = {tag.name for tag in driver.list_tags(path)} | part.keeps.keys()
    planned = {decision.tag: decision.digest for decision in part.decisions}

    def resolve(name: str) -> Digest | None:
        return driver.resolve_tag(path, name)

    tags = dict(session.work(part.repository, "looking at the tags", sorted(names), resolve))
    changed = {digest for name, digest in tags.items() if digest is not None and digest != planned.get(name)}
    return Look(tags=tags, manifests=read_closure(part.repository, changed, session))


def read_closure(
    repository: Repository, roots: AbstractSet[Digest], session: Session
) -> dict[Digest, Manifest | Unreadable]:
    """Read these manifests and all indexes below them; what cannot be read is Unreadable, and blocks deletions."""
    driver = session.driver(repository)
    cache = session.manifests
    read: dict[Digest, Manifest | Unreadable] = {}
    level = set(roots)
    while level:
        known = cache.get(level)
        for digest in sorted(level):
            raw = known.get(digest) or driver.fetch_manifest(repository.path, digest)
            absent = Unreadable(digest=digest, why="the registry does not have it")
            read[digest] = raw.parse() if raw is not None else absent
        manifests = [read[digest] for digest in level]
        level = {
            child.digest
            for manifest in manifests
            if isinstance(manifest, Manifest)
            for child in manifest.children
            if child.media_type not in _IMAGE_TYPES and child.digest not in read
        }
    return read
