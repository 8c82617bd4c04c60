"""The `oci` driver keeps the driver contract against every dialect of the fake registry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tagsweep.drivers.oci import OciDriver
from tagsweep.testing.dialects import (
    CRANE,
    DISTRIBUTION_2_8,
    DISTRIBUTION_3,
    DISTRIBUTION_3_0_0,
    OCI,
    ZOT,
    Dialect,
    LinkForm,
    without_deletion,
)
from tagsweep.testing.driver_suite import DriverSuite
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import FakeHarness, Harness

DIALECTS = (
    OCI,
    DISTRIBUTION_2_8,
    DISTRIBUTION_3,
    DISTRIBUTION_3_0_0,
    CRANE,
    ZOT,
    without_deletion(DISTRIBUTION_2_8),
    replace(OCI, name="short pages", page_size=4, short_pages=True),
    replace(OCI, name="absolute links", page_size=5, link=LinkForm.ABSOLUTE, link_on_last_page=True),
    replace(OCI, name="repeats across pages", page_size=5, repeats_across_pages=True),
    replace(OCI, name="no digest header", digest_header=False),
    replace(OCI, name="JSON only", tags_need_json=True, page_size=7),
    replace(OCI, name="blobs elsewhere", blobs_elsewhere=True),
)


class TestOciDriver(DriverSuite):
    """The suite, once for each dialect."""

    @pytest.fixture(params=DIALECTS, ids=[dialect.name for dialect in DIALECTS])
    def harness(self, request: pytest.FixtureRequest) -> Iterator[Harness]:
        """Yield a fake registry of the dialect."""
        dialect: Dialect = request.param
        with FakeRegistry(dialect) as registry:
            yield FakeHarness(registry, OciDriver)
