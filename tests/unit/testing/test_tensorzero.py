"""TensorZero's repositories: the file holds what was published, and the small shape has all its peculiarities."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest

from tagsweep.model.manifest import Manifest
from tagsweep.testing.tensorzero import TagList, load, shaped

DATA = Path(__file__).parents[2] / "data" / "tensorzero.json.gz"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
COUNTS = {
    "tensorzero/gateway": 226,
    "tensorzero/ui": 226,
    "tensorzero/evaluations": 119,
    "tensorzero/gateway-dev": 4842,
    "tensorzero/ui-dev": 4842,
    "tensorzero/evaluations-dev": 3135,
}


@pytest.fixture(scope="module")
def published() -> dict[str, TagList]:
    """Return the six repositories of the file."""
    return {entry.repository: entry for entry in load(DATA)}


def test_the_file_holds_all_tags(published: dict[str, TagList]) -> None:
    """Six repositories with 13,390 tags, each once."""
    assert {name: len(entry.records) for name, entry in published.items()} == COUNTS
    assert sum(COUNTS.values()) == 13390
    for entry in published.values():
        assert len({record.tag for record in entry.records}) == len(entry.records)


def test_releases_share_digests_with_commit_tags(published: dict[str, TagList]) -> None:
    """In `gateway` 226 tags stand on 190 images, and 35 commit tags share the image of a release."""
    records = published["tensorzero/gateway"].records
    releases = {record.image for record in records if not record.tag.startswith("sha-")}
    commits = [record for record in records if record.tag.startswith("sha-")]
    assert len({record.image for record in records}) == 190
    assert sum(record.image in releases for record in commits) == 35
    assert all(re.fullmatch(r"sha-[0-9a-f]{40}", record.tag) for record in commits)


def test_images_are_built_with_their_tags(published: dict[str, TagList]) -> None:
    """Tags of one image come together on one digest; each image has five manifests; order is by time."""
    built = list(islice(published["tensorzero/gateway"].images(), 120))
    assert all(len(each.image.manifests) == 5 for each in built)
    assert [each.pushed_at for each in built] == sorted(each.pushed_at for each in built)
    assert len({each.image.top for each in built}) == len(built)
    assert any(len(each.tags) > 1 for each in built)


def test_the_config_was_created_when_it_was_pushed(published: dict[str, TagList]) -> None:
    """`created` in the config is the time of the push."""
    first = next(published["tensorzero/gateway"].images())
    stamp = first.pushed_at.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    assert any(b'"created":"' + stamp in content for content in first.image.blobs.values())


def test_the_small_shape_has_every_peculiarity() -> None:
    """Zero-padded and plain versions, shared digests, `latest`, a -dev repository with two kinds of build tags."""
    gateway, development = shaped(until=NOW)
    tags = [record.tag for record in gateway.records]
    assert any(re.fullmatch(r"2025\.0[1-4]\.\d", tag) for tag in tags)
    assert any(re.fullmatch(r"2025\.[5-9]\.\d", tag) for tag in tags)
    assert "latest" in tags
    by_image: dict[str, list[str]] = {}
    for record in gateway.records:
        by_image.setdefault(record.image, []).append(record.tag)
    assert any(len(names) == 2 and any(name.startswith("sha-") for name in names) for names in by_image.values())
    others = [record.tag for record in development.records]
    assert all(re.fullmatch(r"sha-[0-9a-f]{40}|ci-sha-[0-9a-f]{7}", tag) for tag in others)
    for entry in (gateway, development):
        assert len({record.tag for record in entry.records}) == len(entry.records)
        assert all(record.pushed_at < NOW for record in entry.records)


def test_the_small_shape_is_the_same_every_time() -> None:
    """The same end gives the same repositories and the same digests."""
    first, second = (shaped(until=NOW)[0] for _ in range(2))
    assert first == second
    assert [each.image.top for each in islice(first.images(), 5)] == [
        each.image.top for each in islice(second.images(), 5)
    ]


def test_layers_are_shared_within_a_month_and_a_quarter() -> None:
    """Images share base and dependency layers, so that freed space is more than a count of tags."""
    images = [each.image for each in shaped(until=NOW, months=3)[0].images(layer_bytes=1000)]
    named: list[tuple[str, ...]] = []
    for image in images:
        parsed = image.manifests[0].parse()
        assert isinstance(parsed, Manifest)
        named.append(tuple(layer.digest for layer in parsed.layers))
    assert len({layers[2] for layers in named}) == len(images)
    assert 1 < len({layers[1] for layers in named}) < len(images)
    assert len({layers[0] for layers in named}) <= 2
