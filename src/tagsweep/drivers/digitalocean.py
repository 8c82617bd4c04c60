"""DigitalOceanDriver: DigitalOcean's registry. Its API lists tags and removes one; all else is the registry API's.

Facts, from DigitalOcean's own client library: numbered pages of at most 200, a slash in a repository's name is written
%2F, tags are deleted one by one. What deleting a digest does to its tags is not described, so that it is not done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from tagsweep.core.options import OptionReader
from tagsweep.drivers import oci_probe
from tagsweep.drivers.connection import Connection, api_address
from tagsweep.drivers.credentials import CredentialStore
from tagsweep.drivers.over_oci import OverOci
from tagsweep.drivers.vendor_access import authorized, bearer, by_absent_tag, store_with_variables
from tagsweep.drivers.vendor_lists import as_tag, digest_in, in_order, moment, objects, text_in, whole, within
from tagsweep.http.auth import Credentials
from tagsweep.model.capability import NOT_PROBED, Capabilities, Capability
from tagsweep.model.errors import InvalidReference, NotFound, ProtocolViolation, Unsupported
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import Clock, ListedTag, Progress, Response

API: Final = "https://api.digitalocean.com"
VARIABLES: Final = ("DIGITALOCEAN_ACCESS_TOKEN", "DIGITALOCEAN_TOKEN")
_NOT_FOUND: Final = 404
_PAGE: Final = 200
_BY_DIGEST: Final = Capability(
    why="what DigitalOcean deletes by digest besides the digest is not described, so that only tags are removed"
)
_RECLAIM: Final = (
    "DigitalOcean frees nothing by itself: start its garbage collection (`doctl registry garbage-collection start`), "
    "during which the registry takes no pushes. With --include-untagged-manifests, what lost its last tag goes too; "
    "until then restore can put the tags back."
)


class DigitalOceanDriver(OverOci):
    """Implements :class:`tagsweep.ports.RegistryDriver` for registry.digitalocean.com. Made by :meth:`connect`.

    Option: ``api``, another address of the API.
    """

    name = "digitalocean"

    def __init__(self, connection: Connection, *, api: str) -> None:
        where = connection.where
        lookup = store_with_variables(CredentialStore(where.host), VARIABLES, _as_credentials)
        self._rest = connection.rest(api, authorize=authorized(lookup, bearer))
        super().__init__(place=where.host, oci=connection.oci(lookup), beside=self._rest)

    @classmethod
    def connect(cls, settings: RegistrySettings, *, clock: Clock, progress: Progress) -> DigitalOceanDriver:
        """Return a driver for the registry that ``settings`` describe; nothing is sent yet."""
        options = OptionReader(f"registries: {settings.host}", settings.options)
        api = api_address(options.text("api") or API, settings, example=API)
        options.done()
        return cls(Connection.to(settings, clock=clock, progress=progress), api=api)

    # --- abilities ------------------------------------------------------------------------------------------------
    def declared(self) -> Capabilities:
        """Return what is known without asking."""
        return Capabilities(
            delete_tag=NOT_PROBED,
            delete_manifest=_BY_DIGEST,
            referrers=NOT_PROBED,
            times=frozenset({TimeOrigin.UPDATED}),
            reads_count_as_pulls=self._oci.capabilities("").reads_count_as_pulls,
            reclaim=_RECLAIM,
        )

    def find_out(self, repository: str) -> Capabilities:
        """Ask to delete a tag that is absent."""
        tag = oci_probe.random_tag()
        deletion = by_absent_tag(lambda: self._delete(repository, tag), place=self._place)
        return replace(self.declared(), delete_tag=deletion, referrers=self._oci.probe_referrers(repository))

    # --- listing --------------------------------------------------------------------------------------------------
    def list_repositories(self) -> Iterator[str]:
        """Raise Unsupported: repositories are listed by registry."""
        raise Unsupported(
            f"{self._place} lists repositories only by registry",
            remedy=f"name it in the target, such as {self._place}/acme/*",
        )

    def list_namespace(self, namespace: str) -> Iterator[str]:
        """Yield the repositories of one registry."""
        doing = f"list the repositories of {namespace}"
        path = f"/v2/registries/{quote(namespace, safe='')}/repositoriesV2"
        pages = self._rest.pages(path, query={"per_page": 100}, doing=doing, following=_following)
        seen, total = 0, None
        for document in pages:
            total = within(document, "meta", "total")
            for entry in objects(document, "repositories", place=self._place, doing=doing):
                seen += 1
                yield f"{namespace}/{text_in(entry, 'name', place=self._place, doing=doing)}"
        if isinstance(total, int) and seen < total:
            raise ProtocolViolation(f"{self._place}: cannot {doing}: the pages end after {seen} of {total}")

    def list_tags(self, repository: str) -> tuple[ListedTag, ...]:
        """Return every tag with its digest and when it was last updated; NotFound where the repository is not."""
        doing = f"list the tags of {repository}"

        def read(page: int) -> tuple[Sequence[Mapping[str, Any]], int | None]:
            query = {"page": page, "per_page": _PAGE}
            response = self._rest.send("GET", f"{_path(repository)}/tags", query=query, about=repository)
            if response.status == _NOT_FOUND:
                raise _not_found(self._place, repository)
            document = self._rest.read(response, doing=doing)
            total = within(document, "meta", "total")
            found = objects(document, "tags", place=self._place, doing=doing)
            return found, total if isinstance(total, int) else None

        told = whole(read, key="tag", place=self._place, doing=doing)
        listed = {as_tag(name, place=self._place, doing=doing): _listed(name, entry) for name, entry in told.items()}
        return in_order(self.names(repository), listed)

    # --- changes --------------------------------------------------------------------------------------------------
    def _remove(self, repository: str, tag: str, doing: str) -> bool:
        return self._ended(repository, tag, self._delete(repository, tag), doing)

    def _delete(self, repository: str, tag: str) -> Response:
        return self._rest.send("DELETE", f"{_path(repository)}/tags/{quote(tag, safe='')}", about=repository)


def _as_credentials(token: str, found_in: str) -> Credentials:
    """Return a token as the registry takes it: as user and as password."""
    return Credentials(username=token, password=token, found_in=found_in)


def _path(repository: str) -> str:
    registry, _, name = repository.partition("/")
    if not name:
        raise InvalidReference(f"{repository!r} is no repository of DigitalOcean", remedy="they look like acme/app")
    return f"/v2/registries/{quote(registry, safe='')}/repositories/{quote(name, safe='')}"


def _listed(name: str, entry: Mapping[str, Any]) -> ListedTag:
    updated = moment(entry.get("updated_at"))
    times = {TimeOrigin.UPDATED: updated} if updated is not None else {}
    return ListedTag(name=name, digest=digest_in(entry.get("manifest_digest")), times=times)


def _not_found(place: str, repository: str) -> NotFound:
    return NotFound(
        f"{place}: there is no repository {repository}, or the token may not see it",
        remedy="check the name of the registry and of the repository",
        status=_NOT_FOUND,
    )


def _following(response: Response, document: Any) -> str | None:  # noqa: ARG001 - the shape that pages() calls
    """Return the address of the next page, or None on the last."""
    following = within(document, "links", "pages", "next")
    return following if isinstance(following, str) else None
