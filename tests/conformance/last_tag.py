"""What changes of the driver contract where a registry deletes a manifest with the last tag on it."""

from __future__ import annotations

import pytest

from tagsweep.ports import RegistryDriver
from tagsweep.testing import images
from tagsweep.testing.driver_suite import DriverSuite
from tagsweep.testing.harness import Harness


class LastTagSuite(DriverSuite):
    """The suite for registries that say so by ``last_tag_takes_manifest``."""

    def test_deleting_the_last_tag_leaves_the_manifest(self, harness: Harness, driver: RegistryDriver) -> None:
        """It does not here, and the driver declares it, so that planning spares what something else needs."""
        image = images.image("lonely")
        harness.seed(image, "v1")
        known = driver.probe(harness.repository)
        assert known.last_tag_takes_manifest
        if not known.delete_tag.usable:
            pytest.skip(f"one tag cannot be deleted here: {known.delete_tag.why}")
        assert driver.delete_tag(harness.repository, "v1") is True
        assert driver.list_tags(harness.repository) == ()
        assert not driver.has_manifest(harness.repository, image.top)
