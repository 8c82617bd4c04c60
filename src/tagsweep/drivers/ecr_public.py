"""EcrPublicDriver: Amazon ECR Public. Its API, in one region, lists and deletes; all else is the registry API's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from tagsweep.core.options import OptionReader
from tagsweep.drivers import oci_probe
from tagsweep.drivers.ecr_api import PUBLIC, EcrApi, connect_api, moment
from tagsweep.drivers.ecr_base import EcrBase, registry_of
from tagsweep.drivers.oci import OciDriver
from tagsweep.drivers.oci_hosts import endpoint
from tagsweep.drivers.over_oci import as_digest
from tagsweep.model.capability import NOT_PROBED, Capabilities, Capability, Support
from tagsweep.model.errors import InvalidReference, PermissionDenied, ProtocolViolation
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import Digest, is_tag
from tagsweep.ports import Clock, ListedTag, Progress

_RECLAIM: Final = "Amazon frees the space of deleted images by itself; nothing has to be done."


class EcrPublicDriver(EcrBase):
    """Implements :class:`tagsweep.ports.RegistryDriver` and :class:`tagsweep.ports.DeletesMany`.

    A repository is ``ALIAS/NAME``; only those of one's own registry can be listed and deleted from.
    """

    name = "ecr-public"

    def __init__(self, *, api: EcrApi, oci: OciDriver, place: str) -> None:
        super().__init__(api=api, oci=oci, place=place)
        self._own: frozenset[str] | None = None
        self._asking = threading.Lock()

    @classmethod
    def connect(cls, settings: RegistrySettings, *, clock: Clock, progress: Progress) -> EcrPublicDriver:
        """Return a driver for the registry that ``settings`` describe; nothing is sent yet.

        Options: ``profile``, and for another host than public.ecr.aws ``endpoint_url``.
        """
        options = OptionReader(f"registries: {settings.host}", settings.options)
        api = connect_api(PUBLIC, settings, options, clock=clock, progress=progress)
        options.done()
        host = endpoint(settings).host
        oci = registry_of(settings, api, clock=clock, progress=progress)
        return cls(api=api, oci=oci, place=host)

    # --- abilities ------------------------------------------------------------------------------------------------
    def declared(self) -> Capabilities:
        """Return what is known of this registry without asking it."""
        return Capabilities(
            delete_tag=NOT_PROBED,
            delete_manifest=NOT_PROBED,
            referrers=NOT_PROBED,
            times=frozenset({TimeOrigin.PUSHED, TimeOrigin.UPDATED}),
            reads_count_as_pulls=True,
            last_tag_takes_manifest=True,
            reclaim=_RECLAIM,
        )

    def find_out(self, repository: str) -> Capabilities:
        """Ask by the deletion of an image that nobody has."""
        deletion = self._probe_deletion(repository)
        return replace(
            self.declared(),
            delete_tag=deletion,
            delete_manifest=deletion,
            referrers=self._oci.probe_referrers(repository),
        )

    def _probe_deletion(self, repository: str) -> Capability:
        doing = f"delete an absent image of {repository}"
        try:
            name = self._name(repository)
            (ended,) = self._api.delete(name, [{"imageDigest": oci_probe.random_digest()}], doing=doing)
        except PermissionDenied as error:
            return Capability(why=f"{error}; {error.remedy}")
        if ended is False:
            return Capability(support=Support.YES, why="BatchDeleteImage of an absent image is answered: not found")
        return Capability(support=Support.UNKNOWN, why=f"{doing}: {ended}")

    def _name(self, repository: str) -> str:
        """Return what the API calls a repository, whose alias it does not take: it must be one's own."""
        alias, _, name = repository.partition("/")
        if not name:
            raise InvalidReference(
                f"{repository!r} is no repository of ECR Public", remedy="they have two parts: alias/name"
            )
        own = self._aliases()
        if alias not in own:
            raise PermissionDenied(
                f"{self._place}: {alias} is not the registry of these AWS credentials",
                remedy=f"theirs is {', '.join(sorted(own)) or 'none'}: use the credentials of the account that owns it",
            )
        return name

    def _aliases(self) -> frozenset[str]:
        with self._asking:
            if self._own is None:
                registries = self._api.every("DescribeRegistries", "registries", doing="find out whose registry it is")
                aliases = (alias for registry in registries for alias in registry.get("aliases") or ())
                self._own = frozenset(str(alias["name"]) for alias in aliases if alias.get("name"))
            return self._own

    # --- listing --------------------------------------------------------------------------------------------------
    def list_repositories(self) -> Iterator[str]:
        """Yield the repositories of one's own registry."""
        for entry in self._api.every("DescribeRepositories", "repositories", doing="list the repositories"):
            yield str(entry.get("repositoryUri") or "").partition("/")[2]

    def list_tags(self, repository: str) -> tuple[ListedTag, ...]:
        """Return every tag with its digest, when its image was pushed and when the tag was made."""
        doing = f"list the tags of {repository}"
        listed: dict[str, ListedTag] = {}
        name = self._name(repository)
        for entry in self._api.every("DescribeImageTags", "imageTagDetails", doing=doing, repositoryName=name):
            tag, image = entry.get("imageTag"), entry.get("imageDetail")
            if not isinstance(tag, str) or not is_tag(tag) or not isinstance(image, dict):
                raise ProtocolViolation(f"{self._place}: cannot {doing}: the list holds {str(tag)[:130]!r}")
            digest = as_digest(image.get("imageDigest"), place=self._place, doing=doing)
            told = {TimeOrigin.PUSHED: image.get("imagePushedAt"), TimeOrigin.UPDATED: entry.get("createdAt")}
            times = {origin: at for origin, value in told.items() if (at := moment(value)) is not None}
            twice = tag in listed and listed[tag].digest != digest  # it was moved while the pages were read
            listed[tag] = ListedTag(name=tag) if twice else ListedTag(name=tag, digest=digest, times=times)
        return tuple(listed.values())

    # --- changes --------------------------------------------------------------------------------------------------
    def delete_manifest(self, repository: str, digest: Digest) -> bool:
        """Delete the image with every tag on it; False if it was absent. Conflict where an index still lists it."""
        doing = f"delete {repository}@{digest.short}"
        self._require(repository, lambda able: able.delete_manifest, doing)
        return self._api.delete_one(self._name(repository), {"imageDigest": digest}, doing=doing)
