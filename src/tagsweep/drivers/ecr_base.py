"""EcrBase: what the drivers of Amazon ECR and ECR Public share: two clients, and tags removed in batches."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

from tagsweep.drivers.ecr_api import LARGEST_BATCH, EcrApi, EcrTokens
from tagsweep.drivers.oci import OciDriver
from tagsweep.drivers.oci_hosts import endpoint
from tagsweep.drivers.over_oci import OverOci, need
from tagsweep.http.transport import CurlTransport
from tagsweep.model.capability import Capabilities
from tagsweep.model.errors import RegistryError
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import Digest, parse_tag
from tagsweep.ports import Clock, Progress


class EcrBase(OverOci):
    """A registry driver over Amazon's API. A subclass gives ``declared`` and what its service does in its own way."""

    largest_batch = LARGEST_BATCH

    def __init__(self, *, api: EcrApi, oci: OciDriver, place: str) -> None:
        self._api = api
        self._oci = oci
        self._place = place
        self._probed: dict[str, Capabilities] = {}
        self._probing = threading.Lock()

    @property
    def counts(self) -> Mapping[str, int]:
        """How many requests were sent so far, by method; every question to Amazon's API is a POST."""
        return Counter(self._oci.counts) + Counter(self._api.counts)

    def close(self) -> None:
        """Give back the connections."""
        self._oci.close()
        self._api.close()

    def declared(self) -> Capabilities:
        """Return what is known of this registry without asking it."""
        raise NotImplementedError

    def capabilities(self, repository: str) -> Capabilities:
        """Return what was probed in ``repository``, or Unknown for what a probe would tell."""
        return self._probed.get(repository) or self.declared()

    def _name(self, repository: str) -> str:
        """Return what the API calls a repository."""
        return repository

    def delete_tag(self, repository: str, tag: str) -> bool:
        """Remove the tag, and with the last one on it the image; False if it was absent."""
        doing = f"remove the tag {parse_tag(tag)} of {repository}"
        need(self.capabilities(repository).delete_tag, place=self._place, doing=doing)
        return self._api.delete_one(self._name(repository), {"imageTag": tag}, doing=doing)

    def delete_tags(self, repository: str, tags: Mapping[str, Digest]) -> Mapping[str, bool | RegistryError]:
        """Remove up to a hundred tags by one request; what the answer does not mention is left out.

        Each is named by its tag alone: an identifier with tag and digest may stand for the whole image.
        """
        doing = f"remove {len(tags)} tags of {repository}"
        need(self.capabilities(repository).delete_tag, place=self._place, doing=doing)
        names = [parse_tag(tag) for tag in tags]
        ended = self._api.delete(self._name(repository), [{"imageTag": tag} for tag in names], doing=doing)
        return {tag: end for tag, end in zip(names, ended, strict=True) if end is not None}


def registry_of(settings: RegistrySettings, api: EcrApi, *, clock: Clock, progress: Progress) -> OciDriver:
    """Return the registry API, with the tokens that Amazon's API gives for it."""
    return OciDriver(
        settings,
        transport=CurlTransport(place=settings.host, ca=settings.ca),
        lookup=EcrTokens(endpoint(settings).host, api, clock).find,
        clock=clock,
        progress=progress,
    )
