"""What Artifactory knows of an image's files: each tag is a folder with the manifest in it, found by AQL.

Rules: JFrog's REST API, "Artifactory Query Language", "Folder Info". Without rights of an administrator a query has to
include repository, path and name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from tagsweep.drivers.vendor_lists import digest_in, newest, objects, within
from tagsweep.http.failures import failure
from tagsweep.http.rest import RestClient
from tagsweep.model.errors import AuthenticationFailed, Conflict, PermissionDenied, ProtocolViolation
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.reference import Digest

_OK, _FORBIDDEN, _NOT_FOUND = 200, 403, 404
MANIFESTS: Final = frozenset({"manifest.json", "list.manifest.json"})
PLATFORM: Final = re.compile(r"sha256__[0-9a-f]{64}")
"""The folder of a manifest that was pushed by its digest, as the platforms of an index are."""
_FIELDS: Final = ("repo", "path", "name", "created", "modified", "updated", "sha256", "stat.downloaded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an image is: the key of its repository and its path within."""

    key: str
    image: str

    def folder(self, tag: str) -> str:
        """Return the path of a tag's folder, ready for a URL."""
        return "/".join(quote(part, safe="") for part in (self.key, *self.image.split("/"), tag))


@dataclass(frozen=True, slots=True, kw_only=True)
class TagFolder:
    """What is known of a tag's folder: the digest of its one manifest, times, and whether images are below it."""

    digest: Digest | None = None
    times: Mapping[TimeOrigin, datetime]
    holds_images: bool = False


def query(place: Place) -> bytes:
    """Return the query for all manifests below an image."""
    named = [{"name": name} for name in sorted(MANIFESTS)]
    wanted = {"repo": place.key, "path": {"$match": f"{place.image}/*"}, "$or": named}
    fields = ",".join(json.dumps(field) for field in _FIELDS)
    return f"items.find({json.dumps(wanted)}).include({fields})".encode()


def folders(rest: RestClient, place: Place, *, note: Callable[[str], None]) -> dict[str, TagFolder]:
    """Return what a search tells of the tags of an image; nothing, with a note, where it is not allowed."""
    doing = f"search for the tags of {place.key}/{place.image}"
    headers = {"Content-Type": "text/plain"}
    try:
        response = rest.send("POST", "/api/search/aql", body=query(place), headers=headers, about=place.key)
    except (AuthenticationFailed, PermissionDenied) as error:
        note(f"{error}: nothing is known of pushes and pulls")
        return {}
    if response.status == _FORBIDDEN:
        note(f"{rest.place}: these credentials may not search {place.key}: nothing is known of pushes and pulls")
        return {}
    if response.status != _OK:
        raise failure(response, place=rest.place, doing=doing)
    document = rest.read(response, doing=doing)
    trimmed = within(document, "range", "notification")
    if trimmed:  # what is missing would look like tags that were never pulled and have nothing below them
        raise ProtocolViolation(
            f"{rest.place}: cannot {doing}: Artifactory cuts the result ({str(trimmed)[:200]})",
            remedy="raise the limit of AQL results in Artifactory's system properties",
        )
    found: dict[str, list[Mapping[str, Any]]] = {}
    below: set[str] = set()
    for entry in objects(document, "results", place=rest.place, doing=doing):
        tag, slash, _ = str(entry.get("path")).removeprefix(f"{place.image}/").partition("/")
        if slash:
            below.add(tag)
        else:
            found.setdefault(tag, []).append(entry)
    return {tag: _folder(found.get(tag, []), holds_images=tag in below) for tag in found.keys() | below}


def _folder(entries: list[Mapping[str, Any]], *, holds_images: bool) -> TagFolder:
    digests = {entry.get("sha256") for entry in entries}
    times = {
        TimeOrigin.PUSHED: newest(*(e.get(key) for e in entries for key in ("created", "modified", "updated"))),
        TimeOrigin.PULLED: newest(*(each.get("downloaded") for e in entries for each in _statistics(e))),
    }
    return TagFolder(
        digest=digest_in(f"sha256:{digests.pop()}") if len(digests) == 1 else None,
        times={origin: time for origin, time in times.items() if time is not None},
        holds_images=holds_images,
    )


def _statistics(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = entry.get("stats")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def stands_alone(rest: RestClient, place: Place, tag: str) -> bool:
    """Tell whether the folder of a tag is there; raise Conflict where it is not only a tag's.

    An image ``app/v1`` is a folder within the folder of the tag ``v1`` of ``app``, and would go with it.
    """
    doing = f"look into the folder of the tag {tag} of {place.key}/{place.image}"
    response = rest.send("GET", f"/api/storage/{place.folder(tag)}", about=place.key)
    if response.status == _NOT_FOUND:
        return False
    children = objects(rest.read(response, doing=doing), "children", place=rest.place, doing=doing)
    if not all(isinstance(child.get("folder"), bool) for child in children):
        raise ProtocolViolation(f"{rest.place}: cannot {doing}: the answer does not tell folders from files")
    if any(child["folder"] for child in children):
        raise Conflict(
            f"{rest.place}: the folder {place.key}/{place.image}/{tag} holds other folders, which would go with it",
            remedy="move what is below the tag's folder elsewhere, or keep the tag",
        )
    if not MANIFESTS & {str(child.get("uri", "")).strip("/") for child in children}:
        raise Conflict(f"{rest.place}: the folder {place.key}/{place.image}/{tag} holds no manifest, so it is no tag's")
    return True
