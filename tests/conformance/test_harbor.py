"""The `harbor` driver keeps the driver contract, for every kind of account, and where Harbor takes more along."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagsweep.drivers.harbor import HarborDriver
from tagsweep.model.errors import Conflict
from tagsweep.ports import RegistryDriver
from tagsweep.testing import images
from tagsweep.testing.access import READ_ONLY, BearerAccess
from tagsweep.testing.driver_suite import DriverSuite
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import Harness
from tagsweep.testing.vendors.harbor import (
    DELETE_ARTIFACT,
    EVERY_RIGHT,
    HARBOR,
    READ,
    HarborAccount,
    HarborApi,
)
from tests.conformance.lockable import LockableHarness

NAME, SECRET = "robot$team+sweeper", "secret-of-the-robot"
RIGHTS = {
    "every right": EVERY_RIGHT,
    "no rules": EVERY_RIGHT - {"read rules"},
    "tags only": EVERY_RIGHT - {DELETE_ARTIFACT},
    "reading": frozenset({READ}),
}


class TestHarborDriver(DriverSuite):
    """The suite, once for each kind of robot account."""

    @pytest.fixture(params=RIGHTS)
    def harness(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
        """Yield a fake Harbor."""
        rights = RIGHTS[request.param]
        monkeypatch.setenv("TAGSWEEP_USERNAME", NAME)
        monkeypatch.setenv("TAGSWEEP_PASSWORD", SECRET)
        deletes = DELETE_ARTIFACT in rights
        access = BearerAccess(
            username=NAME, password=SECRET, granted=READ_ONLY | {"push"} | ({"delete"} if deletes else frozenset())
        )
        harbor = HarborApi(accounts=[HarborAccount(name=NAME, secret=SECRET, rights=rights)])
        with FakeRegistry(HARBOR, access=access, apis=[harbor]) as registry:
            yield LockableHarness(registry, HarborDriver, lambda _, tag: harbor.make_immutable("team", tag))

    def test_deleting_a_manifest_takes_all_its_tags_and_no_other(
        self, harness: Harness, driver: RegistryDriver
    ) -> None:
        """A digest takes its tags and what only it lists; what another index lists stays, and 412 says so."""
        shared = images.image("shared platform")
        doomed = images.index([images.image("own platform"), shared])
        spared = images.index([shared, images.image("other platform", platform=images.ARM64)])
        harness.seed(doomed, "v1", "latest")
        harness.seed(spared, "v2")
        if not driver.probe(harness.repository).delete_manifest.usable:
            pytest.skip("this account deletes no manifests")
        with pytest.raises(Conflict):
            driver.delete_manifest(harness.repository, shared.top)
        assert driver.delete_manifest(harness.repository, doomed.top) is True
        assert dict(harness.tags()) == {"v2": spared.top}
        left = {each.digest for each in doomed.children if driver.has_manifest(harness.repository, each.digest)}
        assert left == {shared.top}

    def test_what_was_deleted_can_be_put_back(self, harness: Harness, driver: RegistryDriver) -> None:
        """The saved bytes, children first, give every tag its old digest again, although one call took them all."""
        image = images.multi_platform("restored")
        harness.seed(image, "v1", "latest")
        if not driver.probe(harness.repository).delete_manifest.usable:
            pytest.skip("this account deletes no manifests")
        assert driver.delete_manifest(harness.repository, image.top)
        assert not any(driver.has_manifest(harness.repository, each.digest) for each in image.manifests)
        for manifest in image.manifests:
            assert driver.put_manifest(harness.repository, manifest.digest, manifest) == manifest.digest
        for tag in ("v1", "latest"):
            assert driver.put_manifest(harness.repository, tag, image.manifest) == image.top
        assert dict(harness.tags()) == {"v1": image.top, "latest": image.top}
