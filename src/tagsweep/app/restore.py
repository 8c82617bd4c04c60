"""Taking a run back: the saved bytes are put under their digests and tags again, what is needed before what needs it.

A tag is put back only when everything below it answers, so that a restore never leaves a tag that cannot be pulled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from tagsweep.http.curl_errors import TRUNCATED
from tagsweep.model.errors import (
    ConfigurationError,
    NotFound,
    ProtocolViolation,
    RegistryError,
    ServerFailed,
    StateError,
    Unreachable,
)
from tagsweep.model.manifest import Manifest, is_foreign
from tagsweep.model.run import RestoreKind, RestoreOutcome
from tagsweep.ports import TakesBack
from tagsweep.stores.snapshots import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tagsweep.app.session import Session
    from tagsweep.model.manifest import RawManifest
    from tagsweep.model.reference import Digest, Reference, Repository
    from tagsweep.ports import RegistryDriver

_MAX_CONFIG: Final = 4 * 1024 * 1024
_NO_BYTES: Final = (RestoreKind.FAILED, "its bytes are not in the snapshot, or damaged there")
BY_REGISTRY: Final = "by the registry's own undo"


@dataclass(kw_only=True)
class _Restoring:
    """The restoring of one repository."""

    repository: Repository
    session: Session
    raws: Mapping[Digest, RawManifest]
    state: dict[Digest, tuple[RestoreKind, str]] = field(default_factory=dict)
    """How each manifest ended, with the reason where it is not RESTORED or PRESENT."""
    wanted: Mapping[str, Digest]
    """The tags that are to come back."""
    taken_back: set[Digest] = field(default_factory=set)
    """What the registry brought back by its own means."""
    blobs: dict[Digest, bool] = field(default_factory=dict)
    """Which blobs answer: layers are shared, and each is asked for once."""

    @property
    def driver(self) -> RegistryDriver:
        return self.session.driver(self.repository)

    @cached_property
    def subjects(self) -> Mapping[Digest, Digest]:
        """The subject of each saved manifest that has one."""
        parsed = ((digest, raw.parse()) for digest, raw in self.raws.items())
        return {digest: m.subject.digest for digest, m in parsed if isinstance(m, Manifest) and m.subject is not None}

    def missing_blob(self, manifest: Manifest) -> Digest | None:
        """Return a blob that the manifest needs and that the registry no longer has, or None.

        The config is really read: distribution answers from its cache that a blob is there which its own garbage
        collection has removed, takes the manifest, and then serves neither (hazard: distribution issue 1848).
        """
        config = manifest.config
        if config is not None and not self._ask(config.digest, self._can_be_read):
            return config.digest
        for layer in manifest.layers:
            if not is_foreign(layer) and not self._ask(layer.digest, self._answers):
                return layer.digest
        return None

    def _ask(self, digest: Digest, question: Callable[[Digest], bool]) -> bool:
        """Answer the question, asking once for each blob: layers are shared."""
        if digest not in self.blobs:
            self.blobs[digest] = question(digest)
        return self.blobs[digest]

    def _answers(self, digest: Digest) -> bool:
        return self.driver.has_blob(self.repository.path, digest)

    def _can_be_read(self, digest: Digest) -> bool:
        try:
            return self.driver.fetch_blob(self.repository.path, digest, max_bytes=_MAX_CONFIG) is not None
        except (ServerFailed, ProtocolViolation):
            return False
        except Unreachable as error:
            if error.code == TRUNCATED:
                return False
            raise


def restore_run(
    snapshot: Snapshot,
    *,
    removed: Mapping[Repository, Mapping[str, Digest]],
    only: Sequence[Reference],
    session: Session,
) -> tuple[RestoreOutcome, ...]:
    """Put back the tags that the run removed, or of those only the ones that ``only`` names.

    Returns one outcome a tag. A tag that is on another digest now is left alone. What the registry has collected
    since is told apart from what failed. Of what the snapshot lacks, only the registry's own undo can bring back.
    """
    outcomes: list[RestoreOutcome] = []
    for repository, wanted in _wanted(removed, only).items():
        raws = _saved(snapshot, repository, session) if wanted else {}
        restoring = _Restoring(repository=repository, session=session, raws=raws, wanted=wanted)
        _put_manifests(restoring, set(wanted.values()))
        outcomes.extend(_put_tags(restoring, wanted))
    return tuple(outcomes)


def _wanted(
    removed: Mapping[Repository, Mapping[str, Digest]], only: Sequence[Reference]
) -> Mapping[Repository, Mapping[str, Digest]]:
    if not only:
        return removed
    wanted: dict[Repository, dict[str, Digest]] = {}
    for reference in only:
        digest = removed.get(reference.repository, {}).get(reference.tag or "")
        if reference.tag is None or digest is None:
            raise ConfigurationError(
                f"the run did not remove {reference}", remedy="tagsweep history RUN lists what the run removed"
            )
        wanted.setdefault(reference.repository, {})[reference.tag] = digest
    return wanted


def _saved(snapshot: Snapshot, repository: Repository, session: Session) -> dict[Digest, RawManifest]:
    """Return the manifests that the snapshot has whole: a damaged one takes only the tags that need it with it."""
    raws: dict[Digest, RawManifest] = {}
    for digest in snapshot.digests(repository):
        try:
            raws[digest] = snapshot.manifest(digest)
        except StateError as error:
            session.progress.note(str(error))
    return raws


# --- manifests ----------------------------------------------------------------------------------------------------
def _put_manifests(restoring: _Restoring, roots: set[Digest]) -> None:
    """Put everything below the roots, deepest first, level by level."""
    for level in _levels(restoring, roots):
        put = restoring.session.work(
            restoring.repository, "putting back manifests", level, lambda d: _put_one(restoring, d)
        )
        restoring.state.update(put)


def _levels(restoring: _Restoring, roots: set[Digest]) -> list[list[Digest]]:
    """Return the digests in the closure of the roots, grouped so that all that a manifest needs comes before it."""
    height: dict[Digest, int] = {}

    def measure(digest: Digest, path: tuple[Digest, ...]) -> int:
        if digest in height:
            return height[digest]
        if digest in path:
            return 0
        below = [child for child in _needs(restoring, digest) if child in restoring.raws]
        height[digest] = 1 + max((measure(child, (*path, digest)) for child in below), default=-1)
        return height[digest]

    for root in sorted(roots):
        measure(root, ())
    for referrer in sorted(restoring.raws):
        if restoring.subjects.get(referrer) in height:
            measure(referrer, ())
    levels: dict[int, list[Digest]] = {}
    for digest, level in height.items():
        levels.setdefault(level, []).append(digest)
    return [sorted(levels[level]) for level in sorted(levels)]


def _needs(restoring: _Restoring, digest: Digest) -> list[Digest]:
    raw = restoring.raws.get(digest)
    manifest = raw.parse() if raw is not None else None
    if not isinstance(manifest, Manifest):
        return []
    subject = [manifest.subject.digest] if manifest.subject is not None else []
    return [*(child.digest for child in manifest.children), *subject]


def _put_one(restoring: _Restoring, digest: Digest) -> tuple[RestoreKind, str]:
    if _take_back(restoring, digest):
        return RestoreKind.RESTORED, ""
    raw = restoring.raws.get(digest)
    return _put_bytes(restoring, digest, raw) if raw is not None else _NO_BYTES


def _put_bytes(restoring: _Restoring, digest: Digest, raw: RawManifest) -> tuple[RestoreKind, str]:
    path = restoring.repository.path
    try:
        lacking = _lacking(restoring, raw)
        if lacking is not None:
            return lacking
        if restoring.driver.has_manifest(path, digest):
            return RestoreKind.PRESENT, ""
        restoring.driver.put_manifest(path, digest, raw)
    except NotFound as error:
        return RestoreKind.COLLECTED, f"the registry has already collected what it needs ({error})"
    except RegistryError as error:
        return RestoreKind.FAILED, str(error)
    return RestoreKind.RESTORED, ""


def _take_back(restoring: _Restoring, digest: Digest) -> bool:
    """Let the registry bring the manifest back by its own means, where it has any; tell whether it did."""
    driver, path = restoring.driver, restoring.repository.path
    if not isinstance(driver, TakesBack):
        return False
    tags = [tag for tag, on in restoring.wanted.items() if on == digest]
    try:
        if driver.has_manifest(path, digest) and not tags:
            return False
        done = driver.take_back(path, digest, tags) and driver.has_manifest(path, digest)
    except RegistryError as error:
        restoring.session.progress.note(f"{restoring.repository}: its own undo failed ({error}); putting back bytes")
        return False
    if done:
        restoring.taken_back.add(digest)
    return done


def _lacking(restoring: _Restoring, raw: RawManifest) -> tuple[RestoreKind, str] | None:
    """Return how the manifest ends because something that it needs is not there, or None if all is there."""
    manifest = raw.parse()
    if not isinstance(manifest, Manifest):
        return None
    for child in manifest.children:
        ended = restoring.state.get(child.digest)
        if ended is not None and ended[0] in (RestoreKind.COLLECTED, RestoreKind.FAILED):
            return ended
    missing = restoring.missing_blob(manifest)
    if missing is None:
        return None
    return RestoreKind.COLLECTED, f"the registry has already collected its blob {missing.short}"


# --- tags ---------------------------------------------------------------------------------------------------------
def _put_tags(restoring: _Restoring, tags: Mapping[str, Digest]) -> list[RestoreOutcome]:
    repository = restoring.repository
    ended = dict(
        restoring.session.work(repository, "putting back tags", tags, lambda t: _put_tag(restoring, t, tags[t]))
    )
    return [
        RestoreOutcome(repository=repository, tag=tag, digest=tags[tag], kind=kind, why=why)
        for tag, (kind, why) in sorted(ended.items())
    ]


def _put_tag(restoring: _Restoring, tag: str, digest: Digest) -> tuple[RestoreKind, str]:
    kind, why = restoring.state[digest]
    if kind in (RestoreKind.COLLECTED, RestoreKind.FAILED):
        return kind, why
    path = restoring.repository.path
    driver = restoring.driver
    try:
        now = driver.resolve_tag(path, tag)
        if now == digest:
            by_registry = digest in restoring.taken_back
            return (RestoreKind.RESTORED, BY_REGISTRY) if by_registry else (RestoreKind.PRESENT, "")
        raw = restoring.raws.get(digest)
        if now is not None or raw is None:
            return (RestoreKind.MOVED, f"it is on {now.short} now, and was left there") if now else _NO_BYTES
        driver.put_manifest(path, tag, raw)
        now = driver.resolve_tag(path, tag)
    except RegistryError as error:
        return RestoreKind.FAILED, str(error)
    if now != digest:
        return RestoreKind.FAILED, f"the registry put it on {now.short if now else 'nothing'} instead of {digest.short}"
    return RestoreKind.RESTORED, ""
