# ruff: noqa: S101 - a suite of tests states what it promises with assert
"""DriverSuite: what every registry driver promises, as tests that its author runs.

    class TestMyDriver(DriverSuite):
        @pytest.fixture
        def harness(self) -> Iterator[Harness]:
            with FakeRegistry(my_dialect) as registry:
                yield FakeHarness(registry, MyDriver)

Each test selects itself by the capabilities that the driver declares or finds by probing; what a registry cannot do
must be refused before anything is sent. Write ``pytest.register_assert_rewrite("tagsweep.testing.driver_suite")`` into
conftest.py to see both sides of a failed comparison.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tagsweep.model.errors import NotFound, PermissionDenied, ProtocolViolation, RegistryError, Unsupported
from tagsweep.model.manifest import Manifest
from tagsweep.model.reference import Digest
from tagsweep.ports import RegistryDriver
from tagsweep.testing import images
from tagsweep.testing.ability_suite import AbilitySuite
from tagsweep.testing.fault_suite import FaultSuite
from tagsweep.testing.harness import Harness
from tagsweep.testing.images import BuiltImage

ABSENT = Digest("sha256:" + "0" * 64)
LONGEST_TAG = "t" * 128
ODD_TAGS = ("UPPER", "1", "_", "a.b-c_d", "2025.04.1", LONGEST_TAG)


class DriverSuite(AbilitySuite, FaultSuite):
    """Subclass it as ``Test…`` and define the fixture ``harness``."""

    @pytest.fixture
    def harness(self) -> Iterator[Harness]:
        """Yield the registry under test; every subclass defines it."""
        pytest.fail("define the fixture 'harness' in your subclass of DriverSuite", pytrace=False)

    @pytest.fixture
    def driver(self, harness: Harness) -> Iterator[RegistryDriver]:
        """Yield a new driver and give its connections back at the end."""
        driver = harness.connect()
        yield driver
        driver.close()

    # --- listing --------------------------------------------------------------------------------------------------
    def test_every_tag_is_listed_once(self, harness: Harness, driver: RegistryDriver) -> None:
        """The list of tags has each tag exactly once, however the registry pages or orders it."""
        names = [f"build-{number}" for number in range(23)]
        for number, name in enumerate(names):
            harness.seed(images.image(f"build {number % 5}"), name)
        assert sorted(tag.name for tag in driver.list_tags(harness.repository)) == sorted(names)

    def test_digests_in_a_listing_are_those_of_the_tags(self, harness: Harness, driver: RegistryDriver) -> None:
        """A listing that tells digests tells the ones that the tags resolve to."""
        harness.seed(images.multi_platform("one"), "one", "also-one")
        harness.seed(images.image("two"), "two")
        listed = {tag.name: tag.digest for tag in driver.list_tags(harness.repository) if tag.digest is not None}
        assert listed.items() <= dict(harness.tags()).items()

    def test_every_valid_tag_name_works(self, harness: Harness, driver: RegistryDriver) -> None:
        """Tags of every shape that the grammar allows are listed and resolved."""
        image = images.image("odd names")
        harness.seed(image, *ODD_TAGS)
        assert sorted(tag.name for tag in driver.list_tags(harness.repository)) == sorted(ODD_TAGS)
        assert {driver.resolve_tag(harness.repository, tag) for tag in ODD_TAGS} == {image.top}

    def test_a_repository_that_does_not_exist_is_not_empty(self, harness: Harness, driver: RegistryDriver) -> None:
        """Listing the tags of an unknown repository raises NotFound; an empty list would read as "all gone"."""
        harness.seed(images.image("something"), "v1")
        with pytest.raises(NotFound):
            driver.list_tags(f"{harness.repository}-nowhere")

    def test_repositories_are_listed_or_refused(self, harness: Harness, driver: RegistryDriver) -> None:
        """The catalog contains the repository, or the registry is known to have none."""
        harness.seed(images.image("something"), "v1")
        try:
            assert harness.repository in set(driver.list_repositories())
        except (Unsupported, PermissionDenied):
            return

    # --- manifests ------------------------------------------------------------------------------------------------
    @pytest.mark.parametrize("shape", ["oci image", "docker image", "oci index", "docker list", "nested index"])
    def test_tag_and_digest_agree(self, harness: Harness, driver: RegistryDriver, shape: str) -> None:
        """A tag resolves to the digest of exactly the bytes that were pushed, never to a child's or a conversion's."""
        image = _shapes()[shape]
        harness.seed(image, "v1")
        repository = harness.repository
        assert driver.resolve_tag(repository, "v1") == image.top
        assert driver.has_manifest(repository, image.top)
        by_tag = driver.fetch_manifest(repository, "v1")
        by_digest = driver.fetch_manifest(repository, image.top)
        assert by_tag == by_digest == image.manifest

    def test_everything_below_an_index_answers(self, harness: Harness, driver: RegistryDriver) -> None:
        """The children of an index, attestations too, are fetched byte for byte by their digests."""
        image = images.multi_platform("children")
        harness.seed(image, "v1")
        for child in image.children:
            assert driver.fetch_manifest(harness.repository, child.digest) == child

    def test_absence_is_none(self, harness: Harness, driver: RegistryDriver) -> None:
        """What is certainly absent is None or False, not an error."""
        harness.seed(images.image("present"), "v1")
        repository = harness.repository
        assert driver.resolve_tag(repository, "absent") is None
        assert driver.fetch_manifest(repository, "absent") is None
        assert driver.fetch_manifest(repository, ABSENT) is None
        assert not driver.has_manifest(repository, ABSENT)
        assert not driver.has_blob(repository, ABSENT)
        assert driver.fetch_blob(repository, ABSENT, max_bytes=1000) is None

    def test_a_manifest_with_other_bytes_than_its_digest_is_refused(
        self, harness: Harness, driver: RegistryDriver
    ) -> None:
        """Bytes that do not have the digest they were asked by raise ProtocolViolation."""
        image = images.image(f"spoilt in {harness.repository}")
        harness.seed(image, "v1")
        if not harness.corrupt(image.top):
            pytest.skip("the bytes behind this registry cannot be spoilt")
        with pytest.raises(ProtocolViolation):
            driver.fetch_manifest(harness.repository, image.top)

    # --- blobs ----------------------------------------------------------------------------------------------------
    def test_blobs_answer_with_their_bytes(self, harness: Harness, driver: RegistryDriver) -> None:
        """Configs and layers are there and have the bytes that were pushed."""
        image = images.image("blobs")
        harness.seed(image, "v1")
        for digest, content in image.blobs.items():
            assert driver.has_blob(harness.repository, digest)
            assert driver.fetch_blob(harness.repository, digest, max_bytes=100_000) == content

    def test_a_blob_with_other_bytes_than_its_digest_is_refused(self, harness: Harness, driver: RegistryDriver) -> None:
        """A spoilt blob raises ProtocolViolation."""
        image = images.image(f"spoilt blob of {harness.repository}")
        harness.seed(image, "v1")
        config = next(iter(image.blobs))
        if not harness.corrupt(config):
            pytest.skip("the bytes behind this registry cannot be spoilt")
        with pytest.raises(ProtocolViolation):
            driver.fetch_blob(harness.repository, config, max_bytes=100_000)

    def test_a_blob_larger_than_expected_is_refused(self, harness: Harness, driver: RegistryDriver) -> None:
        """A body above the bound is an error, not cut and not kept."""
        content = images.layer("large", 5000)
        harness.seed(images.image("large", layers=[content]), "v1")
        with pytest.raises(RegistryError):
            driver.fetch_blob(harness.repository, images.digest_of(content), max_bytes=1000)

    # --- referrers ------------------------------------------------------------------------------------------------
    def test_referrers_are_told_or_not_known(self, harness: Harness, driver: RegistryDriver) -> None:
        """With the referrers API every referrer is listed and no other; without it the answer is None, not empty."""
        image, other = images.image("subject"), images.image("without referrers")
        proof = images.referrer(image.manifest)
        for each, tag in ((image, "v1"), (other, "v2")):
            harness.seed(each, tag)
        harness.seed(proof)
        usable = driver.probe(harness.repository).referrers.usable
        found = driver.list_referrers(harness.repository, image.top)
        if not usable:
            assert found is None
            return
        assert found is not None
        assert [(entry.digest, entry.artifact_type) for entry in found] == [(proof.top, _artifact_type(proof))]
        assert driver.list_referrers(harness.repository, other.top) == ()

    # --- capabilities ---------------------------------------------------------------------------------------------
    def test_probing_changes_nothing(self, harness: Harness, driver: RegistryDriver) -> None:
        """A probe leaves every tag and manifest as it was, and its answer is remembered."""
        image = images.multi_platform("probed")
        harness.seed(image, "v1", "latest")
        before = dict(harness.tags())
        found = driver.probe(harness.repository)
        assert dict(harness.tags()) == before
        assert all(driver.has_manifest(harness.repository, manifest.digest) for manifest in image.manifests)
        assert driver.capabilities(harness.repository) == found

    @pytest.mark.parametrize("probed", [False, True], ids=["before the probe", "after the probe"])
    def test_what_is_not_known_to_work_is_not_tried(
        self, harness: Harness, driver: RegistryDriver, *, probed: bool
    ) -> None:
        """A deletion that is not declared or probed as possible raises Unsupported and sends nothing."""
        image = images.image("safe")
        harness.seed(image, "v1", "v2")
        if probed:
            driver.probe(harness.repository)
        known = driver.capabilities(harness.repository)
        before, sent = dict(harness.tags()), harness.changes()
        if not known.delete_tag.usable:
            with pytest.raises(Unsupported):
                driver.delete_tag(harness.repository, "v1")
        if not known.delete_manifest.usable:
            with pytest.raises(Unsupported):
                driver.delete_manifest(harness.repository, image.top)
        assert dict(harness.tags()) == before
        assert harness.changes() == sent

    # --- deleting one tag -----------------------------------------------------------------------------------------
    def test_deleting_a_tag_takes_that_tag_alone(self, harness: Harness, driver: RegistryDriver) -> None:
        """The tag is gone; its siblings on the same digest, the manifest and all other tags stay."""
        image = images.multi_platform("shared")
        harness.seed(image, "v1", "latest", "sha-1")
        harness.seed(images.image("other"), "other")
        _need_delete_tag(harness, driver)
        before = dict(harness.tags())
        assert driver.delete_tag(harness.repository, "sha-1") is True
        del before["sha-1"]
        assert dict(harness.tags()) == before
        assert driver.resolve_tag(harness.repository, "sha-1") is None
        assert all(driver.has_manifest(harness.repository, manifest.digest) for manifest in image.manifests)

    def test_deleting_the_last_tag_leaves_the_manifest(self, harness: Harness, driver: RegistryDriver) -> None:
        """A manifest outlives its last tag until somebody deletes it by digest, or goes with it as it is declared."""
        image = images.image("lonely")
        harness.seed(image, "v1")
        _need_delete_tag(harness, driver)
        assert driver.delete_tag(harness.repository, "v1") is True
        assert driver.list_tags(harness.repository) == ()
        goes_along = driver.capabilities(harness.repository).last_tag_takes_manifest
        assert goes_along or driver.has_manifest(harness.repository, image.top)

    def test_deleting_an_absent_tag_is_false(self, harness: Harness, driver: RegistryDriver) -> None:
        """The second deletion of a tag, and that of one that never was, return False and take nothing."""
        harness.seed(images.image("twice"), "v1", "v2")
        _need_delete_tag(harness, driver)
        assert driver.delete_tag(harness.repository, "v1") is True
        assert driver.delete_tag(harness.repository, "v1") is False
        assert driver.delete_tag(harness.repository, "never") is False
        assert list(harness.tags()) == ["v2"]

    # --- deleting a manifest --------------------------------------------------------------------------------------
    def test_deleting_a_manifest_takes_all_its_tags_and_no_other(
        self, harness: Harness, driver: RegistryDriver
    ) -> None:
        """Every tag on the digest goes with it; tags on other digests and the children of an index stay."""
        image, other = images.multi_platform("doomed"), images.multi_platform("spared")
        harness.seed(image, "v1", "latest", "sha-1")
        harness.seed(other, "v2")
        _need_delete_manifest(harness, driver)
        assert driver.delete_manifest(harness.repository, image.top) is True
        assert not driver.has_manifest(harness.repository, image.top)
        assert dict(harness.tags()).items() >= {"v2": other.top}.items()
        if harness.digest_delete_takes_tags:
            assert dict(harness.tags()) == {"v2": other.top}
            assert driver.resolve_tag(harness.repository, "latest") is None
        assert all(driver.has_manifest(harness.repository, child.digest) for child in image.children)
        assert all(driver.has_manifest(harness.repository, manifest.digest) for manifest in other.manifests)

    def test_deleting_an_absent_manifest_is_false(self, harness: Harness, driver: RegistryDriver) -> None:
        """The second deletion of a digest, and that of one that never was, return False."""
        image = images.image("twice")
        harness.seed(image, "v1")
        harness.seed(images.image("other"), "v2")
        _need_delete_manifest(harness, driver)
        assert driver.delete_manifest(harness.repository, image.top) is True
        assert driver.delete_manifest(harness.repository, image.top) is False
        assert driver.delete_manifest(harness.repository, ABSENT) is False

    def test_an_emptied_repository_lists_no_tags(self, harness: Harness, driver: RegistryDriver) -> None:
        """When the last tag is gone the list is empty, in whichever way the registry writes that."""
        image = images.image("only")
        harness.seed(image, "v1")
        known = driver.probe(harness.repository)
        if known.delete_tag.usable:
            driver.delete_tag(harness.repository, "v1")
        elif known.delete_manifest.usable:
            driver.delete_manifest(harness.repository, image.top)
        else:
            pytest.skip("this registry deletes nothing")
        assert driver.list_tags(harness.repository) == ()

    # --- putting back ---------------------------------------------------------------------------------------------
    def test_what_was_deleted_can_be_put_back(self, harness: Harness, driver: RegistryDriver) -> None:
        """The saved bytes, children first, give every tag its old digest again while the blobs are there."""
        image = images.multi_platform("restored")
        harness.seed(image, "v1", "latest")
        _need_delete_manifest(harness, driver)
        repository = harness.repository
        for manifest in reversed(image.manifests):
            assert driver.delete_manifest(repository, manifest.digest)
        for manifest in image.manifests:
            assert driver.put_manifest(repository, manifest.digest, manifest) == manifest.digest
        for tag in ("v1", "latest"):
            assert driver.put_manifest(repository, tag, image.manifest) == image.top
        assert dict(harness.tags()) == {"v1": image.top, "latest": image.top}
        assert all(driver.fetch_manifest(repository, each.digest) == each for each in image.manifests)

    def test_putting_a_manifest_moves_the_tag(self, harness: Harness, driver: RegistryDriver) -> None:
        """A tag that is put again is on the new digest, and the old manifest stays."""
        old, new = images.image("old"), images.image("new")
        harness.seed(old, "v1", "stays")
        harness.seed(new, "v2")
        assert driver.put_manifest(harness.repository, "v1", new.manifest) == new.top
        assert dict(harness.tags()) == {"stays": old.top, "v1": new.top, "v2": new.top}
        assert driver.has_manifest(harness.repository, old.top)

    def test_a_manifest_whose_blobs_are_gone_is_not_found(self, harness: Harness, driver: RegistryDriver) -> None:
        """Putting back what the registry has collected raises NotFound, so that it can be told apart."""
        if not harness.put_checks_blobs:
            pytest.skip("this registry accepts manifests whose blobs it does not have")
        harness.seed(images.image("present"), "v1")
        lost = images.image("lost", layers=[images.layer("lost")])
        with pytest.raises(NotFound):
            driver.put_manifest(harness.repository, "v2", lost.manifest)
        assert list(harness.tags()) == ["v1"]

    def test_an_index_whose_child_is_gone_is_not_found(self, harness: Harness, driver: RegistryDriver) -> None:
        """An index cannot be put back before its children."""
        harness.seed(images.image("present"), "v1")
        with pytest.raises(NotFound):
            driver.put_manifest(harness.repository, "v2", images.index([images.image("lost child")]).manifest)
        assert list(harness.tags()) == ["v1"]

    # --- threads --------------------------------------------------------------------------------------------------
    def test_many_threads_may_ask_at_once(self, harness: Harness, driver: RegistryDriver) -> None:
        """Answers do not get mixed up between threads that share a driver."""
        built = {f"v{number}": images.image(f"thread {number}") for number in range(8)}
        for tag, image in built.items():
            harness.seed(image, tag)
        asked = list(built) * 5
        with ThreadPoolExecutor(max_workers=8) as pool:
            found = list(pool.map(lambda tag: driver.fetch_manifest(harness.repository, tag), asked))
        assert found == [built[tag].manifest for tag in asked]


def _shapes() -> dict[str, BuiltImage]:
    """Return one image of each shape that a tag can name."""
    return {
        "oci image": images.image("shape"),
        "docker image": images.image("shape", docker=True),
        "oci index": images.multi_platform("shape"),
        "docker list": images.multi_platform("shape", docker=True, attestations=False),
        "nested index": images.index([images.multi_platform("inner"), images.image("beside")]),
    }


def _artifact_type(image: BuiltImage) -> str:
    parsed = image.manifest.parse()
    assert isinstance(parsed, Manifest)
    return parsed.artifact_type


def _need_delete_tag(harness: Harness, driver: RegistryDriver) -> None:
    capability = driver.probe(harness.repository).delete_tag
    if not capability.usable:
        pytest.skip(f"one tag cannot be deleted here: {capability.why}")


def _need_delete_manifest(harness: Harness, driver: RegistryDriver) -> None:
    capability = driver.probe(harness.repository).delete_manifest
    if not capability.usable:
        pytest.skip(f"manifests cannot be deleted here: {capability.why}")
