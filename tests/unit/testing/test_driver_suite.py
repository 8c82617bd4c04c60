"""DriverSuite finds drivers that break the contract: each of these would delete or lose something in real life."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tagsweep.drivers.oci import OciDriver
from tagsweep.model.errors import NotFound
from tagsweep.model.manifest import DOCKER_MANIFEST, RawManifest
from tagsweep.model.reference import Digest
from tagsweep.ports import ListedTag, RegistryDriver
from tagsweep.testing.dialects import DISTRIBUTION_2_8, DISTRIBUTION_3, OCI, Dialect
from tagsweep.testing.driver_suite import DriverSuite
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import FakeHarness, Harness
from tests.real.interview import Interviewer


class DeletesTheDigest(OciDriver):
    """Deletes a tag by deleting what it is on."""

    def delete_tag(self, repository: str, tag: str) -> bool:
        """Take the digest, and with it every sibling."""
        digest = self.resolve_tag(repository, tag)
        return digest is not None and self.delete_manifest(repository, digest)


class FallsBack(OciDriver):
    """Deletes by digest without asking whether that was found to work."""

    def delete_manifest(self, repository: str, digest: Digest) -> bool:
        """Send the DELETE in any case."""
        return self._deleted(repository, digest)


class AcceptsLittle(OciDriver):
    """Resolves tags while accepting only Docker's manifests."""

    def resolve_tag(self, repository: str, tag: str) -> Digest | None:
        """Return what a narrow Accept gets."""
        asker = Interviewer(self._place)
        try:
            reply = asker.ask("HEAD", f"{repository}/manifests/{tag}", accept=DOCKER_MANIFEST)
        finally:
            asker.close()
        return Digest(reply.headers["docker-content-digest"]) if reply.status == 200 else None


class ListsNothingForUnknown(OciDriver):
    """Takes a repository that does not exist for an empty one."""

    def list_tags(self, repository: str) -> tuple[ListedTag, ...]:
        """Return an empty list where there is none."""
        try:
            return super().list_tags(repository)
        except NotFound:
            return ()


class ForgetsTheLastTag(OciDriver):
    """Loses the last tag of every list."""

    def list_tags(self, repository: str) -> tuple[ListedTag, ...]:
        """Return all but one."""
        return super().list_tags(repository)[:-1]


class TrustsTheBytes(OciDriver):
    """Does not check a manifest against its digest."""

    def fetch_manifest(self, repository: str, reference: str) -> RawManifest | None:
        """Return whatever comes."""
        asker = Interviewer(self._place)
        try:
            reply = asker.ask("GET", f"{repository}/manifests/{reference}")
        finally:
            asker.close()
        digest = Digest(reply.headers["docker-content-digest"])
        return RawManifest(digest=digest, media_type=reply.headers["content-type"], data=reply.body)


class RaisesForAbsent(OciDriver):
    """Raises where a deletion finds nothing."""

    def delete_tag(self, repository: str, tag: str) -> bool:
        """Raise NotFound instead of returning False."""
        if not super().delete_tag(repository, tag):
            raise NotFound(f"{tag} is not there")
        return True


Test = Callable[[DriverSuite, Harness, RegistryDriver], None]

BAD_DRIVERS: list[tuple[type[OciDriver], Dialect, Test]] = [
    (DeletesTheDigest, DISTRIBUTION_3, DriverSuite.test_deleting_a_tag_takes_that_tag_alone),
    (DeletesTheDigest, DISTRIBUTION_3, DriverSuite.test_deleting_the_last_tag_leaves_the_manifest),
    (
        FallsBack,
        DISTRIBUTION_2_8,
        lambda suite, *pair: suite.test_what_is_not_known_to_work_is_not_tried(*pair, probed=False),
    ),
    (AcceptsLittle, DISTRIBUTION_2_8, lambda suite, *pair: suite.test_tag_and_digest_agree(*pair, shape="docker list")),
    (AcceptsLittle, DISTRIBUTION_2_8, lambda suite, *pair: suite.test_tag_and_digest_agree(*pair, shape="oci index")),
    (ListsNothingForUnknown, OCI, DriverSuite.test_a_repository_that_does_not_exist_is_not_empty),
    (ForgetsTheLastTag, OCI, DriverSuite.test_every_tag_is_listed_once),
    (TrustsTheBytes, OCI, DriverSuite.test_a_manifest_with_other_bytes_than_its_digest_is_refused),
    (RaisesForAbsent, OCI, DriverSuite.test_deleting_an_absent_tag_is_false),
]


@pytest.mark.parametrize(
    ("bad", "dialect", "test"),
    BAD_DRIVERS,
    ids=[f"{bad.__name__}-{place}" for place, (bad, _, _) in enumerate(BAD_DRIVERS)],
)
def test_the_suite_catches_a_bad_driver(bad: type[OciDriver], dialect: Dialect, test: Test) -> None:
    """The test fails for the broken driver, on the same registry on which it passes for the right one."""
    with FakeRegistry(dialect) as registry:
        harness = FakeHarness(registry, OciDriver)
        test(DriverSuite(), harness, harness.connect())
    with FakeRegistry(dialect) as registry:
        harness = FakeHarness(registry, bad)
        with pytest.raises((AssertionError, NotFound, pytest.fail.Exception)):
            test(DriverSuite(), harness, harness.connect())
