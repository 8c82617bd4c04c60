"""What the answers of an OCI registry mean: absence that is certain, bytes that fit their digest, lists in JSON."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from tagsweep.drivers.schema1 import signed_payload
from tagsweep.http.failures import REFUSALS, Said, failure, read_error
from tagsweep.model.errors import InvalidReference, ProtocolViolation
from tagsweep.model.manifest import MANIFEST_TYPES, OCI_INDEX, RawManifest
from tagsweep.model.reference import Digest, is_tag
from tagsweep.ports import Response

NOT_FOUND: Final = 404
_NOT_ABOUT_THE_THING: Final = REFUSALS | {"UNSUPPORTED", "TOOMANYREQUESTS"}
_NEGOTIATION: Final = "accept header does not support"
_HASHES: Final = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}
_VAGUE_TYPES: Final = frozenset({"", "application/json", "application/octet-stream", "text/plain"})


def certainly_absent(response: Response, *, place: str, doing: str) -> bool:
    """Tell whether this 404 says that the thing does not exist; False for every other status.

    Raises ProtocolViolation for a 404 that does not prove it: distribution 2.x answers one when the Accept header
    lacks a type, and a proxy or a web page answers one for whatever it does not know. Raises PermissionDenied or
    Unsupported for a 404 whose code says that the thing may not be seen or the request is not served.
    """
    if response.status != NOT_FOUND:
        return False
    said = read_error(response.body)
    if said.code in _NOT_ABOUT_THE_THING:
        raise failure(response, place=place, doing=doing)
    if said.structured and _NEGOTIATION not in said.message.lower():
        return True
    raise unclear(response, said, place=place, doing=doing)


def unclear(response: Response, said: Said, *, place: str, doing: str) -> ProtocolViolation:
    """Return the error for a 404 that does not come from a registry, or that means something else."""
    what = said.message or "without a registry's error"
    return ProtocolViolation(
        f"{place}: cannot {doing}: a 404 that does not say that it is absent ({what})",
        remedy="check that the host and path are a registry's and no proxy answers for it",
        status=response.status,
        code=said.code,
    )


def is_a_registrys(response: Response) -> bool:
    """Tell whether an answer without a body is surely a registry's own: it is JSON and names the registry's API.

    A web server's 404 is no JSON; an API gateway's may be, but it does not name the API.
    """
    headers = response.headers
    return "json" in headers.get("content-type", "") and "docker-distribution-api-version" in headers


def digest_header(response: Response, *, place: str) -> Digest | None:
    """Return Docker-Content-Digest, or None where there is none; ProtocolViolation if it is no digest."""
    text = response.headers.get("docker-content-digest")
    if text is None:
        return None
    try:
        return Digest.parse(text)
    except InvalidReference as error:
        raise ProtocolViolation(f"{place}: Docker-Content-Digest is no digest: {text[:100]!r}") from error


def digest_of(data: bytes, algorithm: str = "sha256") -> Digest | None:
    """Return the digest of ``data``, or None for an algorithm that Python does not have."""
    function = _HASHES.get(algorithm)
    return Digest(f"{algorithm}:{function(data, usedforsecurity=False).hexdigest()}") if function is not None else None


def verified(data: bytes, digest: Digest, *, place: str, what: str) -> Digest:
    """Return ``digest`` if ``data`` has it, or raise ProtocolViolation: nothing may be concluded from other bytes."""
    actual = digest_of(data, digest.algorithm)
    if actual is None:
        raise ProtocolViolation(
            f"{place}: {what} has a digest of the algorithm {digest.algorithm!r}, which is not known"
        )
    if actual != digest:
        raise ProtocolViolation(
            f"{place}: the bytes of {what} have the digest {actual.short}, not {digest.short} as the registry says",
            remedy="a proxy or an old registry converts manifests; ask the registry itself",
        )
    return digest


def raw_manifest(response: Response, *, asked: Digest | None, place: str, what: str) -> RawManifest:
    """Return the manifest in a 200 answer, checked against the header and against the digest ``asked``, if any."""
    told = digest_header(response, place=place)
    media_type = _media_type(response)
    signed = signed_payload(response.body, media_type)
    named = response.body if signed is None else signed
    if asked is not None:
        digest = verified(named, asked, place=place, what=what)
        if told is not None and told.algorithm == digest.algorithm and told != digest:
            raise ProtocolViolation(f"{place}: {what} is answered with the digest {told.short}")
    elif told is not None:
        digest = verified(named, told, place=place, what=what)
    else:
        digest = Digest(f"sha256:{hashlib.sha256(named).hexdigest()}")
    return RawManifest(digest=digest, media_type=media_type, data=response.body)


def _media_type(response: Response) -> str:
    served = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if served not in _VAGUE_TYPES:
        return served
    try:
        inner = json.loads(response.body)["mediaType"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return served
    return inner if inner in MANIFEST_TYPES else served


def names_in(response: Response, key: str, *, place: str, doing: str) -> tuple[str, ...]:
    """Return the list of names under ``key`` (``tags``, ``repositories``) of a 200 answer; null is an empty list."""
    try:
        document: Any = json.loads(response.body)
        names = document[key]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ProtocolViolation(f"{place}: cannot {doing}: the answer is not a registry's list ({key})") from error
    if names is None:
        return ()
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ProtocolViolation(f"{place}: cannot {doing}: {key} is not a list of names")
    return tuple(names)


def tags_in(response: Response, *, place: str, doing: str) -> tuple[str, ...]:
    """Return the tags of a 200 answer to a tag list; ProtocolViolation if a name among them is none of a tag."""
    names = names_in(response, "tags", place=place, doing=doing)
    for name in names:
        if not is_tag(name):
            raise ProtocolViolation(f"{place}: cannot {doing}: the list holds {name[:130]!r}, which is no tag")
    return names


def expect(response: Response, *statuses: int, place: str, doing: str) -> Response:
    """Return ``response`` if it has one of ``statuses``, or raise the error that it stands for."""
    if response.status in statuses:
        return response
    raise failure(response, place=place, doing=doing)


def lists_null(body: bytes) -> bool:
    """Tell whether a list of referrers is empty as olareg writes it: an index with ``"manifests": null``."""
    try:
        document = json.loads(body)
    except ValueError:
        return False
    is_index = isinstance(document, dict) and document.get("mediaType") == OCI_INDEX
    return is_index and "manifests" in document and document["manifests"] is None
