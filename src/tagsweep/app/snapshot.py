"""Putting on disk, before the first deletion, everything that is needed to take a run back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tagsweep.model.decision import Verdict
from tagsweep.model.manifest import Manifest, RawManifest, Unreadable
from tagsweep.model.plan import DeleteManifest, Plan, RepositoryPlan
from tagsweep.stores.snapshots import Snapshot, SnapshotWriter

if TYPE_CHECKING:
    from pathlib import Path

    from tagsweep.app.session import Session
    from tagsweep.model.reference import Digest, Repository


@dataclass(slots=True)
class Saved:
    """What of one repository is now on disk, read as manifests, and which digests the registry no longer had."""

    manifests: dict[Digest, Manifest | Unreadable] = field(default_factory=dict)
    absent: set[Digest] = field(default_factory=set)


def ensure_snapshot(plan: Plan, *, path: Path, session: Session) -> dict[Repository, Saved]:
    """Return what is saved of the plan: from the snapshot of an interrupted try of this run, or from one made now.

    A snapshot has its name only when it is complete, and what it holds was read before anything was deleted.
    """
    if not path.exists():
        return take_snapshot(plan, path=path, session=session)
    with Snapshot.open(path) as snapshot:
        return {
            repository: Saved(manifests={raw.digest: raw.parse() for raw in snapshot.manifests(repository)})
            for repository in snapshot.repositories()
        }


def take_snapshot(plan: Plan, *, path: Path, session: Session) -> dict[Repository, Saved]:
    """Write the manifests and tags that the plan removes to ``path`` and return what was saved.

    Everything that a removed tag reaches is saved, at any depth, whether it will be deleted or not, so that a restore
    can put back whole trees. A manifest that the registry answers is absent is noted; any other failure to read
    one is raised, because then undoing would not be possible.
    """
    saved: dict[Repository, Saved] = {}
    with SnapshotWriter.create(path) as writer:
        for part in plan.repositories:
            if part.steps:
                saved[part.repository] = _save_repository(part, writer, session)
        writer.seal()
    return saved


def _save_repository(part: RepositoryPlan, writer: SnapshotWriter, session: Session) -> Saved:
    going = {d.tag: d.digest for d in part.decisions if d.verdict is Verdict.REMOVE and d.digest is not None}
    writer.tags(part.repository, going)
    saved = Saved()
    level = {step.digest for step in part.steps if isinstance(step, DeleteManifest)} | set(going.values())
    while level:
        raws = _read(part.repository, level, saved, session)
        writer.add(part.repository, raws)
        for raw in raws:
            saved.manifests[raw.digest] = raw.parse()
        found = (saved.manifests[raw.digest] for raw in raws)
        children = {child.digest for manifest in found if isinstance(manifest, Manifest) for child in manifest.children}
        level = children - saved.manifests.keys() - saved.absent
    return saved


def _read(repository: Repository, digests: set[Digest], saved: Saved, session: Session) -> list[RawManifest]:
    cache = session.manifests
    found = dict(cache.get(digests))
    driver = session.driver(repository)
    wanted = sorted(digests - found.keys())

    def fetch(digest: Digest) -> RawManifest | None:
        return driver.fetch_manifest(repository.path, digest)

    fresh = dict(session.work(repository, "saving manifests for undo", wanted, fetch))
    saved.absent.update(digest for digest, raw in fresh.items() if raw is None)
    read = {digest: raw for digest, raw in fresh.items() if raw is not None}
    cache.put(read.values())
    found.update(read)
    return [found[digest] for digest in sorted(found)]
