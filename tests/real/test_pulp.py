"""The `pulp` driver keeps the driver contract against a real Pulp, as far as Pulp lets it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tagsweep.drivers.detect import detect
from tagsweep.drivers.oci import OciDriver
from tagsweep.drivers.pulp import PulpDriver
from tagsweep.http.clock import SystemClock
from tagsweep.model.errors import Conflict, NotFound, Unsupported
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import Digest
from tagsweep.ports import RegistryDriver
from tagsweep.testing import images
from tagsweep.testing.driver_suite import DriverSuite
from tagsweep.testing.harness import Harness, InstantClock, Quiet
from tests.e2e.kit import PART, Place, gateway, of_size, part_of
from tests.e2e.sweeps import Sweep, doctor, vendor_policy
from tests.real.filled import Filled
from tests.real.harness import RealHarness
from tests.real.pulp import AUTHORIZATION, PASSWORD, USER
from tests.real.servers import Server

pytestmark = [pytest.mark.real, pytest.mark.slow]


class PulpHarness(RealHarness):
    """A repository of its own on a Pulp, for which a driver really has to wait."""

    def connect(self) -> RegistryDriver:
        """Return a new driver, on the machine's clock: Pulp's workers know no other."""
        return PulpDriver.connect(RegistrySettings(host=self.server.host), clock=SystemClock(), progress=Quiet())

    def corrupt(self, digest: Digest) -> bool:
        """Spoil the file of a blob; a manifest is in the database and cannot be spoilt so."""
        assert self.server.root is not None
        place = self.server.root / "artifact" / digest.hex[:2] / digest.hex[2:]
        if not place.exists() or b'"schemaVersion"' in place.read_bytes():
            return False
        content = place.read_bytes()
        place.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        return True


@pytest.fixture
def pulp(pulp_registry: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[PulpHarness]:
    """Yield a repository of its own on the server, whose credentials the environment has."""
    monkeypatch.setenv("TAGSWEEP_USERNAME", USER)
    monkeypatch.setenv("TAGSWEEP_PASSWORD", PASSWORD)
    harness = PulpHarness(pulp_registry, PulpDriver, authorization=lambda _: AUTHORIZATION)
    yield harness
    harness.close()


class TestPulpDriver(DriverSuite):
    """The suite, with what Pulp does in another way than registries do."""

    @pytest.fixture
    def harness(self, pulp: PulpHarness) -> Harness:
        """Return the repository."""
        return pulp

    def test_deleting_a_manifest_takes_all_its_tags_and_no_other(
        self, harness: Harness, driver: RegistryDriver
    ) -> None:
        """A digest takes its tags and what only it lists; what another index lists, or has a tag, stays."""
        shared, tagged = images.image("shared platform"), images.image("tagged platform")
        doomed = images.index([images.image("own platform"), shared, tagged])
        spared = images.index([shared, images.image("other platform", platform=images.ARM64)])
        harness.seed(doomed, "v1", "latest")
        harness.seed(spared, "v2")
        harness.seed(tagged, "platform")
        assert driver.probe(harness.repository).delete_takes_children
        assert driver.delete_manifest(harness.repository, doomed.top) is True
        assert dict(harness.tags()) == {"v2": spared.top, "platform": tagged.top}
        there = [driver.has_manifest(harness.repository, child.digest) for child in doomed.children]
        assert there == [False, True, True]
        assert all(driver.has_manifest(harness.repository, manifest.digest) for manifest in spared.manifests)

    def test_what_was_deleted_can_be_put_back(self, harness: Harness, driver: RegistryDriver) -> None:
        """A tag can, because its manifest stays; a digest cannot, because its layers went, and the driver says so."""
        image = images.multi_platform("lost for good")
        harness.seed(image, "v1", "v2")
        known = driver.probe(harness.repository)
        for tag in ("v1", "v2"):
            assert driver.delete_tag(harness.repository, tag)
        assert driver.put_manifest(harness.repository, "v1", image.manifest) == image.top
        assert dict(harness.tags()) == {"v1": image.top}
        assert "has to be pushed again" in known.delete_manifest.why
        assert driver.delete_manifest(harness.repository, image.top)
        with pytest.raises(NotFound):
            driver.put_manifest(harness.repository, image.children[0].digest, image.children[0])

    def test_an_index_whose_child_is_gone_is_not_found(self, harness: Harness, driver: RegistryDriver) -> None:
        """Pulp stores an index without its children: the driver passes that on, nothing is hidden."""
        harness.seed(images.image("present"), "v1")
        index = images.index([images.image("lost child")])
        assert driver.put_manifest(harness.repository, "v2", index.manifest) == index.top
        assert not driver.has_manifest(harness.repository, index.children[0].digest)


def test_what_an_index_lists_is_not_told_as_deleted(pulp: PulpHarness) -> None:
    """Pulp accepts the deletion of a platform of an index with 202 and keeps it: that is Conflict, not "done"."""
    image = images.multi_platform("whole")
    pulp.seed(image, "v1")
    settings = RegistrySettings(host=pulp.server.host)
    driver = PulpDriver.connect(settings, clock=InstantClock(), progress=Quiet())
    assert driver.probe(pulp.repository).delete_manifest.usable
    with pytest.raises(Conflict, match="accepted, but it is still there"):
        driver.delete_manifest(pulp.repository, image.children[0].digest)
    assert driver.has_manifest(pulp.repository, image.children[0].digest)
    driver.close()


def test_one_tag_is_not_tried_by_the_registry_api_alone(pulp: PulpHarness) -> None:
    """The `oci` driver finds that no tag can be removed alone, refuses to, and all tags stay."""
    image = images.image("safe")
    pulp.seed(image, "v1", "latest")
    driver = OciDriver.connect(RegistrySettings(host=pulp.server.host), clock=InstantClock(), progress=Quiet())
    assert not driver.probe(pulp.repository).delete_tag.usable
    with pytest.raises(Unsupported):
        driver.delete_tag(pulp.repository, "v1")
    assert dict(pulp.tags()) == {"v1": image.top, "latest": image.top}
    driver.close()


def test_the_builds_of_tensorzero_go(pulp: PulpHarness, tmp_path: Path) -> None:
    """The builds go and no digest that has another tag; verify agrees; those on a release's digest come back."""
    place = Place(tmp_path)
    filled = Filled(pulp.server, pulp.repository, part_of(gateway()), authorization=AUTHORIZATION)
    text = vendor_policy(filled.host, "pulp", target=pulp.repository)
    assert "has to be pushed again" in doctor(place, text)
    with of_size(PART):
        sweep = Sweep(place, filled, text, repository=pulp.repository)
        sweep.plan()
        sweep.apply()
    assert set(sweep.left.values()) <= filled.manifests(pulp.repository)
    restored = place.run("restore", place.last_run()["id"], "--yes", expect=3)
    assert f"{PART.shared} put back" in restored.text
    assert f"{PART.builds - PART.shared} gone for good" in restored.text
    back = sweep.left.keys() | sweep.shared
    assert filled.tags(pulp.repository) == {tag: digest for tag, digest in sweep.tags.items() if tag in back}
    filled.close()


def test_it_is_found_by_how_it_answers(pulp_registry: Server) -> None:
    """Nothing has to be configured: what Pulp sends with every answer tells it."""
    assert detect(RegistrySettings(host=pulp_registry.host)) == "pulp"
