"""How a vendor's API is told who asks, by the credentials that its users have already, and what they may do there."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from tagsweep.drivers.credentials import CredentialStore
from tagsweep.http.auth import Credentials, Lookup
from tagsweep.http.failures import failure
from tagsweep.http.rest import Authorize
from tagsweep.model.capability import Capability, Support
from tagsweep.model.errors import AuthenticationFailed, PermissionDenied
from tagsweep.ports import Response

_NOT_FOUND: Final = 404
Header: TypeAlias = Callable[[Credentials], Mapping[str, str]]


def once(lookup: Lookup) -> Lookup:
    """Return a look-up that asks once for each repository: a credential helper may ask a person."""
    found: dict[str, Credentials | None] = {}
    looking = threading.Lock()

    def find(repository: str) -> Credentials | None:
        with looking:
            if repository not in found:
                found[repository] = lookup(repository)
            return found[repository]

    return find


def basic(credentials: Credentials) -> Mapping[str, str]:
    """Return the header for a user and password; none where only a token is known."""
    return {"Authorization": credentials.basic} if credentials.basic else {}


def bearer(credentials: Credentials) -> Mapping[str, str]:
    """Return the header for a token, wherever the credentials hold it."""
    token = credentials.identity_token or credentials.password
    return {"Authorization": f"Bearer {token}"} if token else {}


def authorized(lookup: Lookup, header: Header) -> Authorize:
    """Return what authorizes requests to an API with the credentials for the registry as a whole."""
    find = once(lookup)

    def authorize(refused: Mapping[str, str] | None) -> Mapping[str, str]:  # noqa: ARG001 - the shape of Authorize
        found = find("")
        return {} if found is None else header(found)

    return authorize


def store_with_variables(
    store: CredentialStore, names: Sequence[str], made: Callable[[str, str], Credentials]
) -> Lookup:
    """Return a look-up that knows a vendor's variables too: after tagsweep's own, before Docker's files.

    ``made`` makes credentials of a variable's value and of the words for where it was found.
    """

    def find(repository: str) -> Credentials | None:
        found = store.from_environment()
        if found is not None:
            return found
        for name in names:
            value = os.environ.get(name)
            if value:
                return made(value, f"environment, {name}")
        return store.find(repository)

    return find


def by_absent_tag(remove: Callable[[], Response], *, place: str) -> Capability:
    """Return the ability that ``remove``, the removal of a tag that nobody has, shows by its answer."""
    doing = "remove a tag that is absent, to see whether that is allowed"
    try:
        response = remove()
    except (AuthenticationFailed, PermissionDenied) as error:
        return Capability(why=str(error))
    if response.status == _NOT_FOUND and "json" in response.headers.get("content-type", ""):
        return Capability(support=Support.YES, why="a try to remove a tag that is absent is answered with 404")
    told = failure(response, place=place, doing=doing)
    support = Support.NO if isinstance(told, PermissionDenied) else Support.UNKNOWN
    return Capability(support=support, why=str(told))
