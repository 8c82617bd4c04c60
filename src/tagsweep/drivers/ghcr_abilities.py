"""What GitHub's registry can do, what a token may do with a package, and what GitHub refuses to everybody.

Rules: docs.github.com, "About permissions for GitHub Packages" (classic tokens and their scopes; other tokens are not
taken, but for the one of a workflow) and "Token types" (what tokens begin with).
"""

from __future__ import annotations

from typing import Final

from tagsweep.http.failures import failure, read_error
from tagsweep.model.capability import Capabilities, Capability, Support
from tagsweep.model.errors import Conflict
from tagsweep.model.inventory import TimeOrigin
from tagsweep.ports import Response

_DELETES: Final = "delete:packages"
_READS: Final = ("read:packages", "write:packages")
"""The scopes that let a token read; whoever may write may read."""
_FINE_GRAINED: Final = "github_pat_"
_INSTALLATION: Final = "ghs_"
"""The token of a workflow or an app, which has permissions in place of scopes."""
_FORBIDDEN, _NOT_FOUND = 403, 404

NO_UNTAG: Final = Capability(
    why="GitHub deletes versions, which are digests with all their tags; untag_by_moving: true under registries: "
    "removes one tag of many by moving it first"
)
_UNDO: Final = (
    "GitHub keeps deleted versions for 30 days: tagsweep restore brings them back by its API, people in the package's "
    "settings. A tag that was removed alone is pushed again from the saved bytes."
)
_RECLAIM: Final = (
    "GitHub collects by itself, after the 30 days in which versions can be restored. Platforms of an index are "
    "versions of their own, which tagsweep deletes with it."
)


def abilities(deletion: Capability, referrers: Capability) -> Capabilities:
    """Return everything that is known of the registry, given what was probed."""
    return Capabilities(
        delete_tag=NO_UNTAG,
        delete_manifest=deletion,
        referrers=referrers,
        times=frozenset({TimeOrigin.PUSHED, TimeOrigin.UPDATED}),
        undo=_UNDO,
        reclaim=_RECLAIM,
    )


def by_token(token: str, scopes: str | None) -> Capability | None:
    """Return No where the token itself says that it cannot delete, or None where only a try can tell.

    ``scopes`` is the header X-OAuth-Scopes, which GitHub sends for tokens that have scopes.
    """
    if not token:
        return Capability(support=Support.NO, why="there are no credentials, and GitHub lets nobody delete without")
    if token.startswith(_FINE_GRAINED):
        return Capability(support=Support.NO, why="it is a fine-grained token; GitHub Packages takes classic ones only")
    if scopes is None or token.startswith(_INSTALLATION):
        return None
    has = {scope.strip() for scope in scopes.split(",")}
    missing = [] if has.intersection(_READS) else [_READS[0]]
    if _DELETES not in has:
        missing.append(_DELETES)
    if missing:
        why = f"the token lacks the scope {' and '.join(missing)} (it has: {scopes.strip() or 'none'})"
        return Capability(support=Support.NO, why=why)
    return None


def by_answer(response: Response, *, place: str) -> Capability:
    """Return the ability that the deletion of a version shows which nobody has."""
    said = read_error(response.body).message
    if response.status == _NOT_FOUND:
        return Capability(support=Support.YES, why="GitHub answers a try to delete a version that is absent with 404")
    if response.status == _FORBIDDEN:
        why = (
            f"GitHub answers 403 ({said}): the token needs delete:packages, or in GitHub Actions "
            "permissions: packages: write, and its owner the Admin role for the package"
        )
        return Capability(support=Support.NO, why=why)
    return Capability(support=Support.UNKNOWN, why=str(failure(response, place=place, doing="delete a version")))


def refused(response: Response, *, place: str, doing: str) -> Conflict:
    """Return what a 400 to a deletion stands for: this version is not deleted, whoever asks; the rest goes on."""
    error = failure(response, place=place, doing=doing)
    said = read_error(response.body).message.lower()
    if "last tagged" in said:
        remedy = "GitHub keeps the last tagged version: keep another tag, or delete the package itself"
    elif "download" in said:
        remedy = "GitHub keeps public versions with more than 5,000 downloads; only its support can delete them"
    else:
        remedy = "GitHub does not delete this version; what it says is above"
    return Conflict(str(error), remedy=remedy, status=response.status)
