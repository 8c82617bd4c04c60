"""Amazon ECR's and ECR Public's API over a fake registry, by their service models.

    ecr = EcrFake()
    with FakeRegistry(ECR, access=ecr.access, apis=[ecr]) as registry:
        ...  # EcrDriver with the options endpoint_url: http://<registry.host>, region: eu-west-1

Wrong requests are refused: signatures that do not fit, unknown parameters, pages over 1,000, batches over 100. By the
service models: operations, parameters, errors, failures in a batch, the last tag that takes its image along, the states
of archived images. By the user guide: an archived image is not found by a pull.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tagsweep.http.clock import SystemClock
from tagsweep.model.manifest import RawManifest
from tagsweep.model.reference import Digest
from tagsweep.ports import Clock
from tagsweep.testing.access import BasicAccess
from tagsweep.testing.dialects import Dialect, Refusal
from tagsweep.testing.storage import Storage, StoredRepository
from tagsweep.testing.vendors.ecr_requests import LARGEST_BATCH, AccessKey, AwsRefused, as_amazon, opened, paged
from tagsweep.testing.wire import Answer, WireRequest

_NO_DELETE: Final = Refusal(status=405, code="UNSUPPORTED", message="Unsupported action")
ECR: Final = Dialect(name="Amazon ECR", tag_delete=_NO_DELETE, digest_delete=_NO_DELETE)

_TOKEN_LIFE: Final = timedelta(hours=12)
_FIRST_PUSH: Final = datetime(2025, 1, 1, tzinfo=UTC)
_ANY: Final = "ANY"


class EcrFake:
    """Implements :class:`tagsweep.testing.fake.VendorApi`.

    ``public`` makes it ECR Public, whose repositories are ``ALIAS/NAME`` at the registry and ``NAME`` in the API.
    ``restoring`` is how many questions after an image it takes until its restore from the archive is done. ``page``
    bounds the entries of every page. ``clock`` is that of tokens.
    """

    def __init__(
        self,
        *,
        key: AccessKey | None = None,
        account: str = "123456789012",
        region: str = "eu-west-1",
        public: bool = False,
        alias: str = "team",
        mutability: str = "MUTABLE",
        lifecycle: Collection[str] = (),
        restoring: int = 2,
        page: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.key = key if key is not None else AccessKey()
        self.access = BasicAccess(username="AWS", password="token-for-twelve-hours")  # noqa: S106 - of a fake
        self.asked: list[str] = []
        self.refused: dict[str, str] = {}
        """Tags that are not removed, each with the failureCode that a batch answers for it."""
        self._account = account
        self._region = "us-east-1" if public else region
        self._public = public
        self._alias = alias
        self._mutability = mutability
        self._lifecycle = frozenset(lifecycle)
        self._restoring = restoring
        self._page = page
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._storage = Storage()
        self._base = ""
        self._lock = threading.Lock()
        self._throttled = 0
        self._pushed: dict[tuple[str, str], datetime] = {}
        self._pulled: dict[tuple[str, str], datetime] = {}
        self._archive: dict[str, dict[Digest, tuple[RawManifest, list[str]]]] = {}
        self._waiting: dict[tuple[str, str], int] = {}

    # --- the back door --------------------------------------------------------------------------------------------
    def attach(self, storage: Storage, *, base: str) -> None:
        """Take the registry's storage."""
        self._storage, self._base = storage, base

    def record(
        self, repository: str, digest: Digest, *, pushed: datetime | None = None, pulled: datetime | None = None
    ) -> None:
        """Set what the API tells of the times of an image."""
        if pushed is not None:
            self._pushed[repository, digest] = pushed
        if pulled is not None:
            self._pulled[repository, digest] = pulled

    def throttle_next(self, count: int) -> None:
        """Answer the next requests with a ThrottlingException."""
        self._throttled = count

    def archived(self, repository: str) -> frozenset[Digest]:
        """Return what is in the archive."""
        return frozenset(self._archive.get(repository, ()))

    # --- answering ------------------------------------------------------------------------------------------------
    def answer(self, request: WireRequest) -> Answer | None:
        """Return the answer to an operation, or None where the registry API is meant."""
        if "x-amz-target" not in request.headers and request.target != "/":
            return None
        try:
            return as_amazon(200, self._operate(request))
        except AwsRefused as refused:
            return refused.answer(long_names=self._public)

    def _operate(self, request: WireRequest) -> dict[str, Any]:
        operation, given = opened(request, public=self._public, key=self.key, region=self._region)
        with self._lock:
            self.asked.append(operation)
            if self._throttled > 0:
                self._throttled -= 1
                raise AwsRefused("ThrottlingException", "Rate exceeded")
        if operation in self.key.denied:
            raise AwsRefused("AccessDeniedException", f"User is not authorized to perform: {operation}")
        if given.get("registryId", self._account) != self._account:
            raise AwsRefused("InvalidParameterException", "Invalid parameter: registryId")
        operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "BatchDeleteImage": self._delete,
            "DescribeImageTags": self._tags,
            "DescribeImages": self._images,
            "DescribeRegistries": self._registries,
            "DescribeRepositories": self._repositories,
            "GetAuthorizationToken": self._token,
            "GetLifecyclePolicy": self._policy,
            "UpdateImageStorageClass": self._move,
        }
        with self._storage.lock:
            return operations[operation](given)

    # --- registries and repositories ------------------------------------------------------------------------------
    def _token(self, given: Mapping[str, Any]) -> dict[str, Any]:
        del given
        token = base64.b64encode(f"{self.access.username}:{self.access.password}".encode()).decode()
        data = {"authorizationToken": token, "expiresAt": (self._clock.now() + _TOKEN_LIFE).timestamp()}
        return {"authorizationData": data if self._public else [{**data, "proxyEndpoint": self._base}]}

    def _registries(self, given: Mapping[str, Any]) -> dict[str, Any]:
        alias = {"name": self._alias, "status": "ACTIVE", "primaryRegistryAlias": True, "defaultRegistryAlias": True}
        registry = {"registryId": self._account, "aliases": [alias], "verified": False}
        return paged(given, "registries", [registry], most=self._page)

    def _repositories(self, given: Mapping[str, Any]) -> dict[str, Any]:
        paths = sorted(path for path, stored in self._storage.repositories.items() if stored.known)
        if self._public:
            paths = [path for path in paths if path.startswith(f"{self._alias}/")]
        wanted = given.get("repositoryNames")
        if wanted is not None:
            for name in wanted:
                self._repository(name)
            paths = [path for path in paths if self._named(path) in wanted]
        host = self._base.partition("://")[2]
        found = [
            {
                "registryId": self._account,
                "repositoryName": self._named(path),
                "repositoryUri": f"{host}/{path}",
                **({} if self._public else {"imageTagMutability": self._mutability}),
            }
            for path in paths
        ]
        return paged(given, "repositories", found, most=self._page)

    def _named(self, path: str) -> str:
        return path.partition("/")[2] if self._public else path

    def _repository(self, name: object) -> tuple[str, StoredRepository]:
        path = f"{self._alias}/{name}" if self._public else str(name)
        stored = self._storage.known(path)
        if stored is None:
            raise AwsRefused(
                "RepositoryNotFoundException",
                f"The repository with name '{name}' does not exist in the registry with id '{self._account}'",
            )
        return path, stored

    def _policy(self, given: Mapping[str, Any]) -> dict[str, Any]:
        path, _ = self._repository(given.get("repositoryName"))
        if path not in self._lifecycle:
            raise AwsRefused("LifecyclePolicyNotFoundException", "Lifecycle policy does not exist for the repository")
        return {"registryId": self._account, "repositoryName": path, "lifecyclePolicyText": '{"rules":[{}]}'}

    # --- images ---------------------------------------------------------------------------------------------------
    def _tags(self, given: Mapping[str, Any]) -> dict[str, Any]:
        path, stored = self._repository(given.get("repositoryName"))
        found = [
            {
                "imageTag": tag,
                "createdAt": self._pushed_at(path, manifest.digest).timestamp() + 60,
                "imageDetail": {
                    "imageDigest": manifest.digest,
                    "imagePushedAt": self._pushed_at(path, manifest.digest).timestamp(),
                    "imageManifestMediaType": manifest.media_type,
                },
            }
            for tag, manifest in sorted(stored.tags.items())
        ]
        return paged(given, "imageTagDetails", found, most=self._page)

    def _images(self, given: Mapping[str, Any]) -> dict[str, Any]:
        path, stored = self._repository(given.get("repositoryName"))
        asked = given.get("filter", {})
        unknown = asked.keys() - {"tagStatus", "imageStatus"}
        if unknown or asked.get("tagStatus", _ANY) not in (_ANY, "TAGGED", "UNTAGGED"):
            raise AwsRefused("InvalidParameterException", "Invalid parameter at 'filter'")
        wanted = asked.get("imageStatus", "ACTIVE")
        if "imageIds" in given:
            if given.keys() & {"nextToken", "maxResults"} or not 1 <= len(given["imageIds"]) <= LARGEST_BATCH:
                raise AwsRefused("InvalidParameterException", "imageIds cannot be used with maxResults or nextToken")
            return {"imageDetails": [self._find(path, stored, image, wanted) for image in given["imageIds"]]}
        found = self._described(path, stored, wanted)
        status = asked.get("tagStatus", _ANY)
        found = [each for each in found if status == _ANY or bool(each.get("imageTags")) is (status == "TAGGED")]
        return paged(given, "imageDetails", found, most=self._page)

    def _described(
        self, path: str, stored: StoredRepository, status: str, only: Digest | None = None
    ) -> list[dict[str, Any]]:
        """Return what is known of all images in this status, or of one; a restore that is over is seen here."""
        archive = self._archive.get(path, {})
        for digest in [digest for digest in archive if only in (None, digest)]:
            left = self._waiting.get((path, digest))
            if digest in stored.manifests:  # it was pushed again, which brings it back too
                del archive[digest]
            elif left is not None and left <= 0:
                self._activate(path, digest)
            elif left is not None:
                self._waiting[path, digest] = left - 1
        active = [(digest, manifest) for digest, manifest in stored.manifests.items() if only in (None, digest)]
        entries = [(manifest, sorted(stored.tags_on(digest)), "ACTIVE") for digest, manifest in active]
        for digest, (manifest, tags) in archive.items():
            if only in (None, digest):
                entries.append((manifest, tags, "ACTIVATING" if (path, digest) in self._waiting else "ARCHIVED"))
        return [
            self._detail(path, manifest, tags, state)
            for manifest, tags, state in sorted(entries, key=lambda entry: entry[0].digest)
            if status in (_ANY, state)
        ]

    def _detail(self, path: str, manifest: RawManifest, tags: list[str], state: str) -> dict[str, Any]:
        pulled = self._pulled.get((path, manifest.digest))
        return {
            "registryId": self._account,
            "repositoryName": self._named(path),
            "imageDigest": manifest.digest,
            **({"imageTags": tags} if tags else {}),
            "imageSizeInBytes": len(manifest.data),
            "imagePushedAt": self._pushed_at(path, manifest.digest).timestamp(),
            **({"lastRecordedPullTime": pulled.timestamp()} if pulled is not None else {}),
            "imageManifestMediaType": manifest.media_type,
            **({} if self._public else {"imageStatus": state}),
        }

    def _pushed_at(self, path: str, digest: Digest) -> datetime:
        return self._pushed.get((path, digest), _FIRST_PUSH)

    def _find(self, path: str, stored: StoredRepository, image: Mapping[str, str], status: str) -> dict[str, Any]:
        tag, digest = image.get("imageTag"), image.get("imageDigest")
        if digest is None and tag in stored.tags:
            digest = stored.tags[tag].digest
        for each in self._described(path, stored, status, Digest(digest)) if digest is not None else ():
            if tag is None or tag in each.get("imageTags", ()):
                return each
        raise AwsRefused(
            "ImageNotFoundException",
            f"The image with imageId {dict(image)} does not exist within the repository {path}",
        )

    # --- changes --------------------------------------------------------------------------------------------------
    def _delete(self, given: Mapping[str, Any]) -> dict[str, Any]:
        path, stored = self._repository(given.get("repositoryName"))
        images = given.get("imageIds", [])
        if not 1 <= len(images) <= LARGEST_BATCH:
            raise AwsRefused("InvalidParameterException", "Invalid parameter at 'imageIds': between 1 and 100 items")
        done: list[dict[str, str]] = []
        failures: list[dict[str, Any]] = []
        for image in images:
            if not image.keys() <= {"imageTag", "imageDigest"}:
                raise AwsRefused("InvalidParameterException", "Invalid parameter at 'imageIds'")
            code = self._delete_one(path, stored, image, done)
            if code:
                failures.append({"imageId": image, "failureCode": code, "failureReason": f"Requested image: {code}"})
        return {"imageIds": done, "failures": failures}

    def _delete_one(
        self, path: str, stored: StoredRepository, image: Mapping[str, str], done: list[dict[str, str]]
    ) -> str:
        """Delete one image or tag and note it in ``done``; return the code of the failure, or nothing."""
        tag, digest = image.get("imageTag"), image.get("imageDigest")
        on, code = self._meant(path, stored, image)
        code = code or self.refused.get(str(tag), "")
        if on is None or code:
            return code
        if on in self._archive.get(path, {}):
            del self._archive[path][on]
            done.append({"imageDigest": on})
            return ""
        if tag is not None and len(stored.tags_on(on)) > 1:
            del stored.tags[tag]
            done.append({"imageTag": tag, "imageDigest": on})
            return ""
        if stored.parents(on):
            return "ImageReferencedByManifestList"
        tags = stored.tags_on(on)
        for each in tags:
            del stored.tags[each]
            done.append({"imageTag": each, "imageDigest": on})
        if not tags:
            done.append({"imageDigest": str(digest)})
        del stored.manifests[on]
        return ""

    def _meant(self, path: str, stored: StoredRepository, image: Mapping[str, str]) -> tuple[Digest | None, str]:
        """Return the digest that an identifier means, or the code of the failure."""
        tag, digest = image.get("imageTag"), image.get("imageDigest")
        if tag is None and digest is None:
            return None, "MissingDigestAndTag"
        if tag is None:
            known = digest in stored.manifests or digest in self._archive.get(path, {})
            return (Digest(str(digest)), "") if known else (None, "ImageNotFound")
        if tag not in stored.tags:
            return None, "ImageNotFound"
        on = stored.tags[tag].digest
        return (on, "") if digest in (None, on) else (None, "ImageTagDoesNotMatchDigest")

    # --- the archive ----------------------------------------------------------------------------------------------
    def _move(self, given: Mapping[str, Any]) -> dict[str, Any]:
        path, stored = self._repository(given.get("repositoryName"))
        image, target = given.get("imageId", {}), given.get("targetStorageClass")
        if target not in ("ARCHIVE", "STANDARD") or not image:
            raise AwsRefused("InvalidParameterException", "Invalid parameter at 'targetStorageClass'")
        found = self._find(path, stored, image, _ANY)
        digest = Digest(found["imageDigest"])
        state = found["imageStatus"]
        if (target == "ARCHIVE") is not (state == "ACTIVE"):
            raise AwsRefused("InvalidParameterException", f"The image is {state}")
        if target == "ARCHIVE":
            tags = stored.tags_on(digest)
            manifest = stored.manifests.pop(digest)
            for tag in tags:
                del stored.tags[tag]
            self._archive.setdefault(path, {})[digest] = (manifest, tags)
        else:
            self._waiting[path, digest] = self._restoring
        status = "ARCHIVED" if target == "ARCHIVE" else "ACTIVATING"
        return {"registryId": self._account, "repositoryName": path, "imageId": image, "imageStatus": status}

    def _activate(self, path: str, digest: Digest) -> None:
        manifest, tags = self._archive[path].pop(digest)
        del self._waiting[path, digest]
        stored = self._storage.repositories[path]
        stored.add(digest, manifest, self._storage.parsed(manifest))
        for tag in tags:
            if tag not in stored.tags:
                stored.point(tag, manifest)
