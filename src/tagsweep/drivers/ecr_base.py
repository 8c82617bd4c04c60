"""EcrBase: what the drivers of Amazon ECR and ECR Public share: two clients, and tags removed in batches."""

from __future__ import annotations

from collections.abc import Mapping

from tagsweep.drivers.connection import curl_transport
from tagsweep.drivers.ecr_api import LARGEST_BATCH, EcrApi, EcrTokens
from tagsweep.drivers.oci import OciDriver
from tagsweep.drivers.oci_hosts import endpoint
from tagsweep.drivers.over_oci import OverOci
from tagsweep.model.errors import RegistryError
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import Digest, parse_tag
from tagsweep.ports import Clock, Progress


class EcrBase(OverOci):
    """A registry driver over Amazon's API. A subclass gives ``declared`` and what its service does in its own way."""

    largest_batch = LARGEST_BATCH

    def __init__(self, *, api: EcrApi, oci: OciDriver, place: str) -> None:
        super().__init__(place=place, oci=oci, beside=api)  # of which every question is a POST
        self._api = api

    def _name(self, repository: str) -> str:
        """Return what the API calls a repository."""
        return repository

    def _remove(self, repository: str, tag: str, doing: str) -> bool:
        """Remove the tag, and with the last one on it the image; False if it was absent."""
        return self._api.delete_one(self._name(repository), {"imageTag": tag}, doing=doing)

    def delete_tags(self, repository: str, tags: Mapping[str, Digest]) -> Mapping[str, bool | RegistryError]:
        """Remove up to a hundred tags by one request; what the answer does not mention is left out.

        Each is named by its tag alone: an identifier with tag and digest may stand for the whole image.
        """
        doing = f"remove {len(tags)} tags of {repository}"
        self._require(repository, lambda able: able.delete_tag, doing)
        names = [parse_tag(tag) for tag in tags]
        ended = self._api.delete(self._name(repository), [{"imageTag": tag} for tag in names], doing=doing)
        return {tag: end for tag, end in zip(names, ended, strict=True) if end is not None}


def registry_of(settings: RegistrySettings, api: EcrApi, *, clock: Clock, progress: Progress) -> OciDriver:
    """Return the registry API, with the tokens that Amazon's API gives for it."""
    return OciDriver(
        settings,
        transport=curl_transport(settings),
        lookup=EcrTokens(endpoint(settings).host, api, clock).find,
        clock=clock,
        progress=progress,
    )
