"""The `ecr` and `ecr-public` drivers keep the driver contract; the last tag takes its image along, as Amazon says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tagsweep.drivers.ecr import EcrDriver
from tagsweep.drivers.ecr_public import EcrPublicDriver
from tagsweep.model.errors import Conflict
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import RegistryDriver
from tagsweep.testing import images
from tagsweep.testing.driver_suite import DriverSuite
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import FakeHarness, Harness
from tagsweep.testing.vendors.ecr import ECR, EcrFake
from tagsweep.testing.vendors.ecr_requests import AccessKey
from tagsweep.testing.wire import WireRequest

READ_ONLY = AccessKey(denied=frozenset({"BatchDeleteImage", "UpdateImageStorageClass"}))


class EcrHarness(FakeHarness):
    """A fake ECR, and the driver told where its API is."""

    def __init__(self, registry: FakeRegistry, api: EcrFake, factory: Any, options: dict[str, Any]) -> None:
        super().__init__(registry, factory)
        self._api, self._driver, self._options = api, factory, options

    def connect(self) -> RegistryDriver:
        """Return a new driver."""
        options = {"endpoint_url": f"http://{self.registry.host}", **self._options}
        settings = RegistrySettings(host=self.registry.host, options=options)
        driver: RegistryDriver = self._driver.connect(settings, clock=self.clock, progress=self.progress)
        return driver

    def changes(self) -> int | None:
        """Count what changes something: every question to the API is a POST, so the operations tell."""
        writing = sum(1 for each in self.registry.requests if each.method in ("PUT", "DELETE"))
        return writing + sum(1 for each in self._api.asked if each in READ_ONLY.denied)

    def is_change(self, request: WireRequest) -> bool:
        """Tell it by the operation as well."""
        operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
        return operation in READ_ONLY.denied or super().is_change(request)


class _EcrSuite(DriverSuite):
    """What is the same for both."""

    def test_deleting_the_last_tag_leaves_the_manifest(self, harness: Harness, driver: RegistryDriver) -> None:
        """T9: the removal of the last tag deletes the image, which the driver declares."""
        image = images.image("lonely")
        harness.seed(image, "v1")
        known = driver.probe(harness.repository)
        if not known.delete_tag.usable:
            pytest.skip(known.delete_tag.why)
        assert known.last_tag_takes_manifest
        assert driver.delete_tag(harness.repository, "v1") is True
        assert driver.list_tags(harness.repository) == ()
        assert not driver.has_manifest(harness.repository, image.top)

    def test_a_child_of_an_index_is_a_conflict(self, harness: Harness, driver: RegistryDriver) -> None:
        """T8: a platform that an index lists is not deleted, and the refusal is a Conflict."""
        image = images.multi_platform("listed")
        harness.seed(image, "v1")
        known = driver.probe(harness.repository)
        if not known.delete_tag.usable:
            pytest.skip(known.delete_tag.why)
        with pytest.raises(Conflict, match="ImageReferencedByManifestList"):
            driver.delete_manifest(harness.repository, image.children[0].digest)
        assert all(driver.has_manifest(harness.repository, each.digest) for each in image.manifests)


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the environment be that of a user with an access key."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "TAGSWEEP_USERNAME", "TAGSWEEP_PASSWORD", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", AccessKey().id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", AccessKey().secret)


class TestEcrDriver(_EcrSuite):
    """The suite against the fake of ECR, page by page and as somebody who may only read."""

    @pytest.fixture(params=["plain", "small pages", "read only", "archive"])
    def harness(self, request: pytest.FixtureRequest) -> Iterator[Harness]:
        """Yield a fake ECR."""
        page = 3 if request.param == "small pages" else None
        key = READ_ONLY if request.param == "read only" else None
        options = {"region": "eu-west-1", "registry_id": "123456789012"}
        if request.param == "archive":
            options["removal"] = "archive"
        api = EcrFake(page=page, key=key)
        with FakeRegistry(ECR, access=api.access, apis=[api]) as registry:
            yield EcrHarness(registry, api, EcrDriver, options)


class TestEcrPublicDriver(_EcrSuite):
    """The suite against the fake of ECR Public."""

    @pytest.fixture(params=["plain", "small pages"])
    def harness(self, request: pytest.FixtureRequest) -> Iterator[Harness]:
        """Yield a fake ECR Public."""
        api = EcrFake(public=True, page=3 if request.param == "small pages" else None)
        with FakeRegistry(ECR, access=api.access, apis=[api]) as registry:
            yield EcrHarness(registry, api, EcrPublicDriver, {})
