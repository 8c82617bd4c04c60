"""EcrDriver: Amazon ECR. Its API lists, looks up and deletes; manifests and blobs are the registry API's.

Removing the last tag of an image deletes the image. Looking goes through ``DescribeImages``, which is no pull, while
Amazon does not say whether a HEAD at the registry API counts as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from tagsweep.core.options import OptionReader
from tagsweep.drivers import oci_probe
from tagsweep.drivers.ecr_api import PRIVATE, EcrApi, connect_api, moment
from tagsweep.drivers.ecr_base import EcrBase, registry_of
from tagsweep.drivers.oci import OciDriver
from tagsweep.drivers.oci_hosts import endpoint
from tagsweep.drivers.over_oci import as_digest
from tagsweep.model.capability import NOT_PROBED, Capabilities, Capability, Support
from tagsweep.model.errors import NotFound, PermissionDenied, ProtocolViolation
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import Digest, is_tag, parse_tag
from tagsweep.ports import Clock, ListedTag, Progress

_WHOLE_IMAGES: Final = Capability(
    why="with removal: archive whole images are archived, with all their tags; one tag of several stays"
)
_TIMES: Final = {TimeOrigin.PUSHED: "imagePushedAt", TimeOrigin.PULLED: "lastRecordedPullTime"}
_ACTIVE: Final = "ACTIVE"
_UNDO_ARCHIVE: Final = (
    "what was archived is restored by tagsweep restore, or with aws ecr update-image-storage-class "
    "--target-storage-class STANDARD; it takes up to 20 minutes, and Amazon charges at least 90 days of archive"
)
_RECLAIM: Final = (
    "Amazon frees the space of deleted images by itself; nothing has to be done. It brings none back: the option "
    "removal: archive is the way that can be taken back."
)
_RECLAIM_ARCHIVE: Final = (
    "Archived images cost less, and go on costing: delete them with aws ecr batch-delete-image when they are certainly "
    "not needed. Amazon charges each for at least 90 days."
)
_POLL: Final = 10.0
_POLLS: Final = 180
"""Together half an hour: Amazon says that a restore takes up to 20 minutes."""


class EcrDriver(EcrBase):
    """Implements :class:`tagsweep.ports.RegistryDriver`, :class:`tagsweep.ports.DeletesMany` and
    :class:`tagsweep.ports.TakesBack`. Made by :meth:`connect`.
    """

    name = "ecr"

    def __init__(
        self, *, api: EcrApi, oci: OciDriver, place: str, archives: bool, clock: Clock, progress: Progress
    ) -> None:
        super().__init__(api=api, oci=oci, place=place)
        self._archives = archives
        self._clock = clock
        self._progress = progress

    @classmethod
    def connect(cls, settings: RegistrySettings, *, clock: Clock, progress: Progress) -> EcrDriver:
        """Return a driver for the registry that ``settings`` describe; nothing is sent yet.

        Options: ``removal`` (delete, or archive, which can be taken back), ``profile``, and for other hosts than
        Amazon's ``region``, ``registry_id`` and ``endpoint_url``.
        """
        options = OptionReader(f"registries: {settings.host}", settings.options)
        archives = options.choice("removal", ("delete", "archive"), "delete") == "archive"
        api = connect_api(PRIVATE, settings, options, clock=clock, progress=progress)
        options.done()
        host = endpoint(settings).host
        oci = registry_of(settings, api, clock=clock, progress=progress)
        return cls(api=api, oci=oci, place=host, archives=archives, clock=clock, progress=progress)

    # --- abilities ------------------------------------------------------------------------------------------------
    def declared(self) -> Capabilities:
        """Return what is known of this registry without asking it."""
        return Capabilities(
            delete_tag=_WHOLE_IMAGES if self._archives else NOT_PROBED,
            delete_manifest=NOT_PROBED,
            referrers=NOT_PROBED,
            times=frozenset(_TIMES),
            reads_count_as_pulls=True,
            last_tag_takes_manifest=not self._archives,
            undo=_UNDO_ARCHIVE if self._archives else "",
            reclaim=_RECLAIM_ARCHIVE if self._archives else _RECLAIM,
        )

    def find_out(self, repository: str) -> Capabilities:
        """Ask by the removal of an image that nobody has. Raises NotFound where there is no such repository."""
        told = self._settings_in_words(repository)
        deletion = self._probe_deletion(repository)
        deletion = replace(deletion, why="; ".join((deletion.why, *told)))
        return replace(
            self.declared(),
            delete_tag=_WHOLE_IMAGES if self._archives else deletion,
            delete_manifest=deletion,
            referrers=self._oci.probe_referrers(repository),
        )

    def _probe_deletion(self, repository: str) -> Capability:
        image = {"imageDigest": oci_probe.random_digest()}
        operation = "UpdateImageStorageClass" if self._archives else "BatchDeleteImage"
        doing = f"{'archive' if self._archives else 'delete'} an absent image of {repository}"
        yes = Capability(support=Support.YES, why=f"{operation} of an absent image is answered with: not found")
        try:
            if self._archives:
                self._store(repository, image, "ARCHIVE", doing=doing)
                return Capability(support=Support.UNKNOWN, why="Amazon says that it archived an absent image")
            (ended,) = self._api.delete(repository, [image], doing=doing)
        except PermissionDenied as error:
            return Capability(why=f"{error}; {error.remedy}")
        except NotFound as error:
            if error.code != "ImageNotFoundException":
                raise
            return yes
        return yes if ended is False else Capability(support=Support.UNKNOWN, why=f"{doing}: {ended}")

    def _settings_in_words(self, repository: str) -> list[str]:
        """Return what the repository's own settings mean for a sweep; what may not be read is said to be unknown."""
        told: list[str] = []
        doing = f"read the settings of {repository}"
        try:
            described = self._api.ask("DescribeRepositories", doing=doing, repositoryNames=[repository])
            mutability = str((described.get("repositories") or [{}])[0].get("imageTagMutability", ""))
            if mutability.startswith("IMMUTABLE"):
                told.append(f"its tags are {mutability}: they cannot be moved, and can be removed")
        except PermissionDenied as error:
            told.append(f"whether its tags are immutable is not known ({error.remedy})")
        try:
            self._api.ask("GetLifecyclePolicy", doing=doing, repositoryName=repository)
            told.append("it has a lifecycle policy of its own, which expires images too")
        except NotFound as error:
            if error.code != "LifecyclePolicyNotFoundException":
                raise
        except PermissionDenied as error:
            told.append(f"whether it has a lifecycle policy is not known ({error.remedy})")
        return told

    # --- listing --------------------------------------------------------------------------------------------------
    def list_repositories(self) -> Iterator[str]:
        """Yield the repositories of the registry."""
        for entry in self._api.every("DescribeRepositories", "repositories", doing="list the repositories"):
            yield str(entry.get("repositoryName") or "")

    def list_tags(self, repository: str) -> tuple[ListedTag, ...]:
        """Return every tag of an active image with its digest and the times of the image; an archived one has no tags
        that could be pulled. NotFound where the repository does not exist.
        """
        doing = f"list the tags of {repository}"
        listed: dict[str, ListedTag] = {}
        images = self._api.every(
            "DescribeImages", "imageDetails", doing=doing, repositoryName=repository, filter={"tagStatus": "TAGGED"}
        )
        for image in images:
            if image.get("imageStatus", _ACTIVE) != _ACTIVE:
                continue
            digest = as_digest(image.get("imageDigest"), place=self._place, doing=doing)
            times = {origin: at for origin, key in _TIMES.items() if (at := moment(image.get(key))) is not None}
            for tag in image.get("imageTags") or ():
                if not isinstance(tag, str) or not is_tag(tag):
                    raise ProtocolViolation(f"{self._place}: cannot {doing}: the list holds {str(tag)[:130]!r}")
                # Pages are no snapshot: a tag that is seen on two images was moved meanwhile, and is asked for again.
                twice = tag in listed and listed[tag].digest != digest
                listed[tag] = ListedTag(name=tag) if twice else ListedTag(name=tag, digest=digest, times=times)
        return tuple(listed.values())

    def resolve_tag(self, repository: str, tag: str) -> Digest | None:
        """Return the digest that ``tag`` is on now, or None if it is absent or its image archived."""
        doing = f"look up {repository}:{parse_tag(tag)}"
        found = self._describe(repository, {"imageTag": tag}, doing=doing)
        return None if found is None else as_digest(found.get("imageDigest"), place=self._place, doing=doing)

    def has_manifest(self, repository: str, digest: Digest) -> bool:
        """Tell whether the image is there and can be pulled."""
        return self._describe(repository, {"imageDigest": digest}, doing=f"look up {digest.short}") is not None

    def _describe(self, repository: str, image: Mapping[str, str], *, doing: str) -> dict[str, Any] | None:
        try:
            answer = self._api.ask("DescribeImages", doing=doing, repositoryName=repository, imageIds=[dict(image)])
        except NotFound:
            return None
        found = answer.get("imageDetails")
        if not isinstance(found, list):
            raise ProtocolViolation(f"{self._place}: cannot {doing}: the answer has no imageDetails")
        active = (each for each in found if isinstance(each, dict) and each.get("imageStatus", _ACTIVE) == _ACTIVE)
        return next(active, None)

    # --- changes --------------------------------------------------------------------------------------------------
    def delete_manifest(self, repository: str, digest: Digest) -> bool:
        """Delete (or archive) the image with every tag on it; False if it was absent.

        Raises Conflict where an index still lists it.
        """
        doing = f"{'archive' if self._archives else 'delete'} {repository}@{digest.short}"
        self._require(repository, lambda able: able.delete_manifest, doing)
        if not self._archives:
            return self._api.delete_one(repository, {"imageDigest": digest}, doing=doing)
        if not self.has_manifest(repository, digest):
            return False  # to archive again what is archived would only raise an error
        try:
            status = self._store(repository, {"imageDigest": digest}, "ARCHIVE", doing=doing)
        except NotFound as error:
            if error.code != "ImageNotFoundException":
                raise
            return False
        if status != "ARCHIVED":
            raise ProtocolViolation(f"{self._place}: cannot {doing}: it is {status or 'of unknown status'} afterwards")
        return True

    def take_back(self, repository: str, digest: Digest, tags: Sequence[str]) -> bool:
        """Bring an archived image back into use and wait until it can be pulled; False where there is none such."""
        if not self._archives or self.has_manifest(repository, digest):
            return False
        doing = f"restore {repository}@{digest.short} from the archive"
        try:
            self._store(repository, {"imageDigest": digest}, "STANDARD", doing=doing)
        except NotFound:
            return False
        image: dict[str, Any] | None = None
        for poll in range(_POLLS):
            image = self._describe(repository, {"imageDigest": digest}, doing=doing)
            if image is not None:
                break
            if poll == 0:
                self._progress.note(f"{self._place}: Amazon restores {repository}@{digest.short}; waiting for it")
            self._clock.sleep(_POLL)
        more = sorted(set(map(str, (image or {}).get("imageTags") or ())) - set(tags))
        if image is not None and more:
            self._progress.note(f"{repository}@{digest.short} came back with {', '.join(more[:5])} as well")
        return image is not None

    def _store(self, repository: str, image: Mapping[str, str], target: str, *, doing: str) -> str:
        answer = self._api.change(
            "UpdateImageStorageClass",
            doing=doing,
            repositoryName=repository,
            imageId=dict(image),
            targetStorageClass=target,
        )
        return str(answer.get("imageStatus") or "")
