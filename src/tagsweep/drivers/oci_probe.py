"""Finding out what an OCI registry lets these credentials do, without any side effect.

Deletion is asked of things that do not exist: a digest that nobody can have, and a tag name that was just seen to be
absent. How a registry refuses tells why; an answer that is not understood leaves the ability Unknown.
Facts: distribution 2.8 answers 400 DIGEST_INVALID to the deletion of a tag, 405 UNSUPPORTED where deletion is off.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from tagsweep.http.failures import REFUSALS, failure, read_error
from tagsweep.model.capability import Capabilities, Capability, Support
from tagsweep.model.errors import AuthenticationFailed, NotFound, PermissionDenied
from tagsweep.model.reference import Digest
from tagsweep.ports import Response

_OK, _BAD_REQUEST, _FORBIDDEN, _NOT_FOUND, _NOT_ALLOWED, _NOT_IMPLEMENTED = 200, 400, 403, 404, 405, 501
_NO_REPOSITORY: Final = frozenset({"NAME_UNKNOWN", "NAME_INVALID"})

DIGEST_ONLY: Final = "this registry deletes by digest only, with all tags on the digest"

RECLAIM_DISTRIBUTION_2: Final = (
    "The registry keeps the blobs until its operator runs its garbage collection: make it read-only "
    "(storage: maintenance: readonly: enabled: true) and restart it, run `registry garbage-collect <config>`, and make "
    "it writable again. Never use -m or --delete-untagged on 2.x: it deletes the platform manifests of indexes that "
    "are still tagged."
)
RECLAIM_DISTRIBUTION_3: Final = (
    "Where the registry does not collect by itself: make it read-only and run `registry garbage-collect <config>`. "
    "Untagged manifests go only with --delete-untagged, which needs distribution 3.0 or newer to spare the platform "
    "manifests of tagged indexes."
)


def random_digest() -> Digest:
    """Return a digest that no content has."""
    return Digest(f"sha256:{secrets.token_hex(32)}")


def random_tag() -> str:
    """Return a tag name that nobody uses."""
    return f"tagsweep-probe-{secrets.token_hex(16)}"


def by_deletion(delete: Callable[[], Response], *, place: str, what: str) -> Capability:
    """Return the ability that ``delete``, the deletion of an absent ``what`` (``tag`` or ``manifest``), shows.

    Raises NotFound where the repository does not exist; other errors than refusals are let through.
    """
    try:
        response = delete()
    except (PermissionDenied, AuthenticationFailed) as error:
        return Capability(support=Support.NO, why=str(error))
    said = read_error(response.body)
    doing = f"delete a {what}"
    if response.status == _NOT_FOUND and said.code in _NO_REPOSITORY:
        raise NotFound(
            f"{place}: there is no such repository ({said.message or said.code})",
            remedy="check the repository's name and the rights of the credentials",
            status=response.status,
            code=said.code,
        )
    if response.status == _BAD_REQUEST and said.code == "DIGEST_INVALID" and what == "tag":
        return Capability(support=Support.NO, why=DIGEST_ONLY)
    if response.status in (_NOT_ALLOWED, _NOT_IMPLEMENTED) or said.code == "UNSUPPORTED":
        why = f"the registry does not let anybody {doing}, or its operator switched deletion off"
        return Capability(support=Support.NO, why=f"{why} ({_short(response)})")
    if response.status == _FORBIDDEN or (response.status == _NOT_FOUND and said.code in REFUSALS):
        return Capability(support=Support.NO, why=f"the credentials lack the right to {doing} ({_short(response)})")
    if response.status == _NOT_FOUND and said.structured:
        return Capability(support=Support.YES, why=f"the registry answers a try to {doing} that is absent with 404")
    return Capability(support=Support.UNKNOWN, why=str(failure(response, place=place, doing=doing)))


def by_referrers(response: Response, *, place: str) -> Capability:
    """Return whether the referrers API answers, by its answer for some digest."""
    if response.status == _OK and "json" in response.headers.get("content-type", ""):
        return Capability(support=Support.YES, why="the referrers API answers")
    if response.status in (_NOT_FOUND, _NOT_ALLOWED, _NOT_IMPLEMENTED):
        return Capability(support=Support.NO, why="the registry has no referrers API; the fallback tags are read")
    why = str(failure(response, place=place, doing="ask for referrers"))
    return Capability(support=Support.UNKNOWN, why=why)


def summary(
    *, delete_tag: Capability, delete_manifest: Capability, referrers: Capability, reads_count_as_pulls: bool
) -> Capabilities:
    """Return everything that follows from the three probes."""
    digest_only = delete_tag.support is not Support.YES and delete_manifest.usable
    can_delete = delete_tag.usable or delete_manifest.usable
    reclaim = RECLAIM_DISTRIBUTION_2 if digest_only else RECLAIM_DISTRIBUTION_3
    return Capabilities(
        delete_tag=delete_tag,
        delete_manifest=delete_manifest,
        referrers=referrers,
        reads_count_as_pulls=reads_count_as_pulls,
        delete_cost_grows_with_tags=digest_only,
        reclaim=reclaim if can_delete else "",
    )


def _short(response: Response) -> str:
    said = read_error(response.body)
    return " ".join(part for part in (str(response.status), said.code) if part)
