"""QuayDriver: quay.io and Red Hat Quay, whose own API lists tags with their times, removes one tag, and puts it back.

With an OAuth token. Without one everything goes by the registry API, which has no times and no time machine. Facts:
Quay's source: a manifest that no tag reaches does not answer any more, and goes after the time machine's window.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from tagsweep.core.options import OptionReader
from tagsweep.drivers.connection import Connection
from tagsweep.drivers.credentials import CredentialStore
from tagsweep.drivers.over_oci import OverOci
from tagsweep.drivers.quay_api import QuayApi
from tagsweep.drivers.vendor_access import once
from tagsweep.drivers.vendor_lists import in_order
from tagsweep.http.auth import Credentials, Lookup
from tagsweep.http.failures import failure, read_error
from tagsweep.model.capability import NOT_PROBED, Capabilities, Capability, Support
from tagsweep.model.errors import ConfigurationError, Conflict
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import Digest, canonical_registry
from tagsweep.ports import Clock, ListedTag, Progress

OAUTH_USER: Final = "$oauthtoken"
"""The user's name with which the registry API takes an OAuth token as a password."""
_QUAY_IO: Final = "quay.io"
_TOKEN: Final = "QUAY_TOKEN"  # noqa: S105 - the name of a variable
_DONE: Final = frozenset({200, 201, 204})
_NOT_FOUND: Final = 404
_DAY: Final = 86_400
_MOST_NAMED: Final = 5
_RIGHTS: Final = (
    "use an OAuth access token with the scopes repo:read and repo:write, of a user who may write to the repository"
)
_NO_NEED: Final = Capability(why="Quay collects by itself what no tag reaches, so nothing is deleted by digest")
_RECLAIM: Final = (
    "Quay collects by itself, once the time machine's window of the namespace has passed: what no tag reached for so "
    "long goes, and cannot be restored any more."
)
_BY_HAND: Final = (
    "Quay's time machine, by hand: Tag History on the repository's page. tagsweep asks it only with an OAuth token "
    "(QUAY_TOKEN for quay.io, or the option token_env); without one it pushes the saved manifests again."
)


class QuayDriver(OverOci):
    """Implements :class:`tagsweep.ports.RegistryDriver` and :class:`tagsweep.ports.TakesBack` for Quay.

    Made by :meth:`connect`. Option: ``token_env``, the variable with the OAuth token; QUAY_TOKEN for quay.io.
    """

    name = "quay"

    def __init__(self, connection: Connection, *, lookup: Lookup, token: str) -> None:
        where = connection.where
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        rest = connection.rest(f"{where.base_url}/api/v1", headers=headers)
        super().__init__(place=where.host, oci=connection.oci(lookup), beside=rest)
        self._api = QuayApi(rest)
        self._with_api = bool(token)
        self._progress = connection.progress

    @classmethod
    def connect(cls, settings: RegistrySettings, *, clock: Clock, progress: Progress) -> QuayDriver:
        """Return a driver for the Quay that ``settings`` describe; nothing is sent yet."""
        connection = Connection.to(settings, clock=clock, progress=progress)
        options = OptionReader(f"registries: {settings.host}", settings.options)
        named = options.text("token_env")
        options.done()
        host = connection.where.host
        store = CredentialStore(host).find
        token = find_token(host, named, environ=os.environ)
        if not token:  # whoever ran docker login with such a token need not name it twice
            known = store("")
            token = known.password if known is not None and known.username == OAUTH_USER else ""

        def find(repository: str) -> Credentials | None:
            ours = Credentials(username=OAUTH_USER, password=token, found_in="the OAuth token") if token else None
            return store(repository) or ours

        return cls(connection, lookup=once(find), token=token)

    # --- abilities ------------------------------------------------------------------------------------------------
    def declared(self) -> Capabilities:
        """Return what holds for every Quay; deletion is Unknown."""
        return Capabilities(
            delete_tag=NOT_PROBED,
            delete_manifest=_NO_NEED,
            referrers=NOT_PROBED,
            times=frozenset({TimeOrigin.PUSHED}) if self._with_api else frozenset(),
            reads_count_as_pulls=True,
            last_tag_takes_manifest=True,
            undo="" if self._with_api else _BY_HAND,
            reclaim=_RECLAIM,
        )

    def find_out(self, repository: str) -> Capabilities:
        """Ask Quay what the token may do and for how long it keeps what is removed; nothing is asked to be removed by
        its API. Raises NotFound where the token cannot see the repository.
        """
        described = self._api.describe(repository) if self._with_api else {}
        found = self._oci.probe(repository)
        delete_tag = self._may_remove(repository, described) if self._with_api else found.delete_tag
        undo = self._undo(described) if self._with_api and delete_tag.usable else self.declared().undo
        if not self._with_api:
            self._progress.note(
                f"{self._place}: no OAuth token ({_TOKEN} for {_QUAY_IO}, or the option token_env), so {repository} "
                "has no push times, no expirations and no undo by Quay's time machine"
            )
        return replace(
            self.declared(),
            delete_tag=delete_tag,
            referrers=found.referrers,
            undo=undo,
        )

    def _may_remove(self, repository: str, described: Mapping[str, object]) -> Capability:
        state = described.get("state", "NORMAL")
        if state != "NORMAL":
            return Capability(why=f"Quay holds {repository} as {state}, so nobody changes its tags by hand")
        can_write = described.get("can_write")
        if can_write is True:
            return Capability(support=Support.YES, why="Quay says that this token may write to the repository")
        if can_write is False:
            return Capability(why=f"the token may not write to {repository}; {_RIGHTS}")
        return Capability(support=Support.UNKNOWN, why="Quay does not say whether this token may write")

    def _undo(self, described: Mapping[str, object]) -> str:
        window = described.get("tag_expiration_s")
        if not isinstance(window, int) or isinstance(window, bool):
            length = "as long as the settings of the namespace say"
        elif window <= 0:
            return ""
        else:
            length = f"{window / _DAY:g} days" if window >= _DAY else f"{window} seconds"
        return (
            f"Quay's time machine keeps removed tags for {length}: tagsweep restore asks it, and people find it in the "
            "Tag History of the repository"
        )

    # --- listing --------------------------------------------------------------------------------------------------
    def list_namespace(self, namespace: str) -> Iterable[str]:
        """Yield the repositories of one namespace."""
        if self._with_api:
            return self._api.repositories(namespace)
        return (path for path in self._oci.list_repositories() if path.startswith(f"{namespace}/"))

    def list_tags(self, repository: str) -> tuple[ListedTag, ...]:
        """Return every tag; with an OAuth token also its digest, when it was pushed, and whether it is immutable."""
        if not self._with_api:
            return self._oci.list_tags(repository)
        told, expire = self._api.tags(repository)
        if expire:
            self._tell_expiring(repository, expire)
        return in_order(self.names(repository), told)

    def _tell_expiring(self, repository: str, expire: Mapping[str, datetime]) -> None:
        first = sorted(expire.items(), key=lambda item: (item[1], item[0]))
        named = ", ".join(f"{name} on {moment:%Y-%m-%d}" for name, moment in first[:_MOST_NAMED])
        rest = f" and {len(first) - _MOST_NAMED} more" if len(first) > _MOST_NAMED else ""
        self._progress.note(f"{self._place}: tags of {repository} expire by themselves, kept or not: {named}{rest}")

    # --- removing and taking back ---------------------------------------------------------------------------------
    def _remove(self, repository: str, tag: str, doing: str) -> bool:
        """Remove the tag and nothing else; False if it was absent. The time machine keeps it."""
        if not self._with_api:
            return self._oci.delete_tag(repository, tag)
        response = self._api.remove(repository, tag)
        if "immutable" in read_error(response.body).message:
            error = failure(response, place=self._place, doing=doing)
            raise Conflict(str(error), remedy="make a new plan, in which it stays", status=error.status)
        return self._ended(repository, tag, response, doing)

    def take_back(self, repository: str, digest: Digest, tags: Sequence[str]) -> bool:
        """Let the time machine put the tags back on ``digest``; a tag that is on something else by now is left there.

        False where there is no OAuth token, where no tag is asked for (Quay knows nothing without a tag), and where the
        window has passed.
        """
        if not self._with_api or not tags or not self.probe(repository).undo:
            return False
        absent = [tag for tag in tags if self._oci.resolve_tag(repository, tag) is None]
        for tag in absent:
            response = self._api.restore(repository, tag, digest)
            if response.status == _NOT_FOUND:
                return False
            if response.status not in _DONE:
                raise failure(response, place=self._place, doing=f"restore {repository}:{tag}")
        return bool(absent)


def find_token(host: str, named: str | None, *, environ: Mapping[str, str]) -> str:
    """Return the OAuth token for ``host``: of the variable that the policy names for it, else QUAY_TOKEN for quay.io.

    A token goes only to the host that it is for, so QUAY_TOKEN is not tried at another one.
    """
    if named is None:
        return environ.get(_TOKEN, "") if canonical_registry(host) == _QUAY_IO else ""
    token = environ.get(named, "")
    if not token:
        raise ConfigurationError(
            f"registries: {host}: token_env names {named}, which is not set in the environment",
            remedy=f"set {named} to an OAuth access token of Quay, or leave token_env out",
        )
    return token
