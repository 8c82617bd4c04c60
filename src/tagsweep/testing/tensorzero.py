"""Repositories shaped like TensorZero's on Docker Hub: releases, a tag per commit, and some of them on one digest.

Calendar versions are zero-padded until 2025.04 and plain after it; ``sha-<40 hex>`` tags come one per commit, and some
stand on the digest of a release because one command created both. Every image is an index of two platforms with two
attestations. Base layers are shared by everything of a quarter, dependencies by a month, so that freed space is more
than a count of tags.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from tagsweep.testing.images import AMD64, ARM64, BuiltImage, layer, multi_platform

SOURCE: Final = "https://github.com/tensorzero/tensorzero"


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRecord:
    """One tag, the name of the image it is on (equal names share a digest), and when it was pushed (UTC)."""

    tag: str
    image: str
    pushed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedImage:
    """An image with all its tags; ``pushed_at`` is the time of the first of them."""

    image: BuiltImage
    tags: tuple[str, ...]
    pushed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TagList:
    """The tags of one repository, as somebody wrote them down."""

    repository: str
    records: tuple[TagRecord, ...]

    def images(self, *, layer_bytes: int = 240) -> Iterator[TaggedImage]:
        """Build the images one after another, oldest first; an application layer has ``layer_bytes`` bytes."""
        groups: dict[str, list[TagRecord]] = {}
        for record in self.records:
            groups.setdefault(record.image, []).append(record)
        for name, records in sorted(groups.items(), key=lambda item: (_first(item[1]), item[0])):
            pushed_at = _first(records)
            built = _build(self.repository, name, pushed_at, layer_bytes)
            yield TaggedImage(image=built, tags=tuple(record.tag for record in records), pushed_at=pushed_at)


def load(path: Path) -> tuple[TagList, ...]:
    """Read a tag list file (JSON, or the same gzipped; see tests/data/README.md for its fields)."""
    data = path.read_bytes()
    document = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    return tuple(
        TagList(
            repository=repository,
            records=tuple(
                TagRecord(tag=tag, image=image, pushed_at=datetime.fromtimestamp(seconds, UTC))
                for tag, image, seconds in entries
            ),
        )
        for repository, entries in document["repositories"].items()
    )


def shaped(*, until: datetime, months: int = 24, commits_per_month: int = 3) -> tuple[TagList, ...]:
    """Return ``tensorzero/gateway`` and ``tensorzero/gateway-dev`` in small, ending just before ``until``.

    Each month has two releases. In its middle third the project tagged each release's image with its commit as well,
    which is where ``sha-*`` tags and releases share a digest.
    """
    start = until - timedelta(days=30 * months)
    gateway: list[TagRecord] = []
    development: list[TagRecord] = []
    latest: TagRecord | None = None
    micro: dict[tuple[int, int], int] = {}
    for month in range(months):
        opened = start + timedelta(days=30 * month)
        shares = months // 3 <= month < 2 * months // 3
        for number in range(2):
            record = _release(opened + timedelta(days=6 + 14 * number), micro)
            gateway.append(record)
            if shares:
                tag = f"sha-{_commit(record.image)}"
                gateway.append(TagRecord(tag=tag, image=record.image, pushed_at=record.pushed_at))
            latest = record
        for number in range(commits_per_month):
            moment = opened + timedelta(days=1 + number * 28 / commits_per_month)
            commit = _commit(f"main {month} {number}")
            gateway.append(TagRecord(tag=f"sha-{commit}", image=f"main-{commit[:12]}", pushed_at=moment))
            development.append(TagRecord(tag=f"sha-{commit}", image=f"main-{commit[:12]}", pushed_at=moment))
            if month >= months // 2:
                trial = _commit(f"ci {month} {number}")
                later = moment + timedelta(hours=7)
                development.append(TagRecord(tag=f"ci-sha-{trial[:7]}", image=f"ci-{trial[:12]}", pushed_at=later))
    if latest is not None:
        gateway.append(TagRecord(tag="latest", image=latest.image, pushed_at=latest.pushed_at))
    return (
        TagList(repository="tensorzero/gateway", records=tuple(gateway)),
        TagList(repository="tensorzero/gateway-dev", records=tuple(development)),
    )


def _release(moment: datetime, micro: dict[tuple[int, int], int]) -> TagRecord:
    number = micro.get((moment.year, moment.month), 0)
    micro[moment.year, moment.month] = number + 1
    month = f"{moment.month:02}" if (moment.year, moment.month) <= (2025, 4) else str(moment.month)
    version = f"{moment.year}.{month}.{number}"
    return TagRecord(tag=version, image=f"release-{version}", pushed_at=moment)


def _commit(seed: str) -> str:
    return hashlib.sha1(seed.encode(), usedforsecurity=False).hexdigest()


def _first(records: Sequence[TagRecord]) -> datetime:
    return min(record.pushed_at for record in records)


def _build(repository: str, name: str, pushed_at: datetime, layer_bytes: int) -> BuiltImage:
    quarter = f"{pushed_at.year} quarter {(pushed_at.month + 2) // 3}"
    month = f"{pushed_at.year}-{pushed_at.month:02}"
    return multi_platform(
        f"{repository} {name}",
        created=pushed_at,
        labels={
            "org.opencontainers.image.source": SOURCE,
            "org.opencontainers.image.ref.name": name,
        },
        layers={
            platform: (
                layer(f"base {platform} {quarter}", 2 * layer_bytes),
                layer(f"{repository} dependencies {platform} {month}", layer_bytes),
                layer(f"{repository} {name} {platform}", layer_bytes),
            )
            for platform in (AMD64, ARM64)
        },
    )
