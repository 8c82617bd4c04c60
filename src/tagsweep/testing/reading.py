"""How the fake registry answers what only reads: catalogs, tag lists, manifests, blobs and referrers."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, assert_never
from urllib.parse import quote

from tagsweep.model.errors import InvalidReference
from tagsweep.model.manifest import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Platform, RawManifest
from tagsweep.model.reference import Digest
from tagsweep.testing.answers import as_json, error, manifest_unknown, refusal
from tagsweep.testing.dialects import BAD_PAGE, AcceptRule, Dialect, LastRule, LinkForm, NoReferrers, Paging, Refusal
from tagsweep.testing.images import digest_of, encode
from tagsweep.testing.routes import BlobAt, ManifestAt, Referrers, TagsList
from tagsweep.testing.storage import Storage, StoredRepository
from tagsweep.testing.wire import Answer, WireRequest

SCHEMA_1: Final = "application/vnd.docker.distribution.manifest.v1+prettyjws"
_DEFAULT_PLATFORM: Final = Platform("linux", "amd64")


class Reader:
    """Answers reads of ``storage`` as ``dialect`` does. ``blob_host`` is where blobs are, if elsewhere.

    ``base`` is the registry's own address, with its scheme.
    """

    def __init__(self, storage: Storage, dialect: Dialect, *, base: str, blob_host: str | None = None) -> None:
        self._storage = storage
        self._dialect = dialect
        self._base = base
        self._blob_host = blob_host

    def catalog(self, query: Mapping[str, str]) -> Answer:
        """Answer ``_catalog``; every dialect pages it, distribution 2.x too."""
        dialect = self._dialect
        rules = replace(
            dialect,
            paging=dialect.paging if dialect.paging is Paging.SILENT else Paging.LINK,
            last=dialect.last if dialect.paging is Paging.SILENT else LastRule.AFTER,
            page_size=dialect.catalog_page if dialect.catalog_page is not None else dialect.page_size,
            largest_page=dialect.largest_catalog_page or dialect.largest_page,
            large_page=BAD_PAGE if dialect.largest_catalog_page is not None else dialect.large_page,
        )
        with self._storage.lock:
            names = sorted(path for path, stored in self._storage.repositories.items() if stored.known)
        found = self._page(names, query, "/v2/_catalog", rules)
        if isinstance(found, Answer):
            return found
        page, headers = found
        return as_json({"repositories": page}, headers=headers)

    def tags(self, route: TagsList, request: WireRequest, query: Mapping[str, str]) -> Answer:
        """Answer ``tags/list``."""
        dialect = self._dialect
        if dialect.tags_need_json and not _admits(request, "application/json"):
            return Answer(status=406, headers={"Content-Type": "text/plain"}, body=b"Not acceptable")
        with self._storage.lock:
            repository = self._storage.known(route.repository)
            if repository is None:
                return error(404, "NAME_UNKNOWN", "repository name not known to registry")
            names = list(repository.tags)
        names.sort(key=None if dialect.sorted_tags else _directory_order)
        last = query.get("last")
        if last is not None and dialect.last is LastRule.MUST_EXIST and last not in names:
            return error(404, "NAME_UNKNOWN", "the last tag is not there")
        found = self._page(names, query, f"/v2/{route.repository}/tags/list", dialect)
        if isinstance(found, Answer):
            return found
        page, headers = found
        listed = None if dialect.null_when_empty and not names else page
        return as_json({"name": route.repository, "tags": listed}, headers=headers)

    def manifest(self, route: ManifestAt, request: WireRequest) -> Answer:
        """Answer a manifest by tag or digest, converted or refused where the dialect minds what is accepted."""
        with self._storage.lock:
            repository = self._storage.known(route.repository)
            if repository is None:
                unknown = self._dialect.unknown_repository
                return refusal(unknown) if unknown is not None else manifest_unknown()
            by_tag = ":" not in route.reference
            if by_tag:
                stored = repository.tags.get(route.reference)
            else:
                try:
                    stored = repository.manifests.get(Digest.parse(route.reference))
                except InvalidReference:
                    return refusal(self._dialect.malformed_digest)
            if stored is None:
                return manifest_unknown()
            negotiated = self._negotiate(stored, repository, request, by_tag=by_tag)
        return negotiated if isinstance(negotiated, Answer) else self._serve(negotiated)

    def blob(self, route: BlobAt, method: str) -> Answer:
        """Answer a blob; ``method`` matters because only GETs are sent elsewhere."""
        with self._storage.lock:
            repository = self._storage.repositories.get(route.repository)
            known = repository is not None and route.digest in repository.blobs
            content = self._storage.blobs.get(Digest(route.digest)) if known else None
        if content is None:
            return error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        if self._blob_host is not None and method == "GET":
            place = f"http://{self._blob_host}/stored/{route.digest}?signature=abc"
            return Answer(status=307, headers={"Location": place})
        headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": route.digest}
        return Answer(status=200, headers=headers, body=content)

    def referrers(self, route: Referrers, query: Mapping[str, str]) -> Answer:
        """Answer the referrers API, or as the dialect does without it."""
        match self._dialect.referrers:
            case NoReferrers.PLAIN_TEXT:
                return Answer(status=404, headers={"Content-Type": "text/plain"}, body=b"404 page not found\n")
            case NoReferrers.METHOD_UNKNOWN:
                return error(404, "METHOD_UNKNOWN", "we don't understand your method + url")
            case None:
                pass
            case _:
                assert_never(self._dialect.referrers)
        with self._storage.lock:
            repository = self._storage.repositories.get(route.repository, StoredRepository())
            found = [self._descriptor(each) for each in repository.referrers(Digest(route.digest))]
        headers = {}
        if "artifactType" in query:
            found = [entry for entry in found if entry.get("artifactType") == query["artifactType"]]
            headers["OCI-Filters-Applied"] = "artifactType"
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found}
        return as_json(document, media_type=OCI_INDEX, headers=headers)

    def _descriptor(self, manifest: RawManifest) -> dict[str, Any]:
        parsed = self._storage.parsed(manifest)
        entry: dict[str, Any] = {
            "mediaType": manifest.media_type,
            "digest": manifest.digest,
            "size": len(manifest.data),
        }
        if parsed is not None:
            config_type = parsed.config.media_type if parsed.config is not None else ""
            entry["artifactType"] = parsed.artifact_type or config_type
            entry["annotations"] = dict(parsed.annotations)
        return entry

    def _page(
        self, names: Sequence[str], query: Mapping[str, str], path: str, rules: Dialect
    ) -> tuple[Sequence[str], dict[str, str]] | Answer:
        """Return the page that is asked for, and a Link to the next one where the dialect sends it; or a refusal."""
        if rules.paging is Paging.IGNORED:
            return names, {}
        size = _size(query, rules)
        if isinstance(size, Refusal):
            return refusal(size)
        start = _start(names, query.get("last"), rules)
        if size is None:
            return names[start:], {}
        end = start + (max(1, size - 1) if rules.short_pages else size)
        page = names[start:end]
        if rules.repeats_across_pages and "last" in query and start > 0:
            page = [names[start - 1], *page]
        more = end < len(names) or rules.link_on_last_page
        if not more or not page or rules.paging is Paging.SILENT:
            return page, {}
        return page, {"Link": self._link(f"{path}?last={quote(page[-1], safe='')}&n={size}", rules.link)}

    def _link(self, target: str, form: LinkForm) -> str:
        match form:
            case LinkForm.RELATIVE:
                place = ""
            case LinkForm.ABSOLUTE:
                place = self._base
            case LinkForm.FOREIGN:
                place = "http://registry.invalid"
            case _:
                assert_never(form)
        return f'<{place}{target}>; rel="next"'

    def _serve(self, manifest: RawManifest) -> Answer:
        headers = {"Content-Type": manifest.media_type}
        if self._dialect.digest_header:
            headers["Docker-Content-Digest"] = manifest.digest
        return Answer(status=200, headers=headers, body=manifest.data)

    def _negotiate(  # noqa: PLR0911 - the rules in the order in which distribution applies them
        self, stored: RawManifest, repository: StoredRepository, request: WireRequest, *, by_tag: bool
    ) -> RawManifest | Answer:
        """Apply the dialect's rule about ``Accept``: what is stored, something else, or an error."""
        rule, accept = self._dialect.accept, request.headers.get("accept", "")
        if rule is AcceptRule.ANY or stored.media_type in accept:
            return stored
        if stored.media_type == OCI_MANIFEST:
            return _not_accepted("OCI manifest found, but accept header does not support OCI manifests")
        if stored.media_type == OCI_INDEX and rule is AcceptRule.DISTRIBUTION_2:
            return _not_accepted("OCI index found, but accept header does not support OCI indexes")
        if not by_tag or stored.media_type not in (DOCKER_LIST, DOCKER_MANIFEST):
            return stored
        if stored.media_type == DOCKER_LIST:
            child = self._default_child(stored, repository)
            if child is None:
                return manifest_unknown()
            if DOCKER_MANIFEST in accept or child.media_type != DOCKER_MANIFEST:
                return child
            if rule is AcceptRule.DISTRIBUTION_3:
                return error(400, "MANIFEST_INVALID", "Schema 2 manifest not supported by client")
            stored = child
        return self._to_schema_1(stored) if rule is AcceptRule.DISTRIBUTION_2 else stored

    def _default_child(self, stored: RawManifest, repository: StoredRepository) -> RawManifest | None:
        parsed = self._storage.parsed(stored)
        entries = parsed.children if parsed is not None else ()
        chosen = next((entry for entry in entries if entry.platform == _DEFAULT_PLATFORM), None)
        return repository.manifests.get(chosen.digest) if chosen is not None else None

    def _to_schema_1(self, stored: RawManifest) -> RawManifest | Answer:
        """Return the manifest rewritten in schema 1, which has another digest; 400 where its history has gaps."""
        parsed = self._storage.parsed(stored)
        config = self._storage.blobs.get(parsed.config.digest) if parsed is not None and parsed.config else None
        if parsed is None or config is None:
            return error(400, "MANIFEST_INVALID", "manifest invalid")
        steps = [step for step in json.loads(config).get("history", []) if not step.get("empty_layer")]
        if len(steps) != len(parsed.layers):
            return error(400, "MANIFEST_INVALID", "manifest invalid")
        document = {
            "schemaVersion": 1,
            "architecture": json.loads(config).get("architecture", ""),
            "fsLayers": [{"blobSum": layer.digest} for layer in reversed(parsed.layers)],
            "history": [{"v1Compatibility": json.dumps(step)} for step in reversed(steps)],
        }
        data = encode(document)
        return RawManifest(digest=digest_of(data), media_type=SCHEMA_1, data=data)


def _not_accepted(message: str) -> Answer:
    return error(404, "MANIFEST_UNKNOWN", message)


def _admits(request: WireRequest, media_type: str) -> bool:
    accept = request.headers.get("accept", "")
    return media_type in accept or "*/*" in accept or not accept


def _directory_order(name: str) -> int:
    """Return a key that is the same in every run and means nothing, as the order of a directory does."""
    return zlib.crc32(name.encode())


def _size(query: Mapping[str, str], rules: Dialect) -> int | Refusal | None:
    asked = query.get("n", "")
    if not (asked.isascii() and asked.isdecimal()):
        return rules.odd_page if asked and rules.odd_page is not None else rules.page_size
    if rules.largest_page is None or int(asked) <= rules.largest_page:
        return int(asked)
    return rules.large_page if rules.large_page is not None else rules.largest_page


def _start(names: Sequence[str], last: str | None, rules: Dialect) -> int:
    if last is None:
        return 0
    after = next((place for place, name in enumerate(names) if name > last), len(names))
    if rules.last is LastRule.SKIPS_ONE and last not in names:
        return min(after + 1, len(names))
    if rules.last is LastRule.WRAPS and after == len(names):
        return 0
    return after
