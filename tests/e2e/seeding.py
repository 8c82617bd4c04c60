"""A real registry that holds tensorzero/gateway, written straight into its storage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tagsweep.model.reference import Digest
from tagsweep.testing.storage_layout import StorageLayout
from tagsweep.testing.tensorzero import TaggedImage
from tests.e2e.kit import GATEWAY, gateway, own_server
from tests.real.servers import Server, ServerKind


@contextmanager
def seeded(kind: ServerKind, images: Iterable[TaggedImage] | None = None) -> Iterator[tuple[Server, dict[str, Digest]]]:
    """Run a real registry with these images (None: all of tensorzero/gateway), and give its tags."""
    with own_server(kind) as server:
        yield server, add(server, gateway().images() if images is None else images)


def add(server: Server, images: Iterable[TaggedImage]) -> dict[str, Digest]:
    """Write more images, as a quarter of CI would push them; return their tags."""
    assert server.root is not None
    layout = StorageLayout(server.root)
    tags: dict[str, Digest] = {}
    for built in images:
        layout.write(GATEWAY, built.image, built.tags)
        tags.update(dict.fromkeys(built.tags, built.image.top))
    return tags
