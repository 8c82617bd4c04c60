"""Images written straight into the filesystem storage of `distribution`: seeding without a request.

Blobs lie under ``blobs/<algorithm>/<two digits>/<hex>/data``; a repository holds only link files, whose content is a
digest: ``_layers`` for blobs, ``_manifests/revisions`` for manifests, ``_manifests/tags/<tag>/current`` for tags, and
``_manifests/tags/<tag>/index`` for every digest that the tag has had. A running registry sees what is written at once.
Source: the comment that opens registry/storage/paths.go of github.com/distribution/distribution (2.8 and 3 agree).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tagsweep.model.reference import Digest
from tagsweep.testing.images import BuiltImage


class StorageLayout:
    """Writes images below ``root``, the ``rootdirectory`` of the registry's filesystem driver.

    Remembers what it has written, so that a layer shared by many images is written once.
    """

    def __init__(self, root: Path) -> None:
        self._base = str(root / "docker" / "registry" / "v2")
        self._directories: set[str] = set()
        self._stored: set[Digest] = set()
        self._linked: set[str] = set()

    def write(self, repository: str, image: BuiltImage, tags: Iterable[str] = ()) -> None:
        """Store ``image`` in ``repository`` and point ``tags`` at its top manifest."""
        home = f"{self._base}/repositories/{repository}"
        for digest, content in image.blobs.items():
            self._store(digest, content)
            self._link(f"{home}/_layers/{digest.algorithm}/{digest.hex}/link", digest)
        for manifest in image.manifests:
            self._store(manifest.digest, manifest.data)
            self._link(
                f"{home}/_manifests/revisions/{manifest.digest.algorithm}/{manifest.digest.hex}/link", manifest.digest
            )
        for tag in tags:
            place = f"{home}/_manifests/tags/{tag}"
            self._write(f"{place}/current/link", image.top.encode())
            self._write(f"{place}/index/{image.top.algorithm}/{image.top.hex}/link", image.top.encode())

    def _store(self, digest: Digest, content: bytes) -> None:
        if digest not in self._stored:
            self._stored.add(digest)
            self._write(f"{self._base}/blobs/{digest.algorithm}/{digest.hex[:2]}/{digest.hex}/data", content)

    def _link(self, path: str, digest: Digest) -> None:
        if path not in self._linked:
            self._linked.add(path)
            self._write(path, digest.encode())

    def _write(self, path: str, content: bytes) -> None:
        # Hundreds of thousands of tiny files: plain descriptors, and each directory is made once.
        directory = path.rpartition("/")[0]
        if directory not in self._directories:
            os.makedirs(directory, exist_ok=True)  # noqa: PTH103 - measurably faster than Path for very many files
            self._directories.add(directory)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            os.write(descriptor, content)
        finally:
            os.close(descriptor)
