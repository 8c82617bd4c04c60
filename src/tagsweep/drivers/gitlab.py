"""GitLabDriver: GitLab's container registry. Its REST API removes one tag, tells protections, and the time of a tag.

The names of the tags come from the registry API: GitLab's own list tells nothing more of them. Without a token for the
API everything goes by the registry API, which newer GitLabs let remove one tag as well.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from tagsweep.core.options import OptionReader
from tagsweep.drivers import oci_probe
from tagsweep.drivers.connection import Connection
from tagsweep.drivers.credentials import CredentialStore
from tagsweep.drivers.gitlab_access import GitLabAccess, find_access
from tagsweep.drivers.gitlab_api import DEVELOPER, ROLES, GitLabApi
from tagsweep.drivers.over_oci import OverOci
from tagsweep.drivers.vendor_access import once
from tagsweep.http.auth import Credentials, Lookup
from tagsweep.http.challenge import Scope
from tagsweep.http.failures import failure, read_error
from tagsweep.model.capability import NOT_PROBED, Capabilities, Capability, Support
from tagsweep.model.errors import AuthenticationFailed, Conflict, PermissionDenied, RegistryError
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import Clock, ListedTag, Progress, Response

_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 200, 401, 403, 404
_DETAILED: Final = frozenset({TimeOrigin.CREATED})
_RIGHTS: Final = (
    "use an access token with the scope api and the role Developer or above, or a job token of the project itself"
)
_PROTECTS: Final = "these credentials may remove tags, so GitLab protects this one"
_RECLAIM: Final = (
    "GitLab.com, and self-managed GitLab with the registry's metadata database, collect by themselves what has had no "
    "tag for a day. Elsewhere the operator runs gitlab-ctl registry-garbage-collect, read-only or stopped; its -m also "
    "deletes untagged manifests: not where something is used by digest, or where tags name indexes."
)


class GitLabDriver(OverOci):
    """Implements :class:`tagsweep.ports.RegistryDriver` and :class:`tagsweep.ports.ReadsTimes` for GitLab.

    Made by :meth:`connect`. Options: ``api``, the address of the API; ``token_env``, the variable with its token.
    """

    name = "gitlab"

    def __init__(self, connection: Connection, *, access: GitLabAccess, lookup: Lookup) -> None:
        where = connection.where
        rest = connection.rest(access.api or where.base_url, headers=access.header)
        super().__init__(place=where.host, oci=connection.oci(lookup), beside=rest)
        self._api = GitLabApi(rest)
        self._access = access
        self._progress = connection.progress
        self._by_registry: set[str] = set()
        self._absence: dict[str, int] = {}

    @classmethod
    def connect(cls, settings: RegistrySettings, *, clock: Clock, progress: Progress) -> GitLabDriver:
        """Return a driver for the registry that ``settings`` describe; nothing is sent yet."""
        connection = Connection.to(settings, clock=clock, progress=progress)
        options = OptionReader(f"registries: {settings.host}", settings.options)
        api, token_env = options.text("api"), options.text("token_env")
        options.done()
        store = once(CredentialStore(connection.where.host).find)
        access = find_access(settings, api=api, token_env=token_env, environ=os.environ, lookup=store)

        def find(repository: str) -> Credentials | None:
            return store(repository) or access.login

        return cls(connection, access=access, lookup=find)

    # --- abilities ------------------------------------------------------------------------------------------------
    @property
    def detailed_times(self) -> frozenset[TimeOrigin]:
        """The times that a request for each tag tells."""
        return _DETAILED if self._access.api else frozenset()

    def declared(self) -> Capabilities:
        """Return what holds for every GitLab; deletion is Unknown."""
        return Capabilities(
            delete_tag=NOT_PROBED,
            delete_manifest=NOT_PROBED,
            referrers=NOT_PROBED,
            times=self.detailed_times,
            reads_count_as_pulls=False,
            last_tag_takes_manifest=True,
            reclaim=_RECLAIM,
        )

    def find_out(self, repository: str) -> Capabilities:
        """Ask to remove what does not exist, by the API where there is a token for it, and read the protections."""
        found = self._oci.probe(repository)
        delete_tag = found.delete_tag
        if self._access.api:
            delete_tag = self._probe_tag(repository)
            if not self._api.protection(repository).readable:
                self._progress.note(
                    f"{self._place}: these credentials may not read the tag protection rules of {repository} (the role "
                    "Maintainer may), or there are none; what is protected is refused when it is to be removed"
                )
        else:
            self._progress.note(
                f"{self._place}: {self._access.why_not}, so {repository} is swept by the registry API alone: protected "
                "tags are not known before, and rules have no time of GitLab's"
            )
        return replace(
            self.declared(),
            delete_tag=delete_tag,
            delete_manifest=_with_its_cause(found.delete_manifest),
            referrers=found.referrers,
        )

    # How GitLab answers who may: 404 until 2025; since then 403 where the registry has its metadata database, because
    # nobody may remove what is no tag, and 200 elsewhere.
    def _probe_tag(self, repository: str) -> Capability:
        doing = f"remove a tag of {repository}"
        try:
            response = self._api.remove(repository, oci_probe.random_tag())
        except (PermissionDenied, AuthenticationFailed) as error:
            return Capability(why=f"{error}; {_RIGHTS}")
        if response.status == _FORBIDDEN:
            refused = failure(response, place=self._place, doing=doing)
            known = repository in self._absence  # a GitLab that said something else before means its refusal
            return Capability(why=f"{refused}; {_RIGHTS}") if known else self._probe_by_role(repository, refused)
        if response.status != _OK and not _says_no_tag(response):
            return Capability(support=Support.UNKNOWN, why=str(failure(response, place=self._place, doing=doing)))
        self._absence[repository] = response.status
        return Capability(
            support=Support.YES, why=f"GitLab answers a try to remove an absent tag with {response.status}"
        )

    def _probe_by_role(self, repository: str, error: RegistryError) -> Capability:
        level = self._api.level(repository)
        if level is None:  # a job's token: what it may do, its registry tells
            by_registry = self._probe_by_registry(repository)
            if by_registry.usable:
                self._by_registry.add(repository)
                return by_registry
        elif level >= DEVELOPER:
            self._api.excuse(repository)
            role = ROLES.get(level, f"role {level}")
            return Capability(support=Support.YES, why=f"these credentials have the role {role}, which may remove tags")
        return Capability(why=f"{error}; {_RIGHTS}")

    # --- listing --------------------------------------------------------------------------------------------------
    def list_namespace(self, namespace: str) -> Iterable[str]:
        """Yield the repositories of all projects below a group."""
        if self._access.api:
            return self._api.repositories(namespace)
        return (path for path in self._oci.list_repositories() if path.startswith(f"{namespace}/"))

    def list_tags(self, repository: str) -> tuple[ListedTag, ...]:
        """Return every tag, and why GitLab protects it, where it does."""
        names = self.names(repository)
        if not self._access.api:
            return tuple(ListedTag(name=name) for name in names)
        protection = self._api.protection(repository)
        return tuple(ListedTag(name=name, locked=protection.locked(name)) for name in names)

    def read_times(self, repository: str, tag: str) -> Mapping[TimeOrigin, datetime]:
        """Return when the image under the tag was created, by a request for its details."""
        created = self._api.created(repository, tag) if self._access.api else None
        return {} if created is None else {TimeOrigin.CREATED: created}

    # --- removing -------------------------------------------------------------------------------------------------
    def _remove(self, repository: str, tag: str, doing: str) -> bool:
        """Remove the tag and nothing else; False if it was absent."""
        if not self._access.api or repository in self._by_registry:
            return self._remove_by_registry(repository, tag)
        if self._absence.get(repository) == _OK and self._oci.resolve_tag(repository, tag) is None:
            return False
        response = self._api.remove(repository, tag)
        if response.status != _FORBIDDEN:
            return self._ended(repository, tag, response, doing)
        if self._oci.resolve_tag(repository, tag) is None:
            self._api.excuse(repository)
            return False
        raise self._forbidden(repository, tag, failure(response, place=self._place, doing=doing))

    def _forbidden(self, repository: str, tag: str, error: RegistryError) -> RegistryError:
        """Return what a 403 means: it stands for a protected tag as well as for a missing right."""
        locked = self._api.protection(repository, anew=True).locked(tag)
        if not locked and self._probe_tag(repository).usable:
            locked = _PROTECTS
        if not locked:
            return PermissionDenied(str(error), remedy=_RIGHTS, status=_FORBIDDEN)
        self._api.excuse(repository)
        return _kept(error, locked)

    # GitLab's registry answers 401 and no challenge for a protected tag; what stands before it may say 403.
    def _remove_by_registry(self, repository: str, tag: str) -> bool:
        try:
            return self._oci.delete_tag(repository, tag)
        except PermissionDenied as error:
            if error.status not in (_UNAUTHORIZED, _FORBIDDEN) or not self._probe_by_registry(repository).usable:
                raise
            self._oci.client.excuse("DELETE", repository)
            raise _kept(error, _PROTECTS) from None

    def _probe_by_registry(self, repository: str) -> Capability:
        path = f"/v2/{repository}/manifests/{oci_probe.random_tag()}"
        scope = Scope.repository(repository, "pull", "delete")

        def remove() -> Response:
            return self._oci.client.send("DELETE", path, scope=scope, headers={"Accept": "application/json"})

        return oci_probe.by_deletion(remove, place=self._place, what="tag")


# The registry's token has the rules: by a digest nothing is deleted as long as there is one that binds its owner.
def _with_its_cause(by_digest: Capability) -> Capability:
    if by_digest.support is not Support.NO:
        return by_digest
    return replace(
        by_digest, why=f"{by_digest.why}; so does GitLab wherever a rule protects tags from these credentials"
    )


def _kept(error: RegistryError, why: str) -> Conflict:
    return Conflict(f"{error}; {why}", remedy="make a new plan, in which it stays", status=error.status)


def _says_no_tag(response: Response) -> bool:
    said = read_error(response.body).message.lower()
    return response.status == _NOT_FOUND and "tag" in said and "not found" in said
