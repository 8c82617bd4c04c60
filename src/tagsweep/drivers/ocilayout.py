"""Directories in the OCI image layout as a registry: ``oci-layout:/srv/images`` holds one repository a sub-directory.

A sub-directory is a repository if it has an ``oci-layout`` file. Its tags are the entries of ``index.json`` whose
annotation ``org.opencontainers.image.ref.name`` is a tag; everything else lies under ``blobs/<algorithm>/<hex>``.
Source: github.com/opencontainers/image-spec, image-layout.md (1.1). Every change happens under a lock on the directory
and replaces ``index.json`` by rename, so that readers see the old list or the new one, and a crash leaves one of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tagsweep.drivers.layoutfiles import LayoutFiles
from tagsweep.model.capability import Capabilities, Capability, Support
from tagsweep.model.errors import Conflict, InvalidReference, NotFound, ProtocolViolation, Unsupported
from tagsweep.model.manifest import (
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Kind,
    Manifest,
    RawManifest,
    parse_manifest,
)
from tagsweep.model.reference import Digest, is_tag
from tagsweep.ports import ListedTag

if TYPE_CHECKING:
    from tagsweep.model.policy import RegistrySettings
    from tagsweep.ports import Clock, Progress

PREFIX: Final = "oci-layout:"
_REF_NAME: Final = "org.opencontainers.image.ref.name"
_MOST_BYTES: Final = 8 * 1024 * 1024
"""No manifest is larger; bigger blobs are layers and are not read."""
_RECLAIM: Final = (
    "nothing collects garbage in an OCI image layout by itself: copy the tags that are left into a new layout, "
    "for example with skopeo or oras, and put it in the place of this one"
)


class OciLayoutDriver:
    """Reads and changes the layouts below one directory.

    A manifest that a remaining entry of ``index.json`` still needs is never deleted: that is a Conflict. Entries whose
    name is no tag (full references, or none) are left alone and protect what they name.
    """

    name = "ocilayout"

    def __init__(self, root: Path, clock: Clock) -> None:
        self._root = root
        self._clock = clock
        self._probed: dict[str, Capabilities] = {}
        self._known: dict[Path, Manifest | None] = {}

    @classmethod
    def connect(
        cls,
        settings: RegistrySettings,
        *,
        clock: Clock,
        progress: Progress,  # noqa: ARG003 - the contract of every driver; files need no pauses to tell of
    ) -> OciLayoutDriver:
        """Return the driver for the directory that ``settings.host`` names; nothing is read yet."""
        directory = settings.host.removeprefix(PREFIX)
        if directory == settings.host or not directory.startswith("/"):
            raise InvalidReference(
                f"{settings.host!r} names no directory of OCI layouts", remedy=f"write {PREFIX}/absolute/directory"
            )
        return cls(Path(directory), clock)

    # --- what it can do -------------------------------------------------------------------------------------------
    def capabilities(self, repository: str) -> Capabilities:
        """Return what was probed, or that deletion is not known yet."""
        unknown = Capability(support=Support.UNKNOWN, why="whether the directory can be written was not tried yet")
        return self._probed.get(repository, _capabilities(unknown))

    def probe(self, repository: str) -> Capabilities:
        """Find out whether the layout's files may be changed, by their permissions."""
        layout = self._layout(repository)
        if layout.writable:
            deletion = Capability(support=Support.YES, why="index.json and blobs can be written")
        else:
            deletion = Capability(support=Support.NO, why=f"{layout.directory} cannot be written by this user")
        self._probed[repository] = _capabilities(deletion)
        return self._probed[repository]

    # --- reading --------------------------------------------------------------------------------------------------
    def list_repositories(self) -> Iterable[str]:
        """Yield the names of the sub-directories that are layouts, sorted."""
        if not self._root.is_dir():
            raise NotFound(f"{self._root} is not a directory", remedy="check the path behind oci-layout: in the policy")
        yield from sorted(entry.parent.name for entry in self._root.glob("*/oci-layout"))

    def list_tags(self, repository: str) -> tuple[ListedTag, ...]:
        """Return the entries of index.json that are tags, each with its digest.

        Raises ProtocolViolation where a tag stands on two digests: nobody could say which of them it keeps.
        """
        layout = self._layout(repository)
        tags: dict[str, Digest] = {}
        for name, digest in map(_named, layout.index()["manifests"]):
            if name is None or not is_tag(name):
                continue
            if tags.setdefault(name, digest) != digest:
                raise ProtocolViolation(
                    f"{layout.directory / 'index.json'} has the tag {name!r} on two digests",
                    remedy="give each of the two entries a name of its own",
                )
        return tuple(ListedTag(name=name, digest=digest) for name, digest in tags.items())

    def resolve_tag(self, repository: str, tag: str) -> Digest | None:
        """Return the digest that the tag is on, or None."""
        return next((entry.digest for entry in self.list_tags(repository) if entry.name == tag), None)

    def has_manifest(self, repository: str, digest: Digest) -> bool:
        """Tell whether the digest is there and is a manifest."""
        return self.fetch_manifest(repository, digest) is not None

    def fetch_manifest(self, repository: str, reference: str) -> RawManifest | None:
        """Return the bytes under a tag or digest, or None; a blob that is no manifest is None."""
        layout = self._layout(repository)
        digest = Digest.parse(reference) if ":" in reference else self.resolve_tag(repository, reference)
        if digest is None or not _is_small(layout.path(digest)):
            return None
        data = layout.read(digest, max_bytes=_MOST_BYTES)
        if data is None:
            return None
        media_type = self._media_type(layout, digest, data)
        return RawManifest(digest=digest, media_type=media_type, data=data) if media_type else None

    def list_referrers(self, repository: str, subject: Digest) -> tuple[Descriptor, ...] | None:
        """Return the manifests of the layout, tagged or not, whose subject this is."""
        layout = self._layout(repository)
        found = (self._parsed(layout, path) for path in layout.json_files(max_bytes=_MOST_BYTES))
        return tuple(
            Descriptor(
                digest=manifest.digest,
                media_type=manifest.media_type,
                size=manifest.size,
                artifact_type=manifest.artifact_type or (manifest.config.media_type if manifest.config else ""),
                annotations=manifest.annotations,
            )
            for manifest in found
            if manifest is not None and manifest.subject is not None and manifest.subject.digest == subject
        )

    def has_blob(self, repository: str, digest: Digest) -> bool:
        """Tell whether the blob's file is there."""
        return self._layout(repository).path(digest).is_file()

    def fetch_blob(self, repository: str, digest: Digest, *, max_bytes: int) -> bytes | None:
        """Return a small blob, checked against its digest, or None."""
        return self._layout(repository).read(digest, max_bytes=max_bytes)

    # --- changing -------------------------------------------------------------------------------------------------
    def delete_tag(self, repository: str, tag: str) -> bool:
        """Take the tag's entry out of index.json; the manifest stays under its digest."""
        layout = self._changeable(repository, self.capabilities(repository).delete_tag)
        with layout.locked(self._clock):
            document = layout.index()
            kept = [entry for entry in document["manifests"] if _named(entry)[0] != tag]
            if len(kept) == len(document["manifests"]):
                return False
            layout.replace_index({**document, "manifests": kept})
        return True

    def delete_manifest(self, repository: str, digest: Digest) -> bool:
        """Take every tag of the digest out of index.json, then remove its file."""
        layout = self._changeable(repository, self.capabilities(repository).delete_manifest)
        with layout.locked(self._clock):
            document = layout.index()
            named = [entry for entry in document["manifests"] if _named(entry)[1] == digest]
            rest = [entry for entry in document["manifests"] if _named(entry)[1] != digest]
            if not layout.path(digest).is_file() and not named:
                return False
            for name in (name for name, _ in map(_named, named) if name is not None and not is_tag(name)):
                raise Conflict(f"{layout.directory}: {digest.short} also has the name {name!r}, which is no tag")
            if digest in self._needed(layout, rest):
                raise Conflict(f"{layout.directory}: an index that is still there contains {digest.short}")
            if named:
                layout.replace_index({**document, "manifests": rest})
            layout.remove(digest)
        return True

    def put_manifest(self, repository: str, reference: str, manifest: RawManifest) -> Digest:
        """Store the bytes, and point the tag at them where ``reference`` is one."""
        layout = self._layout(repository)
        parsed = manifest.parse()
        if ":" in reference and reference != manifest.digest:
            raise ProtocolViolation(f"{reference} is not the digest of the manifest {manifest.digest}")
        if isinstance(parsed, Manifest):
            for needed in (*parsed.blobs, *parsed.children):
                if not layout.path(needed.digest).is_file():
                    raise NotFound(f"{layout.directory} no longer has {needed.digest}, which the manifest needs")
        with layout.locked(self._clock):
            layout.store(manifest.digest, manifest.data)
            if ":" not in reference:
                self._point(layout, reference, manifest)
            elif isinstance(parsed, Manifest) and parsed.subject is not None:
                self._point(layout, None, manifest)
        return manifest.digest

    def close(self) -> None:
        """Nothing is held open."""

    # --- inside ---------------------------------------------------------------------------------------------------
    def _layout(self, repository: str) -> LayoutFiles:
        if not repository or {".", ".."} & set(repository.split("/")):
            raise InvalidReference(f"{repository!r} is not the name of a directory below {self._root}")
        layout = LayoutFiles(self._root / repository)
        if not layout.exists:
            raise NotFound(
                f"{layout.directory} is not an OCI image layout (it has no oci-layout file)",
                remedy="name the directory that contains oci-layout, index.json and blobs",
            )
        return layout

    def _changeable(self, repository: str, deletion: Capability) -> LayoutFiles:
        if not deletion.usable:
            raise Unsupported(f"{self._root / repository}: nothing can be deleted: {deletion.why}")
        return self._layout(repository)

    def _point(self, layout: LayoutFiles, tag: str | None, manifest: RawManifest) -> None:
        """Write an entry for the manifest: in place of the tag's, or without a name where it has none yet."""
        document = layout.index()
        entries = document["manifests"]
        if tag is None and any(_named(entry)[1] == manifest.digest for entry in entries):
            return
        others = [entry for entry in entries if tag is None or _named(entry)[0] != tag]
        entry: dict[str, Any] = {
            "mediaType": manifest.media_type,
            "digest": manifest.digest,
            "size": len(manifest.data),
        }
        if tag is not None:
            entry["annotations"] = {_REF_NAME: tag}
        layout.replace_index({**document, "manifests": [*others, entry]})

    def _media_type(self, layout: LayoutFiles, digest: Digest, data: bytes) -> str:
        """Return the media type of a manifest: its own, that of its entry, or by its structure; else empty."""
        for entry in layout.index()["manifests"]:
            if _named(entry)[1] == digest and entry.get("mediaType"):
                return str(entry["mediaType"])
        parsed = parse_manifest(data, media_type="", digest=digest)
        if not isinstance(parsed, Manifest):
            return ""
        return parsed.media_type or (OCI_INDEX if parsed.kind is Kind.INDEX else OCI_MANIFEST)

    def _parsed(self, layout: LayoutFiles, path: Path) -> Manifest | None:
        """Return what a blob file means as a manifest, remembered because a digest's bytes never change."""
        if path not in self._known:
            digest = Digest(f"{path.parent.name}:{path.name}")
            parsed = parse_manifest(layout.bytes_in(path), media_type="", digest=digest)
            self._known[path] = parsed if isinstance(parsed, Manifest) else None
        return self._known[path]

    def _needed(self, layout: LayoutFiles, entries: list[dict[str, Any]]) -> set[Digest]:
        """Return every digest that the entries reach through indexes, at any depth."""
        reached: set[Digest] = set()
        pending = [digest for _, digest in map(_named, entries)]
        while pending:
            digest = pending.pop()
            if digest in reached:
                continue
            reached.add(digest)
            if _is_small(layout.path(digest)):
                parsed = self._parsed(layout, layout.path(digest))
                pending.extend(child.digest for child in (parsed.children if parsed is not None else ()))
        return reached


def _capabilities(deletion: Capability) -> Capabilities:
    return Capabilities(
        delete_tag=deletion,
        delete_manifest=deletion,
        referrers=Capability(support=Support.YES, why="every manifest of the layout is looked through"),
        reads_count_as_pulls=False,
        reclaim=_RECLAIM,
    )


def _named(entry: dict[str, Any]) -> tuple[str | None, Digest]:
    """Return the name (a tag, another text, or None) and the digest of an entry of index.json."""
    annotations = entry.get("annotations")
    name = annotations.get(_REF_NAME) if isinstance(annotations, dict) else None
    return (str(name) if name is not None else None), Digest(entry["digest"])


def _is_small(path: Path) -> bool:
    """Tell whether the file is there and could be a manifest by its size."""
    return path.is_file() and path.stat().st_size <= _MOST_BYTES
