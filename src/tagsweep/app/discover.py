"""Reading a repository: its tags, their manifests and whatever else the policy needs, in as few requests as can be.

Requests: the pages of the tag list, then one a tag. Where a GET is not counted as a pull, that one is a GET, which
brings digest and manifest together; a tag whose last known digest is in the cache costs a HEAD instead, and a digest
that is in the cache is never fetched again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

from tagsweep.app.config_facts import read_config
from tagsweep.core.derived import Derived, derived_from
from tagsweep.model.errors import (
    AuthenticationFailed,
    PermissionDenied,
    ProtocolViolation,
    RateLimited,
    RegistryError,
    Unreachable,
)
from tagsweep.model.inventory import Inventory, TagState, TimeOrigin
from tagsweep.model.manifest import DOCKER_MANIFEST, OCI_MANIFEST, Manifest, RawManifest, Unreadable
from tagsweep.model.reference import Digest, Repository
from tagsweep.ports import ReadsTimes

if TYPE_CHECKING:
    from tagsweep.app.needs import Needs
    from tagsweep.app.session import Session
    from tagsweep.model.manifest import Descriptor
    from tagsweep.ports import ListedTag, RegistryDriver
    from tagsweep.stores.manifests import ConfigFacts

_IMAGE_TYPES: Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
_MAX_CONFIG: Final = 4 * 1024 * 1024
_STOPS_EVERYTHING: Final = (Unreachable, AuthenticationFailed, PermissionDenied, RateLimited)
"""Errors that say something about the connection, not about one tag: going on would only gather more of them."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True)
class _Reading:
    """What has been read so far of one repository."""

    repository: Repository
    driver: RegistryDriver
    session: Session
    digests: dict[str, Digest] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    manifests: dict[Digest, Manifest | Unreadable] = field(default_factory=dict)
    missing: set[Digest] = field(default_factory=set)
    fresh: list[RawManifest] = field(default_factory=list)

    def take(self, raw: RawManifest) -> None:
        """Keep a manifest that the registry just sent."""
        self.manifests[raw.digest] = raw.parse()
        self.fresh.append(raw)

    def recall(self, digests: Iterable[Digest]) -> None:
        """Take from the cache whatever it has."""
        wanted = [digest for digest in digests if digest not in self.manifests]
        for digest, raw in self.session.manifests.get(wanted).items():
            self.manifests[digest] = raw.parse()

    def work(self, task: str, items: Iterable[K], function: Callable[[K], V]) -> Generator[tuple[K, V], None, None]:
        """Run ``function`` over the items, telling the progress."""
        return self.session.work(self.repository, task, items, function)

    def save(self) -> None:
        """Put everything fresh into the cache."""
        if self.fresh:
            self.session.manifests.put(self.fresh)
            self.fresh.clear()


def discover(
    repository: Repository, *, needs: Needs, session: Session, now: datetime, roots: Iterable[Digest] = ()
) -> Inventory:
    """Return the inventory of ``repository`` at ``now``; ``roots`` are digests to read although no tag names them.

    A tag that cannot be read is in it with the problem in words; an error that concerns the whole registry (no
    connection, no rights, rate limit) is raised instead. The ledger learns what was seen.
    """
    driver = session.driver(repository)
    session.progress.begin(f"{repository}: listing tags", None)
    listed = driver.list_tags(repository.path)
    reading = _Reading(repository=repository, driver=driver, session=session)
    try:
        _read_tags(reading, listed)
        _fetch(reading, "reading what is in use by digest", set(roots))
        _read_indexes(reading)
        _read_subjects(reading)
        listed, needs = _read_times(reading, listed, needs)
        if needs.images:
            _read_images(reading)
    finally:
        reading.save()
    facts = _read_configs(reading) if needs.configs else {}
    ledger = session.ledger
    ledger.observe(repository, reading.digests, now)
    first_seen = ledger.first_seen(repository)
    return Inventory(
        repository=repository,
        taken_at=now,
        tags=tuple(_state(tag, reading, facts, first_seen, needs) for tag in listed),
        manifests=reading.manifests,
        missing=frozenset(reading.missing),
    )


# --- tags ---------------------------------------------------------------------------------------------------------
def _read_tags(reading: _Reading, listed: tuple[ListedTag, ...]) -> None:
    known = reading.session.ledger.last_digests(reading.repository)
    reading.recall({*known.values(), *(tag.digest for tag in listed if tag.digest is not None)})
    head_first = reading.driver.capabilities(reading.repository.path).reads_count_as_pulls
    path = reading.repository.path

    def read(tag: ListedTag) -> Digest | RawManifest | str | None:
        if tag.digest is not None:
            return tag.digest
        try:
            if head_first or known.get(tag.name) in reading.manifests:
                return reading.driver.resolve_tag(path, tag.name)
            return reading.driver.fetch_manifest(path, tag.name)
        except _STOPS_EVERYTHING:
            raise
        except RegistryError as error:
            return str(error)

    for tag, found in reading.work("reading tags", listed, read):
        if isinstance(found, RawManifest):
            reading.take(found)
            reading.digests[tag.name] = found.digest
        elif isinstance(found, Digest):
            reading.digests[tag.name] = found
        elif found is None:
            reading.absent.add(tag.name)
            reading.problems[tag.name] = "the registry lists this tag but answers that it does not exist"
        else:
            reading.problems[tag.name] = found
    _fetch(reading, "reading manifests", set(reading.digests.values()))


def _fetch(reading: _Reading, task: str, digests: set[Digest]) -> None:
    """Read these manifests, from the cache where they are there; what is absent goes to ``missing``."""
    reading.recall(digests)
    wanted = sorted(digests - reading.manifests.keys() - reading.missing)

    def fetch(digest: Digest) -> RawManifest | Unreadable | None:
        try:
            return reading.driver.fetch_manifest(reading.repository.path, digest)
        except _STOPS_EVERYTHING:
            raise
        except RegistryError as error:
            return Unreadable(digest=digest, why=str(error))

    for digest, found in reading.work(task, wanted, fetch):
        if isinstance(found, RawManifest):
            reading.take(found)
        elif isinstance(found, Unreadable):
            reading.manifests[digest] = found
        else:
            reading.missing.add(digest)


# --- below the tags -----------------------------------------------------------------------------------------------
def _may_be_index(descriptor: Descriptor) -> bool:
    # Anything that is not certainly an image is read, because it may reach further manifests.
    return descriptor.media_type not in _IMAGE_TYPES


def _read_indexes(reading: _Reading) -> None:
    while True:
        below = {child.digest for child in _children(reading) if _may_be_index(child)}
        unread = below - reading.manifests.keys() - reading.missing
        if not unread:
            break
        _fetch(reading, "reading nested indexes", unread)
    for digest in (below | set(reading.digests.values())) & reading.missing:
        why = "it is referred to, but the registry does not have it"
        reading.manifests.setdefault(digest, Unreadable(digest=digest, why=why))


def _read_subjects(reading: _Reading) -> None:
    """Look for what signatures and other referrers belong to, where no tag or index led there.

    Whether the subject is there decides: a referrer of something that is gone must not stop everything else.
    """
    derived = (derived_from(tag) for tag in reading.digests)
    subjects = {each.subject for each in derived if isinstance(each, Derived)}
    for manifest in reading.manifests.values():
        if isinstance(manifest, Manifest) and manifest.subject is not None:
            subjects.add(manifest.subject.digest)
    unseen = subjects - {child.digest for child in _children(reading)}
    if unseen - reading.manifests.keys():
        _fetch(reading, "looking for subjects of signatures", unseen)
        _read_indexes(reading)


def _read_images(reading: _Reading) -> None:
    _fetch(reading, "reading platform manifests", {child.digest for child in _children(reading)})


def _children(reading: _Reading) -> Iterator[Descriptor]:
    for manifest in tuple(reading.manifests.values()):
        if isinstance(manifest, Manifest):
            yield from manifest.children


# --- times ---------------------------------------------------------------------------------------------------------
def _read_times(reading: _Reading, listed: tuple[ListedTag, ...], needs: Needs) -> tuple[tuple[ListedTag, ...], Needs]:
    """Return the tags with the times that rules name and that the registry tells by a request for each tag, and what
    is needed beyond them. Created times are the registry's for all tags, or for none: they would not be comparable.
    """
    driver = reading.driver
    if not isinstance(driver, ReadsTimes):
        return listed, needs
    wanted = needs.origins & driver.detailed_times
    if needs.labels:
        wanted -= {TimeOrigin.CREATED}  # the configs are read anyway, and have it
    names = [tag.name for tag in listed if tag.name in reading.digests and wanted - tag.times.keys()]
    told: dict[str, Mapping[TimeOrigin, datetime]] = {}
    path = reading.repository.path
    with closing(reading.work("reading times", names, lambda name: _times(driver, path, name))) as answers:
        for name, times in answers:
            told[name] = {origin: moment for origin, moment in times.items() if origin in wanted}
            if TimeOrigin.CREATED in wanted and TimeOrigin.CREATED not in times:
                wanted -= {TimeOrigin.CREATED}  # the configs have it
                if not wanted:
                    break
    if TimeOrigin.CREATED in wanted:
        needs = replace(needs, created=False)
    timed = {name: {o: moment for o, moment in times.items() if o in wanted} for name, times in told.items()}
    return tuple(replace(tag, times={**timed.get(tag.name, {}), **tag.times}) for tag in listed), needs


def _times(driver: ReadsTimes, path: str, name: str) -> Mapping[TimeOrigin, datetime]:
    try:
        return driver.read_times(path, name)
    except _STOPS_EVERYTHING:
        raise
    except RegistryError:
        return {}  # an unknown time keeps the tag


# --- configs ------------------------------------------------------------------------------------------------------
def _read_configs(reading: _Reading) -> Mapping[Digest, ConfigFacts]:
    """Return created times and labels by config digest, for every image below a tag that is not an attestation."""
    wanted = {
        image.config.digest
        for digest in set(reading.digests.values())
        for image in _images_below(digest, reading.manifests)
        if image.config is not None
    }
    cache = reading.session.manifests
    facts = dict(cache.configs(wanted))

    def fetch(digest: Digest) -> bytes | None:
        try:
            return reading.driver.fetch_blob(reading.repository.path, digest, max_bytes=_MAX_CONFIG)
        except ProtocolViolation:
            return None  # too large or not what its digest says: its facts stay unknown

    fresh = {
        digest: read_config(data)
        for digest, data in reading.work("reading image configs", sorted(wanted - facts.keys()), fetch)
        if data is not None
    }
    cache.put_configs(fresh)
    facts.update(fresh)
    return facts


def _images_below(digest: Digest, manifests: Mapping[Digest, Manifest | Unreadable]) -> Iterator[Manifest]:
    seen: set[Digest] = set()
    queue = [digest]
    while queue:
        current = queue.pop()
        manifest = manifests.get(current)
        if current in seen or not isinstance(manifest, Manifest):
            continue
        seen.add(current)
        queue.extend(child.digest for child in manifest.children if not child.is_attestation)
        if not manifest.children:
            yield manifest


def _state(
    tag: ListedTag,
    reading: _Reading,
    facts: Mapping[Digest, ConfigFacts],
    first_seen: Mapping[str, tuple[Digest, datetime]],
    needs: Needs,
) -> TagState:
    digest = reading.digests.get(tag.name)
    times = dict(tag.times)
    labels: Mapping[str, frozenset[str]] | None = None
    seen = first_seen.get(tag.name)
    if seen is not None and seen[0] == digest:
        times[TimeOrigin.FIRST_SEEN] = seen[1]
    if digest is not None and needs.configs:
        configs = [image.config.digest for image in _images_below(digest, reading.manifests) if image.config]
        known = [facts[config] for config in configs if config in facts]
        created = [fact.created for fact in known if fact.created is not None]
        if created and len(created) == len(configs):
            times[TimeOrigin.CREATED] = max(created)
        if len(known) == len(configs):
            labels = _merged_labels(known)
    return TagState(
        name=tag.name,
        digest=digest,
        times=times,
        labels=labels,
        problem=reading.problems.get(tag.name, ""),
        absent=tag.name in reading.absent,
        locked=tag.locked,
    )


def _merged_labels(facts: Iterable[ConfigFacts]) -> Mapping[str, frozenset[str]]:
    merged: dict[str, set[str]] = {}
    for fact in facts:
        for key, value in fact.labels.items():
            merged.setdefault(key, set()).add(value)
    return {key: frozenset(values) for key, values in merged.items()}
