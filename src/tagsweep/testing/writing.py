"""How the fake registry answers what changes it: deletions, pushed manifests and uploaded blobs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from tagsweep.model.errors import InvalidReference
from tagsweep.model.manifest import Manifest, RawManifest
from tagsweep.model.reference import Digest
from tagsweep.testing.answers import error, errors, manifest_unknown, refusal
from tagsweep.testing.dialects import Dialect, PutRule
from tagsweep.testing.images import digest_of
from tagsweep.testing.routes import ManifestAt, Upload
from tagsweep.testing.storage import Storage, StoredRepository
from tagsweep.testing.wire import Answer, WireRequest


class Writer:
    """Changes ``storage`` as ``dialect`` allows."""

    def __init__(self, storage: Storage, dialect: Dialect) -> None:
        self._storage = storage
        self._dialect = dialect
        self._uploads: dict[str, bytes] = {}
        self._numbers = itertools.count(1)

    def delete(self, route: ManifestAt) -> Answer:
        """Answer the DELETE of a tag or of a manifest."""
        dialect = self._dialect
        if dialect.read_only is not None:
            return refusal(dialect.read_only)
        with self._storage.lock:
            repository = self._storage.known(route.repository)
            if ":" in route.reference:
                return self._delete_digest(route, repository)
            if dialect.tag_delete is not None:
                return refusal(dialect.tag_delete)
            if repository is None:
                return self._no_repository()
            gone = repository.tags.pop(route.reference, None)
        return Answer(status=202) if gone is not None else manifest_unknown()

    def put(self, route: ManifestAt, request: WireRequest) -> Answer:
        """Answer the PUT of a manifest under a tag or digest."""
        dialect = self._dialect
        if dialect.read_only is not None:
            return refusal(dialect.read_only)
        by_digest = ":" in route.reference
        try:
            named = Digest.parse(route.reference) if by_digest else None
        except InvalidReference:
            return error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        digest = digest_of(request.body, algorithm=named.algorithm if named is not None else "sha256")
        media_type = request.headers.get("content-type", "")
        manifest = RawManifest(digest=digest, media_type=media_type, data=request.body)
        with self._storage.lock:
            repository = self._storage.repositories.get(route.repository, StoredRepository())
            parsed = self._storage.parsed(manifest)
            if (wrong := self._object_to(repository, manifest, parsed, named)) is not None:
                return wrong
            self._storage.repositories[route.repository] = repository  # a refused push makes no repository
            repository.add(named if named is not None else digest, manifest, parsed)
            if named is None:
                repository.point(route.reference, manifest)
        headers = {"Location": f"/v2/{route.repository}/manifests/{digest}", "Docker-Content-Digest": digest}
        if dialect.referrers is None and parsed is not None and parsed.subject is not None:
            headers["OCI-Subject"] = parsed.subject.digest
        return Answer(status=201, headers=headers)

    def upload(self, route: Upload, request: WireRequest, query: Mapping[str, str]) -> Answer:
        """Answer every step of an upload: POST opens it (or mounts a blob), PATCH adds, PUT ends."""
        if self._dialect.read_only is not None:
            return refusal(self._dialect.read_only)
        with self._storage.lock:
            if request.method == "POST":
                return self._open(route, request, query)
            if route.upload not in self._uploads:
                return error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
            if request.method == "DELETE":
                del self._uploads[route.upload]
                return Answer(status=204)
            self._uploads[route.upload] += request.body
            if request.method == "PUT":
                content = self._uploads.pop(route.upload)
                return self._finish(route, content, query.get("digest", ""))
            return self._progress(route, 202 if request.method == "PATCH" else 204)

    def _delete_digest(  # noqa: PLR0911 - one return a refusal
        self, route: ManifestAt, repository: StoredRepository | None
    ) -> Answer:
        dialect = self._dialect
        try:
            digest = Digest.parse(route.reference)
        except InvalidReference:
            # distribution 2.x takes what is no digest for a tag.
            return refusal(dialect.tag_delete or dialect.malformed_digest)
        if dialect.digest_delete is not None:
            return refusal(dialect.digest_delete)
        if repository is None:
            return self._no_repository()
        if digest not in repository.manifests:
            return manifest_unknown()
        tagged = repository.tags_on(digest)
        if dialect.tagged_delete is not None and tagged:
            return refusal(dialect.tagged_delete)
        if dialect.child_delete is not None and repository.parents(digest):
            return refusal(dialect.child_delete)
        self._drop(repository, digest)
        if dialect.digest_delete_takes_tags:
            for tag in tagged:
                del repository.tags[tag]
        return Answer(status=202)

    def _drop(self, repository: StoredRepository, digest: Digest) -> None:
        parsed = self._storage.parsed(repository.manifests.pop(digest))
        if self._dialect.digest_delete_takes_children and parsed is not None:
            for child in parsed.children:
                repository.manifests.pop(child.digest, None)

    def _no_repository(self) -> Answer:
        unknown = self._dialect.unknown_repository_delete or self._dialect.unknown_repository
        return refusal(unknown) if unknown is not None else manifest_unknown()

    def _object_to(
        self, repository: StoredRepository, manifest: RawManifest, parsed: Manifest | None, named: Digest | None
    ) -> Answer | None:
        """Return what is wrong with a pushed manifest, or None."""
        children = parsed.children if parsed is not None else ()
        orphans = [child.digest for child in children if child.digest not in repository.manifests]
        if self._dialect.put is PutRule.CHILDREN:
            return manifest_unknown() if orphans else None
        if named is not None and named != manifest.digest:
            return error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        if parsed is None:
            return error(400, "MANIFEST_INVALID", "manifest invalid")
        missing = [blob.digest for blob in parsed.blobs if blob.digest not in repository.blobs]
        found = [("MANIFEST_BLOB_UNKNOWN", f"blob unknown to registry: {digest}") for digest in (*missing, *orphans)]
        return errors(400, found) if found else None

    def _open(self, route: Upload, request: WireRequest, query: Mapping[str, str]) -> Answer:
        repository = self._storage.repositories.setdefault(route.repository, StoredRepository())
        mount = query.get("mount", "")
        origin = self._storage.repositories.get(query.get("from", ""))
        if origin is not None and mount in origin.blobs:
            repository.blobs.add(Digest(mount))
            return self._stored(route, Digest(mount))
        if "digest" in query:
            return self._finish(route, request.body, query["digest"])
        number = f"upload-{next(self._numbers)}"
        self._uploads[number] = b""
        return self._progress(Upload(route.repository, number), 202)

    def _progress(self, route: Upload, status: int) -> Answer:
        headers = {
            "Location": f"/v2/{route.repository}/blobs/uploads/{route.upload}",
            "Docker-Upload-UUID": route.upload,
            "Range": f"0-{max(0, len(self._uploads[route.upload]) - 1)}",
        }
        return Answer(status=status, headers=headers)

    def _finish(self, route: Upload, content: bytes, named: str) -> Answer:
        try:
            digest = Digest.parse(named)
        except InvalidReference:
            return error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        if digest_of(content, algorithm=digest.algorithm) != digest:
            return error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self._storage.blobs[digest] = content
        self._storage.repositories.setdefault(route.repository, StoredRepository()).blobs.add(digest)
        return self._stored(route, digest)

    def _stored(self, route: Upload, digest: Digest) -> Answer:
        headers = {"Location": f"/v2/{route.repository}/blobs/{digest}", "Docker-Content-Digest": digest}
        return Answer(status=201, headers=headers)
